"""What an event of a foreign producer must be before the core may see it.

record without ``topics.PACKER_HEADER`` -> fault_of(event, ...) -> None (admitted) or why not (dead letter)

Our collector checks all this at the edge, packs, and says so in the record's header. Anybody else may produce to the
``events`` topic, too: single events or frames, keyed by the entry node. What they send is checked here, once.
"""

import re
from operator import attrgetter
from typing import Final

import msgspec

from schemas import ids
from schemas.codec import properties_of
from schemas.event import APP, COST, EVENT_TYPES, FX, SERVER, WEB, Event
from schemas.rejections import Rejected, RejectReason

Home = tuple[int, int]
"""A partition and how many there are."""

_EARLIEST: Final = 946_684_800_000
"""2000-01-01 in ms: the collector takes nothing older either."""
_AHEAD_MS: Final = 86_400_000
"""How far a foreign clock may be ahead of the log's."""
_DAY_MS: Final = 86_400_000
_TEXTS: Final = tuple(field.name for field in msgspec.structs.fields(Event) if field.type is str)
_texts_of: Final = attrgetter(*_TEXTS)
_LONGEST: Final = {"node": 600, "url": 10_000, "referrer": 10_000}
"""Characters. Addresses are cached, and ids are keys of the state."""
_LONGEST_TEXT: Final = 1024
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_PLATFORMS: Final = frozenset({WEB, APP, SERVER})
_TYPES: Final = frozenset(EVENT_TYPES)
_FIGURES: Final = {COST: "cost/", FX: "fx/"}
"""Figures have nodes of their own, one a key: all of its versions lie there, and nothing else does."""
_OWN_FIELD: Final = {ids.VISITOR: "visitor", ids.USER: "user", ids.EMAIL: "email"}


def fault_of(event: Event, appended_at: int, home: Home) -> Rejected | None:
    """Why a foreign producer's event cannot be taken; None if it can.

    Args:
        event: as decoded; its types are right.
        appended_at: time of the record on the log, ms.
        home: the partition that the record lies in.
    """
    return (
        _fault_of_texts(event)
        or _fault_of_kind(event)
        or _fault_of_times(event, appended_at)
        or _fault_of_figures(event)
        or _fault_of_node(event, home)
    )


def _fault_of_texts(event: Event) -> Rejected | None:
    texts: tuple[str, ...] = _texts_of(event)
    together = "".join(texts)
    if len(together) <= _LONGEST["node"] and together.isprintable():
        return None  # nearly all: one look instead of thirty
    for name, text in zip(_TEXTS, texts, strict=True):
        if len(text) > _LONGEST.get(name, _LONGEST_TEXT):
            return Rejected(RejectReason.BAD_VALUE, f"{name} is too long")
        if not text.isprintable() and _CONTROLS.search(text):
            return Rejected(RejectReason.BAD_VALUE, f"{name} has control characters")
    return None


def _fault_of_kind(event: Event) -> Rejected | None:
    if not event.id:
        return Rejected(RejectReason.MISSING_FIELD, "id")
    if event.type not in _TYPES:
        return Rejected(RejectReason.UNSUPPORTED, "type")
    if event.platform not in _PLATFORMS:
        return Rejected(RejectReason.BAD_VALUE, "platform is none of web, app, server")
    try:
        properties_of(event.properties)
        properties_of(event.traits)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Rejected(RejectReason.MALFORMED, "properties and traits are JSON objects")
    return None


def _fault_of_times(event: Event, appended_at: int) -> Rejected | None:
    latest = appended_at + _AHEAD_MS
    if not (_EARLIEST <= event.at <= latest and _EARLIEST <= event.received_at <= latest):
        return Rejected(RejectReason.BAD_TIME, "at and received_at are ms from the year 2000 to now")
    if not (abs(event.original_at) < 1 << 53 and abs(event.sent_at) < 1 << 53):
        return Rejected(RejectReason.BAD_TIME, "original_at and sent_at are ms")
    if not 0 <= event.engaged_ms <= _DAY_MS:
        return Rejected(RejectReason.BAD_VALUE, "engaged_ms is at least 0 and at most a day")
    return None


def _fault_of_figures(event: Event) -> Rejected | None:
    figures = _FIGURES.get(event.type)
    if figures is not None and not event.node.partition("/")[2].startswith(f"{ids.OPPORTUNITY}:{figures}"):
        return Rejected(RejectReason.BAD_VALUE, f"{event.type} enters by o:{figures}... only")
    return None


def _fault_of_node(event: Event, home: Home) -> Rejected | None:
    tenant, slash, rest = event.node.partition("/")
    letter, value = rest[:1], rest[2:]
    if not (tenant and slash and value and rest[1:2] == ":" and letter in ids.LEVEL):
        return Rejected(RejectReason.BAD_VALUE, "the entry node is not tenant/kind:value")
    if tenant != event.tenant:
        return Rejected(RejectReason.BAD_VALUE, "the entry node is another tenant's")
    field = _OWN_FIELD.get(letter)
    if field is not None and getattr(event, field) != value:
        return Rejected(RejectReason.BAD_VALUE, f"the entry node is not the event's {field}")
    if letter in {ids.USER, ids.EMAIL} and event.visitor:
        return Rejected(RejectReason.BAD_VALUE, "the entry node is not the event's visitor")
    partition, partitions = home
    if ids.partition_of(event.node, partitions) != partition:
        return Rejected(RejectReason.BAD_VALUE, "the entry node lives in another partition: use it as the record's key")
    return None
