"""What we rely on in a broker, proven on the embedded one and on Apache Kafka: one suite, two brokers."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import OffsetAndMetadata

from tests.support.kafka_wire import RawClient, batch

TopicMaker = Callable[..., Awaitable[str]]


@pytest_asyncio.fixture
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    yield client
    await client.close()


@pytest_asyncio.fixture
async def topic(admin: AIOKafkaAdminClient, bootstrap: str) -> AsyncIterator[TopicMaker]:
    made: list[str] = []

    async def make(partitions: int = 1, **config: str) -> str:
        name = f"t-{uuid.uuid4().hex[:12]}"
        settings = {key.replace("_", "."): value for key, value in config.items()}
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
        assert [error[1] for error in answer.topic_errors] == [0]
        made.append(name)
        await _led(bootstrap, name, partitions)
        return name

    yield make
    await admin.delete_topics(made)


async def _led(bootstrap: str, name: str, partitions: int) -> None:
    """Wait until a new topic's partitions have a leader; Kafka answers a creation a little earlier."""
    end = time.monotonic() + 10
    asked = (-1, 0, [(name, [(index, -1) for index in range(partitions)])])
    with RawClient(bootstrap) as client:
        while any(row.error for row in client.ask(2, 3, asked).topics[0].partitions):
            assert time.monotonic() < end
            await asyncio.sleep(0.02)


async def producer_id(client: RawClient) -> int:
    """A new producer's id. A Kafka that has just started has none to give for a moment, and answers -1."""
    end = time.monotonic() + 10
    while (answer := client.ask(22, 1, (None, 1000))).error:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    return int(answer.pid)


@asynccontextmanager
async def producing(bootstrap: str, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    given: dict[str, Any] = {"enable_idempotence": True, "acks": "all", "compression_type": "zstd", **options}
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, **given) as producer:
        yield producer


@asynccontextmanager
async def reading(bootstrap: str, *topics: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    given: dict[str, Any] = {"auto_offset_reset": "earliest", "enable_auto_commit": False, **options}
    async with AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, **given) as consumer:
        yield consumer


async def read_all(bootstrap: str, topic: str, **options: Any) -> dict[int, list[Any]]:
    """Everything in a topic, by partition, up to the end offsets."""
    async with reading(bootstrap, **options) as consumer:
        await asyncio.sleep(0)
        partitions = await _partitions(consumer, topic)
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        found: dict[int, list[Any]] = {tp.partition: [] for tp in partitions}
        deadline = time.monotonic() + 20
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            assert time.monotonic() < deadline, "a reader's position must reach the end of the log"
            for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                found[tp.partition] += records
        return found


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    await consumer._client.force_metadata_update()
    consumer._client.add_topic(topic)
    await consumer._client.force_metadata_update()
    known = consumer._client.cluster.partitions_for_topic(topic) or set()
    return [TopicPartition(topic, index) for index in sorted(known)]


# -- records ----------------------------------------------------------------------------------------------------------


async def test_records_come_back_in_the_order_of_their_partition(bootstrap: str, topic: TopicMaker) -> None:
    name = await topic(3)
    async with producing(bootstrap, linger_ms=2) as producer:
        for number in range(3000):
            await producer.send(name, b"%d" % number, partition=number % 3)
        await producer.flush()
    found = await read_all(bootstrap, name)
    assert {p: [int(r.value) for r in records] for p, records in found.items()} == {
        p: list(range(p, 3000, 3)) for p in range(3)
    }
    assert [r.offset for r in found[0]] == list(range(1000))


@pytest.mark.parametrize("codec", [None, "zstd", "gzip", "lz4", "snappy"])
async def test_keys_headers_and_times_are_kept(bootstrap: str, topic: TopicMaker, codec: str | None) -> None:
    name = await topic(retention_ms="-1")
    async with producing(bootstrap, compression_type=codec) as producer:
        sent = await producer.send_and_wait(
            name, b"value", key=b"key", timestamp_ms=1_700_000_000_123, headers=[("src", b"a/0/1"), ("empty", b"")]
        )
        await producer.send_and_wait(name, None, key=b"gone")
    first, second = (await read_all(bootstrap, name))[0]
    assert (sent.offset, sent.partition) == (0, 0)
    assert (first.key, first.value, first.timestamp) == (b"key", b"value", 1_700_000_000_123)
    assert first.headers == (("src", b"a/0/1"), ("empty", b""))
    assert (second.key, second.value, second.headers) == (b"gone", None, ())


