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
from stream.core.state import Example
from stream.settings import Settings
from stream.stages.checkpoint import checkpoint
from stream.stages.log import Log
from stream.stages.store import FORMAT_KEY, PartitionStore
from tests.support.toy import TOY, Item

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


def applied(folder: Path, records: int) -> PartitionStore:
    """State that says that so many records of its log are applied."""
    store = PartitionStore(folder)
    store.put("k", Example(1))
    store.advance(records)
    store.commit(store.seal())
    return store


def test_a_worker_does_not_start_on_state_of_another_version(tmp_path):
    folder = tmp_path / "state" / "0" / "stitch" / "0"
    other = applied(folder, 5)
    other.db[FORMAT_KEY] = b"99"
    other.close()
    fleet = Fleet("127.0.0.1:1", "other.", tmp_path, workers=1)  # nothing listens there: it does not come so far

    assert fleet.running[0].wait(60) == 1
    said = (tmp_path / "worker-0.log").read_text()
    assert f"stage stitch, partition 0, in {folder} was written in format 99" in said


async def send_one(bootstrap: str, prefix: str, partition: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait(prefix + topics.EVENTS, lines([Item("a", 1)]), partition=partition)
    await producer.stop()


async def test_a_worker_whose_log_lost_what_it_applied_does_not_start(bootstrap, tmp_path):
    """No record comes that could tell it: the end of the log does, while it is still there to be seen."""
    prefix = f"lost{os.getpid()}{random.randrange(10**6)}."
    await create_topics(bootstrap, prefix)
    for partition, records in ((0, 1), (1, 5)):
        await send_one(bootstrap, prefix, partition)
        applied(tmp_path / "state" / "0" / "stitch" / str(partition), records).close()
    fleet = Fleet(bootstrap, prefix, tmp_path, workers=1)
    assert await asyncio.to_thread(fleet.running[0].wait, 60) == 1
    said = (tmp_path / "worker-0.log").read_text()
    assert "events/1 ends at 1, but 5 records of it are applied" in said
    assert "ready" not in said


async def test_a_worker_with_state_of_topics_that_are_gone_does_not_start(bootstrap, tmp_path):
    applied(tmp_path / "state" / "0" / "stitch" / "0", 5).close()
    fleet = Fleet(bootstrap, f"gone{os.getpid()}{random.randrange(10**6)}.", tmp_path, workers=1)
    assert await asyncio.to_thread(fleet.running[0].wait, 60) == 1
    assert "events/0 ends at 0, but 5 records of it are applied" in (tmp_path / "worker-0.log").read_text()


async def test_a_folder_that_is_behind_since_another_worker_has_its_partition_is_no_error(bootstrap, tmp_path):
    prefix = f"behind{os.getpid()}{random.randrange(10**6)}."
    await create_topics(bootstrap, prefix)
    applied(tmp_path / "state" / "0" / "stitch" / "2", 1).close()
    for _ in range(3):
        await send_one(bootstrap, prefix, 2)
    fleet = Fleet(bootstrap, prefix, tmp_path, workers=1)
    try:
        tallies, _, _ = await read_facts(bootstrap, prefix, 2)
    finally:
        assert fleet.stop() == [0]
    assert tallies == {"a": (2, 2)}


async def test_a_worker_whose_checkpoint_is_ahead_of_the_log_stops_and_says_so(bootstrap, tmp_path):
    prefix = f"ahead{os.getpid()}{random.randrange(10**6)}."
    await create_topics(bootstrap, prefix)
    log = Log(Settings(kafka=bootstrap, topic_prefix=prefix))
    await log.start()
    await checkpoint(TOY, 0, applied(tmp_path / "another", 5), log, 1)
    await log.stop()
    await send_one(bootstrap, prefix, 0)
    fleet = Fleet(bootstrap, prefix, tmp_path, workers=1)
    assert await asyncio.to_thread(fleet.running[0].wait, 60) == 70
    assert "events/0 ends at 1, but 5 records of it are applied" in (tmp_path / "worker-0.log").read_text()
