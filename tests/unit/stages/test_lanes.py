"""Frames wait for their own partition only."""

import asyncio

from stream.stages.lanes import Lanes


class Worker:
    """Applies a frame when it is let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    async def apply(self, frame: str) -> None:
        self.begun.append(frame)
        await self.gates.setdefault(frame, asyncio.Event()).wait()

    def let_go(self, frame: str) -> None:
        self.gates.setdefault(frame, asyncio.Event()).set()


async def rest() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def full() -> tuple[Worker, Lanes[str]]:
    """Room for 100 bytes; two frames of 60, of one partition, are in it."""
    worker = Worker()
    lanes: Lanes[str] = Lanes(worker.apply, most_bytes=100)
    await lanes.put(0, "a", 60)
    await lanes.put(0, "b", 60)
    return worker, lanes


def test_a_frame_that_takes_long_holds_up_its_own_partition_only():
    async def play() -> None:
        worker = Worker()
        lanes: Lanes[str] = Lanes(worker.apply)
        for partition, frame in ((0, "a"), (0, "b"), (1, "c"), (0, "d")):
            await lanes.put(partition, frame, 1)
        await rest()
        assert worker.begun == ["a", "c"]
        worker.let_go("a")
        await rest()
        assert worker.begun == ["a", "c", "b"]
        for frame in "bcd":
            worker.let_go(frame)
        await rest()
        assert worker.begun == ["a", "c", "b", "d"]

    asyncio.run(play())


def test_what_is_forgotten_is_not_applied_and_what_comes_later_waits_for_the_one_under_way():
    async def play() -> None:
        worker = Worker()
        lanes: Lanes[str] = Lanes(worker.apply)
        await lanes.put(0, "a", 1)
        await lanes.put(0, "b", 1)
        await rest()
        lanes.forget(0)
        await lanes.put(0, "c", 1)
        await rest()
        assert worker.begun == ["a"]
        worker.let_go("a")
        await rest()
        assert worker.begun == ["a", "c"]

    asyncio.run(play())


def test_whoever_delivers_waits_while_too_much_is_waiting():
    async def play() -> None:
        worker, lanes = await full()
        third = asyncio.create_task(lanes.put(1, "c", 60))
        await rest()
        assert not third.done()
        worker.let_go("a")
        await rest()
        assert third.done()
        assert worker.begun == ["a", "b", "c"]

    asyncio.run(play())


def test_what_is_forgotten_makes_room():
    async def play() -> None:
        _, lanes = await full()
        third = asyncio.create_task(lanes.put(1, "c", 60))
        await rest()
        lanes.forget(0)
        await rest()
        assert third.done()

    asyncio.run(play())


def test_what_waits_for_room_is_forgotten_with_its_partition():
    async def play() -> None:
        worker, lanes = await full()
        late = asyncio.create_task(lanes.put(1, "c", 60))
        other = asyncio.create_task(lanes.put(2, "d", 60))
        await rest()
        lanes.forget(1)
        for frame in "ab":
            worker.let_go(frame)
        await asyncio.gather(late, other)
        await rest()
        assert worker.begun == ["a", "b", "d"]

    asyncio.run(play())


def test_a_frame_that_is_cancelled_makes_room_and_the_next_one_goes():
    async def play() -> None:
        begun = []

        async def apply(frame: str) -> None:
            begun.append(frame)
            if frame == "a":
                raise asyncio.CancelledError

        lanes: Lanes[str] = Lanes(apply, most_bytes=50)
        await lanes.put(0, "a", 60)
        await rest()
        await asyncio.wait_for(lanes.put(0, "b", 60), 5)
        await rest()
        assert begun == ["a", "b"]

    asyncio.run(play())
