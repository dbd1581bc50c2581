"""Events per CPU second of the stitch stage, everything on, against an empty Faust agent on single-event records.

    python -m bench.stitch_stage [--events N] [--goes N] [--kafka | --embedded]

A real worker process with the stitch stage reads frames of 1 MB from the ``events`` topic, a million events in five goes;
RocksDB, outputs, acks, checkpoints and the messages between identity nodes are all in (``bench.goes``). Its state is warm:
every second visitor is known, and 100,000 events came before. The CPU is the process's, as the kernel counts it. The empty
agent runs before and after each go, and all of its runs count: on a machine that others share, what one of them does at a
time differs by a quarter.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from bench.command import run
from bench.figure import Figure
from bench.goes import Worked, beside, long_run, per_wall_s
from bench.place import STITCH_ONLY, Broker, Installation, create, fill
from bench.processes import answer, stopping
from bench.scale import Scale
from bench.traffic import Crowd, Frame, pack, singles

_WARM = 100_000
_SINGLES = 10_000


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """The one figure."""
    crowd = Crowd()
    warm = warm_up(crowd)
    goes = [pack(crowd.traffic(scale.events)) for _ in range(scale.goes)]
    found = beside(stitch_run(broker, warm, goes), lambda: empty_rate(broker, goes[0]))
    yield Figure(
        name="stitch_stage", broker=broker.name, value=found.rate / found.yardstick, unit=" x", must=3, aim=8,
        measured=f"{found.rate:,.0f} events per CPU second; empty agent {found.yardstick:,.0f}",
        details={
            "events_per_cpu_s": found.rate, "empty_agent_per_cpu_s": found.yardstick,
            "events_per_wall_s": per_wall_s(found.goes), **found.spread,
        },
    )  # fmt: skip


def warm_up(crowd: Crowd) -> list[Frame]:
    """What came before the measurement."""
    return pack([*crowd.introductions(), *crowd.traffic(_WARM)])


def stitch_run(broker: Broker, warm: list[Frame], goes: Iterable[list[Frame]]) -> Iterator[Worked]:
    """A worker with the stitch stage at work on these goes."""
    installation = Installation(broker, "stitch")
    installation.prepare_topics()
    worker = installation.worker("stitch")
    with stopping([worker]):
        yield from long_run(installation, [worker], STITCH_ONLY, warm, goes)


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
