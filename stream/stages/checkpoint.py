"""Checkpoints: a copy of the state in a compacted topic, so that a worker with an empty disk can take over.

Keys that changed since the last checkpoint are read from one snapshot of the store, produced keyed, and closed by a mark
record (offset and marks of that snapshot). Only then is the log position behind the mark saved. Recovery reads up to the
saved position, never beyond: a checkpoint that a crash cut short does not count. What came after the mark is
in the input log, and catching up applies it again (the outputs are dropped downstream by their addresses).

Later records replace earlier ones, so a checkpoint must not be of an earlier state than one whose records are there already,
even if that one was cut short: what it does not replace would be of the future, and events that it has yet to apply would be
there already. So every record says which state it is of, and a new owner waits until it has come as far
(``written_ahead``).

Every record also carries the epoch of the process that wrote it. If a paused former owner wakes up and writes among the
records of the new one, a lower epoch follows a higher, or a state from ahead: such a checkpoint is not trusted, and the
state is built again from the whole input log. So it is if a checkpoint was cut short so long ago that its records may have
had those compacted away which they were to replace.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec
import structlog
from rocksdict import RdictIter, ReadOptions, Snapshot, WriteBatch

from schemas.codec import state_encoder
from stream.stages.compute import Stage
from stream.stages.log import Log, LogError
from stream.stages.state_format import STATE_FORMAT, UNNUMBERED, refuse_other_format
from stream.stages.store import FORMAT_KEY, MARKS_KEY, OFFSET_KEY, UNSAVED_END, UNSAVED_PREFIX, PartitionStore

MARK_KEY: Final = b"\x01mark"
EPOCH_HEADER: Final = "epoch"
NEXT_HEADER: Final = "next"
"""Next offset of the state that a record is of."""
_CHUNK: Final = 1000
"""Keys read and sent before the loop may do something else."""
_NEAR: Final = 4
"""Keys that did not change are passed over one by one; of more it is cheaper to look for the next one that did."""
_SKIPPED: Final = 30
"""Entries of RocksDB that a cursor may pass over between two keys: deleted ones, and older values."""
_MISSING: Final = "key not found"
_TRUSTED_MS: Final = 1_800_000
"""Half of the state topics' ``min.compaction.lag.ms``: for so long a checkpoint that was cut short does no harm."""
_SHARE: Final = 160
"""A checkpoint may cost that part of the time, those of a worker's eight stores a twentieth: under load the pause grows with what
the last one took ..."""
LONGEST_PAUSE_S: Final = 60.0
"""... but not beyond this. A busy worker takes long for a checkpoint because it is busy, and what is not in one must be
applied again by who takes over: after 300,000 new visitors in a minute that was half of them."""

log = structlog.get_logger()
Headers = Sequence[tuple[str, bytes]]


class Mark(msgspec.Struct):
    """The end of a checkpoint: what the state before it is the state of."""

    next_offset: int
    marks: dict[str, int]
    format: int = UNNUMBERED


async def restore(stage: Stage, partition: int, store: PartitionStore, topic: Log) -> None:
    """Fill an empty store from the last whole checkpoint; leave it empty if there is none.

    Raises: Fatal if it is a checkpoint of another format.
    """
    if not store.empty:
        store.clear()  # what an earlier restore left when it was cut short
    began = time.monotonic()
    found = await _last_whole(stage, partition, topic)
    if found is None:
        return
    first, end, mark = found
    count = epoch = 0
    last_headers: Headers = ()
    # The offset comes last: what a crash cuts short has none and begins anew.
    async for records in topic.read_many(stage.state, partition, first, end):
        write = WriteBatch(raw_mode=True)
        for record in records:
            if record.headers != last_headers:
                last_headers, before = record.headers, epoch
                epoch, next_offset = _written_by(record.headers)
                if epoch < before or next_offset > mark.next_offset:
                    log.warning(
                        "two workers wrote one checkpoint; replaying the whole log",
                        stage=stage.name,
                        partition=partition,
                    )
                    store.clear()
                    return
            if record.key == MARK_KEY:
                continue  # of an earlier checkpoint, or ours
            if record.value is None:
                write.delete(record.key)
            else:
                write.put(record.key, record.value)
        count += len(records)
        store.db.write(write)
    write = WriteBatch(raw_mode=True)
    write.put(OFFSET_KEY, b"%d" % mark.next_offset)
    write.put(FORMAT_KEY, b"%d" % mark.format)
    write.put(MARKS_KEY, state_encoder.encode(mark.marks))
    store.db.write(write)
    store.db.flush()
    store.reload()
    log.info(
        "state restored from its checkpoint",
        stage=stage.name,
        partition=partition,
        keys=count,
        seconds=round(time.monotonic() - began, 2),
    )


