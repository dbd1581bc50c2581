"""From a verified body to events: each row of it is read on its own, so that a broken one costs no other.

body -> rows -> read(row, request) -> events, refusals, or nothing (ignored by design) -> Parsed
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect.adapters.rows import Row
from stream.collect.bodies import (
    DEPTH_LIMIT,
    UNREADABLE,
    Unfit,
    clean,
    depth_fault,
    read_whole,
    refusal,
    refused_together,
    rejected,
    undecodable,
)
from stream.collect.request import Parsed, Request
from stream.settings import Source

Read = Callable[[Row, Request], Iterable[Event | Unfit]]
"""What a row amounts to; nothing: it is no event by design. Raises: Unfit if all of it cannot be used."""

_array: Final = msgspec.json.Decoder(list[Raw]).decode
_object: Final = msgspec.json.Decoder(dict[str, object]).decode
_NOTHING: Final[Row] = {}


def events_of_json(
    body: bytes, request: Request, read: Read, *, replies: Callable[[Row], bool] | None = None
) -> Parsed:
    """The events of a JSON array of objects, or of a single one.

    Args:
        body: as received.
        request: with the webhook.
        read: of this provider.
        replies: tells rows that hold a whole incoming mail, whose size has no limit but that of the body.
    """
    text = clean(body)
    try:
        rows = read_whole(_array, text) if text.lstrip()[:1] == b"[" else [Raw(text)]
    except UNREADABLE as error:
        return useless(request, undecodable(error), "the body is not a JSON array", body)
    return events_of_rows(rows, request, read, replies=replies)


def events_of_rows(
    rows: Sequence[Raw], request: Request, read: Read, *, replies: Callable[[Row], bool] | None = None
) -> Parsed:
    """The same for rows that were found already."""
    rest = rows[request.max_batch_events :]
    parsed = Parsed([], refused_together(RejectReason.TOO_MANY, "array", rest), source=sender(request))
    for raw in rows[: request.max_batch_events]:
        try:
            json = bytes(raw)
            row = _row(json)
            if len(json) > request.max_event_bytes and not (replies is not None and replies(row)):
                raise Unfit(RejectReason.TOO_LARGE, f"more than {request.max_event_bytes} bytes")  # noqa: TRY301
            found = list(read(row, request))
        except (Unfit, *UNREADABLE) as error:
            parsed.rejected.append(refusal(error, raw))
            continue
        parsed.ignored += not found
        parsed.events += [one for one in found if isinstance(one, Event)]
        parsed.rejected += [refusal(one, raw) for one in found if isinstance(one, Unfit)]
    return parsed


def useless(request: Request, reason: RejectReason, detail: str, body: bytes) -> Parsed:
    """A genuine body that cannot be read: a dead letter, and 200, since the provider has nothing better to send."""
    return Parsed([], [rejected(reason, detail, body)], source=sender(request))


def sender(request: Request) -> Source | None:
    """Whose dead letters they are."""
    webhook = request.webhook
    return None if webhook is None else Source(webhook.name, "", webhook.tenant)


def inner(row: Row, name: str) -> Row:
    """An object within a row; {} if there is none (some providers write null, PHP writes [])."""
    found = row.get(name)
    return found if isinstance(found, dict) else _NOTHING


def listed(row: Row, name: str) -> list[object]:
    """A list within a row; a single value stands for a list of one, and nothing for an empty one."""
    found = row.get(name)
    if isinstance(found, list):
        return found
    return [] if found is None or found == "" else [found]


def first_text(*candidates: object) -> str:
    """The first that is a text with anything in it, or a number; ""."""
    for candidate in candidates:
        if isinstance(candidate, str) and candidate.strip():
            return candidate.strip()
        if isinstance(candidate, int | float) and not isinstance(candidate, bool):
            return str(candidate) if abs(candidate) < _LARGEST else ""
    return ""


_LARGEST: Final = 10**40


def _row(json: bytes) -> Row:
    if depth_fault(json):
        raise Unfit(RejectReason.TOO_DEEP, f"nested more than {DEPTH_LIMIT} levels")
    try:
        return read_whole(_object, json)
    except msgspec.ValidationError:
        raise Unfit(RejectReason.MALFORMED, "an event is a JSON object") from None
