"""Memory of ``touchline up``, all processes: idle, and while it takes 2,000 events/s.

    python -m bench.memory [--minutes N] [--kafka | --embedded]

Proportional set size summed over the supervisor and its children, so that pages they share count once. Batches of 20
page views of 50,000 visitors, half of them known, arrive at a steady rate; the largest of the samples is the figure.
With --kafka the broker is Apache Kafka and its memory is not counted.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator

import uvloop

from bench import calls
from bench.command import run
from bench.figure import Figure
from bench.paced import Pool, Sent, at_rate
from bench.place import Broker, running
from bench.processes import pss_mb, tree
from bench.scale import Scale
from tests.support.machine import Machine

_BATCH = 20
_RATE = 2000
_VISITORS = 50_000
_SAMPLE_S = 2.0
_IDLE_S = 10.0


class Samples:
    """Sums over all processes, and the parts of the largest sum."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.largest = 0.0
        self.last = 0.0
        self.parts: dict[str, float] = {}

    def take(self) -> None:
        root = self.machine.process.pid
        sizes = {pid: pss_mb(pid) for pid in tree(root)}
        self.last = sum(sizes.values())
        if self.last > self.largest:
            roles = {pid: role for role, pid in self.machine.processes().items()} | {root: "supervisor"}
            self.largest = self.last
            self.parts = {f"{roles.get(pid, 'other')}_mb": round(size) for pid, size in sizes.items()}


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """Idle, then under load."""
    with running(broker, "memory") as machine:
        idle = Samples(machine)
        time.sleep(_IDLE_S)
        idle.take()
        yield _figure("memory, idle", idle, broker, "10 s after the start", must=700, aim=450)
        loaded = Samples(machine)
        rate = uvloop.run(_load(machine, loaded, scale.minutes * 60))
        what = f"{scale.minutes:g} min at {rate:,.0f} events/s"
        yield _figure("memory, loaded", loaded, broker, what, must=1200, aim=800)


def _figure(name: str, samples: Samples, broker: Broker, what: str, *, must: float, aim: float) -> Figure:
    parts = ", ".join(f"{role.removesuffix('_mb')} {size:.0f}" for role, size in sorted(samples.parts.items()))
    return Figure(
        name=name, broker=broker.name, value=samples.largest, unit=" MB", must=must, aim=aim, more_is_better=False,
        measured=f"{what}: {parts}", details=samples.parts | {"last_mb": round(samples.last)},
    )  # fmt: skip


async def _load(machine: Machine, samples: Samples, seconds: float) -> float:
    """Acknowledged events per second."""
    numbers, sent = itertools.count(), list[Sent]()
    async with Pool(machine.http) as pool:

        def turn(_number: int, due: float) -> None:
            made = []
            for _ in range(_BATCH):
                event = next(numbers)
                visitor = event * 7919 % _VISITORS
                if visitor % 2 and event < _VISITORS:
                    made.append(calls.identify(f"m{event}", visitor, f"company{visitor % 4000}.example"))
                else:
                    made.append(calls.page(f"m{event}", visitor))
            sent.append(pool.send(calls.batch(made), due))

        async def watch() -> None:
            while True:
                await asyncio.to_thread(samples.take)
                await asyncio.sleep(_SAMPLE_S)

        watching = asyncio.create_task(watch())
        await at_rate(_RATE / _BATCH, seconds, turn)
        await asyncio.sleep(2)
        watching.cancel()
    answered = sum(request.status == 200 for request in sent)
    if answered < 0.99 * len(sent):
        raise AssertionError(f"{len(sent) - answered} of {len(sent)} requests were not acknowledged")
    return answered * _BATCH / seconds


if __name__ == "__main__":
    run("memory")
