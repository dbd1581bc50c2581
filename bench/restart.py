"""From the start of a worker's process to its first applied frames, with the state of a million visitors.

    python -m bench.restart [--visitors N] [--kafka | --embedded]

The state comes from the real thing: a worker takes one page view of each visitor and writes its checkpoints. Then it is
stopped, a frame for every partition is put on the log, and the clock runs from the start of the process until the facts
of all of them are there: interpreter, imports, joining the group, opening or restoring the state, catching up.
``warm`` finds its folder as it was; ``empty`` has nothing and restores from the checkpoint topic.
"""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.command import run
from bench.figure import Figure
from bench.place import STITCH_ONLY, Broker, Installation
from bench.processes import stopping
from bench.scale import Scale
from bench.traffic import Crowd, pack
from schemas import topics
from stream.stages.checkpoint import LONGEST_PAUSE_S
from stream.stages.log import Log

_CHUNK = 100_000
_CHECKPOINT_WAIT_S = 300.0


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """Warm disk, empty disk."""
    installation = Installation(broker, "restart", checkpoint_s=2.0)
    installation.prepare_topics()
    crowd = Crowd(scale.visitors)
    _build(installation, crowd, scale.visitors)
    state = installation.folder / "state"
    size = sum(file.stat().st_size for file in state.rglob("*") if file.is_file()) / 1e6
    for name, must, aim in (("warm", 3, 1), ("empty", 60, 20)):
        if name == "empty":
            shutil.rmtree(state)
        seconds, cpu_s = _restart(installation, crowd)
        yield Figure(
            name=f"restart, {name} disk", broker=broker.name, value=seconds, unit=" s", must=must, aim=aim,
            more_is_better=False,
            measured=f"{scale.visitors:,} visitors, {size:,.0f} MB of state in 4 partitions; {cpu_s:.1f} s of it on a CPU",
            details={"visitors": scale.visitors, "state_mb": size, "cpu_s": cpu_s},
        )  # fmt: skip


def _build(installation: Installation, crowd: Crowd, visitors: int) -> None:
    """Let a worker take one page view of each visitor, until its checkpoints cover them."""
    worker = installation.worker("stitch")
    with stopping([worker]):
        visits = crowd.first_visits(visitors)
        while chunk := pack(_take(visits, _CHUNK)):
            installation.fill(chunk)
        installation.settle(STITCH_ONLY, wait_s=900)
        asyncio.run(_checkpointed(installation))


def _take(events: Iterator, count: int) -> Iterator:
    for _, event in zip(range(count), events, strict=False):
        yield event


async def _checkpointed(installation: Installation) -> None:
    """Wait until the checkpoint topic has been quiet for longer than a checkpoint and its pause can take."""
    log = Log(installation.settings)
    deadline = time.monotonic() + _CHECKPOINT_WAIT_S
    before: list[tuple[int, int]] = []
    calm = time.monotonic()
    while time.monotonic() - calm < LONGEST_PAUSE_S + 10:
        ends = [await _saved_and_end(log, partition) for partition in range(installation.settings.partitions)]
        if ends != before or any(saved != end for saved, end in ends):
            before, calm = ends, time.monotonic()
        if time.monotonic() > deadline:
            raise TimeoutError("the checkpoints do not come to rest")
        await asyncio.sleep(0.5)


async def _saved_and_end(log: Log, partition: int) -> tuple[int, int]:
    saved = await log.saved_position(topics.STITCH_STATE, topics.STITCH_STATE, partition)
    return saved, (await log.bounds(topics.STITCH_STATE, partition))[1]


def _restart(installation: Installation, crowd: Crowd) -> tuple[float, float]:
    """Seconds, and CPU seconds, from the start of the process until a frame of every partition has its facts."""
    installation.fill(pack(crowd.traffic(200)))
    return asyncio.run(_until_facts(installation))


async def _until_facts(installation: Installation) -> tuple[float, float]:
    names = [installation.settings.topic(topics.STITCH_FACTS)] * installation.settings.partitions
    places = [TopicPartition(name, number) for number, name in enumerate(names)]
    async with AIOKafkaConsumer(
        bootstrap_servers=installation.settings.bootstrap, fetch_max_wait_ms=100, max_partition_fetch_bytes=8 << 20
    ) as consumer:
        consumer.assign(places)
        await consumer.seek_to_end()
        waiting = {place: await consumer.position(place) for place in places}
        began = time.monotonic()
        worker = await asyncio.to_thread(installation.worker, "stitch")
        try:
            missing = set(waiting)
            while missing and time.monotonic() - began < 300:
                missing -= set(await consumer.getmany(timeout_ms=50))
            seconds = time.monotonic() - began
            assert not missing, f"no facts of {missing} after {seconds:.0f} s; see {Path(worker.log)}"
            return seconds, worker.cpu_s
        finally:
            await asyncio.to_thread(worker.stop)


if __name__ == "__main__":
    run("restart")
