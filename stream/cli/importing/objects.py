"""A row of a file as objects of ours."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import tzinfo
from typing import Any, Final

import msgspec

from schemas.ids import derived_id
from stream.cli.importing import values
from stream.cli.importing.binding import Bound
from stream.cli.importing.kinds import IDS
from stream.cli.importing.readers import LINE, REASON
from stream.cli.importing.values import BadCell, Format

Row = dict[str, Any]
_YES: Final = frozenset({"true", "1"})
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class BadField(Exception):
    """A row that cannot become an object: ``field`` and why, without the cell itself."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")


class Context(msgspec.Struct, frozen=True):
    """What holds for all rows of a file."""

    format: Format
    zone: tzinfo
    constants: Mapping[str, str]
    """From the command line and the mapping."""
    version: str
    """Time of versions that have none of their own."""


def objects_of(row: Row, bound: Bound, context: Context) -> list[Row]:
    """The objects of a row: one, none if the mapping skips it, several if it is spread out or names what was merged.

    Raises: BadField.
    """
    if any(_text(row.get(column)).casefold() not in wanted for column, wanted in bound.only.items()):
        return []
    found = _own(row, bound, context) if bound.table is None else _mapped(row, bound, context)
    _agree_on_currency(found, row, bound)
    whole = [found]
    if bound.table is not None and bound.table.unpivot is not None:
        whole = list(_spread(row, found, bound, context))
    finished = [_finished(one, bound, context) for one in whole]
    return finished + [old for one in finished for old in _merged(row, one, bound, context)]


def _own(row: Row, bound: Bound, context: Context) -> Row:
    """The row with our own names: texts are converted, everything else is as it is."""
    found: Row = {}
    for column, cell in row.items():
        field = bound.own.get(column, column)
        if field in (LINE, REASON):
            continue
        if bound.kind.version == "" and cell in ("", None):
            continue  # an event says nothing by an empty cell
        _put(found, field, _converted(field, cell, bound, context) if isinstance(cell, str) else cell)
    return found


def _agree_on_currency(found: Row, row: Row, bound: Bound) -> None:
    """What the amount's own cell says of its currency holds. Raises: BadField if another one is named beside it."""
    if "currency" not in (*bound.kind.needs, *bound.kind.others):
        return
    columns = (
        [c for c in row if bound.own.get(c, c) == "amount"] if bound.table is None else bound.fields.get("amount", ())
    )
    cell = next((row[c] for c in columns if row.get(c) not in ("", None)), "")
    named = values.currency(cell) if isinstance(cell, str) else ""
    beside = _text(found.get("currency"))
    if named and beside and beside.upper() != named:
        raise BadField("amount", "names another currency than the row")
    if named:
        found["currency"] = named


def _mapped(row: Row, bound: Bound, context: Context) -> Row:
    assert bound.table is not None
    found: Row = {}
    for field, columns in bound.fields.items():
        cell = next((row[c] for c in columns if row.get(c) not in ("", None)), "")
        if cell == "" and bound.kind.version == "":
            continue
        without = bound.table.without.get(field)
        if without is not None and isinstance(cell, str):
            cell = re.sub(without, "", cell)
        renamed = bound.table.values.get(field)
        if renamed is not None and isinstance(cell, str):
            cell = _renamed(cell, renamed)
        value = _converted(field, cell, bound, context)
        if context.format.ids and field in IDS:
            value = _whole_ids(value)
        _put(found, field, _prefixed(value, bound.table.prefixes.get(field, "")))
    for column in bound.keep:
        found.setdefault(column, row.get(column))
    stages = list(_stages(row, bound, context))
    if stages:
        found["stages"] = stages
    return found


def _whole_ids(value: object) -> object:
    """Salesforce's ids with all of their characters."""
    if isinstance(value, list):
        return [_whole_ids(part) for part in value]
    return values.salesforce_id(value) if isinstance(value, str) else value


def _prefixed(value: object, prefix: str) -> object:
    """With the prefix before it, or before each of a list; nothing stays nothing."""
    if not prefix:
        return value
    if isinstance(value, list):
        return [_prefixed(part, prefix) for part in value]
    return f"{prefix}{_text(value)}" if _text(value) else value


