"""Frames to rows in ClickHouse: events per CPU second of the worker with both stages, against the floor.

    python -m bench.pipeline [--events N] [--kafka | --embedded]

Worker, sink and SQL server run and take frames of 1 MB from the ``events`` topic. The clock stops when everything that
follows from them, sums of the ledger included, is in ClickHouse and committed. The floor reads the same frames.
"""

import time
from collections.abc import Iterator

import msgspec

from bench.command import run
from bench.figure import Figure
from bench.place import EVERYTHING, Broker, Installation
from bench.processes import Process, answer, stopping
from bench.scale import Scale
from bench.traffic import Crowd, Frame, pack
from schemas import topics
from sinks.clickhouse.client import ClickHouse

_WARM = 50_000
_FLOOR_TOPIC = topics.DEAD_LETTERS


class Rates(msgspec.Struct):
    worker: float
    sink: float
    sql: float
    wall: float


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """Per worker core against the floor; and what the machine does end to end, everything on its cores."""
    crowd = Crowd()
    warm = pack([*crowd.introductions(), *crowd.traffic(_WARM)])
    frames = pack(crowd.traffic(scale.events))
    floor = floor_rate(broker, frames)
    ours = pipeline_rates(broker, warm, frames)
    floor = max(floor, floor_rate(broker, frames))
    details = {"events_per_worker_cpu_s": ours.worker, "floor_per_cpu_s": floor}
    yield Figure(
        name="pipeline", broker=broker.name, value=ours.worker / floor, unit=" x", must=0.08, aim=0.2,
        measured=f"{ours.worker:,.0f} events per worker CPU second; floor {floor:,.0f}", details=details,
    )  # fmt: skip
    yield Figure(
        name="pipeline, wall", broker=broker.name, value=ours.wall, unit=" events/s",
        measured=f"all processes on this machine; per CPU second: sink {ours.sink:,.0f}, SQL server {ours.sql:,.0f}",
        details={"events_per_sink_cpu_s": ours.sink, "events_per_sql_cpu_s": ours.sql},
    )  # fmt: skip


def floor_rate(broker: Broker, frames: list[Frame]) -> float:
    """Events per CPU second of reading, decoding and encoding."""
    installation = Installation(broker, "floor")
    installation.prepare_topics()
    # The events topic begins with the rules; a topic that holds nothing but these frames is kinder to the floor.
    installation.fill(frames, _FLOOR_TOPIC)
    events = sum(frame.events for frame in frames)
    topic = installation.settings.topic(_FLOOR_TOPIC)
    return events / answer("bench.floor", broker.bootstrap, topic, str(events))["cpu_s"]


def pipeline_rates(broker: Broker, warm: list[Frame], frames: list[Frame]) -> Rates:
    """Events per CPU second of each process, and per second."""
    installation = Installation(broker, "pipeline")
    installation.prepare_topics()
    running: list[Process] = []
    with stopping(running):
        sql = installation.sql_server()
        running.append(sql)
        installation.use_sql(sql)
        installation.prepare_tables()
        sink = installation.sink()
        running.insert(0, sink)
        worker = installation.worker()
        running.insert(0, worker)
        installation.fill(warm)
        installation.settle(EVERYTHING)
        before = [process.cpu_s for process in (worker, sink, sql)]
        wall = time.monotonic()
        installation.fill(frames)
        installation.settle(EVERYTHING)
        wall = time.monotonic() - wall
        events = sum(frame.events for frame in frames)
        _check(installation, events + sum(frame.events for frame in warm))
        spent = [process.cpu_s - b for process, b in zip((worker, sink, sql), before, strict=True)]
        return Rates(*(events / s for s in spent), events / wall)


def _check(installation: Installation, events: int) -> None:
    """A fast pipeline that loses or doubles events is none."""
    database = ClickHouse.connect(installation.settings)
    try:
        found = database.rows("SELECT count() FROM events")[0][0]
        letters = database.rows("SELECT count() FROM dead_letters")[0][0]
    finally:
        database.close()
    if found != events or letters:
        raise AssertionError(f"{found} of {events} events are in ClickHouse, {letters} dead letters")


if __name__ == "__main__":
    run("pipeline")
