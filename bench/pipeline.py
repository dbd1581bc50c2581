"""Frames to rows in ClickHouse: events per CPU second of the worker with both stages, against the floor.

    python -m bench.pipeline [--events N] [--goes N] [--kafka | --embedded]

Worker, sink and SQL server run and take frames of 1 MB from the ``events`` topic, a million events in five goes
(``bench.goes``). The clock of a go stops when everything that follows from it, sums of the ledger included, is in ClickHouse
and committed. The floor reads the frames of a go, before the first and after each.
"""

from collections.abc import Iterable, Iterator

from bench.command import run
from bench.figure import Figure
from bench.goes import Worked, beside, long_run, per_cpu_s, per_wall_s
from bench.place import EVERYTHING, Broker, Installation
from bench.processes import Process, answer, stopping
from bench.scale import Scale
from bench.traffic import Crowd, Frame, pack
from schemas import topics
from sinks.clickhouse.client import ClickHouse

_WARM = 50_000
_FLOOR_TOPIC = topics.DEAD_LETTERS
_SINK, _SQL = 1, 2
"""Places among the processes of a run, after the worker."""


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """Per worker core against the floor; and what the machine does end to end, everything on its cores."""
    crowd = Crowd()
    warm = pack([*crowd.introductions(), *crowd.traffic(_WARM)])
    goes = [pack(crowd.traffic(scale.events)) for _ in range(scale.goes)]
    found = beside(pipeline_run(broker, warm, goes), lambda: floor_rate(broker, goes[0]))
    yield Figure(
        name="pipeline", broker=broker.name, value=found.rate / found.yardstick, unit=" x", must=0.08, aim=0.2,
        measured=f"{found.rate:,.0f} events per worker CPU second; floor {found.yardstick:,.0f}",
        details={"events_per_worker_cpu_s": found.rate, "floor_per_cpu_s": found.yardstick, **found.spread},
    )  # fmt: skip
    sink, sql = per_cpu_s(found.goes, _SINK), per_cpu_s(found.goes, _SQL)
    yield Figure(
        name="pipeline, wall", broker=broker.name, value=per_wall_s(found.goes), unit=" events/s",
        measured=f"all processes on this machine; per CPU second: sink {sink:,.0f}, SQL server {sql:,.0f}",
        details={"events_per_sink_cpu_s": sink, "events_per_sql_cpu_s": sql},
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


def pipeline_run(broker: Broker, warm: list[Frame], goes: Iterable[list[Frame]]) -> Iterator[Worked]:
    """Worker, sink and SQL server at work on these goes."""
    installation = Installation(broker, "pipeline")
    installation.prepare_topics()
    running: list[Process] = []
    with stopping(running):
        sql = installation.sql_server()
        running.append(sql)
        installation.use_sql(sql)
        installation.prepare_tables()
        running.insert(0, installation.sink())
        running.insert(0, installation.worker())
        events = sum(frame.events for frame in warm)
        for worked in long_run(installation, running, EVERYTHING, warm, goes):
            events += worked.events
            yield worked
        _check(installation, events)


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
