"""The short way in C: everyday hits, on the visitor's record as it is stored.

``stream/core/native`` has the code, ``_everyday`` is what the compiler makes of it. It takes a frame visitor by visitor, reads
the lines and the records' MessagePack, makes objects of neither, and gives new records, rows and messages. Whatever is
unusual to it (a session of somebody of whom nothing is certain, a second user, an address that is news, a form, a late event, an
escape where it needs the text) it leaves alone:
``stream.core.visit.go_on`` takes that, with the same effects, and everything that is taken here: else a frame of several
visitors would have its effects in another order without C. What that refuses goes the general way. Without a compiler
everything goes those two ways. ``tests/properties/test_visit.py`` holds the three together.

What pages, companies, users and sessions mean is decided in Python: C asks, and keeps the answers for a while. Only that a user
has an address, which most say each time, it finds in the visitor's node itself.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from schemas import event as kinds
from schemas.codec import json_encoder, state_encoder
from schemas.event import COLUMNS, WEB
from stream.core.clusters import cluster_prefix
from stream.core.compiled import WHY_NOT, native
from stream.core.frames import Line, by_node
from stream.core.hits import PING, VIEW
from stream.core.identity import company_node, known_since, session_link, settled_owner
from stream.core.nodes import NodeState
from stream.core.rulebook import Rulebook
from stream.core.seen import Seen, put_sheet
from stream.core.sessions import ENGAGED_MS, ENGAGED_VIEWS
from stream.core.sources import DIRECT_SOURCE
from stream.core.state import time_part
from stream.core.step import Step
from stream.core.touches import origin_of
from stream.core.visit import LATEST, PLAIN, SITES


class _Addressed(msgspec.Struct, gc=False, rename=COLUMNS):
    """What of an event decides about its page, its points and whether it is everyday."""

    type: str
    platform: str = WEB
    name: str = ""
    url: str = ""
    referrer: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""


class _Networked(msgspec.Struct, gc=False):
    """What of an event says whose network it came from."""

    company: str
    tenant: str = "default"


class _Identified(msgspec.Struct, gc=False, rename=COLUMNS):
    """What of an event says who it is about."""

    node: str = ""
    type: str = ""
    tenant: str = "default"
    visitor: str = ""
    user: str = ""
    email: str = ""
    group: str = ""


_addressed: Final = msgspec.json.Decoder(_Addressed).decode
_networked: Final = msgspec.json.Decoder(_Networked).decode
_origin: Final = msgspec.msgpack.Decoder(tuple[str, str, str, str]).decode
_identified: Final = msgspec.json.Decoder(_Identified).decode
_owned: Final = msgspec.msgpack.Decoder(tuple[str, NodeState, str]).decode
_told: Final = msgspec.msgpack.Decoder(tuple[str, NodeState, bytes]).decode
_BLANK: Final = state_encoder.encode(Seen())
"""The record of who was never here."""
_NO_VALUE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def page_of(book: Rulebook, question: bytes) -> tuple[Any, ...] | None:
    """What C asks of an event's members that ``_Addressed`` has, each with the comma before it.

    Returns: kind of hit, points, whether it is a key event, the columns of its row, the URL in MessagePack and in JSON, the
    source if it is external, and of that what makes a visit; None if such an event is none of the everyday ones.
    """
    try:
        said = _addressed(b"{%b}" % question[1:])
    except _NO_VALUE:
        return None
    kind, name = PLAIN.get(said.type), said.name
    if kind is None or said.platform not in SITES:
        return None
    page = book.page(said)
    opens = None if kind == PING else page.opens  # pings open none
    visit = b"".join(map(state_encoder.encode, () if opens is None else opens.visit))
    url = state_encoder.encode(said.url), json_encoder.encode(said.url)
    if kind == PING:
        return kind, 0, False, page.columns, *url, state_encoder.encode(None), visit
    if kind != VIEW and (name in book.form_events or name in book.conversions):
        return None
    is_key = said.type == kinds.TRACK and name in book.key_events
    points = book.points(said.type, name, page.path)
    return kind, points, is_key, page.columns, *url, state_encoder.encode(opens), visit


def company_of(question: bytes) -> tuple[bytes] | None:
    """The same of the members that ``_Networked`` has. Returns: the company's node in MessagePack."""
    try:
        said = _networked(b"{%b}" % question[1:])
    except _NO_VALUE:
        return None
    return (state_encoder.encode(company_node(said.tenant, said.company)),)


