"""What a worker costs beside its core: CPU of the same process over the same frames, its decisions known beforehand.

    python -m bench.machinery [--events N] [--kafka | --embedded]

A first worker, which is not measured, records what its core does on each record (``bench.recorded_worker``). Then workers
that play the recording and real ones take turns on the same frames, each on topics of its own, without sink. What the first
kind takes is Faust, fetching, unpacking, state, packing, producing, acks, commits and checkpoints.

It is a lower bound of what the real worker spends on these: left out are decoding of lines and of state, and encoding of
state (the bytes are ready, they are only copied). In is a look-up a record. The bounds beside it are those of
``bench.stitch_stage`` and ``bench.pipeline``, from their yardsticks in the same run.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bench.command import run
from bench.figure import Figure
from bench.pipeline import floor_rate
from bench.place import STITCH_ONLY, Broker, Installation
from bench.processes import Process, stopping
from bench.scale import Scale
from bench.stitch_stage import empty_rate
from bench.traffic import Crowd, Frame, pack
from schemas import topics

_WARM = 50_000
_MOST_EVENTS = 100_000
"""A recording is 4 to 5 kB an event, and all of it lies in memory."""
_ROUNDS = 2
_BOTH = (("touchline", (topics.EVENTS, topics.ACCOUNTS)),)
Start = Callable[[Installation], Process]


class Traffic(msgspec.Struct, frozen=True):
    """Frames before the measurement, and those of it."""

    warm: list[Frame]
    frames: list[Frame]


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """For the stitch stage alone, and for both stages."""
    traffic = crowded(min(scale.events, _MOST_EVENTS))
    stitch_bound = 1e6 / (3 * max(empty_rate(broker, traffic.frames) for _ in range(_ROUNDS)))
    yield _figure(broker, traffic, "stitch", stitch_bound)
    both_bound = 1e6 / (0.08 * max(floor_rate(broker, traffic.frames) for _ in range(_ROUNDS)))
    yield _figure(broker, traffic, "stitch,account", both_bound)


def crowded(events: int) -> Traffic:
    """``events`` of the mix, after everybody was introduced."""
    crowd = Crowd()
    return Traffic(pack([*crowd.introductions(), *crowd.traffic(_WARM)]), pack(crowd.traffic(events)))


def _figure(broker: Broker, traffic: Traffic, stages: str, bound: float) -> Figure:
    file = broker.folder / f"recording-{stages}"
    cpu_us(broker, traffic, stages, recorded(stages, "record", file))
    played, whole = [], []
    for _ in range(_ROUNDS):
        played.append(cpu_us(broker, traffic, stages, recorded(stages, "play", file)))
        whole.append(cpu_us(broker, traffic, stages, lambda installation: installation.worker(stages)))
    file.unlink()
    return Figure(
        name=f"machinery, {'stitch stage' if stages == 'stitch' else 'both stages'}", broker=broker.name,
        value=min(played), unit=" us/event", more_is_better=False,
        measured=f"without the core's decisions; real worker {min(whole):.1f}, bound for all of it {bound:.1f}",
        details={"worker_us": min(whole), "bound_us": bound},
    )  # fmt: skip


def recorded(stages: str, mode: str, file: Path) -> Start:
    """How to start a worker that records into ``file`` or plays it."""
    return lambda installation: installation.process(
        "bench.recorded_worker", mode, str(file), log="worker", stages=stages
    )


def cpu_us(broker: Broker, traffic: Traffic, stages: str, start: Start) -> float:
    """CPU time in us per event of the worker that ``start`` gives, once the warm-up is applied."""
    groups = STITCH_ONLY if stages == "stitch" else _BOTH
    installation = Installation(broker, "machinery")
    installation.prepare_topics()
    worker = start(installation)
    with stopping([worker]):
        installation.fill(traffic.warm)
        installation.settle(groups)
        before = worker.cpu_s
        installation.fill(traffic.frames)
        installation.settle(groups)
        return (worker.cpu_s - before) / sum(frame.events for frame in traffic.frames) * 1e6


if __name__ == "__main__":
    run("machinery")