async def _last_whole(stage: Stage, partition: int, topic: Log) -> tuple[int, int, Mark] | None:
    """The last whole checkpoint, if there is one that can be trusted: the offsets of all records up to it, and its mark.

    Raises: Fatal if it is of another format.
    """
    end = await topic.saved_position(_group(stage), stage.state, partition)
    if end == 0:
        return None
    first, last = await topic.bounds(stage.state, partition)
    mark = await _mark(stage, partition, topic, end) if first < end <= last else None
    if mark is None:
        log.warning("the last checkpoint is gone; replaying the whole log", stage=stage.name, partition=partition)
        return None
    refuse_other_format(mark.format, stage=stage.name, partition=partition, where=f"the topic {stage.state}")
    if await _cut_short_long_ago(stage, partition, topic, end, last):
        log.warning(
            "a checkpoint was cut short long ago; replaying the whole log", stage=stage.name, partition=partition
        )
        return None
    return first, end, mark


async def _mark(stage: Stage, partition: int, topic: Log, end: int) -> Mark | None:
    """The mark that the saved position lies behind; None if the topic has something else there, or nothing."""
    async with contextlib.aclosing(topic.read(stage.state, partition, end - 1, end)) as found:
        async for record in found:
            return msgspec.msgpack.decode(record.value, type=Mark) if record.key == MARK_KEY else None
    return None


async def _cut_short_long_ago(stage: Stage, partition: int, topic: Log, end: int, last: int) -> bool:
    """Whether what follows the last whole checkpoint is old enough to have been compacted with it."""
    async with contextlib.aclosing(topic.read(stage.state, partition, end, last)) as rest:
        async for record in rest:
            oldest: int = record.timestamp
            return oldest < time.time_ns() // 1_000_000 - _TRUSTED_MS
    return False


async def written_ahead(stage: Stage, partition: int, topic: Log) -> int:
    """Next offset of the furthest state that the topic has records of, whole or cut short; 0 if it has none."""
    end = await topic.saved_position(_group(stage), stage.state, partition)
    first, last = await topic.bounds(stage.state, partition)
    furthest = 0
    async with contextlib.aclosing(topic.read(stage.state, partition, max(first, end - 1), last)) as found:
        async for record in found:
            furthest = max(furthest, _written_by(record.headers)[1])
    return furthest


async def checkpoint(
    stage: Stage, partition: int, store: PartitionStore, topic: Log, epoch: int, *, not_before: int = 0
) -> int:
    """Write one checkpoint; returns the number of keys in it.

    None is written (0) if nothing changed since the last, or if the state has not yet come as far as offset ``not_before``.
    """
    snapshot = store.db.snapshot()
    next_offset = int(_value(snapshot, OFFSET_KEY) or 0)
    names = _unsaved(snapshot)
    if not names or next_offset < not_before:
        return 0
    headers = [(EPOCH_HEADER, b"%d" % epoch), (NEXT_HEADER, b"%d" % next_offset)]
    keys = sorted(names)  # neighbours lie in one block: a third less work than in the order of their changes
    found = _values(snapshot, keys)
    while pairs := list(islice(found, _CHUNK)):
        await topic.produce_pairs(stage.state, partition, pairs, headers)
    packed = _value(snapshot, MARKS_KEY)
    marks = msgspec.msgpack.decode(packed, type=dict[str, int]) if packed else {}
    mark = state_encoder.encode(Mark(next_offset, marks, STATE_FORMAT))
    position = await topic.produce_pairs(stage.state, partition, [(MARK_KEY, mark)], headers)
    await topic.save_position(_group(stage), stage.state, partition, position)
    # A store that was closed meanwhile keeps its list: the next checkpoint is larger.
    with contextlib.suppress(Exception):
        store.db.delete_range(UNSAVED_PREFIX, UNSAVED_PREFIX + b"%016x" % (next_offset + 1))
    return len(keys)


