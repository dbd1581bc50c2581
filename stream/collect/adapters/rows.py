"""Rows of business objects (CRM, costs): from a JSON array, NDJSON or one object to checked rows, each on its own.

body -> rows_of -> [Raw] -> each: Row -> Event or Rejected
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final

import msgspec
from msgspec import Raw

from schemas.codec import json_encoder
from schemas.event import SERVER, Event
from schemas.money import minor_units
from schemas.rejections import RejectReason
from stream.collect import clock, normal
from stream.collect.bodies import UNREADABLE, Unfit, checked, clean, refusal, refused_together, rejected, undecodable
from stream.collect.request import Parsed, Request, faulty
from stream.settings import Source

Row = dict[str, object]
ReadRow = Callable[[Row, Event], str | None]
"""Fills the event from the row. Returns: the field of which not everything could be read, if any. Raises: Unfit."""

_array: Final = msgspec.json.Decoder(list[Raw]).decode
_object: Final = msgspec.json.Decoder(dict[str, object]).decode
_any: Final = msgspec.json.Decoder(Raw).decode
_CURRENCY_LETTERS: Final = 3
_EARLIEST_DAY: Final = datetime.fromtimestamp(clock.EARLIEST / 1000, UTC).date()
_LATEST_DAY: Final = date(2999, 12, 31)
_DAY_CHARACTERS: Final = 10


def parsed_rows(body: bytes, request: Request, kind: str, protocol: str, read: ReadRow) -> Parsed:
    """Every row as an event of type ``kind`` or as a refusal with its bytes; an event may have a note beside it."""
    source = request.source
    body = clean(body)
    if source is None:
        return Parsed([], [rejected(RejectReason.UNKNOWN_KEY, "Authorization", body)])
    try:
        rows = rows_of(body)
    except UNREADABLE as error:
        return faulty(rejected(undecodable(error), "the body is neither a JSON array nor NDJSON"))
    rest = rows[request.max_batch_events :]
    parsed = Parsed([], refused_together(RejectReason.TOO_MANY, "rows", rest), source=source)
    for raw in rows[: request.max_batch_events]:
        try:
            row = _row(checked(raw, request.max_event_bytes))
            event = _blank(request, source, kind, protocol)
            unread = read(row, event)
        except (Unfit, *UNREADABLE) as error:
            parsed.rejected.append(refusal(error, raw))
        else:
            parsed.events.append(event)
            if unread:
                parsed.noted.append(rejected(RejectReason.BAD_VALUE, unread, raw))
    return parsed


def rows_of(body: bytes) -> list[Raw]:
    """The rows of a JSON array, of NDJSON, or of one object. Lines are not decoded yet: a broken one spoils no other.

    Raises: one of ``bodies.UNREADABLE`` if it is an array that cannot be decoded, or nothing at all.
    """
    body = body.strip()
    if not body:
        raise msgspec.DecodeError("the body is empty")
    if body.startswith(b"["):
        return _array(body)
    lines = [Raw(line) for line in body.split(b"\n") if line.strip()]
    if len(lines) > 1 and _whole(body):
        return [Raw(body)]
    if not body.startswith(b"{") and len(lines) == 1:
        raise msgspec.DecodeError("no object")
    return lines


def _whole(body: bytes) -> bool:
    """Whether the lines together are one JSON value: an object that somebody printed readably."""
    try:
        _any(body)
    except UNREADABLE:
        return False
    return True


def _row(json: bytes) -> Row:
    try:
        return _object(json)
    except msgspec.ValidationError:
        raise Unfit(RejectReason.MALFORMED, "a row is a JSON object") from None


def _blank(request: Request, source: Source, kind: str, protocol: str) -> Event:
    return Event(
        id="",
        node="",
        type=kind,
        at=request.received_at,
        received_at=request.received_at,
        tenant=source.tenant,
        source=source.name,
        protocol=protocol,
        platform=SERVER,
    )


def required_id(row: Row, name: str) -> str:
    """An id in normal form. Raises: Unfit if it is missing or names nobody."""
    given = row.get(name)
    found = normal.identifier(given)
    if not found and given is not None and given != "":
        raise Unfit(RejectReason.BAD_VALUE, f"{name} that names nobody")
    if not found:
        raise Unfit(RejectReason.MISSING_FIELD, name)
    return found


def text_of(row: Row, name: str) -> str:
    """A text, trimmed; "" if absent."""
    return normal.text(row.get(name)).strip()


def time_of(row: Row, name: str) -> int | None:
    """A time in ms, None if absent. Raises: Unfit if it is there and no time that we can work with."""
    given = row.get(name)
    if given is None or given == "":
        return None
    at = clock.moment(given)
    if at is None or at < clock.EARLIEST:
        raise Unfit(RejectReason.BAD_TIME, name)
    return at


def put_version(event: Event, row: Row, *, time_name: str) -> str:
    """Date the event by the row's own time; without one it is the time of receipt.

    Returns: what tells this version from others of the same object: its own time, else that of receipt, since a value
    that goes from A to B and back to A must not be taken for a repeat.
    """
    at = time_of(row, time_name)
    if not clock.put_times(event, at):
        raise Unfit(RejectReason.BAD_TIME, time_name)
    return str(event.received_at if at is None else at)


def day_of(row: Row, name: str, earliest: date = _EARLIEST_DAY) -> str:
    """A day as YYYY-MM-DD. Raises: Unfit."""
    given = text_of(row, name)
    if not given:
        raise Unfit(RejectReason.MISSING_FIELD, name)
    try:
        day = date.fromisoformat(given[:_DAY_CHARACTERS])
    except ValueError:
        raise Unfit(RejectReason.BAD_TIME, name) from None
    if not earliest <= day <= _LATEST_DAY:
        raise Unfit(RejectReason.BAD_TIME, name)
    return day.isoformat()


def currency_of(row: Row, name: str = "currency") -> str:
    """ISO 4217 code in capitals, "" if absent. Raises: Unfit."""
    code = text_of(row, name).upper()
    if code and not (len(code) == _CURRENCY_LETTERS and code.isascii() and code.isalpha()):
        raise Unfit(RejectReason.BAD_VALUE, name)
    return code


def amount_of(row: Row, currency: str) -> str:
    """Decimal text in whole units, "" if absent. Raises: Unfit if it is no finite number within the ledger's limits."""
    given = row.get("amount")
    if given is None or given == "":
        return ""
    text = normal.text(given).strip()
    try:
        minor_units(text, currency)
    except (ValueError, ArithmeticError):
        raise Unfit(RejectReason.BAD_VALUE, "amount") from None
    return text


def custom_of(row: Row, known: Iterable[str]) -> Row:
    """What the sender added of its own."""
    return {name: value for name, value in row.items() if name not in known}


def as_properties(fields: Mapping[str, object]) -> Raw:
    """The event's properties: JSON with the members in the order given; what is None is left out."""
    return Raw(json_encoder.encode({name: value for name, value in fields.items() if value is not None}))
