"""The embedded broker is killed under load: what it acknowledged is there, once, in order, and groups go on."""

import asyncio
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import OffsetAndMetadata

from tests.support.brokers import EmbeddedBroker
from tests.support.kafka_wire import RawClient, batch

KILLS = 6


@pytest.fixture(params=["always", "200"])
def broker(request: pytest.FixtureRequest) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(fsync=request.param, housekeeping_s=0.2)
    yield broker
    broker.kill()


async def create(bootstrap: str, name: str, partitions: int, **config: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    settings = {key.replace("_", "."): value for key, value in config.items()}
    await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
    await admin.close()


async def read(bootstrap: str, topic: str, partitions: int) -> list[list[tuple[int, bytes]]]:
    """(offset, value) of every record, by partition."""
    places = [TopicPartition(topic, index) for index in range(partitions)]
    found: list[list[tuple[int, bytes]]] = [[] for _ in places]
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                found[place.partition] += [(record.offset, record.value) for record in records]
    return found


async def test_nothing_acknowledged_is_lost_doubled_or_reordered_over_kills(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    chance = random.Random(3)
    bootstrap = broker.start(tmp_path)
    await create(bootstrap, "load", 2, segment_bytes="200000")
    acked: set[int] = set()
    failed: list[BaseException] = []
    stop = asyncio.Event()

    def note(number: int, sent: "asyncio.Future[object]") -> None:
        error = sent.exception()
        if error is None:
            acked.add(number)
        else:
            failed.append(error)

    async def feed(producer: AIOKafkaProducer) -> int:
        number = 0
        while not stop.is_set():
            sent = await producer.send("load", b"%d:" % number + b"y" * 300, partition=number % 2)
            sent.add_done_callback(lambda done, number=number: note(number, done))
            number += 1
            if number % 200 == 0:
                await asyncio.sleep(0.01)
        await producer.flush()
        return number

    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, compression_type="zstd", retry_backoff_ms=50
    ) as producer:
        feeding = asyncio.create_task(feed(producer))
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.2, 0.8))
            broker.kill()
            await asyncio.sleep(chance.uniform(0.0, 0.2))
            broker.start(tmp_path)
        await asyncio.sleep(0.3)
        stop.set()
        sent = await feeding

    found = await read(bootstrap, "load", 2)
    numbers = [[int(value.split(b":")[0]) for _, value in records] for records in found]
    assert not failed
    assert acked == set(range(sent))
    assert numbers == [list(range(0, sent, 2)), list(range(1, sent, 2))]
    assert [[offset for offset, _ in records] for records in found] == [list(range(len(n))) for n in numbers]


async def test_groups_offsets_topics_and_settings_outlive_a_kill(broker: EmbeddedBroker, tmp_path: Path) -> None:
    bootstrap = broker.start(tmp_path)
    await create(bootstrap, "kept", 3, retention_ms="12345678")
    place = TopicPartition("kept", 1)
    consumer = AIOKafkaConsumer(
        "kept",
        bootstrap_servers=bootstrap,
        group_id="group",
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=100,
        retry_backoff_ms=50,
    )
    await consumer.start()
    await consumer.commit({place: OffsetAndMetadata(0, "mark")})
    generation = consumer._coordinator.generation
    broker.kill()
    broker.start(tmp_path)
    await _heartbeats_again(bootstrap, "group", generation)
    assert consumer._coordinator.generation == generation  # the group never noticed
    assert len(consumer.assignment()) == 3
    await consumer.commit({place: OffsetAndMetadata(0, "again")})
    await consumer.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    assert await admin.list_consumer_group_offsets("group") == {place: OffsetAndMetadata(0, "again")}
    with RawClient(bootstrap) as client:
        rows = client.ask(32, 1, ([(2, "kept", ["retention.ms"])], False)).resources[0].configs
    assert [(row.name, row.value) for row in rows] == [("retention.ms", "12345678")]
    await admin.close()


