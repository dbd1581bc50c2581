"""Dead letters as ClickHouse has them: which are meant, and their bytes."""

import base64
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from schemas.errors import ConfigError
from sinks.clickhouse.client import ClickHouse
from stream.collect import clock

_READ_AT_ONCE: Final = 50
"""Letters of one query: at most 25 MB."""
_COLUMNS: Final = (
    "id, tenant, toUnixTimestamp64Milli(received_at), source, reason, detail, path, gpc, address, length(bytes)"
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters; empty: any."""

    ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    source: str | None = None
    detail: str = ""
    """Is in ``detail``."""
    path: str = ""
    tenant: str = ""
    since: str = ""
    until: str = ""

    def is_any(self) -> bool:
        """Whether it says nothing."""
        return self == Wanted()


class Letter(msgspec.Struct, frozen=True):
    """One dead letter, without its bytes."""

    id: str
    tenant: str
    received_at: int
    source: str
    reason: str
    detail: str
    path: str
    gpc: bool
    address: str
    size: int


def count_of(database: ClickHouse, wanted: Wanted) -> int:
    """How many letters are meant. Raises: ConfigError if a time is none."""
    where, given = _condition(wanted)
    return int(database.rows(f"SELECT count() FROM v_dead_letters WHERE {where}", **given)[0][0])  # noqa: S608


def letters_of(database: ClickHouse, wanted: Wanted, *, limit: int = 0, newest_first: bool = False) -> list[Letter]:
    """The letters that are meant, in the order in which they came. ``limit`` 0: all. Raises: as ``count_of``."""
    where, given = _condition(wanted)
    order = "DESC" if newest_first else "ASC"
    rows = database.rows(
        f"SELECT {_COLUMNS} FROM v_dead_letters WHERE {where} ORDER BY received_at {order}, id {order}"  # noqa: S608
        + (f" LIMIT {limit}" if limit else ""),
        **given,
    )
    return [Letter(*row) for row in rows]


def with_bytes(database: ClickHouse, letters: Sequence[Letter]) -> Iterator[tuple[Letter, bytes, bytes]]:
    """Each letter with what was refused and its envelope. One that somebody deletes meanwhile is left out."""
    for begin in range(0, len(letters), _READ_AT_ONCE):
        some = letters[begin : begin + _READ_AT_ONCE]
        rows = database.rows(
            "SELECT id, base64Encode(bytes), base64Encode(envelope) FROM v_dead_letters WHERE has({ids:Array(String)}, id)"
            " AND received_at >= fromUnixTimestamp64Milli({first:Int64})"
            " AND received_at <= fromUnixTimestamp64Milli({last:Int64})",
            ids=[letter.id for letter in some],
            first=min(letter.received_at for letter in some),
            last=max(letter.received_at for letter in some),
        )
        found = {str(row[0]): (base64.b64decode(row[1]), base64.b64decode(row[2])) for row in rows}
        yield from ((letter, *found[letter.id]) for letter in some if letter.id in found)


def _condition(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    parts: list[tuple[str, str, Any]] = [
        ("has({ids:Array(String)}, id)", "ids", list(wanted.ids)),
        ("has({reasons:Array(String)}, reason)", "reasons", list(wanted.reasons)),
        ("positionCaseInsensitiveUTF8(detail, {detail:String}) > 0", "detail", wanted.detail),
        ("path = {path:String}", "path", wanted.path),
        ("tenant = {tenant:String}", "tenant", wanted.tenant),
        ("received_at >= fromUnixTimestamp64Milli({since:Int64})", "since", _moment(wanted.since, "--since")),
        ("received_at < fromUnixTimestamp64Milli({until:Int64})", "until", _moment(wanted.until, "--until")),
    ]
    said = [(sql, name, value) for sql, name, value in parts if value]
    if wanted.source is not None:
        said.append(("source = {source:String}", "source", wanted.source))
    return " AND ".join(sql for sql, _, _ in said) or "1", {name: value for _, name, value in said}


def _moment(text: str, option: str) -> int | None:
    if not text:
        return None
    at = clock.moment(text)
    if at is None:
        raise ConfigError(f"{option} {text}: is no time in ISO 8601")
    return at
