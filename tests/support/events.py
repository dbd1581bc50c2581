"""Short ways to write canonical events in tests."""

from typing import Any

import msgspec

from schemas.event import EMAIL_EVENT, PAGE, SERVER, TRACK, Event

T0 = 1_790_000_000_000
"""2026-09-21, ms; tests count from here."""
MINUTE = 60_000
GAP = 30 * MINUTE
DAY = 86_400_000


def page(id_: str, at: int, visitor: str = "ann", path: str = "/", **fields: Any) -> Event:
    """A page view at ``T0 + at`` ms."""
    return hit(PAGE, id_, at, visitor, url=fields.pop("url", f"https://www.acme.com{path}"), **fields)


def track(id_: str, at: int, name: str, visitor: str = "ann", **fields: Any) -> Event:
    return hit(TRACK, id_, at, visitor, name=name, **fields)


def hit(type_: str, id_: str, at: int, visitor: str = "ann", **fields: Any) -> Event:
    return make(type_, f"default/v:{visitor}", id_, at, visitor=visitor, **fields)


def email(id_: str, at: int, name: str, address: str = "bob@corp.example", **fields: Any) -> Event:
    return make(EMAIL_EVENT, f"default/e:{address}", id_, at, name=name, email=address, platform=SERVER, **fields)


def make(type_: str, node: str, id_: str, at: int, *, properties: Any = None, **fields: Any) -> Event:
    raw = msgspec.UNSET if properties is None else msgspec.Raw(msgspec.json.encode(properties))
    fields.setdefault("received_at", T0 + at + 5)
    return Event(id=id_, node=node, type=type_, at=T0 + at, properties=raw, **fields)
