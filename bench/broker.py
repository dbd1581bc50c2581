"""``python -m bench.broker``: what the embedded broker carries, beside Apache Kafka in the same run if it is there.

Client and broker share this machine's cores, so ratios count more than figures. Options: ``--embedded-only``,
``--fsync always|MS``, ``--records N``.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.brokers import EmbeddedBroker
from tests.support.kafka import ApacheKafka, KafkaMissing

PARTITIONS = 4
SMALL_BYTES, FRAME_BYTES = 350, 35_000


def payloads(size: int) -> list[bytes]:
    chance = random.Random(1)
    return [os.urandom(16).hex().encode() + chance.randbytes(size // 2).hex().encode()[: size - 32] for _ in range(200)]


async def create(bootstrap: str, *names: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    config = {"max.message.bytes": "8388608"}
    await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=config) for name in names])
    await asyncio.sleep(1)
    await admin.close()


async def produce(bootstrap: str, topic: str, size: int, count: int) -> float:
    """Records per second in."""
    values = payloads(size)
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=256 << 10
    ) as producer:
        await producer.partitions_for(topic)
        start = time.perf_counter()
        for number in range(count):
            await producer.send(topic, values[number % len(values)], partition=number % PARTITIONS)
        await producer.flush()
        return count / (time.perf_counter() - start)


async def fetch(bootstrap: str, topic: str, count: int) -> float:
    """Records per second out."""
    places = [TopicPartition(topic, index) for index in range(PARTITIONS)]
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, max_partition_fetch_bytes=4 << 20, check_crcs=False
    ) as consumer:
        consumer.assign(places)
        await consumer.seek_to_beginning()
        got, start = 0, time.perf_counter()
        while got < count:
            got += sum(map(len, (await consumer.getmany(timeout_ms=1000)).values()))
        return count / (time.perf_counter() - start)


async def latency(bootstrap: str, topic: str, count: int, rate: int) -> tuple[list[float], list[float]]:
    """Milliseconds to the ack and to a reader, at a steady rate."""
    acks: list[float] = []
    ends: list[float] = []
    async with (
        AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0) as producer,
        AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer,
    ):
        await producer.partitions_for(topic)

        async def read() -> None:
            while len(ends) < count:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    now = time.perf_counter()
                    ends.extend(1000 * (now - float(record.value)) for record in records)

        reading = asyncio.create_task(read())
        begin = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(max(begin + number / rate - time.perf_counter(), 0))
            sent_at = time.perf_counter()
            sent = await producer.send(topic, b"%.9f" % sent_at, partition=number % PARTITIONS)
            sent.add_done_callback(lambda _, at=sent_at: acks.append(1000 * (time.perf_counter() - at)))
        await asyncio.wait_for(reading, 60)
    return sorted(acks), sorted(ends)


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(bootstrap: str, count: int, memory_mb: Callable[[], float]) -> dict[str, str]:
    await create(bootstrap, "small", "frames", "latency")
    frames = max(count // 60, 500)
    small_in = await produce(bootstrap, "small", SMALL_BYTES, count)
    small_out = await fetch(bootstrap, "small", count)
    frames_in = await produce(bootstrap, "frames", FRAME_BYTES, frames)
    frames_out = await fetch(bootstrap, "frames", frames)
    acks, ends = await latency(bootstrap, "latency", 4000, 1000)

    def at(times: list[float], part: float) -> str:
        return f"{times[int(len(times) * part)]:.1f}"

    return {
        "350 B in, records/s": f"{small_in:,.0f}",
        "350 B out, records/s": f"{small_out:,.0f}",
        "35 KB in, MB/s": f"{frames_in * FRAME_BYTES / 1e6:,.0f}",
        "35 KB out, MB/s": f"{frames_out * FRAME_BYTES / 1e6:,.0f}",
        "ack at 1,000/s, p50 / p99 ms": f"{at(acks, 0.5)} / {at(acks, 0.99)}",
        "reader at 1,000/s, p50 / p99 ms": f"{at(ends, 0.5)} / {at(ends, 0.99)}",
        "memory, MB": f"{memory_mb():,.0f}",
    }


def run(broker: Any, count: int) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        bootstrap = broker.start(Path(folder))
        process = getattr(broker, "process", None) or broker._process  # noqa: SLF001
        try:
            return uvloop.run(measure(bootstrap, count, lambda: rss_mb(process.pid)))
        finally:
            broker.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.broker")
    parser.add_argument("--embedded-only", action="store_true")
    parser.add_argument("--fsync", default="1000")
    parser.add_argument("--records", type=int, default=200_000)
    given = parser.parse_args()
    results = {f"embedded, fsync {given.fsync}": run(EmbeddedBroker(fsync=given.fsync), given.records)}
    if not given.embedded_only:
        try:
            results["Apache Kafka 4.3.1"] = run(ApacheKafka(), given.records)
        except KafkaMissing as missing:
            print(f"without Apache Kafka: {missing}")
    names = list(next(iter(results.values())))
    print(f"{'':34}" + "".join(f"{title:>24}" for title in results))
    for name in names:
        print(f"{name:34}" + "".join(f"{figures[name]:>24}" for figures in results.values()))
    print(f"load average: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