async def keep_checkpoints(stage: Stage, partition: int, store: PartitionStore, topic: Log, every_s: float) -> None:
    """Write checkpoints for ever, ``every_s`` apart or less often if they are large.

    One that the broker does not take is left out: its keys stay unsaved and go with the next.
    """
    epoch = time.time_ns() // 1_000_000
    ahead: int | None = None
    pause = every_s
    while True:
        await asyncio.sleep(pause)
        began = time.monotonic()
        try:
            if ahead is None:
                ahead = await written_ahead(stage, partition, topic)
            await checkpoint(stage, partition, store, topic, epoch, not_before=ahead)
        except (LogError, OSError) as error:
            log.warning("no checkpoint", stage=stage.name, partition=partition, error=type(error).__name__)
        pause = max(every_s, min(_SHARE * (time.monotonic() - began), LONGEST_PAUSE_S))


def _written_by(headers: Headers) -> tuple[int, int]:
    """Epoch of the process that wrote a record, and next offset of the state that it is of."""
    found = dict(headers)
    return int(found[EPOCH_HEADER]), int(found.get(NEXT_HEADER, b"0"))


def _value(snapshot: Snapshot, key: bytes) -> bytes | None:
    """A snapshot's value of ``key``; None if there is none.

    SURPRISE: for a missing key the look-up raises a bare Exception. A cursor would not, but to find that a deleted key is
    gone it walks over all the deleted ones behind it: seconds where an account lost 10,000 touches.
    """
    try:
        found: bytes = snapshot[key]
    except Exception as error:
        if str(error) != _MISSING:
            raise
        return None
    return found


def _values(snapshot: Snapshot, keys: list[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
    """Each key and its value. The keys are in order, so a cursor is soon there: that costs half of a look-up.

    It is believed in what it finds only, and not asked for what follows a deleted key: many more may be.
    """
    options = ReadOptions()
    options.set_max_skippable_internal_keys(_SKIPPED)
    options.fill_cache(False)  # of blocks that steps read
    cursor = snapshot.iter(options)
    here: bytes | None = None
    value: bytes | None = b""
    for key in keys:
        if value is not None:
            here = _moved(cursor, here, key)
        value = cursor.value() if here == key else _value(snapshot, key)
        yield key, value


def _moved(cursor: RdictIter, here: bytes | None, key: bytes) -> bytes | None:
    """Where a cursor is after looking for ``key``; None if nowhere. ``here`` is where it was."""
    for _ in range(_NEAR):
        if here is None or here >= key:
            break
        cursor.next()
        here = cursor.key() if cursor.valid() else None
    if here is None or here < key:
        cursor.seek(key)
        here = cursor.key() if cursor.valid() else None
    return here


def _unsaved(snapshot: Snapshot) -> set[bytes]:
    """Keys changed since the last checkpoint."""
    names: set[bytes] = set()
    until = ReadOptions()
    until.set_iterate_upper_bound(UNSAVED_END)
    cursor = snapshot.iter(until)
    cursor.seek(UNSAVED_PREFIX)
    while cursor.valid():
        for name in msgspec.msgpack.decode(cursor.value(), type=list[str]):
            names.add(name.encode())
        cursor.next()
    return names


def _group(stage: Stage) -> str:
    return stage.state
