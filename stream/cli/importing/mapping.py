"""Mappings: which column of somebody's file is which field of ours.

A mapping has a table for each kind of rows, or several for one kind: the first whose ``when`` columns are all there is
used. Shipped mappings have a name (``hubspot``); others are TOML files of the same shape. docs/import.md has examples.
"""

import re
import tomllib
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import ConfigError
from stream.cli.importing.kinds import KINDS
from stream.cli.importing.values import Format

FOLDER: Final = Path(__file__).parent / "mappings"


class Unpivot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file with a column for each of many things: each such cell becomes a row of its own."""

    columns: str
    """Regular expression of their names; its named groups are fields."""
    field: str
    """What the cell is."""
    empty: tuple[str, ...] = ("",)
    """Cells that say nothing."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the rows of one file become objects of one kind."""

    fields: dict[str, str | tuple[str, ...]] = {}
    """Our field -> column; of several the first that is there and not empty. ``a.b`` is a member of a member."""
    when: tuple[str, ...] = ()
    """Columns by which the file is recognised."""
    constants: dict[str, str] = {}
    """What holds where the file says nothing."""
    values: dict[str, dict[str, str]] = {}
    """Field -> what the file calls it -> what we call it."""
    without: dict[str, str] = {}
    """Field -> regular expression of what is taken out of its cell, before anything else."""
    prefixes: dict[str, str] = {}
    """Field -> what comes before whatever the file says there."""
    only: dict[str, tuple[str, ...]] = {}
    """Column -> its values in the rows that count; the others are skipped."""
    history: str = ""
    """Opportunities: regular expression of columns with the time when a stage (its group ``stage``) was entered."""
    merged: tuple[str, ...] = ()
    """Columns with the ids of objects that were merged into the row's: each becomes an object that says so."""
    keep: tuple[str, ...] = ()
    """Columns that are kept beside the fields, under their own names."""
    unpivot: Unpivot | None = None


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All tables for the files of one origin."""

    about: str = ""
    format: Format = Format()
    accounts: Table | tuple[Table, ...] = ()
    contacts: Table | tuple[Table, ...] = ()
    opportunities: Table | tuple[Table, ...] = ()
    activities: Table | tuple[Table, ...] = ()
    costs: Table | tuple[Table, ...] = ()
    fx: Table | tuple[Table, ...] = ()
    events: Table | tuple[Table, ...] = ()

    def tables(self, kind: str) -> tuple[Table, ...]:
        """The tables of a kind."""
        found: Table | tuple[Table, ...] = getattr(self, kind)
        return found if isinstance(found, tuple) else (found,)

    def kinds(self) -> list[str]:
        """The kinds that it has tables for."""
        return [kind for kind in KINDS if self.tables(kind)]


def shipped() -> dict[str, Mapping]:
    """The mappings that come with the product, by name."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.toml"))}


def mapping_of(given: str) -> Mapping:
    """The mapping of a name or a file; the empty one for "": columns have our own names.

    Raises: ConfigError.
    """
    if not given:
        return Mapping()
    path = FOLDER / f"{given}.toml"
    if "/" not in given and path.exists():
        return _read(path)
    if not Path(given).exists():
        names = ", ".join(shipped())
        raise ConfigError(f"--map {given}: neither a file nor one of the shipped mappings ({names})")
    return _read(Path(given))


def _read(path: Path) -> Mapping:
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Mapping)
        for kind in found.kinds():
            for table in found.tables(kind):
                _check(kind, table)
    except (msgspec.ValidationError, ValueError, OSError, re.error) as error:
        raise ConfigError(f"mapping {path}: {error}; docs/import.md describes mappings") from None
    return found


def _check(kind: str, table: Table) -> None:
    """Raises: ValueError or re.error if an expression is none or lacks its groups, or if the kind is never merged."""
    if table.merged and not KINDS[kind].merges:
        raise ValueError(f"merged: {kind} are never merged")
    if "stage" not in re.compile(table.history).groupindex and table.history:
        raise ValueError(f"history {table.history!r} needs a group (?P<stage>...)")
    for expression in table.without.values():
        re.compile(expression)
    if table.unpivot is not None and not re.compile(table.unpivot.columns).groupindex:
        raise ValueError(f"unpivot.columns {table.unpivot.columns!r} needs a named group")
