"""A collector in this process on a fresh set of topics, and what it put on them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import aiohttp
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from schemas import topics
from schemas.event import COLUMNS
from schemas.topics import TOPICS
from stream.collect.app import Collector
from stream.collect.webhooks.certificates import fetch
from stream.settings import Config, Settings

_ATTRIBUTES = {column: attribute for attribute, column in COLUMNS.items()}


def collector_settings(bootstrap: str, **changes: object) -> Settings:
    """Settings of a collector of its own: port 0, topics with a fresh prefix."""
    given = {"kafka": bootstrap, "http_port": 0, "topic_prefix": f"t{uuid4().hex[:8]}.", "partitions": 2}
    return Settings(**(given | changes))  # type: ignore[arg-type]


async def create_topics(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(settings.topic(t.name), settings.partitions, 1) for t in TOPICS])
    finally:
        await admin.close()


class Running:
    """A started collector and a client for it."""

    def __init__(self, settings: Settings, port: int, client: aiohttp.ClientSession) -> None:
        self.settings = settings
        self.port = port
        self.client = client

    async def records(self, topic: str):
        """All records of a topic."""
        return await records(self.settings, topic)

    async def events(self) -> list[dict]:
        """All events on the log, by the names of ``Event``."""
        return [
            {_ATTRIBUTES.get(name, name): value for name, value in json.loads(line).items()}
            for record in await self.records(topics.EVENTS)
            if topics.KIND_HEADER not in dict(record.headers)
            for line in record.value.split(b"\n")
        ]

    async def dead_letters(self) -> list[dict]:
        """All dead letters."""
        return [json.loads(record.value) for record in await self.records(topics.DEAD_LETTERS)]


async def records(settings: Settings, topic: str) -> list:
    consumer = AIOKafkaConsumer(
        settings.topic(topic),
        bootstrap_servers=settings.bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        partitions = consumer.assignment()
        left = {tp: end for tp, end in (await consumer.end_offsets(partitions)).items() if end}
        found = []
        while left:
            for tp, batch in (await consumer.getmany(*left, timeout_ms=500)).items():
                found += batch
                if batch[-1].offset + 1 >= left[tp]:
                    del left[tp]
        return found
    finally:
        await consumer.stop()


@asynccontextmanager
async def collecting(settings: Settings, config: Config | None = None, *, fetch=fetch) -> AsyncIterator[Running]:
    """A collector that has reached its broker."""
    await create_topics(settings)
    collector = Collector(settings, config or Config(), fetch=fetch)
    port = await collector.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            await ready(client)
            yield Running(settings, port, client)
    finally:
        await collector.stop()


async def ready(client: aiohttp.ClientSession, *, timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            with suppress(aiohttp.ClientError, KafkaError):
                async with client.get("/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
