"""Verify: compute everything again from the ``events`` topic, in one thread, and compare with what ClickHouse says.

    wait until nothing is on its way -> recompute into a database beside the real one -> compare table by table

The recomputed rows go through the same tables and views, so the comparison is SQL on both sides: what must agree is in
``schemas/clickhouse/verify``. Besides, no row may be there twice, and the ledger's law must hold.
"""

import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

import schemas
from schemas import topics
from sinks.clickhouse.client import ClickHouse
from sinks.setup import prepare_database, quoted
from stream.settings import Settings
from stream.stages.compute import Output
from stream.stages.definitions import STAGES
from stream.stages.log import Log, record_of
from stream.stages.recompute import Recompute

FOLDER: Final = Path(schemas.__file__).parent / "clickhouse" / "verify"
_BLOCK_BYTES: Final = 8 << 20
_SHOWN: Final = 5
"""Differing rows shown per table and side."""


class Difference(msgspec.Struct, frozen=True):
    """One row that only one side has."""

    table: str
    side: str
    """``clickhouse`` (the recomputation does not have it) or ``recomputed`` (ClickHouse does not have it)."""
    row: dict[str, str]


class Compared(msgspec.Struct, frozen=True):
    """One table's result."""

    table: str
    rows: int
    recomputed: int
    differing: int
    examples: list[Difference]


class Tables:
    """Recomputed fact rows on their way into the second database."""

    def __init__(self, database: ClickHouse) -> None:
        self.database = database
        self.waiting: dict[str, bytearray] = {}
        self.blocks = 0

    def take(self, output: Output) -> None:
        """Collect one fact record; alerts and dead letters leave the pipeline and are not compared."""
        if output.topic not in {topics.STITCH_FACTS, topics.ACCOUNT_FACTS}:
            return
        first, _, body = output.value.partition(b"\n")
        place = 0
        for table, _, size in msgspec.json.decode(first, type=list[tuple[str, int, int]]):
            waiting = self.waiting.setdefault(table, bytearray())
            waiting += body[place : place + size]
            place += size
            if len(waiting) > _BLOCK_BYTES:
                self.write(table)

    def write(self, table: str) -> None:
        """Insert what waits for ``table``."""
        self.blocks += 1
        self.database.insert(table, bytes(self.waiting.pop(table)), token=f"verify/{self.blocks}")

    def finish(self) -> None:
        """Insert everything that waits."""
        for table in list(self.waiting):
            self.write(table)


async def recompute(settings: Settings, ends: dict[int, int], progress: Callable[[int], None]) -> Settings:
    """Recompute all events below ``ends`` (offset by partition) into ``<database>_verify``; returns its settings."""
    beside = msgspec.structs.replace(settings, database=settings.database + "_verify")
    server = ClickHouse.connect(settings, database="default")
    server.command(f"DROP DATABASE IF EXISTS {quoted(beside.database)}")
    server.close()
    prepare_database(beside)
    database = ClickHouse.connect(beside)
    tables = Tables(database)
    with tempfile.TemporaryDirectory(prefix="touchline-verify-") as folder:
        again = Recompute(Path(folder), STAGES, partitions=1, on_output=tables.take)
        try:
            for partition in range(settings.partitions):
                async for record in _controls(settings, partition):
                    again.feed(topics.ACCOUNTS, 0, record.value, at=record.at, headers=record.headers)
            for partition, end in ends.items():
                async for record in _read(settings, topics.EVENTS, partition, end):
                    progress(1)
                    if record.headers.get(topics.KIND_HEADER) != topics.MESSAGE_FRAME.encode():
                        home = (partition, settings.partitions)
                        again.feed(topics.EVENTS, 0, record.value, at=record.at, headers=record.headers, home=home)
            again.settle()
        finally:
            again.close()
    tables.finish()
    database.close()
    return beside


def compare(settings: Settings, beside: Settings) -> list[Compared]:
    """Compare every table of ``schemas/clickhouse/verify``."""
    ours, theirs = ClickHouse.connect(settings), ClickHouse.connect(beside)
    try:
        return [_compare(path, ours, theirs) for path in sorted(FOLDER.glob("*.sql"))]
    finally:
        ours.close()
        theirs.close()


def audit(settings: Settings) -> list[str]:
    """A line for each law that ClickHouse's own rows break: rows that are there twice, credits that do not sum up."""
    database = ClickHouse.connect(settings)
    try:
        twice = database.rows("SELECT table, duplicates FROM v_audit_duplicates WHERE duplicates > 0")
        unbalanced = database.rows("SELECT count() FROM v_ledger_check")[0][0]
    finally:
        database.close()
    found = [f"{table}: {count} rows are there twice (same address)" for table, count in twice]
    if unbalanced:
        found.append(f"ledger: {unbalanced} conversions whose credits or amounts do not sum up; see v_ledger_check")
    return found


def drop(beside: Settings) -> None:
    """Remove the recomputed database."""
    server = ClickHouse.connect(beside, database="default")
    server.command(f"DROP DATABASE IF EXISTS {quoted(beside.database)}")
    server.close()


def _compare(path: Path, ours: ClickHouse, theirs: ClickHouse) -> Compared:
    sql = path.read_text("utf-8")
    count = f"SELECT count(), sum(cityHash64(*)) FROM ({sql})"  # noqa: S608 - our own file
    (mine,), (again,) = ours.rows(count), theirs.rows(count)
    if mine == again:
        return Compared(path.stem, mine[0], again[0], 0, [])
    hashes = f"SELECT cityHash64(*) FROM ({sql})"  # noqa: S608
    have = {row[0] for row in ours.rows(hashes)}
    should = {row[0] for row in theirs.rows(hashes)}
    examples = [
        *_examples(path.stem, "clickhouse", ours, sql, have - should),
        *_examples(path.stem, "recomputed", theirs, sql, should - have),
    ]
    return Compared(path.stem, mine[0], again[0], len(have ^ should) or abs(mine[0] - again[0]), examples)


def _examples(table: str, side: str, database: ClickHouse, sql: str, hashes: set[Any]) -> list[Difference]:
    wanted = ", ".join(str(int(h)) for h in sorted(hashes)[:_SHOWN])
    if not wanted:
        return []
    columns = [name for name, *_ in database.rows(f"DESCRIBE ({sql})")]
    rows = database.rows(f"SELECT * FROM ({sql}) WHERE cityHash64(*) IN ({wanted}) LIMIT {_SHOWN}")  # noqa: S608
    return [Difference(table, side, {str(c): str(v) for c, v in zip(columns, row, strict=True)}) for row in rows]


async def _controls(settings: Settings, partition: int) -> AsyncIterator[Any]:
    """Rules on the ``accounts`` topic; everything else there is derived."""
    async for record in _read(settings, topics.ACCOUNTS, partition, None):
        if record.headers.get(topics.KIND_HEADER) == topics.CONTROL_FRAME.encode():
            yield record


async def _read(settings: Settings, topic: str, partition: int, end: int | None) -> AsyncIterator[Any]:
    log = Log(settings)
    begin, last = await log.bounds(topic, partition)
    async for found in log.read(topic, partition, begin, last if end is None else end):
        yield record_of(found)
