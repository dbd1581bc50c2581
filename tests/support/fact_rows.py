"""Fact rows for tests: name the fields that matter, the others are empty; addresses count up by themselves."""

from itertools import count
from typing import Any

import msgspec

from schemas.codec import lines
from schemas.facts import TABLES
from sinks.clickhouse.client import ClickHouse

_offsets = count()
_tokens = count()
_EMPTY: dict[type, Any] = {str: "", int: 0, float: 0.0, bool: False, msgspec.Raw: msgspec.Raw(b"{}")}
_AMOUNTS = {"amount": "0", "credit": "0", "rate": "0", "day": "2026-01-01"}


def row(table: str, **given: Any) -> msgspec.Struct:
    """A row of ``table``."""
    shape = TABLES[table]
    filled: dict[str, Any] = {}
    for field in msgspec.structs.fields(shape):
        filled[field.name] = _AMOUNTS.get(field.name, _EMPTY.get(field.type, []))
    address = {"_p": 0, "_o": next(_offsets), "_i": 0}
    whose = {"tenant": "default"} if "tenant" in filled else {}
    return shape(**filled | whose | address | given)


def put(database: ClickHouse, table: str, *rows: dict[str, Any]) -> None:
    """Insert rows of ``table``, each given as for ``row``, as the sink would: one block under a token of its own."""
    database.insert(table, lines(row(table, **given) for given in rows), token=f"put/{next(_tokens)}")
