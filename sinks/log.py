"""Kafka as the sink sees it: a group consumer for the flow, a plain one for ranges that must be read again."""

import asyncio
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from schemas import topics
from schemas.errors import Fatal
from sinks.operations import ReadRange
from sinks.ranges import Place, Position, Record
from stream.kafka import connection
from stream.settings import Settings

TOPICS: Final = (topics.STITCH_FACTS, topics.ACCOUNT_FACTS, topics.DEAD_LETTERS)
GROUP: Final = "sink"

_POLL_MS: Final = 200
_log = structlog.get_logger()


def topic_partition(settings: Settings, place: Place) -> TopicPartition:
    """A place in Kafka's words."""
    return TopicPartition(settings.topic(place.topic), place.partition)


def place_of(settings: Settings, tp: TopicPartition) -> Place:
    """A Kafka partition in ours: without the installation's prefix."""
    return Place(tp.topic.removeprefix(settings.topic_prefix), tp.partition)


def record_of(message: ConsumerRecord) -> Record:
    """What the sink needs of a Kafka record. A tombstone is an empty value."""
    source = next((value for name, value in message.headers if name == topics.SOURCE_HEADER), None)
    return Record(message.offset, message.value or b"", source, message.timestamp)


def group_consumer(settings: Settings) -> AIOKafkaConsumer:
    """The consumer of the flow. Positions come from the ledger; what it commits is for those who watch the lag."""
    return AIOKafkaConsumer(
        **connection(settings),
        group_id=settings.topic(GROUP),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        # Rows wait for the next block anyway: a fetch for every few records would cost broker and sink more than the rows do.
        fetch_min_bytes=128 << 10,
        fetch_max_wait_ms=60,
        max_partition_fetch_bytes=8 << 20,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=2_000,
        # A member that finishes its block must not be thrown out meanwhile.
        rebalance_timeout_ms=30_000,
        max_poll_interval_ms=600_000,
    )


async def read_range(settings: Settings, wanted: ReadRange) -> list[Record]:
    """The records of a range, tried until the broker answers. What retention has removed is missing, and logged."""
    while True:
        try:
            return await _read_range(settings, wanted)
        except (KafkaError, OSError) as error:
            _log.warning("sink: cannot read a range again yet", place=wanted.place, error=type(error).__name__)
            await asyncio.sleep(1)


async def _read_range(settings: Settings, wanted: ReadRange) -> list[Record]:
    consumer = AIOKafkaConsumer(
        **connection(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    try:
        place = topic_partition(settings, wanted.place)
        consumer.assign([place])
        first = max(wanted.first, (await consumer.beginning_offsets([place]))[place])
        following = min(wanted.next, (await consumer.end_offsets([place]))[place])
        if (first, following) != (wanted.first, wanted.next):
            _log.error("sink: facts are gone from the log", place=wanted.place, first=wanted.first, next=wanted.next)
        consumer.seek(place, first)
        records: list[Record] = []
        position = first
        while position < following:
            for messages in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                records += map(record_of, messages)
            position = await consumer.position(place)
        return [record for record in records if record.offset < wanted.next]
    finally:
        await consumer.stop()


async def refuse_shorter_log(consumer: AIOKafkaConsumer, settings: Settings, positions: dict[Place, Position]) -> None:
    """Stop if the log ends before what was written from it: reading on would take new records for old ones.

    Raises: Fatal.
    """
    ends = await consumer.end_offsets([topic_partition(settings, place) for place in positions])
    for place, position in positions.items():
        end = ends[topic_partition(settings, place)]
        if end < position.next:
            raise Fatal(
                f"{place.topic}/{place.partition} ends at {end}, but ClickHouse has rows up to {position.next}:"
                " the topic was created anew or lost its end; use a new database or another topic prefix"
            )


async def commit(consumer: AIOKafkaConsumer, settings: Settings, offsets: dict[Place, int]) -> None:
    """Commit what is still ours; a refusal only means that a rebalance is under way."""
    ours = consumer.assignment()
    mine = {tp: offset for place, offset in offsets.items() if (tp := topic_partition(settings, place)) in ours}
    try:
        if mine:
            await consumer.commit(mine)
    except (KafkaError, OSError) as error:
        _log.info("sink: offsets not committed", error=type(error).__name__)
