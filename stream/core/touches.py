"""Touches and conversions: which events make one, and telling accounts and tables whose they are.

What a session or item was last shown as is kept on it, so that the old account is told to give it back (forest rule 13).
While its owner is not known it is ``held`` and nothing is said; ``settle`` says it then.
"""

from functools import lru_cache
from typing import NamedTuple

import msgspec

from schemas.codec import json_encoder
from schemas.facts import SessionRow, TouchRow
from schemas.ids import VISITOR, account_id, kind, value
from schemas.messages import Conversion, ConversionPut, ConversionWithdrawn, Owner, Touch, TouchPut, TouchWithdrawn
from stream.core.hits import Item
from stream.core.identity import buyers
from stream.core.sessions import Session
from stream.core.step import Step

_MILLI = 1000
_REPLACE = msgspec.structs.replace


def show_session(
    step: Step, node: str, session: Session, owner: Owner | None, *, reason: str, cause: str, by_network: bool = False
) -> bool:
    """Bring rows and account in line with ``session`` and its ``owner`` (None: not known, hold it back).

    ``by_network``: nothing but the network says that it is the account's.

    Returns: whether the session's own record changed.
    """
    if owner is None:
        changed = not session.held
        session.held = True
        return changed
    account, person = owner.account, owner.person
    before = session.account
    known = before == account and session.person == person and session.by_network == by_network
    if not session.held and known:
        return False
    session.by_network = by_network
    if before and before != account:
        reason = "moved"
        step.tell_account(TouchWithdrawn(before, step.at, cause, reason, session.touch, session.start))
    if account:
        step.tell_account(TouchPut(account, step.at, cause, reason, _touch(session, node, person)))
    session.account, session.person, session.held = account, person, False
    _session_row(step, node, session, deleted=False)
    return True


def show_again(step: Step, node: str, session: Session, cause: str) -> None:
    """Show a session that went on and is not held, to whom it was shown before.

    Its owner is not asked for again: had that changed, the session would have been settled, or will be.
    """
    account = session.account
    if account:
        touch = _touch(session, node, session.person)
        step.tell_account(TouchPut(account, step.at, cause, "changed", touch))
    _session_row(step, node, session, deleted=False)


def drop_session(step: Step, node: str, session: Session, cause: str) -> None:
    """A late event dissolved the session."""
    if session.account:
        step.tell_account(TouchWithdrawn(session.account, step.at, cause, "changed", session.touch, session.start))
    _session_row(step, node, session, deleted=True)


def show_item(
    step: Step, node: str, item: Item, owner: Owner | None, *, reason: str, cause: str, by_network: bool = False
) -> bool:
    """The same for a touch or conversion of its own. Returns: whether the item's record changed."""
    if owner is None:
        changed = not item.held
        item.held = True
        return changed
    account, person = owner.account, owner.person
    known = item.account == account and item.person == person and item.by_network == by_network
    if not item.held and known:
        return False
    item.by_network = by_network
    if item.conversion is not None:
        buyers.follow(step, item, owner, cause)
    if item.account and item.account != account:
        reason = "moved"
        _withdraw(step, item, reason, cause)
    if account:
        _put(step, item, owner, reason, cause)
    item.account, item.person, item.held = account, person, False
    if item.touch is not None and item.touch.eligible:
        _touch_row(step, node, item, item.touch, deleted=False)
    return True


def drop_item(step: Step, node: str, item: Item, cause: str) -> None:
    """The item is no more."""
    if item.conversion is not None:
        buyers.follow(step, item, None, cause)
    if item.account:
        _withdraw(step, item, "changed", cause)
    if item.touch is not None and item.touch.eligible:
        _touch_row(step, node, item, item.touch, deleted=True)


def _withdraw(step: Step, item: Item, reason: str, cause: str) -> None:
    if item.touch is not None:
        step.tell_account(TouchWithdrawn(item.account, step.at, cause, reason, item.id, item.at))
    else:
        step.tell_account(ConversionWithdrawn(item.account, step.at, cause, reason, item.id, item.at))


def _put(step: Step, item: Item, owner: Owner, reason: str, cause: str) -> None:
    if item.touch is not None:
        touch: Touch = _REPLACE(item.touch, person=owner.person)
        step.tell_account(TouchPut(owner.account, step.at, cause, reason, touch))
    elif item.conversion is not None:
        conversion: Conversion = _REPLACE(item.conversion, person=owner.person)
        step.tell_account(ConversionPut(owner.account, step.at, cause, reason, conversion))


def _touch(session: Session, node: str, person: str) -> Touch:
    source = session.source
    return Touch(
        session.touch, session.start, "session", source.channel, person, node,
        source.source, source.medium, source.campaign, session.id, "", session.points, session.end,
    )  # fmt: skip


class _Names(NamedTuple):
    """A node's name as rows write it."""

    tenant: str
    bare: str
    visitor: str


@lru_cache(maxsize=1 << 16)
def _names(node: str) -> _Names:
    slash = node.index("/")
    return _Names(node[:slash], node[slash + 1 :], value(node) if kind(node) == VISITOR else "")


@lru_cache(maxsize=1 << 16)
def _value(node: str) -> str:
    return value(node) if node else ""


@lru_cache(maxsize=1 << 16)
def _account_id(node: str) -> str:
    return account_id(node)


def _session_row(step: Step, node: str, session: Session, *, deleted: bool) -> None:
    """The session's row, which is its touch's, too."""
    source = session.source
    names = _names(node)
    offset = step.offset
    rows = step.rows.get("sessions")
    if rows is None:
        rows = step.rows["sessions"] = []
    rows.append(
        json_encoder.encode(
            SessionRow(
                names.tenant, session.id, names.bare, names.visitor, _value(session.person), _account_id(session.account),
                session.start, session.end, session.page_views, session.events, session.engaged_ms, session.engaged,
                source.channel, source.source, source.medium, source.campaign, session.landing, session.exit,
                session.touch, session.points / _MILLI, deleted, session.by_network,
                offset, step.partition, offset, len(rows),
            )
        )
    )  # fmt: skip


def _touch_row(step: Step, node: str, item: Item, touch: Touch, *, deleted: bool) -> None:
    names = _names(node)
    step.fact(
        "touches",
        TouchRow(
            names.tenant, item.id, names.bare, _account_id(item.account), _value(item.person),
            item.at, touch.type, touch.channel, touch.utm_source, touch.utm_medium, touch.utm_campaign,
            touch.session_id, touch.event_id, touch.points / _MILLI,
            deleted, item.by_network, step.offset, step.partition, step.offset, step.next_row("touches"),
        ),
    )  # fmt: skip
