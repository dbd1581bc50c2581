"""Verify: compare what was computed again from the log (``recomputation``) with what ClickHouse says.

    wait until nothing is on its way -> recompute into a database beside the real one -> compare table by table

The recomputed rows go through the same tables and views, so the comparison is SQL on both sides: what must agree is in
``schemas/clickhouse/verify``; what only two runs in the same order agree on is in ``verify/log``. Besides, no row may be
there twice, and the ledger's law must hold.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

import schemas
from sinks.clickhouse.client import ClickHouse
from sinks.setup import quoted
from stream.settings import Settings
from stream.stages.exchange import LOG, RECOMPUTED, Exchange

FOLDER: Final = Path(schemas.__file__).parent / "clickhouse" / "verify"
_SHOWN: Final = 5
"""Differing rows shown per table and side."""


class Difference(msgspec.Struct, frozen=True):
    """One row that only one side has."""

    table: str
    side: str
    """``clickhouse`` (the recomputation does not have it) or ``recomputed`` (ClickHouse does not have it).
    Of messages: ``log`` (no stage sent it) or ``recomputed`` (sent, and never applied)."""
    row: dict[str, str]


class Compared(msgspec.Struct, frozen=True):
    """One table's result."""

    table: str
    rows: int
    recomputed: int
    differing: int
    examples: list[Difference]


def compare(settings: Settings, beside: Settings, *, history: bool) -> list[Compared]:
    """Compare every table of ``schemas/clickhouse/verify``; with ``history`` also how it came about (``verify/log``)."""
    paths = sorted(FOLDER.rglob("*.sql") if history else FOLDER.glob("*.sql"), key=lambda path: path.stem)
    ours, theirs = ClickHouse.connect(settings), ClickHouse.connect(beside)
    try:
        return [_compare(path, ours, theirs) for path in paths]
    finally:
        ours.close()
        theirs.close()


def compare_messages(exchange: Exchange) -> Compared:
    """What the stages told each other, as the log has it and as the replay says it."""
    found, sent = exchange.counts
    different = exchange.differences()
    shown = [[one for one in different if one.side == side][:_SHOWN] for side in (LOG, RECOMPUTED)]
    examples = [
        Difference("messages", one.side, {"source": one.source, "target": one.target}) for side in shown for one in side
    ]
    return Compared("messages", found, sent, len(different), examples)


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
