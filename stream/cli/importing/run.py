"""One import: rows in, batches out, the rest kept with a reason."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from schemas.errors import ConfigError
from stream.cli.importing import bookmark as bookmarks
from stream.cli.importing.bad_rows import BadRows
from stream.cli.importing.binding import Bound, bind
from stream.cli.importing.bookmark import Bookmark
from stream.cli.importing.checking import body_of, judged
from stream.cli.importing.delivery import BATCH_BYTES, BATCH_ITEMS, Collector
from stream.cli.importing.kinds import KINDS
from stream.cli.importing.mapping import Mapping
from stream.cli.importing.objects import BadField, Context, Row, objects_of
from stream.cli.importing.readers import Opened, SourceRow, own_fields, rows_of
from stream.cli.importing.repeats import Repeats

if TYPE_CHECKING:
    from schemas.event import Event

_MARKED_ROWS: Final = 5000
"""The bookmark moves on at least this often, also where all rows are bad or skipped."""
_SHOWN: Final = 3


class Plan(msgspec.Struct, frozen=True):
    """What is to be imported, and how."""

    kind: str
    source: Opened
    mapping: Mapping
    constants: dict[str, str]
    version: str
    """Time of versions that have none of their own, ISO 8601."""

    def digest(self) -> str:
        """Of all that decides what becomes of the rows."""
        source = self.source
        how = [source.format, source.encoding, source.delimiter, self.version, self.constants, self.mapping]
        return bookmarks.digest_of(source.path, self.kind, msgspec.json.encode(how).decode())


class Tally(msgspec.Struct):
    """How it went. ``rows`` = ``taken`` + ``skipped`` + ``bad``; a row may be several objects."""

    rows: int = 0
    taken: int = 0
    sent: int = 0
    """Objects."""
    skipped: int = 0
    bad: int = 0
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    notes: Counter[str] = msgspec.field(default_factory=Counter)
    """What of rows that are taken could not be read."""
    examples: list[tuple[Row, list[Row]]] = msgspec.field(default_factory=list)
    """The first rows and what becomes of them."""


Made = tuple[SourceRow, list[Row], str]
"""A row, its objects, and why it has none ("" also for a skipped one) or what of it could not be read."""


def made_of(plan: Plan, skip: int = 0) -> Iterator[Made]:
    """Every row of the file after the first ``skip``, with what becomes of it.

    Raises: ConfigError if the mapping does not go with the file.
    """
    context = Context(plan.mapping.format, _zone(plan.mapping.format.timezone), {}, plan.version)
    constants = frozenset(plan.constants)

    @cache
    def bound_for(columns: tuple[str, ...]) -> tuple[Bound, Context]:
        bound = bind(plan.kind, plan.mapping, columns, constants=constants, source=str(plan.source.path))
        own = bound.table.constants if bound.table else {}
        return bound, msgspec.structs.replace(context, constants=own | plan.constants)

    columns = plan.source.columns
    if columns:
        _refuse_unseen(bound_for(columns)[0], plan.source)
    repeats = Repeats(KINDS[plan.kind].key) if KINDS[plan.kind].key else None

    def made(row: SourceRow) -> Made:
        if row.fault:
            return row, [], row.fault
        try:
            bound, whole = bound_for(columns or tuple(row.fields))
            # A mapping may ask for the members of members; without one the row is sent as it came.
            fields = own_fields(row.fields) if bound.table is None else row.fields
            return row, *_checked(plan.kind, objects_of(fields, bound, whole), repeats)
        except BadField as bad:
            return row, [], str(bad)
        except ConfigError as error:
            # Of NDJSON each line has a header of its own. Only of the first one it is the mapping that is wrong.
            if columns or row.line == 1:
                raise
            return row, [], str(error)

    rows = rows_of(plan.source)
    # What a row repeats may lie before the first one that is still to be sent.
    return islice(map(made, rows), skip, None) if repeats else map(made, islice(rows, skip, None))


def _refuse_unseen(bound: Bound, source: Opened) -> None:
    """Raises: ConfigError if the header lacks a column that says which rows count."""
    missing = [column for column in bound.only if column not in source.columns]
    if missing:
        raise ConfigError(f"{source.path} has no column `{missing[0]}`, by which the mapping tells the rows that count")


def _checked(kind: str, objects: list[Row], repeats: Repeats | None) -> tuple[list[Row], str]:
    now = time.time_ns() // 1_000_000
    note = ""
    events: list[Event] = []
    for found in objects:
        judgement = judged(kind, found, now=now)
        if not judgement.is_taken:
            return [], judgement.said
        note = note or judgement.said
        events += judgement.events
    fault = "" if repeats is None else repeats.fault(events)
    return ([], fault) if fault else (objects, note)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"timezone {name!r} is not known here: use a name such as Europe/Vienna") from None


def rehearse(plan: Plan, bad: BadRows, progress: Callable[[Tally], None]) -> Tally:
    """Do everything but send."""
    tally = Tally()
    for row, objects, reason in made_of(plan):
        _count(tally, bad, row, objects, reason)
        tally.sent += len(objects)
        if objects and len(tally.examples) < _SHOWN:
            tally.examples.append((row.fields, objects))
        bad.write()
        progress(tally)
    return tally


def send(
    plan: Plan, collector: Collector, bad: BadRows, place: Path, *, mark: Bookmark, progress: Callable[[Tally], None]
) -> Tally:
    """Send all rows after the bookmark, and move it on with every acknowledged batch.

    Raises: as ``Collector.post``; the bookmark then says how far it came.
    """
    taken = mark.rows - mark.bad - mark.skipped
    tally = Tally(rows=mark.rows, taken=taken, sent=mark.sent, skipped=mark.skipped, bad=mark.bad)
    waiting: list[bytes] = []
    size = 0

    def post() -> None:
        if waiting:
            collector.post(KINDS[plan.kind].path, body_of(plan.kind, waiting))
            tally.sent += len(waiting)
            waiting.clear()
        bad.write()
        mark.rows, mark.sent, mark.bad, mark.skipped = tally.rows, tally.sent, tally.bad, tally.skipped
        bookmarks.write_bookmark(place, mark)
        progress(tally)

    for row, objects, reason in made_of(plan, mark.rows):
        encoded = [msgspec.json.encode(found) for found in objects]
        more = sum(map(len, encoded))
        full = waiting and (len(waiting) + len(encoded) > BATCH_ITEMS or size + more > BATCH_BYTES)
        if full or tally.rows - mark.rows >= _MARKED_ROWS:
            post()
            size = 0
        _count(tally, bad, row, objects, reason)
        waiting += encoded
        size += more
    post()
    place.unlink(missing_ok=True)
    return tally


def _count(tally: Tally, bad: BadRows, row: SourceRow, objects: list[Row], reason: str) -> None:
    tally.rows += 1
    if objects:
        tally.taken += 1
        if reason:
            tally.notes[reason] += 1
    elif reason:
        tally.bad += 1
        tally.reasons[reason] += 1
        bad.add(row, reason)
    else:
        tally.skipped += 1
