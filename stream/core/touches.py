"""Touches and conversions: which events make one, and telling accounts and tables whose they are.

What a session or item was last shown as is kept on it, so that the old account is told to give it back (forest rule 13).
While its owner is not known it is ``held`` and nothing is said; ``settle`` says it then.
"""

from functools import lru_cache
from operator import is_
from typing import Final, NamedTuple

import msgspec

from schemas.codec import columns_of, json_encoder
from schemas.facts import SessionColumns, TouchRow
from schemas.ids import VISITOR, account_id, kind, value
from schemas.messages import Conversion, ConversionPut, ConversionWithdrawn, Owner, Touch, TouchPut, TouchWithdrawn
from stream.core.hits import Item
from stream.core.identity import buyers
from stream.core.sessions import Session
from stream.core.sources import Source
from stream.core.step import Step

_MILLI: Final = 1000
_REPLACE: Final = msgspec.structs.replace


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
    session.account, session.person, session.held = account, person, False
    _say(step, node, session, reason, cause)
    return True


def show_again(step: Step, node: str, session: Session, cause: str) -> None:
    """Show a session that went on and is not held, to whom it was shown before.

    Its owner is not asked for again: had that changed, the session would have been settled, or will be.
    """
    _say(step, node, session, "changed", cause)


def drop_session(step: Step, node: str, session: Session, cause: str) -> None:
    """A late event dissolved the session."""
    if session.account:
        step.tell_account(TouchWithdrawn(session.account, step.at, cause, "changed", session.touch, session.start))
    _session_row(step, _fixed_of(node, session), session, deleted=True)


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


def drop_item(step: Step, node: str, item: Item, cause: str, *, reason: str = "changed") -> None:
    """The item is no more."""
    if item.conversion is not None:
        buyers.follow(step, item, None, cause)
    if item.account:
        _withdraw(step, item, reason, cause)
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


class _Names(NamedTuple):
    """A node's name as rows write it."""

    tenant: str
    bare: str
    visitor: str


def _names(node: str) -> _Names:
    slash = node.index("/")
    return _Names(node[:slash], node[slash + 1 :], value(node) if kind(node) == VISITOR else "")


def _value(node: str) -> str:
    return value(node) if node else ""


class Party(NamedTuple):
    """What rows and messages say of a session's node, account and person: JSON around the session's ids and times."""

    row: bytes
    """The beginning of its row, up to its id."""
    after_id: bytes
    """On, up to when it began."""
    put: bytes
    """The beginning of the message that its account is told, up to the time."""
    touch: bytes
    """Members of the message's touch."""


class Origin(NamedTuple):
    """The same of its source."""

    row: bytes
    """Members of its row."""
    channel: bytes
    """Members of the message's touch, before those of its party ..."""
    campaign: bytes
    """... and after them."""


@lru_cache(maxsize=1 << 13)
def party_of(node: str, account: str, person: str) -> Party:
    """What is said of a session of ``node`` that is the ``account``'s and the ``person``'s ("" = nobody's)."""
    names = _names(node)
    columns = SessionColumns(
        names.tenant, "", names.bare, names.visitor, _value(person), account_id(account), started_at=0
    )
    row, key, rest = columns_of(columns).partition(b'"session_id":"')
    _, _, touch = columns_of(Touch("", 0, "", "", person, node)).partition(b'"channel":""')
    to = b'{"m":"A","to":%b,"at":' % json_encoder.encode(account)  # a ``TouchPut``; "m" is its tag
    return Party(b"{" + row + key, rest[:-1], to, touch)


@lru_cache(maxsize=1 << 12)
def origin_of(channel: str, source: str, medium: str, campaign: str) -> Origin:
    """What is said of a session that came from there."""
    columns = SessionColumns("", "", "", "", "", "", 0, channel, source, medium, campaign)
    _, _, row = columns_of(columns).partition(b'"started_at":0')
    touch = Touch("", 0, "session", channel, "", "", source, medium, campaign)
    before, _, after = columns_of(touch).partition(b',"person":"","node":""')
    return Origin(row, before.removeprefix(b'"id":"","at":0'), after)


