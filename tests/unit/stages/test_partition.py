"""A partition that is taken away while it works: the agent goes on, and nothing more is done to it."""

import asyncio
from functools import partial

import pytest

from schemas import topics
from schemas.address import address
from schemas.codec import lines
from stream.core.state import key
from stream.stages.compute import Output, Record
from stream.stages.partition import Partition, Revoked
from stream.stages.store import PartitionStore
from tests.support.toy import TOY, Item, Tally


class SilentLog:
    """A broker that never acknowledges, with two records to catch up with."""

    def __init__(self) -> None:
        self.reading = asyncio.Event()

    async def produce(self, _output: object) -> asyncio.Future[object]:
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


async def revoked_while(path, work, until) -> BaseException | None:
    """How ``work(partition)`` ends if the partition is closed at ``until(log)``."""
    log = SilentLog()
    partition = Partition(TOY, 0, 1, PartitionStore(path), log, on_failure=pytest.fail)
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

    async def produce(self, output: Output) -> asyncio.Future[object]:
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
        partition = Partition(TOY, 0, 1, PartitionStore(tmp_path), log, on_failure=pytest.fail)
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
        partition = Partition(TOY, 0, 1, PartitionStore(tmp_path), log, on_failure=pytest.fail)
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


def test_state_is_saved_although_nothing_more_comes(tmp_path):
    log = MemoryLog([lines([Item("a", n)]) for n in (1, 2)])

    async def work() -> None:
        partition = Partition(TOY, 0, 1, PartitionStore(tmp_path), log, on_failure=pytest.fail)
        for offset, value in enumerate(log.values):
            await partition.apply(Record(offset, offset, value, {}), ignore)
        for _ in range(2000):
            if partition.store.committed_offset == 2:
                break
            await asyncio.sleep(0.01)
        assert partition.store.committed_offset == 2
        await partition.close()

    asyncio.run(work())


def test_catching_up_ends_when_its_partition_is_revoked(tmp_path):
    async def behind(partition: Partition) -> None:
        await partition.apply(record(20), ignore)

    async def reading(log: SilentLog) -> None:
        await log.reading.wait()

    assert isinstance(asyncio.run(revoked_while(tmp_path, behind, reading)), Revoked)
