"""Workers that are killed at any moment, also with their disk wiped, give every fact once, in order, and the same bytes."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas import topics
from schemas.address import parse
from schemas.codec import lines
from stream.stages.store import FORMAT_KEY, PartitionStore
from tests.support.toy import Item

PARTITIONS = 4
FRAME = 100
FRAMES = 400
KILLS = 5


class Fleet:
    """Workers of the toy stage on one machine, each with its own disk."""

    def __init__(self, bootstrap: str, prefix: str, path: Path, workers: int = 2):
        self.environment = os.environ | {
            "TOUCHLINE_KAFKA": bootstrap,
            "TOUCHLINE_DATA": str(path),
            "TOUCHLINE_TOPIC_PREFIX": prefix,
            "TOUCHLINE_PARTITIONS": str(PARTITIONS),
            "TOUCHLINE_CHECKPOINT_S": "0.5",
        }
        self.path = path
        self.running = {n: self.start(n) for n in range(workers)}

    def start(self, n: int) -> subprocess.Popen[bytes]:
        with (self.path / f"worker-{n}.log").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.support.toy"],
                env=self.environment | {"TOUCHLINE_WORKER_ID": str(n)},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def kill(self, n: int, *, wipe: bool) -> None:
        self.running[n].kill()
        self.running[n].wait()
        if wipe:
            shutil.rmtree(self.path / "state" / str(n), ignore_errors=True)

    def stop(self) -> list[int]:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return [process.wait(20) for process in self.running.values()]


async def create_topics(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    new = [NewTopic(prefix + t.name, PARTITIONS, 1, topic_configs=t.config) for t in topics.TOPICS]
    await admin.create_topics(new)
    await admin.close()


async def read_facts(bootstrap: str, prefix: str, want: int) -> tuple[dict, dict, set]:
    """Fold the facts as a sink would: drop by address; stop when everything forwarded has arrived or nothing comes."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=8 << 20
    )
    await consumer.start()
    places = [TopicPartition(prefix + topics.STITCH_FACTS, n) for n in range(PARTITIONS)]
    consumer.assign(places)
    await consumer.seek_to_beginning()
    tallies: dict = {}
    forwarded: dict = {}
    marks: dict = {}
    contents: dict = {}
    differing = set()
    silent = 0
    while silent < 30 and (sum(forwarded.values()) < want or silent < 3):
        found = await consumer.getmany(timeout_ms=1000)
        silent = 0 if found else silent + 1
        for records in found.values():
            for record in records:
                source, order = parse(dict(record.headers)[topics.SOURCE_HEADER])
                if contents.setdefault((source, order), record.value) != record.value:
                    differing.add((source, order))
                if order <= marks.get(source, -1):
                    continue
                marks[source] = order
                first, _, body = record.value.partition(b"\n")
                for table, _, size in msgspec.json.decode(first):
                    for line in body[:size].splitlines():
                        row = msgspec.json.decode(line)
                        if table == "tallies":
                            tallies[row["name"]] = (row["count"], row["total"])
                        else:
                            forwarded[row["name"]] = row["total"]
                    body = body[size:]
    await consumer.stop()
    return tallies, forwarded, differing


async def test_two_workers_killed_and_wiped_again_and_again_count_everything_once(bootstrap, tmp_path):
    prefix = f"toy{os.getpid()}{random.randrange(10**6)}."
    await create_topics(bootstrap, prefix)
    fleet = Fleet(bootstrap, prefix, tmp_path)
    chance = random.Random(11)
    want: dict = {}
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        n = 0
        for frame in range(FRAMES):
            partition = frame % PARTITIONS
            items = []
            for _ in range(FRAME):
                items.append(Item(f"{partition}-{chance.randrange(500)}", n))
                count, total = want.get(items[-1].name, (0, 0))
                want[items[-1].name] = (count + 1, total + n)
                n += 1
            await producer.send_and_wait(prefix + topics.EVENTS, lines(items), partition=partition)
            await asyncio.sleep(0.03)
            if frame % (FRAMES // KILLS) == FRAMES // KILLS - 1:
                victim = chance.randrange(2)
                fleet.kill(victim, wipe=chance.random() < 0.4)
                await asyncio.sleep(chance.random())
                fleet.running[victim] = fleet.start(victim)
        tallies, forwarded, differing = await read_facts(bootstrap, prefix, sum(range(n)))
    finally:
        await producer.stop()
        exits = fleet.stop()

    assert tallies == want
    assert forwarded == {name: total for name, (_, total) in want.items()}
    assert differing == set()
    assert exits == [0, 0]


def test_a_worker_does_not_start_on_state_of_another_version(tmp_path):
    folder = tmp_path / "state" / "0" / "stitch" / "0"
    other = PartitionStore(folder)
    other.advance(5)
    other.commit(other.seal())
    other.db[FORMAT_KEY] = b"99"
    other.close()
    fleet = Fleet("127.0.0.1:1", "other.", tmp_path, workers=1)  # nothing listens there: it does not come so far

    assert fleet.running[0].wait(60) == 1
    said = (tmp_path / "worker-0.log").read_text()
    assert f"stage stitch, partition 0, in {folder} was written in format 99" in said


async def test_a_worker_whose_broker_lost_what_it_applied_stops_and_says_so(bootstrap, tmp_path):
    prefix = f"lost{os.getpid()}{random.randrange(10**6)}."
    await create_topics(bootstrap, prefix)
    ahead = PartitionStore(tmp_path / "state" / "0" / "stitch" / "0")
    ahead.advance(5)
    ahead.commit(ahead.seal())
    ahead.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    fleet = Fleet(bootstrap, prefix, tmp_path, workers=1)
    try:
        await producer.send_and_wait(prefix + topics.EVENTS, lines([Item("a", 1)]), partition=0)
        assert await asyncio.to_thread(fleet.running[0].wait, 60) == 70
    finally:
        await producer.stop()
        for process in fleet.running.values():
            process.kill()
            process.wait()

    assert "lost records" in (tmp_path / "worker-0.log").read_text()
