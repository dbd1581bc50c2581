"""Compaction: of every key only the latest record stays. Runs in a thread, on files that nobody changes any more.

Kafka's way: a map from key to latest offset is built over the *dirty* section only (what was appended since the last
pass), at most ``MAX_KEYS`` keys at a time, then all segments up to its end are rewritten, small neighbours into one file.
The batch at the end of the range is left alone, so that a reader's position still reaches the end of the log; the next
pass begins with it.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from stream.embedded.broker import records
from stream.embedded.broker.records import Header, Record
from stream.embedded.broker.segment import Segment

MAX_KEYS: Final = 250_000
"""Keys in the map of one pass: about 50 MB at 60-byte keys."""
_WORK_S: Final = 0.005
"""Work this long, then give the broker's loop the interpreter for as long: compaction is never urgent."""


class Source(NamedTuple):
    """A sealed segment to read: offsets in [base, end)."""

    path: Path
    base: int
    end: int
    size: int


class Task(NamedTuple):
    """One pass.

    Attributes:
        sources: sealed segments, oldest first, without gaps in between.
        dirty_from: records below this offset were cleaned by an earlier pass.
        tombstones_before_ms: deletions older than this go too.
        group_bytes: neighbours are merged while their sizes sum up to no more.
    """

    sources: Sequence[Source]
    dirty_from: int
    tombstones_before_ms: int
    group_bytes: int
    max_keys: int = MAX_KEYS


class Cleaned(NamedTuple):
    """What a pass wrote: opened and indexed files with the end of the range that each replaces."""

    files: list[tuple[Segment, int]]
    cleaned_to: int


class Stopped(Exception):
    """The broker stops; the pass is given up. What it wrote is thrown away at the next start."""


class _Pace:
    """Shares the interpreter with the loop, and ends the work when the broker stops."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.until = time.monotonic() + _WORK_S

    def yield_if_due(self) -> None:
        if time.monotonic() > self.until:
            if self.stop.wait(_WORK_S):
                raise Stopped
            self.until = time.monotonic() + _WORK_S


def clean(task: Task, stop: threading.Event) -> Cleaned:
    """Do one pass. Raises: Stopped when ``stop`` is set; OSError, for instance if the topic was deleted meanwhile."""
    pace = _Pace(stop)
    latest, upto = _latest_offsets(task, pace)
    files: list[tuple[Segment, int]] = []
    for group in _groups(task.sources, task.group_bytes, upto):
        written = _rewrite(group, latest, upto, task.tombstones_before_ms, pace)
        if written is not None:
            files.append((written, group[-1].end))
    return Cleaned(files, upto)


def _latest_offsets(task: Task, pace: _Pace) -> tuple[dict[bytes, int], int]:
    """The map, and the offset it reaches: the base of the last batch, or where the map was full."""
    latest: dict[bytes, int] = {}
    held: list[Record] = []
    upto = task.dirty_from
    for source in task.sources:
        if source.end <= task.dirty_from:
            continue
        for header, batch in _batches(source):
            if header.end <= task.dirty_from:
                continue
            for record in held:
                if record.key is not None:
                    latest[record.key] = record.offset
            held = records.open_batch(batch) or []
            upto = header.base
            if len(latest) >= task.max_keys:
                return latest, upto
            pace.yield_if_due()
    return latest, upto


def _groups(sources: Sequence[Source], group_bytes: int, upto: int) -> Iterator[list[Source]]:
    group: list[Source] = []
    total = 0
    for source in sources:
        if source.base >= upto and source is not sources[0]:
            break
        if group and total + source.size > group_bytes:
            yield group
            group, total = [], 0
        group.append(source)
        total += source.size
    if group:
        yield group


def _rewrite(
    group: list[Source], latest: dict[bytes, int], upto: int, tombstones_before_ms: int, pace: _Pace
) -> Segment | None:
    """One file in the place of ``group``; None if that changes nothing."""
    base = group[0].base
    path = group[0].path.with_suffix(".cleaned")
    before = sum(source.size for source in group)
    with path.open("wb") as out:
        for source in group:
            for header, batch in _batches(source):
                out.write(_kept(header, batch, latest, upto, tombstones_before_ms))
                pace.yield_if_due()
        out.flush()
        os.fsync(out.fileno())
        after = out.tell()
    if after == before and len(group) == 1:
        path.unlink()
        return None
    fresh = Segment(path, base)
    fresh.scan(contiguous=False)
    return fresh


def _kept(header: Header, batch: bytes, latest: dict[bytes, int], upto: int, tombstones_before_ms: int) -> bytes:
    if header.base >= upto:
        return batch
    opened = records.open_batch(batch)
    if opened is None:
        return batch
    expired = header.max_ms < tombstones_before_ms
    keep = [
        record
        for record in opened
        if record.key is None
        or (latest.get(record.key, record.offset) <= record.offset and not (expired and record.value is None))
    ]
    if len(keep) == len(opened):
        return batch
    return records.rebuilt(batch, keep) if keep else b""


def _batches(source: Source) -> Iterator[tuple[Header, bytes]]:
    with source.path.open("rb") as file:
        left = source.size
        while left >= records.HEADER_BYTES:
            head = file.read(records.HEADER_BYTES)
            header = records.header_at(head)
            yield header, head + file.read(header.size - records.HEADER_BYTES)
            left -= header.size