async def test_append_time_replaces_the_producers_time_if_the_topic_says_so(bootstrap: str, topic: TopicMaker) -> None:
    name = await topic(message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000)
    async with producing(bootstrap) as producer:
        sent = await producer.send_and_wait(name, b"v", timestamp_ms=1000)
    (record,) = (await read_all(bootstrap, name))[0]
    assert before <= record.timestamp <= int(time.time() * 1000)
    assert (record.timestamp_type, sent.timestamp) == (1, record.timestamp)


async def test_a_record_of_eight_megabytes_goes_through(bootstrap: str, topic: TopicMaker) -> None:
    name = await topic(max_message_bytes="8388608")
    value = bytes(range(256)) * 31_000  # 7.9 MB
    async with producing(bootstrap, max_request_size=9 << 20, compression_type=None) as producer:
        await producer.send_and_wait(name, value)
        await producer.send_and_wait(name, b"after")
    found = await read_all(bootstrap, name, max_partition_fetch_bytes=1 << 20)
    assert [r.value for r in found[0]] == [value, b"after"]


async def test_a_batch_above_the_topics_limit_is_refused_and_the_next_one_taken(
    bootstrap: str, topic: TopicMaker
) -> None:
    name = await topic(max_message_bytes="10000")
    async with producing(bootstrap, compression_type=None, enable_idempotence=False) as producer:
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(name, b"x" * 20_000)
        await producer.send_and_wait(name, b"small")
    assert [r.value for r in (await read_all(bootstrap, name))[0]] == [b"small"]


async def test_a_batch_sent_twice_is_stored_once(bootstrap: str, topic: TopicMaker) -> None:
    name = await topic()
    with RawClient(bootstrap) as client:
        pid = await producer_id(client)
        first = batch([(b"k", b"0"), (b"k", b"1")], pid=pid, epoch=0, sequence=0)
        second = batch([(b"k", b"2")], pid=pid, epoch=0, sequence=2)
        gap = batch([(b"k", b"9")], pid=pid, epoch=0, sequence=7)
        answers = [client.produce(name, records) for records in (first, first, second, first, second, gap)]
    assert [(a.error, a.base) for a in answers[:3]] == [(0, 0), (0, 0), (0, 2)]
    assert [(a.error, a.base) for a in answers[3:5]] == [(0, 0), (0, 2)]
    assert answers[5].error == 45  # out of order sequence number
    assert [r.value for r in (await read_all(bootstrap, name))[0]] == [b"0", b"1", b"2"]


async def test_an_answer_tells_offset_and_time_as_the_log_has_them(bootstrap: str, topic: TopicMaker) -> None:
    """The worker applies what it wrote from the answer, without reading it back."""
    name = await topic(message_timestamp_type="LogAppendTime")
    with RawClient(bootstrap) as client:
        pid = await producer_id(client)
        first = batch([(b"k", b"0"), (b"k", b"1")], pid=pid, epoch=0, sequence=0, at_ms=1000)
        second = batch([(b"k", b"2")], pid=pid, epoch=0, sequence=2, at_ms=1000)
        answers = [client.produce(name, first)]
        await asyncio.sleep(0.05)
        answers += [client.produce(name, second), client.produce(name, first)]
    assert [a.base for a in answers] == [0, 2, 0]
    stored = (await read_all(bootstrap, name))[0]
    assert [r.timestamp for r in stored] == [answers[n].at for n in (0, 0, 1)]
    assert answers[2].at == answers[0].at < answers[1].at, "a repetition has the time of the first"
    async with producing(bootstrap) as producer:
        sent = await asyncio.gather(*[await producer.send(name, b"%d" % n) for n in range(5)])
    found = (await read_all(bootstrap, name))[0][3:]
    assert [(r.offset, r.timestamp) for r in found] == [(s.offset, s.timestamp) for s in sent]
    assert {s.timestamp_type for s in sent} == {1}


