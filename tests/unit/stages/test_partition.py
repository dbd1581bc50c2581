"""A partition that is taken away while it works: the agent goes on, and nothing more is done to it."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.address import address, offset_and_part, parse
from schemas.codec import lines
from stream.core.state import key
from stream.stages import partition as partition_module
from stream.stages.compute import Output, Record
from stream.stages.partition import Partition, Revoked
from stream.stages.store import PartitionStore
from stream.stages.turns import Turns
from stream.stages.unheard import MUCH, Inbox, Unheard
from tests.support.toy import TOY, Item, Tally


class SilentLog:
    """A broker that never acknowledges, with two records to catch up with."""

    def __init__(self) -> None:
        self.reading = asyncio.Event()

    async def produce(self, _output: object, **_: object) -> asyncio.Future[object]:
        return asyncio.get_running_loop().create_future()

    async def read(self, _topic: str, _partition: int, begin: int, end: int):
        for offset in range(begin, end):
            self.reading.set()
            await asyncio.sleep(0.01)
            yield Found(offset)


class Found:
    """A record as the log's reader gives it."""

    def __init__(self, offset: int) -> None:
        self.offset = self.timestamp = offset
        self.value = lines([Item("a", 1)])
        self.headers: tuple[tuple[str, bytes], ...] = ()


def record(offset: int) -> Record:
    return Record(offset, offset, lines([Item("a", 1)]), {})


def ignore() -> None:
    pass


def opened(
    path, log, partitions: int, *, turns: Turns | None = None, unheard: Unheard | None = None, stage=TOY
) -> Partition:
    """Partition 0 of a stage."""
    inbox = Inbox(unheard or Unheard())
    return Partition(
        stage, 0, partitions, PartitionStore(path), log, turns=turns or Turns(), inbox=inbox, on_failure=pytest.fail
    )


async def revoked_while(path, work, until) -> BaseException | None:
    """How ``work(partition)`` ends if the partition is closed at ``until(log)``."""
    log = SilentLog()
    partition = opened(path, log, 1)
    task = asyncio.create_task(work(partition))
    await until(log)
    await partition.close()
    await asyncio.wait({task}, timeout=10)
    if not task.done():
        task.cancel()
        pytest.fail("apply waits for ever")
    return task.exception()


async def many(partition: Partition) -> None:
    for offset in range(100):
        await partition.apply(record(offset), ignore)


def test_a_frame_that_waits_for_room_is_let_go_when_its_partition_is_revoked(tmp_path):
    async def full(_log: SilentLog) -> None:
        await asyncio.sleep(0.2)

    assert isinstance(asyncio.run(revoked_while(tmp_path, many, full)), Revoked)


class MemoryLog:
    """A broker that has every record of the partition and acknowledges at once."""

    def __init__(self, values: list[bytes]) -> None:
        self.values = values
        self.headers: list[dict[str, bytes]] = [{} for _ in values]
        self.missing: set[int] = set()
        self.produced: list[Output] = []

    async def produce(self, output: Output, **_: object) -> asyncio.Future[object]:
        self.produced.append(output)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def read(self, _topic: str, _partition: int, begin: int, end: int):
        for offset in range(begin, end):
            if offset not in self.missing:
                found = Found(offset)
                found.value = self.values[offset]
                found.headers = tuple(self.headers[offset].items())
                yield found


def test_a_bug_costs_its_own_item_only_however_many_frames_are_unsaved(tmp_path):
    frames = [[Item("a", 1)], [Item("a", 2)], [Item("a", 4), Item("a", 8, poison=True), Item("a", 16)], [Item("a", 32)]]
    log = MemoryLog([lines(items) for items in frames])
    acknowledged = []

    async def work() -> None:
        partition = opened(tmp_path, log, 1)
        for offset, value in enumerate(log.values):
            await partition.apply(Record(offset, offset, value, {}), partial(acknowledged.append, offset))
        await partition.drain()
        await partition.close()

    asyncio.run(work())
    store = PartitionStore(tmp_path)
    assert store.next_offset == 4
    assert store.get(key("n", "a"), Tally) == Tally(5, 1 + 2 + 4 + 16 + 32)
    assert acknowledged == [0, 1, 2, 3]
    assert [o.topic for o in log.produced].count(topics.DEAD_LETTERS) == 1
    addresses = [(o.topic, o.headers[0]) for o in log.produced if o.topic == topics.STITCH_FACTS]
    assert len(set(addresses)) == len(addresses) == 4
    store.close()


