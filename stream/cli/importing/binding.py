"""A mapping on a header: which cell of a row is which field. Worked out once for each header, not for each row."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.errors import ConfigError
from stream.cli.importing.kinds import KINDS, Kind
from stream.cli.importing.mapping import Mapping, Table

_SHOWN: Final = 12
"""Columns named in an error."""


class Bound(msgspec.Struct, frozen=True):
    """A table on a header."""

    kind: Kind
    table: Table | None
    """None: the columns have our own names, and all are sent."""
    fields: dict[str, tuple[str, ...]]
    """Field -> columns of this file."""
    only: dict[str, frozenset[str]]
    """Column -> values, in lower case."""
    history: tuple[tuple[str, str], ...]
    """(stage, column)."""
    spread: tuple[tuple[dict[str, str], str], ...]
    """(fields in the column's name, column)."""
    merged: tuple[str, ...]
    keep: tuple[str, ...]
    own: dict[str, str]
    """Without a table: column -> our name, where it is spelled otherwise."""


def bind(name: str, mapping: Mapping, columns: Sequence[str], *, constants: frozenset[str], source: str) -> Bound:
    """Find the columns of a kind's fields.

    Args:
        name: of the kind.
        mapping: as given.
        columns: of the file.
        constants: fields that have a value anyway.
        source: of the file, for errors.
    Raises: ConfigError that says which columns were looked for and which there are.
    """
    kind = KINDS[name]
    tables = mapping.tables(name)
    if not tables:
        if mapping.kinds():
            raise ConfigError(f"the mapping has nothing for {name}, only for {', '.join(mapping.kinds())}; see --kind")
        own = _own_names(kind, columns)
        _refuse_missing(kind, {*columns, *own.values(), *constants}, {}, columns, source)
        return Bound(kind, None, {}, {}, (), (), (), (), own)
    present = {_plain(column): column for column in reversed(columns)}
    table = next((t for t in tables if all(_plain(w) in present for w in t.when)), None)
    if table is None:
        wanted = " or ".join(" with ".join(f"`{w}`" for w in t.when) for t in tables)
        raise ConfigError(
            f"{source} is no file of {name} that this mapping knows: it looks for {wanted}; {_have(columns)}"
        )
    fields = {field: _found(given, present) for field, given in table.fields.items()}
    fields = {field: found for field, found in fields.items() if found}
    spread = _spread(table, columns)
    known = {*fields, *constants, *table.constants}
    if spread:
        known |= {*spread[0][0], table.unpivot.field if table.unpivot else ""}
    _refuse_missing(kind, known, table.fields, columns, source)
    return Bound(
        kind,
        table,
        fields,
        # A row without the column says nothing there.
        {present.get(_plain(c), c): frozenset(v.casefold() for v in vs) for c, vs in table.only.items()},
        _history(table, columns),
        spread,
        _found(table.merged, present),
        tuple(present[_plain(c)] for c in table.keep if _plain(c) in present),
        {},
    )


def _own_names(kind: Kind, columns: Sequence[str]) -> dict[str, str]:
    """Our names for columns that differ by case or blanks. Of events any name may mean something, so they are as they are."""
    ours = {_plain(name): name for name in (*kind.needs, *kind.others)} if kind.others else {}
    found: dict[str, str] = {}
    for column in columns:
        name = ours.get(_plain(column), column)
        if name not in columns and name not in found.values():
            found[column] = name
    return found


def _plain(column: str) -> str:
    """Case and blanks do not count."""
    return " ".join(column.split()).casefold()


def _found(given: str | tuple[str, ...], present: dict[str, str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    return tuple(present[_plain(name)] for name in names if _plain(name) in present)


def _history(table: Table, columns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    if not table.history:
        return ()
    matches = [(re.search(table.history, column, re.IGNORECASE), column) for column in columns]
    return tuple((match["stage"], column) for match, column in matches if match is not None)


def _spread(table: Table, columns: Sequence[str]) -> tuple[tuple[dict[str, str], str], ...]:
    if table.unpivot is None:
        return ()
    matches = [(re.fullmatch(table.unpivot.columns, column.strip()), column) for column in columns]
    return tuple((match.groupdict(), column) for match, column in matches if match is not None)


def _refuse_missing(
    kind: Kind, known: set[str], wanted: dict[str, str | tuple[str, ...]], columns: Sequence[str], source: str
) -> None:
    for field in kind.needs:
        if field not in known:
            given = wanted.get(field, field)
            names = " or ".join(f"`{name}`" for name in ((given,) if isinstance(given, str) else given))
            raise ConfigError(
                f"{source} has no column {names} for {field}; {_have(columns)}."
                f" Use another --map, or --set {field}=VALUE if it is the same in all rows"
            )


def _have(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return f"it has {', '.join(f'`{c}`' for c in columns[:_SHOWN])}{more}"
