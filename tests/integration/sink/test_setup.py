"""``touchline setup``: everything once, contradictions refused, changed rules on every partition."""

import asyncio

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import topics
from schemas.errors import ConfigError
from schemas.messages import RulesChanged
from schemas.rules import Rules
from stream.cli.setup import prepare
from stream.topology import create_topics, publish_rules
from tests.support.sink_flow import settings_of


async def controls(settings, topic: str) -> list[list[RulesChanged]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    places = [TopicPartition(settings.topic(topic), p) for p in range(settings.partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    found: dict[TopicPartition, list[RulesChanged]] = {place: [] for place in places}
    while any([await consumer.position(place) < ends[place] for place in places]):
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            assert all(dict(record.headers) == {"kind": b"control"} for record in records)
            found[place] += [msgspec.json.decode(record.value, type=RulesChanged) for record in records]
    await consumer.stop()
    return list(found.values())


async def test_set_up_twice_does_everything_once(bootstrap, embedded_sql) -> None:
    settings = settings_of(bootstrap, embedded_sql)
    first = await asyncio.to_thread(prepare, settings)
    assert f"created topic {settings.topic(topics.EVENTS)}" in first
    second = await asyncio.to_thread(prepare, settings)
    assert len(second) == 1
    assert second[0].startswith("refreshed ")
    assert await controls(settings, topics.EVENTS) == [[RulesChanged(Rules())]] * 3


async def test_changed_rules_reach_every_partition_that_decides_by_them(bootstrap, embedded_sql) -> None:
    settings = settings_of(bootstrap, embedded_sql)
    await create_topics(settings)
    old, new = Rules(version="1"), Rules(version="2", session_gap_s=60)
    assert [await publish_rules(settings, rules) for rules in (old, old, new, new, old)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    for topic in (topics.EVENTS, topics.ACCOUNTS):
        assert await controls(settings, topic) == [[RulesChanged(old), RulesChanged(new), RulesChanged(old)]] * 3


async def test_other_number_of_partitions_is_refused(bootstrap, embedded_sql) -> None:
    settings = settings_of(bootstrap, embedded_sql, partitions=2)
    await create_topics(settings)
    with pytest.raises(ConfigError, match="2 partitions"):
        await create_topics(msgspec.structs.replace(settings, partitions=3))