@pytest.mark.parametrize("between", ["a message that was applied", "a stranger's message", "a gap of the log"])
def test_a_bug_costs_its_own_item_only_whatever_lies_between(tmp_path, between):
    message = {topics.SOURCE_HEADER: address("events", 1, 5, 0), topics.KIND_HEADER: b"messages"}
    if between == "a stranger's message":
        del message[topics.SOURCE_HEADER]
    ok = (lines([Item("a", 1)]), {})
    bug = (lines([Item("a", 8, poison=True), Item("a", 16)]), {})
    records = [ok, ok, (ok[0], message), (ok[0], message), bug]
    log = MemoryLog([value for value, _ in records])
    log.headers = [headers for _, headers in records]
    if between == "a gap of the log":
        log.missing = {2, 3}

    async def work() -> None:
        partition = opened(tmp_path, log, 1)
        for offset, (value, headers) in enumerate(records):
            if offset not in log.missing:
                await partition.apply(Record(offset, offset, value, headers), ignore)
        await partition.drain()
        await partition.close()

    asyncio.run(work())
    store = PartitionStore(tmp_path)
    assert store.next_offset == 5
    assert store.get(key("n", "a"), Tally) == Tally(3, 1 + 1 + 16)
    store.close()


def test_state_is_saved_although_nothing_more_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(partition_module, "_SAVE_S", 0.1)
    log = MemoryLog([lines([Item("a", n)]) for n in (1, 2)])

    async def work() -> None:
        partition = opened(tmp_path, log, 1)
        for offset, value in enumerate(log.values):
            await partition.apply(Record(offset, offset, value, {}), ignore)
        for _ in range(2000):
            if partition.store.committed_offset == 2:
                break
            await asyncio.sleep(0.01)
        assert partition.store.committed_offset == 2
        await partition.close()

    asyncio.run(work())


def test_what_is_saved_is_written_out_although_nothing_more_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(partition_module, "_FLUSH_S", 0.05)
    log = MemoryLog([lines([Item("a", n)]) for n in (1, 2)])

    async def work() -> None:
        partition = opened(tmp_path, log, 1)
        for offset, value in enumerate(log.values):
            await partition.apply(Record(offset, offset, value, {}), ignore)
        await partition.drain()
        for _ in range(200):
            if not in_memory(partition.store):
                break
            await asyncio.sleep(0.05)
        assert not in_memory(partition.store)
        await partition.close()

    asyncio.run(work())


@pytest.mark.parametrize(("names", "left"), [("ab", True), ("abc", False)])
def test_a_large_batch_is_written_out_at_once(tmp_path, monkeypatch, names, left):
    monkeypatch.setattr(partition_module, "_FLUSHED_AT_ONCE", 3)
    log = MemoryLog([lines([Item(name, 1) for name in names])])

    async def work() -> None:
        partition = opened(tmp_path, log, 1)
        await partition.apply(Record(0, 0, log.values[0], {}), ignore)
        for _ in range(20 if left else 200):
            if partition.store.committed_offset and not in_memory(partition.store):
                break
            await asyncio.sleep(0.05)
        assert partition.store.committed_offset == 1
        assert bool(in_memory(partition.store)) == left
        await partition.close()

    asyncio.run(work())


def in_memory(store: PartitionStore) -> int:
    """How much a kill would take."""
    places = ("num-entries-active-mem-table", "num-immutable-mem-table")
    return sum(store.db.property_int_value(f"rocksdb.{place}") or 0 for place in places)


def test_catching_up_ends_when_its_partition_is_revoked(tmp_path):
    async def behind(partition: Partition) -> None:
        await partition.apply(record(20), ignore)

    async def reading(log: SilentLog) -> None:
        await log.reading.wait()

    assert isinstance(asyncio.run(revoked_while(tmp_path, behind, reading)), Revoked)


class AskedLog(MemoryLog):
    """A broker that notes which outputs were said to be late."""

    def __init__(self, values: list[bytes]) -> None:
        super().__init__(values)
        self.late: list[bool] = []

    async def produce(self, output: Output, *, late: bool = False) -> asyncio.Future[object]:
        self.late.append(late)
        return await super().produce(output)


@pytest.mark.parametrize(
    ("age_ms", "late_for_s", "late"),
    [(-600_000, 3600, [False] * 3), (60_000, 3600, [True] * 3), (60_000, 0.05, [True, True, False])],
    ids=["fresh", "a backlog", "a backlog that is over"],
)
def test_what_comes_of_a_backlog_is_late_and_what_others_say_of_it_too(tmp_path, monkeypatch, age_ms, late_for_s, late):
    monkeypatch.setattr(partition_module, "_LATE_FOR_S", late_for_s)
    now = round(time.time() * 1000)
    message = {topics.SOURCE_HEADER: address("events", 1, 5, 0), topics.KIND_HEADER: b"messages"}

    async def work() -> AskedLog:
        log = AskedLog([])
        partition = opened(tmp_path, log, 4)
        await partition.apply(Record(0, now - age_ms, lines([Item("a", 1)]), {}), ignore)
        await asyncio.sleep(0.1)
        await partition.apply(Record(1, now, lines([Item("a", 1)]), message), ignore)
        await partition.drain()
        await partition.close()
        return log

    assert asyncio.run(work()).late == late


