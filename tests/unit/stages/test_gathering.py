"""Small facts wait for each other and go out in their order, whatever becomes of those who wait for them."""

import asyncio
from typing import Any

import pytest

from schemas.errors import Fatal
from stream.stages.compute import Output
from stream.stages.gathering import MOST, SMALL, Gathering


class Producer:
    """Takes outputs, fails at ``failing``, and acknowledges with their number."""

    def __init__(self, failing: bytes = b"") -> None:
        self.sent: list[bytes] = []
        self.acks: list[asyncio.Future[Any]] = []
        self._failing = failing

    async def send(self, output: Output) -> asyncio.Future[Any]:
        await asyncio.sleep(0)
        if output.value == self._failing:
            raise OSError("no broker")
        self.sent.append(output.value)
        ack = asyncio.get_running_loop().create_future()
        self.acks.append(ack)
        return ack

    def acknowledge(self) -> None:
        for number, ack in enumerate(self.acks):
            ack.set_result(number)


def facts(value: bytes) -> Output:
    return Output("stitch-facts", 0, value, [])


async def test_small_outputs_wait_for_each_other_and_are_acknowledged_one_by_one():
    producer = Producer()
    gathering = Gathering(producer.send, wait_s=0.02)
    acked = [await gathering.produce(facts(value)) for value in (b"a", b"b", b"c")]
    assert producer.sent == []
    await asyncio.sleep(0.1)
    assert producer.sent == [b"a", b"b", b"c"]
    assert not any(ack.done() for ack in acked)
    producer.acknowledge()
    assert await asyncio.gather(*acked) == [0, 1, 2]


async def test_a_large_output_goes_at_once_after_those_before_it():
    producer = Producer()
    gathering = Gathering(producer.send, wait_s=60)
    large = b"x" * (SMALL + 1)
    await gathering.produce(facts(b"a"))
    await gathering.produce(facts(large))
    assert producer.sent == [b"a", large]


async def test_no_more_than_so_much_waits():
    producer = Producer()
    gathering = Gathering(producer.send, wait_s=60)
    for _ in range(MOST // SMALL):
        await gathering.produce(facts(b"x" * SMALL))
    assert producer.sent == []
    await gathering.produce(facts(b"last"))
    assert len(producer.sent) == MOST // SMALL + 1
    assert producer.sent[-1] == b"last"


async def test_what_nobody_waits_for_any_more_is_sent_all_the_same():
    # Its successor would make readers drop it when it is sent again.
    producer = Producer()
    gathering = Gathering(producer.send, wait_s=60)
    gone, _ = [await gathering.produce(facts(value)) for value in (b"a", b"b")]
    gone.cancel()
    await gathering.flush()
    producer.acknowledge()
    assert producer.sent == [b"a", b"b"]


async def test_nothing_follows_what_could_not_be_sent():
    producer = Producer(failing=b"b")
    gathering = Gathering(producer.send, wait_s=60)
    acked = [await gathering.produce(facts(value)) for value in (b"a", b"b", b"c")]
    await gathering.flush()
    producer.acknowledge()
    assert producer.sent == [b"a"]
    assert await acked[0] == 0
    with pytest.raises(OSError, match="no broker"):
        await acked[1]
    with pytest.raises(Fatal):
        await acked[2]
    with pytest.raises(Fatal):
        await gathering.produce(facts(b"d"))


async def test_outputs_that_come_during_a_flush_follow_it():
    producer = Producer()
    gathering = Gathering(producer.send, wait_s=0.01)
    for value in (b"a", b"b"):
        await gathering.produce(facts(value))
    flushing = asyncio.create_task(gathering.flush())
    await asyncio.sleep(0)
    await gathering.produce(facts(b"c"))
    await gathering.flush()
    await flushing
    assert producer.sent == [b"a", b"b", b"c"]


async def test_a_flush_that_is_cancelled_loses_nothing():
    producer = Producer()
    gathering = Gathering(producer.send, wait_s=60)
    for value in (b"a", b"b", b"c"):
        await gathering.produce(facts(value))
    flushing = asyncio.create_task(gathering.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    await asyncio.wait({flushing})
    await gathering.flush()
    assert producer.sent == [b"a", b"b", b"c"]


async def test_an_acknowledgement_that_fails_is_told():
    producer = Producer()
    gathering = Gathering(producer.send, wait_s=60)
    acked = await gathering.produce(facts(b"a"))
    await gathering.flush()
    producer.acks[0].set_exception(OSError("lost"))
    with pytest.raises(OSError, match="lost"):
        await acked