def said_of_origin(question: bytes) -> tuple[bytes, bytes, bytes] | None:
    """What is said of a session's source (``Origin``): asked of its channel, source, medium and campaign."""
    try:
        return origin_of(*_origin(question))
    except _NO_VALUE:
        return None


def owner_of(question: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Whose a session is that begins: asked of the visitor's node and its state, and of the session's user.

    Returns: account, person and, if there is a user, the node's state with one more session of theirs, in MessagePack.
    """
    try:
        _, state, user = _owned(question)
        owner = settled_owner(state, user)
        if owner is None:
            return None
        if user:
            state.links[user] += 1
        after = state_encoder.encode(state) if user else b""
        return state_encoder.encode(owner.account), state_encoder.encode(owner.person), after
    except (*_NO_VALUE, OverflowError):
        return None


def user_of(book: Rulebook, question: bytes) -> tuple[bytes] | None:
    """The node of a session's user in MessagePack, by the members tenant, visitor and user of an event."""
    try:
        said = _identified(b"{%b}" % question[1:])
    except _NO_VALUE:
        return None
    user = session_link(said, book.rules)
    return (state_encoder.encode(user),) if user else None


def known_from(book: Rulebook, question: bytes) -> tuple[int] | None:
    """From which time on what an event's identifiers say is no news: asked of the visitor's node, its state and the members."""
    try:
        name, state, members = _told(question)
        said = _identified(b"{%b}" % members[1:])
    except _NO_VALUE:
        return None
    said.node = name
    since = known_since(state, said, book.rules)
    return None if since is None else (min(since, LATEST),)


Left = tuple[str, list[Line], bool]
"""A node, its lines, and whether they go the general way: then ``stream.core.visit.go_on`` need not be asked."""


class _Latest:
    """The way under the rulebook in use; a worker has one set of rules at a time."""

    book: Rulebook | None = None
    way: "native.Everyday"


def _way_of(book: Rulebook) -> "native.Everyday":
    """C's part under the rules of ``book``."""
    if _Latest.book is not book:
        _Latest.way = native.Everyday(
            gap_ms=max(0, min(book.gap_ms, LATEST - 1)),
            max_ms=max(0, min(book.max_ms, LATEST - 1)),
            engaged_ms=ENGAGED_MS,
            engaged_views=ENGAGED_VIEWS,
            trusting=not book.rules.blocked_ids,
            direct=state_encoder.encode(DIRECT_SOURCE),
            blank=_BLANK,
            page_of=lambda question: page_of(book, question),
            company_of=company_of,
            origin_of=said_of_origin,
            owner_of=owner_of,
            user_of=lambda question: user_of(book, question),
            known_since=lambda question: known_from(book, question),
        )
        _Latest.book = book
    return _Latest.way


def take_in_c(step: Step, book: Rulebook, frame: bytes) -> Iterator[Left]:
    """Let what is everyday of a frame count. Gives what is left of it, each when its turn comes.

    Whoever takes those at all before the rest of the frame must be done with them before asking for the next: rows are numbered
    as they come.
    """
    way, state = _Latest.way if _Latest.book is book else _way_of(book), step.state
    taken = way.frame(
        frame, state.records, step.at, step.forgotten, step.offset, step.row_address, step.version_and_address
    )
    if taken is None:
        yield from left_to_python(step, book, frame)
        return
    while True:
        rows, many, shown, showing, messages, shelved, sheets, general, left = taken.go_on(
            step.next_row("events"), step.next_row("sessions")
        )
        step.table("events").extend(rows, many)
        if showing:
            step.table("sessions").extend(shown, showing)
        for hashed, message in messages:
            step.tell_home(hashed % step.partitions, message)
        for node, start, cluster in shelved:
            state.put(cluster_prefix(node) + time_part(start), cluster)
        for node, number, entries in sheets:
            put_sheet(state, node, number, entries)
        if left is None:
            return
        yield *left, general


def left_to_python(_step: Step, _book: Rulebook, frame: bytes) -> Iterator[Left]:
    """Stands for ``take_in_c`` where there is no C."""
    return ((node, lines, False) for node, lines in by_node(frame).items())


First = Callable[[Step, Rulebook, bytes], Iterator[Left]]
first: Final[First] = left_to_python if WHY_NOT else take_in_c
"""Who is asked first in this process."""