class Fixed(msgspec.Struct, frozen=True, gc=False):
    """What is said of a session the same each time that it goes on, and what that was made of."""

    of: tuple[Source, str, str, str, bool]
    row: bytes
    """The beginning of its row, up to ``"exit_url":``."""
    put: bytes
    """The beginning of the message that its account is told, up to the time."""
    touch: bytes
    """The message's touch, up to ``"points":``."""


_FIXED_SESSIONS: Final = 1 << 14
"""Sessions that go on at one time, at most; each takes about 1 kB."""
_fixed: dict[str, Fixed] = {}


def _fixed_of(node: str, session: Session) -> Fixed:
    """The session's fixed part. The texts it was made of are compared by identity: cheap, and equal if the same."""
    of = session.source, session.person, session.account, session.landing, session.by_network
    found = _fixed.get(session.id)
    if found is not None and all(map(is_, found.of, of)):
        return found
    if len(_fixed) >= _FIXED_SESSIONS:
        _fixed.clear()
    source, start = session.source, b"%d" % session.start
    session_id, touch_id = session.id.encode(), session.touch.encode()
    party = party_of(node, session.account, session.person)
    origin = origin_of(source.channel, source.source, source.medium, source.campaign)
    landing = b',"landing_url":' + json_encoder.encode(session.landing) if session.landing else b""
    network = b',"by_network":true' if session.by_network else b""
    row = (
        party.row, session_id, party.after_id, start, origin.row, landing, b',"touch_id":"', touch_id, b'"', network,
        b',"exit_url":',
    )  # fmt: skip
    touch = (
        b',"touch":{"id":"', touch_id, b'","at":', start, origin.channel, party.touch, origin.campaign, b',"session_id":"',
        session_id, b'","points":',
    )  # fmt: skip
    made = _fixed[session.id] = Fixed(of, b"".join(row), party.put, b"".join(touch))
    return made


def _say(step: Step, node: str, session: Session, reason: str, cause: str) -> None:
    """Tell the session's account and its table what it is now."""
    fixed = _fixed_of(node, session)
    if session.account:
        said = f'{step.at},"reason":"{reason}","cause":'.encode()
        now = f'{session.points},"last_at":{session.end}}}}}'.encode()
        message = b"".join((fixed.put, said, json_encoder.encode(cause), fixed.touch, now))
        step.tell_account_encoded(session.account, message)
    _session_row(step, fixed, session, deleted=False)


def _session_row(step: Step, fixed: Fixed, session: Session, *, deleted: bool) -> None:
    """The session's row, which is its touch's, too."""
    rows = step.table("sessions")
    engaged = "true" if session.engaged else "false"
    gone = ',"deleted":true' if deleted else ""
    now = (
        f',"ended_at":{session.end},"page_views":{session.page_views},"events":{session.events},'
        f'"engaged_ms":{session.engaged_ms},"engaged":{engaged},"points":{session.points / _MILLI}{gone}'
        f"{step.version_and_address}{rows.count}}}"
    )
    rows.append(b"".join((fixed.row, json_encoder.encode(session.exit), now.encode())))


def _touch_row(step: Step, node: str, item: Item, touch: Touch, *, deleted: bool) -> None:
    names = _names(node)
    step.fact(
        "touches",
        TouchRow(
            names.tenant, item.id, names.bare, account_id(item.account), _value(item.person),
            item.at, touch.type, touch.channel, touch.utm_source, touch.utm_medium, touch.utm_campaign,
            touch.session_id, touch.event_id, touch.points / _MILLI,
            deleted, item.by_network, step.offset, step.partition, step.offset, step.next_row("touches"),
        ),
    )  # fmt: skip
