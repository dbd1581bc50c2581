"""A sink at work: topics on a broker, facts produced as the stages do, the sink as a process of its own."""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer

from schemas import topics
from schemas.address import address
from schemas.codec import json_encoder
from schemas.rejections import DeadLetter
from sinks.setup import prepare_database
from stream.settings import Settings, variable
from stream.topology import create_topics
from tests.support.fact_rows import row
from tests.support.sql import SqlServer


def settings_of(bootstrap: str, sql: SqlServer, *, partitions: int = 3) -> Settings:
    """Settings of an installation of its own on shared servers."""
    name = uuid.uuid4().hex[:10]
    return Settings(
        kafka=bootstrap,
        clickhouse=sql.url,
        clickhouse_user=sql.user,
        clickhouse_password=sql.password,
        database=f"sink_{name}",
        topic_prefix=f"{name}.",
        partitions=partitions,
        sink_s=0.1,
    )


async def set_up(settings: Settings) -> None:
    await create_topics(settings)
    await asyncio.to_thread(prepare_database, settings)


def fact_record(partition: int, frame: int, events: int) -> bytes:
    """What the stitch stage books for one frame: its events and one session."""
    blocks: dict[str, bytes] = {}
    for table, size in (("events", events), ("sessions", 1)):
        rows = [
            row(
                table, event_id=f"{partition}-{frame}-{i}", node=f"v:{partition}-{frame}", received_at=1_790_000_000_000,
                _p=partition, _o=frame, _i=i,
            )
            if table == "events"
            else row(table, session_id=f"{partition}-{frame}", version=frame, _p=partition, _o=frame, _i=i)
            for i in range(size)
        ]  # fmt: skip
        blocks[table] = b"".join(json_encoder.encode(r) + b"\n" for r in rows)
    index = [("events", events, len(blocks["events"])), ("sessions", 1, len(blocks["sessions"]))]
    return json_encoder.encode(index) + b"\n" + b"".join(blocks.values())


async def produce_facts(settings: Settings, frames: Sequence[int], *, events: int = 5) -> None:
    """The outputs of ``frames`` on every partition, with their source addresses."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        sent = []
        for frame in frames:
            for partition in range(settings.partitions):
                headers = [(topics.SOURCE_HEADER, address(topics.EVENTS, partition, frame, 0))]
                value = fact_record(partition, frame, events)
                topic = settings.topic(topics.STITCH_FACTS)
                sent.append(await producer.send(topic, value, partition=partition, headers=headers))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def produce_record(settings: Settings, value: bytes, source: tuple[str, int, int, int]) -> None:
    """One record of facts, on partition 0."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        headers = [(topics.SOURCE_HEADER, address(*source))]
        await producer.send_and_wait(settings.topic(topics.STITCH_FACTS), value, partition=0, headers=headers)
    finally:
        await producer.stop()


async def produce_letters(settings: Settings, values: Sequence[bytes | DeadLetter]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            encoded = value if isinstance(value, bytes) else json_encoder.encode(value)
            await producer.send_and_wait(settings.topic(topics.DEAD_LETTERS), encoded, partition=0)
    finally:
        await producer.stop()


class SinkProcess:
    """``python -m sinks`` with the given settings."""

    def __init__(self, settings: Settings) -> None:
        given = msgspec.structs.asdict(settings)
        environment = os.environ | {variable(name): str(value) for name, value in given.items()}
        self.process = subprocess.Popen([sys.executable, "-m", "sinks"], env=environment)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


def counted(sql: SqlServer, settings: Settings, table: str = "events") -> tuple[int, int]:
    """Rows, and rows with different addresses."""
    [[rows, addresses]] = sql.rows(f"SELECT count(), uniqExact(_p, _o, _i) FROM {settings.database}.{table}")
    return int(rows), int(addresses)


async def wait_for(
    sql: SqlServer, settings: Settings, rows: int, *, table: str = "events", limit_s: float = 60
) -> None:
    """Until the table has at least ``rows`` rows."""
    end = time.monotonic() + limit_s
    while (found := counted(sql, settings, table)[0]) < rows:
        assert time.monotonic() < end, f"{found} of {rows} rows in {table} after {limit_s} s"
        await asyncio.sleep(0.05)