async def _heartbeats_again(bootstrap: str, group: str, generation: int) -> None:
    """Wait until the group is stable with its member connected: it has sent a heartbeat since."""
    end = time.monotonic() + 10
    while True:
        with RawClient(bootstrap) as client:
            (described,) = client.ask(15, 4, ([group], False)).groups
            (member,) = described.members
            if described.state == "Stable" and client.ask(12, 3, (group, generation, member.id, None)).error == 0:
                break
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)


async def test_a_torn_tail_is_dropped_and_the_log_goes_on(broker: EmbeddedBroker, tmp_path: Path) -> None:
    bootstrap = broker.start(tmp_path)
    await create(bootstrap, "torn", 1)
    with RawClient(bootstrap) as client:
        for value in (b"a", b"b", b"c"):
            assert client.produce("torn", batch([(None, value)])).error == 0
    broker.kill()
    (file,) = (tmp_path / "torn-0").glob("*.log")
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    bootstrap = broker.start(tmp_path)
    with RawClient(bootstrap) as client:
        answer = client.produce("torn", batch([(None, b"d")]))
        assert (answer.error, answer.base) == (0, 2)
    assert await read(bootstrap, "torn", 1) == [[(0, b"a"), (1, b"b"), (2, b"d")]]


async def test_a_group_goes_on_in_seconds_when_a_member_process_dies(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Without it the rebalance would wait for the dead member's session, here five minutes."""
    bootstrap = broker.start(tmp_path)
    await create(bootstrap, "shared", 2)
    with RawClient(bootstrap, 60) as lives, RawClient(bootstrap) as dies:
        protocols = [("range", b"")]
        first = lives.ask(11, 5, ("g", 300_000, 300_000, "", None, "consumer", protocols))
        everybody = [(first.member, b"all")]
        assert lives.ask(14, 3, ("g", first.generation, first.member, None, everybody)).assignment == b"all"
        dies.send(11, 5, _join_body("g", 300_000))
        await _called_to_rebalance(lives, first)
        dies.socket.close()
        again = lives.ask(11, 5, ("g", 300_000, 300_000, first.member, None, "consumer", protocols))
        if len(again.members) == 2:  # the join came before the news of the death, which calls for one more
            await _called_to_rebalance(lives, again)
            again = lives.ask(11, 5, ("g", 300_000, 300_000, first.member, None, "consumer", protocols))
        assert (again.error, [member.id for member in again.members]) == (0, [first.member])


async def _called_to_rebalance(client: RawClient, joined: Any) -> None:
    for _ in range(200):
        if client.ask(12, 3, ("g", joined.generation, joined.member, None)).error == 27:
            return
        await asyncio.sleep(0.05)
    pytest.fail("no rebalance in ten seconds")


def _join_body(group: str, timeout_ms: int) -> bytes:
    from stream.embedded.broker import wire
    from stream.embedded.broker.apis import APIS

    value = (group, timeout_ms, timeout_ms, "", None, "consumer", [("range", b"")])
    return wire.encoded(APIS[11].request, 5, value, flexible=False)


async def test_a_broker_stops_in_good_order_on_sigterm(broker: EmbeddedBroker, tmp_path: Path) -> None:
    bootstrap = broker.start(tmp_path)
    await create(bootstrap, "t", 1)
    with RawClient(bootstrap) as client:
        assert client.produce("t", batch([(None, b"v")])).error == 0
        assert broker.process is not None
        broker.process.send_signal(signal.SIGTERM)
        assert broker.process.wait(30) == 0
    broker.stop()
    bootstrap = broker.start(tmp_path)
    assert await read(bootstrap, "t", 1) == [[(0, b"v")]]


async def test_one_folder_serves_one_broker(broker: EmbeddedBroker, tmp_path: Path) -> None:
    broker.start(tmp_path)
    second = EmbeddedBroker()
    with pytest.raises(RuntimeError, match="did not start"):
        second.start(tmp_path)
    broker.stop()
    second.start(tmp_path)
    second.stop()