async def test_a_produce_answer_lists_no_bad_records_when_all_are_good(bootstrap: str, topic: TopicMaker) -> None:
    """Java's client cannot read an answer in which this list is null."""
    name = await topic()
    with RawClient(bootstrap) as client:
        answer = client.ask(0, 8, (None, -1, 5000, [(name, [(0, batch([(None, b"v")]))])]))
    row = answer.topics[0].partitions[0]
    assert (row.error, row.base, row.errors, row.text) == (0, 0, [], None)


async def test_a_damaged_batch_is_refused(bootstrap: str, topic: TopicMaker) -> None:
    name = await topic()
    damaged = bytearray(batch([(b"k", b"value")]))
    damaged[-1] ^= 1
    with RawClient(bootstrap) as client:
        assert client.produce(name, bytes(damaged)).error in (2, 87)  # corrupt message, invalid record
        assert client.produce(name, batch([(b"k", b"good")])).error == 0
    assert [r.value for r in (await read_all(bootstrap, name))[0]] == [b"good"]


# -- offsets ----------------------------------------------------------------------------------------------------------


async def test_offsets_are_found_by_time(bootstrap: str, topic: TopicMaker) -> None:
    name = await topic(retention_ms="-1")  # records of 1970 are past any other retention
    place = TopicPartition(name, 0)
    async with producing(bootstrap) as producer:
        for at_ms in (1000, 2000, 3000, 4000):
            await producer.send_and_wait(name, b"v", timestamp_ms=at_ms)
    async with reading(bootstrap, name) as consumer:
        at = {t: await consumer.offsets_for_times({place: t}) for t in (1, 2000, 2001, 4001)}
        ends = (await consumer.beginning_offsets([place]), await consumer.end_offsets([place]))
    assert [found[place] and (found[place].offset, found[place].timestamp) for found in at.values()] == [
        (0, 1000),
        (1, 2000),
        (2, 3000),
        None,
    ]
    assert ends == ({place: 0}, {place: 4})


async def test_committed_offsets_and_their_metadata_come_back(
    bootstrap: str, topic: TopicMaker, admin: AIOKafkaAdminClient
) -> None:
    name = await topic(2)
    group = f"g-{name}"
    first, second = TopicPartition(name, 0), TopicPartition(name, 1)
    async with reading(bootstrap, group_id=group) as consumer:
        consumer.assign([first, second])
        assert await consumer.committed(first) is None
        await consumer.commit({first: OffsetAndMetadata(17, "note")})
    async with reading(bootstrap, group_id=group) as consumer:
        consumer.assign([first, second])
        assert [await consumer.committed(first), await consumer.committed(second)] == [17, None]
    listed = await admin.list_consumer_group_offsets(group)
    assert listed == {first: OffsetAndMetadata(17, "note")}


async def test_reading_beyond_the_end_is_told(bootstrap: str, topic: TopicMaker) -> None:
    name = await topic()
    with RawClient(bootstrap) as client:
        client.produce(name, batch([(None, b"v")]))
        asked = (-1, 100, 1, 1 << 20, 0, 0, -1, [(name, [(0, -1, 5, -1, 1 << 20)])], [], "")
        row = client.ask(1, 11, asked).topics[0].partitions[0]
    assert row.error == 1  # offset out of range


# -- consumer groups --------------------------------------------------------------------------------------------------


class Member:
    """A consumer of a group that reads until it is told to stop, or is killed."""

    def __init__(self, bootstrap: str, topic: str, group: str, **options: Any) -> None:
        self.values: list[bytes] = []
        self.consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6000,
            heartbeat_interval_ms=200,
            metadata_max_age_ms=1000,
            **options,
        )

    async def __aenter__(self) -> Self:
        await self.consumer.start()
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.consumer.stop()

    async def _read(self) -> None:
        while True:
            for records in (await self.consumer.getmany(timeout_ms=100)).values():
                self.values += [record.value for record in records]
                await self.consumer.commit()


async def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)


