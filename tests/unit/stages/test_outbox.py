"""What leaves a worker how: messages together, tokens and alerts at once, and to who reads them here as the log has them."""

import asyncio

import pytest
from aiokafka.structs import RecordMetadata, TopicPartition

from schemas import topics
from stream.stages import outbox as outbox_module
from stream.stages.compute import Output, Record
from stream.stages.outbox import Outbox
from stream.stages.unheard import Unheard
from tests.unit.stages.test_bundles import message


class StampingBroker:
    """Acknowledges at once; says where it put each output, and when."""

    def __init__(self, *, stamps: bool = True) -> None:
        self.sent: list[Output] = []
        self._stamps = stamps

    async def send(self, output: Output) -> asyncio.Future[object]:
        self.sent.append(output)
        place = TopicPartition(output.topic, output.partition)
        offset = 100 + len(self.sent)
        done = asyncio.get_running_loop().create_future()
        done.set_result(RecordMetadata(*place, place, offset, 7_000 + offset, int(self._stamps), 0))
        return done


def values(broker: StampingBroker) -> list[bytes]:
    return [output.value for output in broker.sent]


async def test_messages_of_one_pass_of_the_event_loop_are_a_bundle_and_each_is_acknowledged():
    broker = StampingBroker()
    outbox = Outbox(broker.send, {}, Unheard())
    acks = [await outbox.produce(message(3, n, 1, b"%d" % n)) for n in range(3)]
    acks.append(await outbox.produce(message(2, 0, 1, b"other")))
    assert broker.sent == []

    results = await asyncio.wait_for(asyncio.gather(*acks), 10)

    assert values(broker) == [b"0\n1\n2", b"other"]
    assert [result.offset for result in results] == [101, 101, 101, 102]


async def test_late_ones_wait_for_those_of_a_later_pass_until_one_is_in_a_hurry(monkeypatch):
    monkeypatch.setattr(outbox_module, "_LATE_WAIT_S", 60)
    broker = StampingBroker()
    outbox = Outbox(broker.send, {}, Unheard())
    await outbox.produce(message(3, 0, 1, b"a"), late=True)
    await asyncio.sleep(0.01)
    assert broker.sent == []
    ack = await outbox.produce(message(3, 1, 1, b"b"))

    await asyncio.wait_for(ack, 10)

    assert values(broker) == [b"a\nb"]


async def test_late_ones_wait_a_tenth_of_a_second():
    broker = StampingBroker()
    outbox = Outbox(broker.send, {}, Unheard())
    ack = await outbox.produce(message(3, 0, 1, b"a"), late=True)

    await asyncio.wait_for(ack, 10)

    assert values(broker) == [b"a"]


async def test_what_a_partition_tells_itself_and_what_people_read_goes_at_once():
    broker = StampingBroker()
    outbox = Outbox(broker.send, {}, Unheard())
    await outbox.produce(message(1, 0, 1, b"waits"))
    await outbox.produce(message(3, 3, 1, b"token"), late=True)
    await outbox.produce(message(3, 0, 1, b"alert", topics.ALERTS))

    assert values(broker) == [b"token", b"alert"]
    await outbox.flush()
    assert values(broker) == [b"token", b"alert", b"waits"]


@pytest.mark.parametrize("stamps", [True, False])
async def test_who_reads_a_bundle_here_gets_it_as_the_log_has_it(stamps):
    broker = StampingBroker(stamps=stamps)
    handed: list[tuple[int, Record]] = []
    outbox = Outbox(broker.send, {topics.EVENTS: lambda *given: handed.append(given)}, Unheard())
    acks = [await outbox.produce(message(3, n, 1, b"%d" % n)) for n in range(2)]
    acks.append(await outbox.produce(message(3, 0, 2, b"elsewhere", topics.ACCOUNTS)))

    await asyncio.wait_for(asyncio.gather(*acks), 10)

    (bundle, _) = broker.sent
    # Without the log's own time nobody can say what its readers will see.
    assert handed == ([(3, Record(101, 7_101, bundle.value, dict(bundle.headers)))] if stamps else [])


async def test_messages_to_readers_here_are_unheard_until_the_broker_has_them():
    broker, unheard = StampingBroker(), Unheard()
    outbox = Outbox(broker.send, {topics.EVENTS: lambda *_: None}, unheard)
    acks = [await outbox.produce(message(3, 0, 1, b"12345")), await outbox.produce(message(2, 0, 2, b"678"))]
    acks.append(await outbox.produce(message(3, 0, 3, b"elsewhere", topics.ACCOUNTS)))
    before = unheard.bytes

    await asyncio.wait_for(asyncio.gather(*acks), 10)
    await asyncio.sleep(0)

    assert (before, unheard.bytes) == (8, 0)
