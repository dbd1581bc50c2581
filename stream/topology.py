"""Topics in Kafka: created as ``schemas.topics`` says, checked where they exist; rules put on the log when they changed."""

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas import topics
from schemas.codec import json_encoder
from schemas.errors import ConfigError, Retryable
from schemas.messages import RulesChanged
from schemas.rules import Rules
from stream.kafka import connection
from stream.settings import Settings

_CREATE_MS: Final = 30_000
_RULED: Final = (topics.EVENTS, topics.ACCOUNTS)
"""Topics whose readers decide by rules."""
_RULES_KEY: Final = b"rules"


async def create_topics(settings: Settings) -> list[str]:
    """Create what is missing. Returns the names of what was created.

    Raises: ConfigError if a topic has another number of partitions; Retryable if the broker does not answer.
    """
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=_CREATE_MS)
    try:
        await admin.start()
        created = await _create(admin, settings)
        await _check_partitions(admin, settings)
    except (KafkaError, OSError) as error:
        raise Retryable(f"broker at {settings.bootstrap}: {error!r}") from error
    finally:
        await admin.close()
    return created


async def _create(admin: AIOKafkaAdminClient, settings: Settings) -> list[str]:
    present = set(await admin.list_topics())
    missing = [topic for topic in topics.TOPICS if settings.topic(topic.name) not in present]
    if not missing:
        return []
    wanted = [
        NewTopic(settings.topic(topic.name), settings.partitions, settings.replication, topic_configs=topic.config)
        for topic in missing
    ]
    answer = await admin.create_topics(wanted, timeout_ms=_CREATE_MS)
    for name, code, *text in answer.topic_errors:
        # Somebody else may set up at the same time.
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise ConfigError(
                f"topic {name} could not be created: {for_code(code).__name__} {' '.join(map(str, text))}"
            )
    return [settings.topic(topic.name) for topic in missing]


async def _check_partitions(admin: AIOKafkaAdminClient, settings: Settings) -> None:
    names = [settings.topic(topic.name) for topic in topics.TOPICS]
    for _ in range(50):
        described = {found["topic"]: len(found["partitions"]) for found in await admin.describe_topics(names)}
        if all(described.get(name) for name in names):
            break
        await asyncio.sleep(0.1)  # a new topic takes a moment to be known everywhere
    for name in names:
        if described.get(name) != settings.partitions:
            raise ConfigError(
                f"topic {name} has {described.get(name, 0)} partitions, but TOUCHLINE_PARTITIONS is"
                f" {settings.partitions}: the number cannot change once events are in"
            )


async def publish_rules(settings: Settings, rules: Rules) -> bool:
    """Put ``rules`` on every partition that decides by them, unless they were the last ones put there.

    What was published last is kept in a compacted topic beside them, written after the log: a crash between the two
    publishes the same rules once more, which changes nothing.

    Returns: whether they were published.
    Raises: Retryable if the broker does not answer.
    """
    record = json_encoder.encode(RulesChanged(rules))
    try:
        if await _last_published(settings) == record:
            return False
        await _append_rules(settings, record)
    except (KafkaError, OSError) as error:
        raise Retryable(f"broker at {settings.bootstrap}: {error!r}") from error
    return True


async def _last_published(settings: Settings) -> bytes | None:
    place = TopicPartition(settings.topic(topics.PUBLISHED_RULES), 0)
    # SURPRISE: with the default reset, "latest", its answer may arrive after our seek and win.
    consumer = AIOKafkaConsumer(**connection(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        await consumer.seek_to_beginning(place)
        last: bytes | None = None
        while await consumer.position(place) < end:
            for messages in (await consumer.getmany(timeout_ms=200)).values():
                last = messages[-1].value
        return last
    finally:
        await consumer.stop()


async def _append_rules(settings: Settings, record: bytes) -> None:
    producer = AIOKafkaProducer(**connection(settings), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        headers = [(topics.KIND_HEADER, topics.CONTROL_FRAME.encode())]
        await asyncio.gather(
            *(
                producer.send_and_wait(settings.topic(topic), record, partition=partition, headers=headers)
                for topic in _RULED
                for partition in range(settings.partitions)
            )
        )
        await producer.send_and_wait(settings.topic(topics.PUBLISHED_RULES), record, key=_RULES_KEY, partition=0)
    finally:
        await producer.stop()