async def test_two_members_share_the_partitions_and_one_takes_over_when_the_other_leaves(
    bootstrap: str, topic: TopicMaker, admin: AIOKafkaAdminClient
) -> None:
    name = await topic(4)
    group = f"g-{name}"
    async with Member(bootstrap, name, group) as stays:
        async with Member(bootstrap, name, group) as leaves:
            await until(
                lambda: len(stays.consumer.assignment()) == len(leaves.consumer.assignment()) == 2,
                "two partitions each",
            )
            assert stays.consumer.assignment().isdisjoint(leaves.consumer.assignment())
            (described,) = (await admin.describe_consumer_groups([group]))[0].groups
            assert (described[2], len(described[5])) == ("Stable", 2)
            async with producing(bootstrap) as producer:
                for number in range(400):
                    await producer.send(name, b"%d" % number, partition=number % 4)
                await producer.flush()
            await until(lambda: len(stays.values) + len(leaves.values) >= 400, "all records")
            assert sorted(int(v) for v in stays.values + leaves.values) == list(range(400))
        await until(lambda: len(stays.consumer.assignment()) == 4, "all four partitions")
    assert (group, "consumer") in await admin.list_consumer_groups()


async def test_a_group_goes_on_when_a_member_is_killed(bootstrap: str, topic: TopicMaker) -> None:
    name = await topic(2)
    async with Member(bootstrap, name, f"g-{name}") as stays, Member(bootstrap, name, f"g-{name}") as dies:
        await until(lambda: len(stays.consumer.assignment()) == len(dies.consumer.assignment()) == 1, "one each")
        dies._task.cancel()
        dies.consumer._coordinator._coordination_task.cancel()
        if dies.consumer._coordinator._heartbeat_task is not None:
            dies.consumer._coordinator._heartbeat_task.cancel()
        for connection in list(dies.consumer._client._conns.values()):
            connection.close()  # as the kernel does for a killed process: no goodbye on the protocol's level
        await until(lambda: len(stays.consumer.assignment()) == 2, "both partitions")


async def test_a_static_member_gets_its_place_back_without_a_rebalance(
    bootstrap: str, topic: TopicMaker, admin: AIOKafkaAdminClient
) -> None:
    name = await topic(2)
    group = f"g-{name}"
    async with Member(bootstrap, name, group, group_instance_id="stays") as stays:
        async with Member(bootstrap, name, group, group_instance_id="restarts") as first:
            await until(lambda: len(stays.consumer.assignment()) == len(first.consumer.assignment()) == 1, "one each")
            held = first.consumer.assignment()
            generation = stays.consumer._coordinator.generation
        async with Member(bootstrap, name, group, group_instance_id="restarts") as second:
            await until(lambda: second.consumer.assignment() == held, "its partition again")
            assert stays.consumer._coordinator.generation == generation
            (described,) = (await admin.describe_consumer_groups([group]))[0].groups
            assert (described[2], len(described[5])) == ("Stable", 2)


async def test_a_stranger_cannot_commit_into_a_live_group(bootstrap: str, topic: TopicMaker) -> None:
    name = await topic()
    async with Member(bootstrap, name, f"g-{name}") as member:
        await until(lambda: len(member.consumer.assignment()) == 1, "assigned")
        with RawClient(bootstrap) as client:
            asked = (f"g-{name}", 1, "nobody", None, 0, [(name, [(0, 5, -1, "")])])
            assert client.ask(8, 7, asked).topics[0].partitions[0].error == 25  # unknown member


# -- compaction -------------------------------------------------------------------------------------------------------


async def test_compaction_keeps_the_latest_record_of_each_key(bootstrap: str, topic: TopicMaker) -> None:
    name = await topic(
        cleanup_policy="compact",
        segment_ms="200",
        min_cleanable_dirty_ratio="0.01",
        delete_retention_ms="0",
        segment_bytes="1048576",
    )
    expected: dict[bytes, bytes] = {}
    async with producing(bootstrap) as producer:
        for turn in range(8):
            for number in range(40):
                key, value = b"k%d" % number, b"%d-%d" % (turn, number)
                await producer.send(name, value, key=key)
                expected[key] = value
            await producer.flush()
            await asyncio.sleep(0.25)  # beyond segment.ms: Kafka seals a segment at the next append
        await producer.send_and_wait(name, b"end", key=b"end")
    expected[b"end"] = b"end"
    records: list[Any] = []
    end = time.monotonic() + 20
    while time.monotonic() < end:
        records = (await read_all(bootstrap, name))[0]
        latest = {r.key: r.value for r in records}
        assert latest == expected, "at any moment"
        assert [r.offset for r in records] == sorted({r.offset for r in records})
        if len(records) <= 2 * 40 + 1:  # what is not sealed yet, or last in the range, may remain
            return
        await asyncio.sleep(0.3)
    pytest.fail(f"{len(records)} records are left")


