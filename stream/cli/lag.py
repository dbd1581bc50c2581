"""How far each consumer is behind: what is on the log and not yet applied. Used by ``verify`` and ``doctor``."""

from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from schemas import topics
from stream.kafka import connection
from stream.settings import Settings

STAGE_GROUP = "touchline"
SINK_GROUP = "sink"
STAGES = ("stitch", "account")
READERS: tuple[tuple[str, Sequence[str]], ...] = (
    (STAGE_GROUP, (topics.EVENTS, topics.ACCOUNTS)),
    (SINK_GROUP, (topics.STITCH_FACTS, topics.ACCOUNT_FACTS, topics.DEAD_LETTERS)),
)


class Lag(msgspec.Struct, frozen=True):
    """One reader of one partition."""

    group: str
    topic: str
    partition: int
    position: int
    end: int

    @property
    def behind(self) -> int:
        """Records."""
        return max(0, self.end - max(self.position, 0))


async def lags(settings: Settings) -> list[Lag]:
    """Every reader's position and the end of what it reads. Positions are committed ones, up to a second old."""
    admin = AIOKafkaAdminClient(**connection(settings))
    consumer = AIOKafkaConsumer(**connection(settings))
    try:
        await admin.start()
        await consumer.start()
        found = []
        for group, names in READERS:
            committed = await _committed(admin, settings.topic(group))
            places = [TopicPartition(settings.topic(n), p) for n in names for p in range(settings.partitions)]
            ends = await consumer.end_offsets(places)
            for place in places:
                position = committed[place].offset if place in committed else 0
                found.append(Lag(group, place.topic, place.partition, position, ends[place]))
        return found
    finally:
        await consumer.stop()
        await admin.close()


async def _committed(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    """A group's offsets; workers that run one stage only have a group of its own, named after it."""
    found: dict[TopicPartition, OffsetAndMetadata] = {}
    for name in (group, *(f"{group}-{stage}" for stage in STAGES if group.endswith(STAGE_GROUP))):
        for place, saved in (await admin.list_consumer_group_offsets(name)).items():
            if place not in found or saved.offset > found[place].offset:
                found[place] = saved
    return found
