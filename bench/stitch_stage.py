"""Events per CPU second of the stitch stage, everything on, against an empty Faust agent on single-event records.

    python -m bench.stitch_stage [--events N] [--kafka | --embedded]

A real worker process with the stitch stage reads frames of 1 MB from the ``events`` topic; RocksDB, outputs, acks,
checkpoints and the messages between identity nodes are all in. Its state is warm: every second visitor is known, and
100,000 events came before. The CPU is the process's, as the kernel counts it. Both take turns, and all of theirs are
compared: on a machine that others share, what one of them does at a time differs by a quarter.
"""

import asyncio
import time
from collections.abc import Iterator
from itertools import islice
from math import ceil
from statistics import harmonic_mean

import msgspec

from bench.command import run
from bench.figure import Figure
from bench.place import STITCH_ONLY, Broker, Installation, create, fill
from bench.processes import answer, stopping
from bench.scale import Scale
from bench.traffic import Crowd, Frame, pack, singles

_WARM = 100_000
_SINGLES = 10_000
_TURNS = 10


class Rate(msgspec.Struct):
    """What the worker did in one turn."""

    per_core: float
    wall: float


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """The one figure."""
    crowd = Crowd()
    warm = pack([*crowd.introductions(), *crowd.traffic(_WARM)])
    frames = pack(crowd.traffic(scale.events))
    empties = [empty_rate(broker, frames)]
    rates: list[Rate] = []
    for rate in stitch_rates(broker, warm, frames):
        rates.append(rate)
        empties.append(empty_rate(broker, frames))
    # All events over all CPU seconds; the turns are of one size.
    ours, empty = harmonic_mean([rate.per_core for rate in rates]), harmonic_mean(empties)
    yield Figure(
        name="stitch_stage", broker=broker.name, value=ours / empty, unit=" x", must=3, aim=8,
        measured=f"{ours:,.0f} events per CPU second; empty agent {empty:,.0f}",
        details={
            "events_per_cpu_s": ours, "empty_agent_per_cpu_s": empty,
            "events_per_wall_s": harmonic_mean([rate.wall for rate in rates]),
            "slowest_turn": min(rate.per_core for rate in rates), "fastest_turn": max(rate.per_core for rate in rates),
            "slowest_empty_turn": min(empties), "fastest_empty_turn": max(empties),
        },
    )  # fmt: skip


def stitch_rates(broker: Broker, warm: list[Frame], frames: list[Frame]) -> Iterator[Rate]:
    """Events per CPU and per wall second of a worker with the stitch stage, in each of several turns."""
    installation = Installation(broker, "stitch")
    installation.prepare_topics()
    worker = installation.worker("stitch")
    with stopping([worker]):
        installation.fill(warm)
        installation.settle(STITCH_ONLY)
        size = ceil(len(frames) / _TURNS)
        for begin in range(0, len(frames), size):
            turn = frames[begin : begin + size]
            events = sum(frame.events for frame in turn)
            cpu, wall = worker.cpu_s, time.monotonic()
            installation.fill(turn)
            installation.settle(STITCH_ONLY)
            yield Rate(events / (worker.cpu_s - cpu), events / (time.monotonic() - wall))


def empty_rate(broker: Broker, frames: list[Frame]) -> float:
    """Events per CPU second of the empty agent."""
    records, topic = single_events(broker, frames, _SINGLES)
    return records / answer("bench.empty_agent", broker.bootstrap, topic, str(records))["cpu_s"]


def single_events(broker: Broker, frames: list[Frame], most: int) -> tuple[int, str]:
    """A topic with the first of the same events, one a record: how many, and its name."""
    topic = f"singles-{time.monotonic_ns()}"
    records = list(islice(singles(frames), most))

    async def prepare() -> None:
        await create(broker.bootstrap, topic)
        await fill(broker.bootstrap, topic, records)

    asyncio.run(prepare())
    return len(records), topic


if __name__ == "__main__":
    run("stitch_stage")
