"""Where a benchmark runs: one broker for the whole run, and installations with topics and tables of their own on it.

with place("embedded") as broker:
    installation = Installation(broker, "pipeline")
    worker = installation.worker()
"""

import asyncio
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.processes import Process
from bench.traffic import Frame
from schemas import topics
from schemas.rules import Rules
from sinks.setup import prepare_database
from stream.cli.lag import READERS
from stream.settings import Settings, variable
from stream.topology import create_topics, publish_rules
from tests.support.brokers import EmbeddedBroker
from tests.support.kafka import ApacheKafka
from tests.support.machine import Machine

EMBEDDED, APACHE = "embedded", "Apache Kafka"
_number = itertools.count(1)


class Broker(msgspec.Struct, frozen=True):
    """A running broker and a folder for what is measured on it."""

    name: str
    bootstrap: str
    folder: Path


@contextmanager
def place(name: str) -> Iterator[Broker]:
    """Start a broker in a temporary folder; stop it and remove the folder at the end.

    Raises: KafkaMissing if Apache Kafka is wanted and cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True) as folder:
        broker = EmbeddedBroker() if name == EMBEDDED else ApacheKafka()
        bootstrap = broker.start(Path(folder) / "broker")
        try:
            yield Broker(name, bootstrap, Path(folder))
        finally:
            broker.stop()


@contextmanager
def running(broker: Broker, name: str) -> Iterator[Machine]:
    """``touchline up`` on a folder of its own, and on Apache Kafka with topics of its own; stopped at the end."""
    # Without a prefix it would work off what another figure left there, whose visitors and event ids are the same.
    apart = {"kafka": broker.bootstrap, "topic_prefix": f"{name}-{next(_number)}."}
    machine = Machine(broker.folder / name, **({} if broker.name == EMBEDDED else apart))
    machine.data.mkdir()
    machine.start()
    try:
        yield machine
    finally:
        machine.stop()


class Installation:
    """Topics, folders and processes of one figure; the prefix keeps it apart from the others on the same broker."""

    def __init__(self, broker: Broker, name: str, **settings: object) -> None:
        prefix = f"{name}-{next(_number)}."
        self.folder = broker.folder / prefix
        self.folder.mkdir()
        given: dict[str, object] = {
            "config": str(self.folder / "none.toml"),
            "data": str(self.folder),
            "log_format": "json",
        }
        self.settings = Settings(**{**given, "kafka": broker.bootstrap, "topic_prefix": prefix, **settings})

    def prepare_topics(self) -> None:
        async def prepare() -> None:
            await create_topics(self.settings)
            await publish_rules(self.settings, Rules())

        asyncio.run(prepare())

    def prepare_tables(self) -> None:
        prepare_database(self.settings)

    def use_sql(self, server: Process) -> None:
        """Take a running SQL server as ClickHouse."""
        self.settings = msgspec.structs.replace(self.settings, clickhouse=f"http://127.0.0.1:{server.port}")

    def environment(self, **changes: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOUCHLINE_")}
        ours = {variable(f): str(getattr(self.settings, f)) for f in self.settings.__struct_fields__}
        ours |= {"TOUCHLINE_TRUST_FORWARDED": "false"}
        return kept | ours | {variable(name): value for name, value in changes.items()}

    def process(self, module: str, *arguments: str, log: str, **changes: str) -> Process:
        return Process(module, *arguments, environment=self.environment(**changes), log=self.folder / f"{log}.log")

    def worker(self, stages: str = "stitch,account", **changes: str) -> Process:
        return self.process("stream.stages", log="worker", stages=stages, **changes)

    def sql_server(self) -> Process:
        return self.process("stream.embedded.sql", "--data", str(self.folder / "sql"), "--port", "0", log="sql")

    def sink(self) -> Process:
        return self.process("sinks", log="sink")

    def fill(self, frames: Iterable[Frame], topic: str = topics.EVENTS) -> None:
        asyncio.run(fill(self.settings.bootstrap, self.settings.topic(topic), frames))

    def settle(self, groups: Iterable[tuple[str, Iterable[str]]], wait_s: float = 300) -> None:
        """Wait until these consumer groups have committed everything that is on their topics.

        Raises: TimeoutError.
        """
        asyncio.run(settle(self.settings, list(groups), wait_s))


STITCH_ONLY = (("touchline-stitch", (topics.EVENTS,)),)
EVERYTHING = READERS


async def fill(bootstrap: str, topic: str, frames: Iterable[Frame]) -> None:
    """Produce in order, in large batches, as the collector's own."""
    headers = [(topics.PACKER_HEADER, topics.PACKED)]
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, compression_type="zstd", linger_ms=5,
        max_batch_size=1 << 20, max_request_size=8 << 20,
    ) as producer:  # fmt: skip
        await producer.partitions_for(topic)
        for frame in frames:
            await producer.send(topic, frame.value, partition=frame.partition, headers=headers)
        await producer.flush()


async def create(bootstrap: str, topic: str, partitions: int = 4) -> None:
    """Create a plain topic and wait until it is known."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs={"max.message.bytes": "8388608"})])
        await asyncio.sleep(0.5)
    finally:
        await admin.close()


async def settle(settings: Settings, groups: list[tuple[str, Iterable[str]]], wait_s: float) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.bootstrap)
    await admin.start()
    await consumer.start()
    deadline = asyncio.get_running_loop().time() + wait_s
    try:
        while (behind := await _behind(admin, consumer, settings, groups)) > 0:
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"{behind} records are not applied after {wait_s:.0f} s")
            await asyncio.sleep(0.2)
    finally:
        await consumer.stop()
        await admin.close()


async def _behind(
    admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, settings: Settings, groups: list[tuple[str, Iterable[str]]]
) -> int:
    behind = 0
    # In the order of the flow, positions before ends: 0 then means that nothing is left to be written either.
    for group, names in groups:
        committed = await admin.list_consumer_group_offsets(settings.topic(group))
        places = [TopicPartition(settings.topic(n), p) for n in names for p in range(settings.partitions)]
        ends = await consumer.end_offsets(places)
        behind += sum(max(0, ends[p] - max(committed[p].offset, 0) if p in committed else ends[p]) for p in places)
    return behind