# -- administration ---------------------------------------------------------------------------------------------------


async def test_a_topic_is_created_once_described_extended_and_deleted(
    bootstrap: str, admin: AIOKafkaAdminClient
) -> None:
    name = f"t-{uuid.uuid4().hex[:12]}"
    made = [(await admin.create_topics([NewTopic(name, 2, 1)])).topic_errors[0][1] for _ in range(2)]
    assert made == [0, 36]  # topic already exists
    (described,) = await admin.describe_topics([name])
    assert (described["topic"], len(described["partitions"])) == (name, 2)
    await admin.create_partitions({name: NewPartitions(3)})
    (described,) = await admin.describe_topics([name])
    assert len(described["partitions"]) == 3
    assert [error for _, error in (await admin.delete_topics([name])).topic_error_codes] == [0]
    end = time.monotonic() + 10
    while name in await admin.list_topics():  # Kafka answers first and deletes then
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    assert [error for _, error in (await admin.delete_topics([name])).topic_error_codes] == [3]  # unknown topic


@pytest.mark.parametrize(
    ("name", "partitions", "replication", "config", "error"),
    [
        ("no spaces", 1, 1, {}, 17),
        ("", 1, 1, {}, 17),
        ("x" * 250, 1, 1, {}, 17),
        ("fine", 0, 1, {}, 37),
        ("fine", 1, 5, {}, 38),
        ("fine", 1, 1, {"retention.ms": "soon"}, 40),
        ("fine", 1, 1, {"no.such.setting": "1"}, 40),
        ("fine", 1, 1, {"cleanup.policy": "burn"}, 40),
    ],
)
async def test_a_wrong_topic_is_refused_with_kafkas_error(
    admin: AIOKafkaAdminClient, *, name: str, partitions: int, replication: int, config: dict[str, str], error: int
) -> None:
    answer = await admin.create_topics([NewTopic(name, partitions, replication, topic_configs=config)])
    assert answer.topic_errors[0][1] == error


async def test_settings_are_described_and_changed(
    admin: AIOKafkaAdminClient, topic: TopicMaker, bootstrap: str
) -> None:
    name = await topic(retention_ms="1000000")
    assert (await _settings(admin, name))["retention.ms"] == "1000000"
    await admin.alter_configs([ConfigResource("topic", name, {"retention.ms": "-1", "segment.ms": "60000"})])
    after = await _settings(admin, name)
    assert (after["retention.ms"], after["segment.ms"], after["cleanup.policy"]) == ("-1", "60000", "delete")
    with RawClient(bootstrap) as client:
        change = [("segment.ms", 1, None), ("max.message.bytes", 0, "2000000")]
        assert client.ask(44, 0, ([(2, name, change)], False)).resources[0].error == 0
        assert client.ask(44, 0, ([(2, name, [("segment.ms", 0, "x")])], False)).resources[0].error == 40
    after = await _settings(admin, name)
    assert (after["segment.ms"], after["max.message.bytes"]) == ("604800000", "2000000")


async def _settings(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource("topic", name)])
    return {row[0]: row[1] for row in answer.resources[0][4]}


async def test_an_unknown_topic_is_an_error_and_not_created(bootstrap: str, admin: AIOKafkaAdminClient) -> None:
    with RawClient(bootstrap) as client:
        assert client.ask(3, 8, (["no-such-topic"], False, False, False)).topics[0].error == 3
        assert client.ask(3, 8, (["no-such-topic"], True, False, False)).topics[0].error == 3
        assert client.produce("no-such-topic", batch([(None, b"v")])).error == 3
    assert "no-such-topic" not in await admin.list_topics()