def _renamed(cell: str, names: Mapping[str, str]) -> str:
    plain = cell.strip().casefold()
    return next((ours for theirs, ours in names.items() if theirs.casefold() == plain), cell)


def _stages(row: Row, bound: Bound, context: Context) -> Iterator[Row]:
    for stage, column in bound.history:
        cell = _text(row.get(column))
        if cell:
            try:
                yield {"stage": stage, "at": values.moment(cell, context.format.dates, context.zone)}
            except BadCell as bad:
                raise BadField(column, str(bad)) from None


def _spread(row: Row, shared: Row, bound: Bound, context: Context) -> Iterator[Row]:
    assert bound.table is not None
    unpivot = bound.table.unpivot
    assert unpivot is not None
    for named, column in bound.spread:
        cell = _text(row.get(column))
        if cell not in unpivot.empty:
            yield shared | named | {unpivot.field: _converted(unpivot.field, cell, bound, context)}


def _merged(row: Row, heir: Row, bound: Bound, context: Context) -> Iterator[Row]:
    """What was merged into ``heir``: of each that it was, as of the same time; what the row says else is said of the heir."""
    if bound.table is None or not bound.merged:
        return
    kind = bound.kind
    said = {kind.merges: heir["id"] if kind.merges == "merged_into" else True, kind.version: heir[kind.version]}
    # A contact is also the user that is made of its id, and so was the one that is gone.
    named = [field for field, columns in bound.fields.items() if columns == bound.fields.get("id")]
    for old in dict.fromkeys(part for column in bound.merged for part in _parts(row.get(column), context)):
        if old != _text(heir["id"]):
            ids = {field: _prefixed(old, bound.table.prefixes.get(field, "")) for field in named}
            yield {"id": old} | ids | said


def _parts(cell: object, context: Context) -> Iterator[str]:
    for one in cell if isinstance(cell, list) else [cell]:
        yield from values.parts(_text(one), context.format.separator)


def _converted(field: str, cell: object, bound: Bound, context: Context) -> object:
    """A cell as its field's type wants it. Only texts are converted: NDJSON and Parquet have types of their own."""
    convert = _CONVERTERS.get(bound.kind.types.get(field, ""))
    text = _text(cell) if isinstance(cell, str) else ""
    if not text:
        return "" if isinstance(cell, str) else cell
    try:
        return text if convert is None else convert(text, context)
    except BadCell as bad:
        raise BadField(field, str(bad)) from None


def _first(text: str, context: Context) -> str:
    return next(iter(values.parts(text, context.format.separator)), "")


_CONVERTERS: Final[dict[str, Callable[[str, Context], object]]] = {
    "time": lambda text, context: values.moment(text, context.format.dates, context.zone),
    "day": lambda text, context: values.day(text, context.format.dates, context.zone),
    "number": lambda text, context: values.number(text, context.format.decimal),
    "list": lambda text, context: values.parts(text, context.format.separator),
    "ids": lambda text, context: values.ids(text, context.format.separator),
    "first": _first,
}


def _put(found: Row, field: str, value: object) -> None:
    """``properties.plan`` is the member ``plan`` of ``properties``."""
    *path, last = field.split(".")
    for name in path:
        inner = found.setdefault(name, {})
        if not isinstance(inner, dict):
            raise BadField(field, f"{name} is a value and has members")
        found = inner
    found[last] = value


def _at(found: object, field: str) -> object:
    """What ``_put`` put there; None if nothing did."""
    for name in field.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _finished(found: Row, bound: Bound, context: Context) -> Row:
    """With constants where the file says nothing, and with what makes sending it again harmless."""
    for field, constant in context.constants.items():
        if _at(found, field) in ("", None):
            _put(found, field, constant)
    version = bound.kind.version
    if version and found.get(version) in ("", None):
        found[version] = context.version
    is_gone = str(found.get("deleted")).lower() in _YES
    if "occurred_at" in bound.kind.needs and found.get("occurred_at") in ("", None) and not is_gone:
        raise BadField("occurred_at", "is missing: an activity without a time cannot be placed")
    if bound.kind.path == "/v1/batch" and not found.get("messageId"):
        found["messageId"] = derived_id("import", _encode(found).decode())
    return found


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()