FRAMES = [lines([Item("abc"[n % 3], 1 << n)]) for n in range(6)]


def played(path, moves: list[tuple[str, int]]) -> tuple[list[Output], Tally | None, list[int], int]:
    """What a partition sends, a name's tally, what it acknowledged and its next offset, after frames that come as said."""
    log = MemoryLog(FRAMES)
    acknowledged: list[int] = []

    async def work() -> tuple[Tally | None, int]:
        partition = opened(path, log, 4)
        for move, offset in moves:
            frame = Record(offset, offset, FRAMES[offset], {})
            if move == "delivered":
                await partition.apply(frame, partial(acknowledged.append, offset))
            else:
                partition.offer(frame)
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        await partition.drain()
        found = partition.store.get(key("n", "a"), Tally), partition.store.next_offset
        await partition.close()
        return found

    tally, next_offset = asyncio.run(work())
    return log.produced, tally, acknowledged, next_offset


def test_an_offered_record_is_applied_before_the_log_delivers_it_and_not_again_then(tmp_path):
    _, tally, acknowledged, next_offset = played(tmp_path / "offered", [("offered", 0)])
    assert (tally, acknowledged, next_offset) == (Tally(1, 1), [], 1)
    moves = [("offered", 0), ("delivered", 0), ("offered", 0)]
    _, tally, acknowledged, next_offset = played(tmp_path / "delivered", moves)
    assert (tally, acknowledged, next_offset) == (Tally(1, 1), [0], 1)


def test_an_offered_record_waits_for_those_before_it(tmp_path):
    assert played(tmp_path / "early", [("offered", 2), ("offered", 1)])[3] == 0
    assert played(tmp_path / "then", [("offered", 2), ("offered", 1), ("delivered", 0)])[3] == 3


@settings(max_examples=20)
@given(st.data())
def test_whatever_is_offered_when_the_same_comes_of_the_frames(data):
    everything = range(len(FRAMES))
    offers = data.draw(st.lists(st.sampled_from(everything), max_size=12))
    places = data.draw(st.lists(st.integers(0, len(FRAMES)), min_size=len(offers), max_size=len(offers)))
    moves = []
    for offset in (*everything, len(FRAMES)):
        moves += [("offered", offer) for offer, place in zip(offers, places, strict=True) if place == offset]
        moves += [("delivered", offset)] if offset < len(FRAMES) else []
    with tempfile.TemporaryDirectory() as folder:
        plain = played(Path(folder) / "plain", [("delivered", offset) for offset in everything])
        assert played(Path(folder) / "offered", moves) == plain


class PatientLog(MemoryLog):
    """A broker that acknowledges when it is told to."""

    def __init__(self, values: list[bytes]) -> None:
        super().__init__(values)
        self.waiting: list[asyncio.Future[object]] = []

    async def produce(self, output: Output, **_: object) -> asyncio.Future[object]:
        self.produced.append(output)
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]


def test_a_record_that_was_applied_before_is_acknowledged_when_all_that_came_of_it_is(tmp_path):
    async def work() -> None:
        log, settled = PatientLog(FRAMES), []
        partition = opened(tmp_path, log, 4)
        for offset in range(2):
            partition.offer(Record(offset, offset, FRAMES[offset], {}))
        await asyncio.sleep(0.02)
        of_first = [ack for ack, output in zip(log.waiting, log.produced, strict=True) if source_of(output) == 0]
        assert 0 < len(of_first) < len(log.waiting)
        found = [partition.settle(offset, partial(settled.append, offset)) for offset in range(3)]
        assert (found, settled) == ([True, True, False], [])
        for ack in of_first[:-1]:
            ack.set_result(None)
        await asyncio.sleep(0.02)
        assert settled == []
        of_first[-1].set_result(None)
        await asyncio.sleep(0.02)
        assert settled == [0]
        for ack in log.waiting:
            if not ack.done():
                ack.set_result(None)
        await partition.drain()
        assert settled == [0, 1]
        assert partition.settle(1, partial(settled.append, 1))
        assert settled == [0, 1, 1]
        await partition.close()

        again = opened(tmp_path, log, 4)
        assert (again.settle(1, partial(settled.append, 1)), again.settle(2, ignore)) == (True, False)
        assert settled == [0, 1, 1, 1]
        await again.close()

    asyncio.run(work())


