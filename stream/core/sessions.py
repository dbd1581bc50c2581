"""Sessions as a fold over a visitor's hits in the order (time, id). Docs: docs/sessions.md.

The same ``advance`` serves a hit that comes in order (one call) and a refold after a late one (one call per hit), so both
give the same sessions.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.ids import derived_id, tenant, value
from stream.core.hits import PING, VIEW, Hit, Item
from stream.core.rulebook import Rulebook
from stream.core.sources import DIRECT_SOURCE, Source

ENGAGED_MS: Final = 10_000
"""More than so much engaged or elapsed time makes a session engaged ..."""
ENGAGED_VIEWS: Final = 2
"""... or so many views."""


class Session(msgspec.Struct, array_like=True, gc=False):
    """One session, and to whom its touch was last sent."""

    id: str
    touch: str
    """Id of its touch."""
    start: int
    end: int
    source: Source
    landing: str = ""
    exit: str = ""
    page_views: int = 0
    events: int = 0
    """Hits other than pings."""
    engaged_ms: int = 0
    points: int = 0
    key: bool = False
    users: list[tuple[int, str]] = msgspec.field(default_factory=list)
    """(time, user node) of each claim that differs from the one before it."""
    items: list[Item] = msgspec.field(default_factory=list)
    account: str = ""
    person: str = ""
    held: bool = True
    """Not shown yet, or changed since: its owner was not known."""
    company: str = ""
    """Domain node of the company whose network it began in, as far as known: owns the visit if nobody else does."""
    counted: str = ""
    """The company that the visitor's node was told of."""
    by_network: bool = False
    """Whether it was last sent to its account for no better reason than the network."""

    @property
    def engaged(self) -> bool:
        """GA4's rule: two views, or more than 10 s, or a key event."""
        return (
            self.page_views >= ENGAGED_VIEWS
            or self.key
            or self.end - self.start > ENGAGED_MS
            or self.engaged_ms > ENGAGED_MS
        )

    def user_at(self, at: int) -> str:
        """The user that the session's claims give for ``at``: the latest one until then, else the first; "" for none."""
        user = ""
        for since, name in self.users:
            if user and since > at:
                break
            user = name
        return user


def advance(session: Session | None, hit: Hit, node: str, book: Rulebook) -> Session | None:
    """Take ``hit``, which comes after all earlier ones of its cluster, into the open ``session``.

    Returns: the session that is open now: the same object, changed, or a new one; None if a ping found none.
    """
    if hit.kind == PING:
        if session is not None and hit.at - session.start <= book.max_ms:
            session.engaged_ms += hit.engaged_ms
            session.end = hit.at
        return session
    if session is None or _begins(session, hit, book):
        session = opened(hit.at, hit.id, hit.source, node)
    session.end = hit.at
    session.events += 1
    session.engaged_ms += hit.engaged_ms
    session.points += hit.points
    if hit.kind == VIEW:
        session.page_views += 1
    if hit.url:
        session.exit = hit.url
        if not session.landing:
            session.landing = hit.url
    if hit.key:
        session.key = True
    session.company = session.company or hit.company
    if hit.user and (not session.users or session.users[-1][1] != hit.user):
        session.users.append((hit.at, hit.user))
    if hit.items:
        session.items.extend(_placed(item, session) for item in hit.items)
    return session


def _begins(session: Session, hit: Hit, book: Rulebook) -> bool:
    if hit.at - session.start > book.max_ms:
        return True
    return hit.source is not None and not session.source.same_visit(hit.source)


def opened(at: int, hit_id: str, source: Source | None, node: str) -> Session:
    """The session that a hit begins, before the hit itself counts; ``source`` None is direct."""
    session_id = derived_id(tenant(node), value(node), str(at), hit_id)
    return Session(session_id, derived_id("session", session_id), at, at, source or DIRECT_SOURCE)


def _placed(item: Item, session: Session) -> Item:
    """The hit's item with what it has from its session: the source."""
    touch = item.touch
    if touch is None:
        return msgspec.structs.replace(item)
    source = session.source
    return msgspec.structs.replace(
        item,
        touch=msgspec.structs.replace(
            touch,
            channel=source.channel,
            utm_source=source.source,
            utm_medium=source.medium,
            utm_campaign=source.campaign,
            session_id=session.id,
        ),
    )


def fold(hits: Iterable[Hit], node: str, book: Rulebook) -> list[Session]:
    """Sessions of one cluster, whose hits come sorted by ``Hit.order``."""
    sessions: list[Session] = []
    session: Session | None = None
    for hit in hits:
        now = advance(session, hit, node, book)
        if now is not None and now is not session:
            sessions.append(now)
        session = now
    return sessions


def same_content(one: Session, other: Session) -> bool:
    """Whether two folds of one session say the same (who owns it does not count)."""
    return (
        one.end == other.end
        and one.source == other.source
        and one.landing == other.landing
        and one.exit == other.exit
        and one.page_views == other.page_views
        and one.events == other.events
        and one.engaged_ms == other.engaged_ms
        and one.points == other.points
        and one.key == other.key
        and one.users == other.users
        and one.company == other.company
    )
