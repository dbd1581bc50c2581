"""A partition that is taken away while it works: the agent goes on, and nothing more is done to it."""

import asyncio

import pytest

from schemas.codec import lines
from stream.stages.compute import Record
from stream.stages.partition import Partition, Revoked
from stream.stages.store import PartitionStore
from tests.support.toy import TOY, Item


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
        self.headers: tuple[()] = ()


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


def test_catching_up_ends_when_its_partition_is_revoked(tmp_path):
    async def behind(partition: Partition) -> None:
        await partition.apply(record(20), ignore)

    async def reading(log: SilentLog) -> None:
        await log.reading.wait()

    assert isinstance(asyncio.run(revoked_while(tmp_path, behind, reading)), Revoked)
