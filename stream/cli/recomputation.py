"""Recompute: everything again from the log, in one thread, into a database beside the real one.

In one of two orders:

- ANY: the events alone, in an order that never was. That it ends in the same numbers is the stronger proof: they are a
  function of the set of events. It holds as long as one set of rules does.
- LOG: every partition of both topics record by record, messages included. Once rules changed in mid-stream this is the
  only order with the same numbers: on which side of the change a record counts is decided by where it lies.
"""

import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import msgspec

from schemas import topics
from schemas.errors import Fatal
from schemas.rules import Rules
from sinks.clickhouse.client import ClickHouse
from sinks.setup import prepare_database, quoted
from stream.cli.recomputed_tables import Tables
from stream.settings import Settings
from stream.stages.compute import Record
from stream.stages.definitions import IN_PYTHON
from stream.stages.exchange import Exchange
from stream.stages.log import Log, record_of
from stream.stages.recompute import Recompute
from stream.stages.replay import Replay
from stream.stages.rules_history import RulesHistory, is_control

ANY: Final = "any"
LOG: Final = "log"
Ends = dict[tuple[str, int], int]
"""Next offset by topic and partition: everything below is recomputed."""
Progress = Callable[[int], None]


async def ends(settings: Settings) -> Ends:
    """How far the log of both stages goes now."""
    places = [(topic, number) for topic in (topics.EVENTS, topics.ACCOUNTS) for number in range(settings.partitions)]
    return await Log(settings).ends(places)


async def order_of(settings: Settings, until: Ends) -> str:
    """The order that the log asks for: LOG if rules changed in mid-stream, else ANY.

    Rules go to all partitions of both topics, so the ``accounts`` topic tells, but for those before the first ones.
    """
    for number in range(settings.partitions):
        history = RulesHistory()
        async for record in _read(settings, topics.ACCOUNTS, number, until):
            history.take(record)
        if history.changed or (history.rules != Rules() and await _begins_without_rules(settings, number, until)):
            return LOG
    return ANY


async def in_any_order(settings: Settings, until: Ends, progress: Progress) -> Settings:
    """Recompute the events into ``<database>_verify``; returns its settings."""
    beside = _prepared(settings)
    database = ClickHouse.connect(beside)
    tables = Tables(database)
    with tempfile.TemporaryDirectory(prefix="touchline-verify-") as folder:
        again = Recompute(Path(folder), IN_PYTHON, partitions=1, on_output=tables.take)
        try:
            for number in range(settings.partitions):
                async for record in _read(settings, topics.ACCOUNTS, number, until):
                    progress(1)
                    if is_control(record):
                        again.feed(topics.ACCOUNTS, 0, record.value, at=record.at, headers=record.headers)
            for number in range(settings.partitions):
                async for record in _read(settings, topics.EVENTS, number, until):
                    progress(1)
                    if record.headers.get(topics.KIND_HEADER) != topics.MESSAGE_FRAME.encode():
                        home = (number, settings.partitions)
                        again.feed(topics.EVENTS, 0, record.value, at=record.at, headers=record.headers, home=home)
            again.settle()
        finally:
            again.close()
    tables.finish()
    database.close()
    return beside


async def in_the_logs_order(settings: Settings, until: Ends, progress: Progress) -> tuple[Settings, Exchange]:
    """Replay every partition into ``<database>_verify``; returns its settings, and what the stages told each other.

    Raises: Fatal if the log does not begin at its beginning.
    """
    await _check_whole(settings, until)
    beside = _prepared(settings)
    database = ClickHouse.connect(beside)
    tables = Tables(database)
    with tempfile.TemporaryDirectory(prefix="touchline-verify-") as folder:
        replay = Replay(Path(folder), IN_PYTHON, partitions=settings.partitions, on_output=tables.take)
        try:
            for topic, number in until:
                async for record in _read(settings, topic, number, until):
                    progress(1)
                    replay.apply(topic, number, record)
                replay.finish(topic, number)
        finally:
            replay.close()
    tables.finish()
    database.close()
    return beside, replay.exchange


def _prepared(settings: Settings) -> Settings:
    """An empty database beside the real one."""
    beside = msgspec.structs.replace(settings, database=settings.database + "_verify")
    server = ClickHouse.connect(settings, database="default")
    server.command(f"DROP DATABASE IF EXISTS {quoted(beside.database)}")
    server.close()
    prepare_database(beside)
    return beside


async def _begins_without_rules(settings: Settings, number: int, until: Ends) -> bool:
    """Whether something lies on the events' partition before the first rules."""
    first = [record async for record in _read(settings, topics.EVENTS, number, until, most=1)]
    return bool(first) and not is_control(first[0])


async def _check_whole(settings: Settings, until: Ends) -> None:
    log = Log(settings)
    for topic, number in until:
        begin, _ = await log.bounds(topic, number)
        if begin:
            raise Fatal(
                f"{settings.topic(topic)}/{number} begins at offset {begin}: what lay before it is gone, and without it the"
                " numbers since a change of rules cannot be recomputed. Restore the topic (its retention is to be for ever)"
            )


async def _read(
    settings: Settings, topic: str, partition: int, until: Ends, *, most: int | None = None
) -> AsyncIterator[Record]:
    log = Log(settings)
    begin, _ = await log.bounds(topic, partition)
    end = until[topic, partition]
    async for found in log.read(topic, partition, begin, end if most is None else min(end, begin + most)):
        yield record_of(found)
