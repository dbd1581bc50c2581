"""A delivered record that finds room goes on at once; one that must wait is waited for as Faust does."""

import asyncio
from typing import Any

import pytest

from stream.stages.transport import PromptWaits, Transport


class Waiter(PromptWaits):
    """A service that waits as the worker's consumer does."""


def waits(body: Any) -> Any:
    """What ``body(waiter, gate)`` returns, in a loop of its own."""

    async def run() -> Any:
        return await asyncio.wait_for(body(Waiter(), asyncio.Event()), 5)

    return asyncio.run(run())


def test_a_record_that_finds_room_makes_no_task() -> None:
    async def body(waiter: Waiter, gate: asyncio.Event) -> Any:
        async def deliver() -> tuple[str, set[Any]]:
            return "delivered", asyncio.all_tasks()

        before = asyncio.all_tasks()
        found = await waiter.wait_first(deliver(), gate.wait())
        (answer, tasks) = found.results[0]
        assert tasks == before
        return answer, found.stopped

    assert waits(body) == ("delivered", False)


def test_a_record_that_waits_goes_on_where_it_stopped() -> None:
    async def body(waiter: Waiter, gate: asyncio.Event) -> Any:
        room, seen = asyncio.Event(), []

        async def deliver() -> str:
            seen.append("begun")
            await room.wait()
            await asyncio.sleep(0)
            seen.append("ended")
            return "delivered"

        asyncio.get_running_loop().call_later(0.01, room.set)
        found = await waiter.wait_first(deliver(), gate.wait())
        return seen, found.results

    assert waits(body) == (["begun", "ended"], ["delivered"])


def test_a_waiting_record_is_given_up_when_the_flow_is_suspended() -> None:
    async def body(waiter: Waiter, gate: asyncio.Event) -> Any:
        heard = asyncio.Event()

        async def deliver() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                heard.set()
                raise

        asyncio.get_running_loop().call_later(0.01, gate.set)
        found = await waiter.wait_first(deliver(), gate.wait())
        await heard.wait()
        return found.results

    assert waits(body) == [True]


def test_a_record_that_is_given_up_may_wait_for_its_own_end() -> None:
    async def body(waiter: Waiter, gate: asyncio.Event) -> Any:
        ended = asyncio.Event()

        async def deliver() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.01)
                ended.set()

        asyncio.get_running_loop().call_later(0.01, gate.set)
        await waiter.wait_first(deliver(), gate.wait())
        await ended.wait()
        return "ended"

    assert waits(body) == "ended"


@pytest.mark.parametrize("waits_first", [False, True])
def test_a_failure_of_the_delivery_is_raised(waits_first: bool) -> None:
    async def body(waiter: Waiter, gate: asyncio.Event) -> None:
        async def deliver() -> None:
            if waits_first:
                await asyncio.sleep(0)
            raise LookupError("no such partition")

        await waiter.wait_first(deliver(), gate.wait())

    with pytest.raises(LookupError, match="no such partition"):
        waits(body)


def test_a_stopped_service_says_so() -> None:
    async def body(waiter: Waiter, gate: asyncio.Event) -> Any:
        async def deliver() -> str:
            return "delivered"

        waiter._stopped.set()
        found = await waiter.wait_first(deliver(), gate.wait())
        return found.results, found.stopped

    assert waits(body) == ([], True)


class Delivered:
    """A record as Faust has it."""

    topic, partition = "events", 1

    def __init__(self, offset: int) -> None:
        self.offset = offset


def test_what_was_applied_before_is_settled_and_not_delivered() -> None:
    went: list[tuple[str, int]] = []

    class Consumer(Transport.Consumer):  # type: ignore[misc]
        def __init__(self) -> None:
            """Without Faust's own set-up, which wants an app and a broker."""
            self.transport = Transport.__new__(Transport)
            self.transport.settle = {"events": self.settle}
            self._deliver_unseen = self.agent

        def settle(self, partition: int, offset: int, acknowledge: Any) -> bool:
            return (partition, offset) < (1, 7) and acknowledge()

        async def agent(self, message: Any) -> None:
            went.append(("delivered", message.offset))

        def ack(self, message: Any) -> bool:
            went.append(("acknowledged", message.offset))
            return True

    async def deliver() -> None:
        consumer = Consumer()
        for offset in (6, 7, 8):
            await consumer._deliver(Delivered(offset))
        consumer.transport.settle = {}
        await consumer._deliver(Delivered(6))

    asyncio.run(deliver())
    assert went == [("acknowledged", 6), ("delivered", 7), ("delivered", 8), ("delivered", 6)]
