"""What operators say, from a request's JSON to the event that goes on the log. Pure; the clock and ids are given.

>>> order = link_of(Link("user:7", "account:acme"), Teller("ops", "default", now=5, fresh_id="op-1"), Rules())
>>> order.event.node, order.claim
('default/u:7', 'op-1')
"""

import re
from typing import Final, NamedTuple

import msgspec

from schemas import event as kinds
from schemas.codec import json_encoder
from schemas.event import SERVER, Event
from schemas.ids import ACCOUNT, DOMAIN, EMAIL, REGISTRY, USER, VISITOR, derived_id, kind, value
from schemas.rules import Rules
from stream.collect import clock
from stream.core.identity.names import NoNode, heard, spoken
from stream.core.identity.node import level
from stream.core.identity.operators import Words, registry_of

_CLAIM_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONGEST_REASON: Final = 1000
_FIELDS: Final = {VISITOR: "visitor", USER: "user", EMAIL: "email"}


class Unfit(ValueError):
    """What was said cannot be; the message says what to say instead."""


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``child`` belongs to ``parent`` from ``from`` (always) to ``to`` (for good), not included. ISO times or epochs."""

    child: str
    parent: str
    since: str | int | None = msgspec.field(default=None, name="from")
    until: str | int | None = msgspec.field(default=None, name="to")
    reason: str = ""
    id: str = ""


class Merge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Account ``loser`` is account ``winner``."""

    loser: str
    winner: str
    reason: str = ""
    id: str = ""


class Teller(NamedTuple):
    """Who says it, and when."""

    name: str
    tenant: str
    now: int
    """ms"""
    fresh_id: str
    """For claims that were given no id of their own."""


class Order(NamedTuple):
    """An event for the log and the claim that it is about."""

    event: Event
    claim: str
    words: Words


def link_of(link: Link, teller: Teller, rules: Rules) -> Order:
    """Raises: Unfit if the two cannot be linked."""
    child, parent = _node(link.child, "child", teller, rules), _node(link.parent, "parent", teller, rules)
    if kind(child) == kind(parent) == ACCOUNT:
        raise Unfit("two accounts are not linked but merged: POST /v1/identity/merges, touchline identity merge")
    if level(child) >= level(parent):
        raise Unfit(
            f"{spoken(child)} cannot belong to {spoken(parent)}: a visitor or opportunity belongs to a user, a user to"
            " an email, that to a domain, and all of them to an account"
        )
    since, until = _time(link.since, "from"), _time(link.until, "to")
    if since is not None and until is not None and until <= since:
        raise Unfit("to has to be later than from")
    claim = _claim_id(link.id, teller)
    words = Words(claim, _bare(parent), "", since, until, _reason(link.reason))
    return Order(_event(child, kinds.IDENTITY_LINK, claim, words, teller), claim, words)


def merge_of(merge: Merge, teller: Teller, rules: Rules) -> Order:
    """Raises: Unfit if the two cannot be merged."""
    loser, winner = _node(merge.loser, "loser", teller, rules), _node(merge.winner, "winner", teller, rules)
    for name in (loser, winner):
        if kind(name) == DOMAIN:
            raise Unfit(
                f"{spoken(name)} is no account yet, so it is not merged but linked: POST /v1/identity/links,"
                " touchline identity link"
            )
        if kind(name) != ACCOUNT:
            raise Unfit(f"{spoken(name)} is no account")
    if loser == winner:
        raise Unfit("an account cannot be merged into itself")
    claim = _claim_id(merge.id, teller)
    words = Words(claim, _bare(winner), _bare(loser), reason=_reason(merge.reason))
    return Order(_event(registry_of(teller.tenant), kinds.IDENTITY_MERGE, claim, words, teller), claim, words)


def retraction_of(name: str, claim: str, teller: Teller, reason: str = "") -> Order:
    """Take the claim ``claim`` at the node ``name`` back; of merges the name is the registry's."""
    type_ = kinds.IDENTITY_UNMERGE if kind(name) == REGISTRY else kinds.IDENTITY_UNLINK
    words = Words(claim, reason=_reason(reason))
    return Order(_event(name, type_, derived_id(type_, name, claim), words, teller), claim, words)


def _event(name: str, type_: str, event_id: str, words: Words, teller: Teller) -> Event:
    event = Event(
        id=event_id,
        node=name,
        type=type_,
        at=teller.now,
        received_at=teller.now,
        tenant=teller.tenant,
        source=teller.name,
        protocol="operator",
        platform=SERVER,
        properties=msgspec.Raw(json_encoder.encode(words)),
    )
    field = _FIELDS.get(kind(name))
    if field is not None:
        setattr(event, field, value(name))
    return event


def _node(text: str, place: str, teller: Teller, rules: Rules) -> str:
    try:
        return heard(text, teller.tenant, rules)
    except NoNode as wrong:
        raise Unfit(f"{place}: {wrong}") from None


def _bare(name: str) -> str:
    return f"{kind(name)}:{value(name)}"


def _claim_id(given: str, teller: Teller) -> str:
    if not given:
        return teller.fresh_id
    if not _CLAIM_ID.fullmatch(given):
        raise Unfit("id: 1 to 64 letters, digits, hyphens, dots and underscores")
    return given


def _reason(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:_LONGEST_REASON]


def _time(given: str | int | None, name: str) -> int | None:
    if given is None or given == "":
        return None
    at = clock.moment(given)
    if at is None or at < clock.EARLIEST:
        raise Unfit(f"{name}: an ISO 8601 time like 2026-06-01T00:00:00Z, or epoch milliseconds, from the year 2000 on")
    return at