def source_of(output: Output) -> int:
    """Offset of the record that an output came of."""
    return offset_and_part(parse(dict(output.headers)[topics.SOURCE_HEADER])[1])[0]


def test_an_offer_to_a_closed_partition_changes_nothing(tmp_path):
    async def work() -> int:
        unheard = Unheard()
        partition = opened(tmp_path, MemoryLog(FRAMES), 4, unheard=unheard)
        await partition.close()
        partition.offer(Record(0, 0, FRAMES[0], {}))
        await asyncio.sleep(0.01)
        return unheard.bytes

    assert asyncio.run(work()) == 0


LARGE = lines([Item("a", 1), Item("x" * 70_000, 2)])
TOKEN = {topics.SOURCE_HEADER: address("events", 0, 5, 0), topics.KIND_HEADER: b"messages"}
ELSEWHERE = {topics.SOURCE_HEADER: address("events", 1, 5, 0), topics.KIND_HEADER: b"messages"}


async def held_up(partition: Partition, record: Record, what: AbstractAsyncContextManager[None]) -> tuple[int, int]:
    """The partition's next offset while ``what`` holds the record up, if it does, and afterwards."""
    async with what:
        task = asyncio.create_task(partition.apply(record, ignore))
        await asyncio.sleep(0.05)
        during = partition.store.next_offset
    await asyncio.wait_for(task, 10)
    after = partition.store.next_offset
    await partition.close()
    return during, after


@asynccontextmanager
async def much_to_take_in(unheard: Unheard) -> AsyncIterator[None]:
    acked = asyncio.get_running_loop().create_future()
    unheard.add(MUCH + 1, acked)
    yield
    acked.set_result(None)


@pytest.mark.parametrize(
    ("value", "headers", "waits"),
    [(LARGE, {}, True), (FRAMES[0], TOKEN, True), (FRAMES[0], ELSEWHERE, False), (FRAMES[0], {}, False)],
    ids=["large", "what it told itself", "what another told it", "small"],
)
def test_bulk_waits_for_a_turn_and_nothing_else_does(tmp_path, value, headers, waits):
    async def work() -> tuple[int, int]:
        turns = Turns()
        partition = opened(tmp_path, MemoryLog([value]), 4, turns=turns)
        return await held_up(partition, Record(0, 0, value, headers), turns.turn())

    assert asyncio.run(work()) == (0 if waits else 1, 1)


def test_a_frame_that_waits_for_a_turn_is_let_go_when_its_partition_is_revoked(tmp_path):
    async def work() -> BaseException | None:
        turns = Turns()
        partition = opened(tmp_path, MemoryLog([LARGE]), 4, turns=turns)
        async with turns.turn():
            task = asyncio.create_task(partition.apply(Record(0, 0, LARGE, {}), ignore))
            await asyncio.sleep(0.01)
            await partition.close()
        await asyncio.wait({task}, timeout=10)
        return task.exception()

    assert isinstance(asyncio.run(work()), Revoked)


@pytest.mark.parametrize(
    ("tells", "headers", "waits"),
    [(True, TOKEN, True), (False, TOKEN, False), (True, ELSEWHERE, False)],
    ids=["tells others", "tells nobody", "no token"],
)
def test_who_tells_others_waits_until_they_have_taken_in_what_they_were_told(tmp_path, tells, headers, waits):
    async def work() -> tuple[int, int]:
        unheard = Unheard()
        stage = msgspec.structs.replace(TOY, tells=tells)
        partition = opened(tmp_path, MemoryLog(FRAMES), 4, turns=Turns(patience_s=60), unheard=unheard, stage=stage)
        return await held_up(partition, Record(0, 0, FRAMES[0], headers), much_to_take_in(unheard))

    assert asyncio.run(work()) == (0 if waits else 1, 1)


def test_what_is_offered_is_unheard_until_it_is_applied_or_the_partition_is_revoked(tmp_path):
    async def work() -> list[int]:
        unheard = Unheard()
        partition = opened(tmp_path, MemoryLog(FRAMES), 4, unheard=unheard)
        seen = []
        for offset in (0, 2, 1000):  # what is at 1 has yet to come from the log, and the last lies behind a backlog
            partition.offer(Record(offset, 0, FRAMES[0], {}))
            seen.append(unheard.bytes)
        await asyncio.sleep(0.01)
        seen.append(unheard.bytes)
        await partition.close()
        return [*seen, unheard.bytes]

    size = len(FRAMES[0])
    assert asyncio.run(work()) == [size, 2 * size, 2 * size, size, 0]
