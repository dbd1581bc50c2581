"""State of another version is computed again from the log in the way that docs/operations.md tells."""

import asyncio
import os
import random
import shutil

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from schemas import topics
from schemas.codec import lines
from stream.settings import Settings
from stream.stages.log import Log
from tests.integration.test_worker_crashes import PARTITIONS, Fleet, create_topics, read_facts
from tests.support.brokers import EmbeddedBroker
from tests.support.toy import TOY, Item

FRAMES = 24


def frame(n: int) -> list[Item]:
    """Three items for a name that each frame of its partition has."""
    return [Item(f"{n % PARTITIONS}-{name}", n) for name in "abc"]


async def send(bootstrap: str, prefix: str, numbers: range) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    for n in numbers:
        await producer.send_and_wait(prefix + topics.EVENTS, lines(frame(n)), partition=n % PARTITIONS)
    await producer.stop()


async def checkpointed(bootstrap: str, prefix: str) -> None:
    log = Log(Settings(kafka=bootstrap, topic_prefix=prefix))
    for partition in range(PARTITIONS):
        for _ in range(200):
            if await log.saved_position(TOY.state, TOY.state, partition):
                break
            await asyncio.sleep(0.2)
        else:
            pytest.fail(f"partition {partition} was never checkpointed")


async def first_half(bootstrap: str, prefix: str, path) -> Fleet:
    """A worker that has computed half of the frames and checkpointed all of its partitions, stopped."""
    await create_topics(bootstrap, prefix)
    fleet = Fleet(bootstrap, prefix, path, workers=1)
    try:
        await send(bootstrap, prefix, range(FRAMES // 2))
        await checkpointed(bootstrap, prefix)
    finally:
        assert fleet.stop() == [0]
    return fleet


async def other_half(bootstrap: str, prefix: str, fleet: Fleet) -> None:
    """It goes on without its state, and counts on from where it was: nothing twice, the same bytes."""
    fleet.running[0] = fleet.start(0)
    try:
        await send(bootstrap, prefix, range(FRAMES // 2, FRAMES))
        want = 3 * sum(range(FRAMES))
        tallies, forwarded, differing = await read_facts(bootstrap, prefix, want)
    finally:
        assert fleet.stop() == [0]
    of = [[n for n in range(FRAMES) if n % PARTITIONS == p] for p in range(PARTITIONS)]
    assert tallies == {f"{p}-{name}": (len(of[p]), sum(of[p])) for p in range(PARTITIONS) for name in "abc"}
    assert sum(forwarded.values()) == want
    assert differing == set()
    said = (fleet.path / "worker-0.log").read_text()
    assert said.count("caught up") >= PARTITIONS
    assert "state restored" not in said


@pytest.fixture
def prefix() -> str:
    return f"format{os.getpid()}{random.randrange(10**6)}."


async def test_with_the_state_topics_deleted(bootstrap, prefix, tmp_path):
    fleet = await first_half(bootstrap, prefix, tmp_path)
    shutil.rmtree(tmp_path / "state")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_topics([prefix + topics.STITCH_STATE, prefix + topics.ACCOUNT_STATE])
    await asyncio.sleep(1)
    await admin.close()
    await create_topics(bootstrap, prefix)
    await other_half(bootstrap, prefix, fleet)


async def test_on_one_machine_with_their_folders_deleted(prefix, tmp_path):
    broker = EmbeddedBroker()
    try:
        bootstrap = broker.start(tmp_path / "broker")
        fleet = await first_half(bootstrap, prefix, tmp_path)
        broker.stop()
        shutil.rmtree(tmp_path / "state")
        folders = [*(tmp_path / "broker").glob("*state.stitch-*"), *(tmp_path / "broker").glob("*state.account-*")]
        assert len(folders) == 2 * PARTITIONS
        for folder in folders:
            shutil.rmtree(folder)
        broker.start(tmp_path / "broker")
        await other_half(bootstrap, prefix, fleet)
    finally:
        broker.kill()
