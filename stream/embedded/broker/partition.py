"""One partition: its segments, what may be read, and what the disk holds for sure.

All calls come from the broker's loop. ``next`` is the offset that the next record gets; ``durable`` is below which
everything is synced. Readers see up to ``visible``: ``durable`` when every acknowledgement waits for the disk
(``strict``), else ``next``.
"""

import contextlib
import logging
import os
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from stream.embedded.broker import codes, records
from stream.embedded.broker.producers import Producers
from stream.embedded.broker.records import HEADER_BYTES, Header
from stream.embedded.broker.segment import NOTHING, Segment

log = logging.getLogger(__name__)
_SWAP: Final = re.compile(r"(\d{20})-(\d{20})\.swap")


class Appended(NamedTuple):
    """Answer to an append: an error code, the first offset, and the append time (-1: the records' own times hold)."""

    error: int
    base: int = -1
    at_ms: int = -1


class Unsynced(NamedTuple):
    """What one sync has to cover: duplicated file descriptors, segments sealed meanwhile, and the offset it reaches."""

    fds: list[int]
    sealed: list[Segment]
    upto: int


class Partition:
    """The log of one partition in one folder."""

    def __init__(self, path: Path, *, strict: bool) -> None:
        self.path = path
        self.strict = strict
        self.failed = False
        self.watchers: set[Callable[[int], None]] = set()
        self.cleaned_to = 0
        self.cleaned_end = 0
        self._producers = Producers()
        self._unsynced: list[Segment] = []
        self._waiting_bytes = 0
        path.mkdir(parents=True, exist_ok=True)
        self._finish_swaps()
        self._open()

    # -- opening ------------------------------------------------------------------------------------------------------

    def _finish_swaps(self) -> None:
        """Finish or forget a compaction that a crash cut short."""
        for leftover in [*self.path.glob("*.tmp"), *self.path.glob("*.cleaned")]:
            leftover.unlink()
        for swap in self.path.glob("*.swap"):
            found = _SWAP.fullmatch(swap.name)
            if found is not None:
                install_swap(swap, int(found[1]), int(found[2]))
        with contextlib.suppress(OSError, ValueError):
            self.cleaned_to = int((self.path / "cleaned").read_text())

    def _open(self) -> None:
        bases = sorted(int(file.stem) for file in self.path.glob("*.log"))
        self.segments = [Segment(self._file(base), base) for base in bases or [0]]
        for place, segment in enumerate(self.segments[:-1]):
            if not segment.load_index() and not self._rescan(segment):
                self._drop_after(place)  # a sealed segment that lost its end in a power failure: nothing after it holds
                break
        active = self.segments[-1]
        self._restore_producers(active)
        following, good = active.scan(self._note_producer, contiguous=True)
        self._truncate(active, good)
        self.next = active.base if following is None else following
        if self.strict:
            os.fsync(active.fd)
        self.durable = self.next
        self.opened_ms = active.first_ms if active.first_ms >= 0 else now_ms()

    def _rescan(self, segment: Segment) -> bool:
        _, good = segment.scan(contiguous=False)
        whole = good == segment.size
        self._truncate(segment, good)
        os.fsync(segment.fd)
        segment.save_index()
        return whole

    def _truncate(self, segment: Segment, good: int) -> None:
        if good != segment.size:
            log.warning(
                "%s/%s: dropping a torn tail of %d bytes", self.path.name, segment.path.name, segment.size - good
            )
            os.ftruncate(segment.fd, good)
            os.fsync(segment.fd)
            segment.size = good

    def _drop_after(self, place: int) -> None:
        for segment in self.segments[place + 1 :]:
            log.warning("%s/%s: dropping a segment behind a torn one", self.path.name, segment.path.name)
            segment.close()
            segment.delete()
        del self.segments[place + 1 :]

    def _restore_producers(self, active: Segment) -> None:
        snapshot = active.path.with_suffix(".producers")
        try:
            self._producers.restore(snapshot.read_text())
        except (OSError, ValueError):
            for segment in self.segments[:-1]:
                for _, header in segment.headers():
                    self._note_producer(header)

    def _file(self, base: int) -> Path:
        return self.path / f"{base:020d}.log"

    # -- what there is ------------------------------------------------------------------------------------------------

    @property
    def start(self) -> int:
        """Lowest offset that can be asked for."""
        return self.segments[0].base

    @property
    def visible(self) -> int:
        """Offset after the last record that readers may see: the high watermark."""
        return self.durable if self.strict else self.next

    @property
    def size(self) -> int:
        """Bytes of the log."""
        return sum(segment.size for segment in self.segments)

    # -- append -------------------------------------------------------------------------------------------------------

    def append(self, produced: memoryview | None, *, max_bytes: int, segment_bytes: int, stamp: bool) -> Appended:
        """Check the batches and add them, all or none. ``produced`` is writable and changed in place.

        Args:
            produced: record batches, format 2.
            max_bytes: largest batch that is taken.
            segment_bytes: the segment is full beyond this.
            stamp: give them the broker's time.
        """
        if self.failed:
            return Appended(codes.KAFKA_STORAGE_ERROR)
        if produced is None or len(produced) < HEADER_BYTES:
            return Appended(codes.CORRUPT_MESSAGE)
        at_ms = now_ms() if stamp else -1
        headers: list[Header] = []
        pos, following = 0, self.next
        while pos < len(produced):
            if len(produced) - pos < HEADER_BYTES:
                return Appended(codes.CORRUPT_MESSAGE)
            header = records.header_at(produced, pos)
            error = records.refusal(produced, pos, header, max_bytes)
            if error:
                return Appended(error)
            verdict = self._producers.verdict(header.pid, header.epoch, header.sequence, header.last_delta)
            if verdict.error or verdict.duplicate_of is not None:  # Kafka: an idempotent produce holds one batch
                base = -1 if verdict.duplicate_of is None else verdict.duplicate_of
                return Appended(verdict.error, base, verdict.time_ms if stamp else -1)
            if stamp:
                header = records.stamp(produced, pos, header, at_ms)
            records.place(produced, pos, following)
            headers.append(header._replace(base=following))
            following += header.last_delta + 1
            pos += header.size
        return self._store(produced, headers, following, segment_bytes, at_ms)

    def _store(
        self, produced: memoryview, headers: list[Header], following: int, segment_bytes: int, at_ms: int
    ) -> Appended:
        try:
            active = self.segments[-1]
            if active.size and active.size + len(produced) > segment_bytes:
                active = self.roll()
            pos = active.size
            active.write(produced)
        except OSError:
            log.exception("%s: append failed", self.path.name)
            return Appended(codes.KAFKA_STORAGE_ERROR)
        if pos == 0:
            self.opened_ms = now_ms()
        for header in headers:
            active.note(header, pos)
            self._note_producer(header)
            pos += header.size
        if not self._unsynced or self._unsynced[-1] is not active:
            self._unsynced.append(active)
        self.next = following
        self._waiting_bytes += len(produced)
        if not self.strict:
            self._wake()
        return Appended(codes.NONE, headers[0].base, at_ms)

    def _note_producer(self, header: Header) -> None:
        if header.pid >= 0:
            self._producers.note(
                header.pid, header.epoch, header.sequence, header.last_delta,
                base=header.base, time_ms=header.max_ms, at_ms=now_ms(),
            )  # fmt: skip

    def _wake(self) -> None:
        grown, self._waiting_bytes = self._waiting_bytes, 0
        for watcher in list(self.watchers):
            watcher(grown)

    def roll(self) -> Segment:
        """Begin a new segment. The old one is synced and gets its index file with the next sync. Raises: OSError."""
        sealed = self.segments[-1]
        self._producers.forget(now_ms())
        fresh = self._file(self.next)
        scratch = fresh.with_suffix(".producers.tmp")
        scratch.write_text(self._producers.dump())
        scratch.replace(fresh.with_suffix(".producers"))
        self.segments.append(Segment(fresh, self.next))
        sealed.path.with_suffix(".producers").unlink(missing_ok=True)
        if sealed not in self._unsynced:
            self._unsynced.append(sealed)
        self.opened_ms = now_ms()
        return self.segments[-1]

    # -- sync ---------------------------------------------------------------------------------------------------------

    @property
    def dirty(self) -> bool:
        """Whether a sync has anything to do."""
        return bool(self._unsynced)

    def begin_sync(self) -> Unsynced:
        """Hand over what is not synced yet."""
        covered, self._unsynced = self._unsynced, []
        active = self.segments[-1]
        fds = [os.dup(segment.fd) for segment in covered]
        return Unsynced(fds, [segment for segment in covered if segment is not active], self.next)

    def end_sync(self, upto: int) -> None:
        """Everything below ``upto`` is on disk."""
        self.durable = max(self.durable, upto)
        if self.strict:
            self._wake()

    # -- read ---------------------------------------------------------------------------------------------------------

    def read(self, offset: int, max_bytes: int) -> tuple[int, memoryview]:
        """Error code and whole batches from the one that holds ``offset`` on; one at least if there is any."""
        if not self.start <= offset <= self.next:
            return codes.OFFSET_OUT_OF_RANGE, NOTHING
        limit = self.visible
        if offset >= limit:
            return codes.NONE, NOTHING
        place = max(bisect_right(self.segments, offset, key=lambda segment: segment.base) - 1, 0)
        for segment in self.segments[place:]:  # the next one, if compaction has taken the rest of this one
            found = segment.read(offset, max_bytes, limit)
            if found:
                return codes.NONE, found
        return codes.NONE, NOTHING

    def first_at(self, at_ms: int) -> tuple[int, int] | None:
        """(time, offset) of the first visible record at or after ``at_ms``; None if all are older."""
        for segment in self.segments:
            found = segment.first_at(at_ms)
            if found is not None:
                return found if found[1] < self.visible else None
        return None

    # -- segments come and go -----------------------------------------------------------------------------------------

    def pop_oldest(self) -> Segment:
        """Take the oldest sealed segment out of the log; the caller deletes its files."""
        oldest = self.segments.pop(0)
        self._retire([oldest])
        return oldest

    def replace(self, fresh: Segment, end: int) -> None:
        """Put a compacted file, opened and indexed, in the place of the sealed segments in [fresh.base, end)."""
        old = [segment for segment in self.segments[:-1] if fresh.base <= segment.base < end]
        if not old or old[0].base != fresh.base:  # retention was faster
            fresh.close()
            fresh.path.unlink(missing_ok=True)
            return
        swap = fresh.path.rename(self.path / f"{fresh.base:020d}-{end:020d}.swap")
        self._retire(old)
        fresh.path = install_swap(swap, fresh.base, end)
        fresh.save_index()
        place = self.segments.index(old[0])
        self.segments[place : place + len(old)] = [fresh]

    def _retire(self, segments: list[Segment]) -> None:
        self._unsynced = [segment for segment in self._unsynced if segment not in segments]
        for segment in segments:
            segment.close()

    def remember_cleaned(self, cleaned_to: int, cleaned_end: int) -> None:
        """Book how far compaction has come."""
        self.cleaned_to, self.cleaned_end = cleaned_to, cleaned_end
        scratch = self.path / "cleaned.tmp"
        scratch.write_text(str(cleaned_to))
        scratch.replace(self.path / "cleaned")

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def close(self) -> None:
        """Close all files."""
        for segment in self.segments:
            segment.close()


def install_swap(swap: Path, base: int, end: int) -> Path:
    """Second half of a replacement, the same after a crash: drop what the swap file covers, give it its name."""
    for file in swap.parent.glob("*.log"):
        if base <= int(file.stem) < end:
            file.unlink()
            file.with_suffix(".index").unlink(missing_ok=True)
    return swap.rename(swap.parent / f"{base:020d}.log")


def now_ms() -> int:
    """The broker's clock, milliseconds since 1970."""
    return time.time_ns() // 1_000_000
