"""The everyday case of the stitch stage: hits that come in order, and go on with the visitor's session or begin one.

Nine in ten events of a site are such hits, so this decides how fast the stage is. ``stream.core.stitch`` asks here first.
What is unusual in any way (a late or repeated event, a form, a second user, an identifier that may be news)
changes nothing here and goes the general way, which gives the same record, rows and messages for everyday hits, too:
``tests/properties/test_visit.py`` holds the two together.
"""

from _blake2 import blake2b
from collections.abc import Sequence
from typing import Final
from zlib import crc32

import msgspec

from schemas import event as kinds
from schemas.codec import state_encoder
from schemas.event import COLUMNS, CONTENT, WEB
from schemas.ids import VISITOR
from schemas.ids import kind as kind_of
from stream.core.clusters import CHUNK, Cluster, cluster_prefix
from stream.core.hits import ACTION, PING, VIEW
from stream.core.identity import company_node, link, link_company, session_link
from stream.core.identity.node import level
from stream.core.leaf import show
from stream.core.rulebook import Rulebook
from stream.core.seen import HASH_BYTES, PACKED_BYTES, Seen, pack
from stream.core.sessions import Session, opened
from stream.core.sources import DIRECT_SOURCE
from stream.core.state import time_part
from stream.core.step import Step
from stream.core.touches import show_again

LATEST: Final = 2**61
"""ms. Times beyond it would not fit the keys and packed entries; the edge lets none in."""
SITES: Final = (kinds.WEB, kinds.APP)
"""Platforms whose events make sessions."""
HIT_KINDS: Final = {
    kinds.PING: PING, kinds.PAGE: VIEW, kinds.SCREEN: VIEW,
    kinds.TRACK: ACTION, kinds.IDENTIFY: ACTION, kinds.GROUP: ACTION, kinds.ALIAS: ACTION,
}  # fmt: skip
_PLAIN: Final = {kinds.PING: PING, kinds.PAGE: VIEW, kinds.SCREEN: VIEW, kinds.TRACK: ACTION, kinds.IDENTIFY: ACTION}
"""Hits that say nothing of identity unless they name an address or a group."""


class Glance(msgspec.Struct, gc=False, kw_only=True, rename=COLUMNS):
    """What of an ``Event`` everyday hits need: a third of what there is to decode."""

    node: str
    id: str
    at: int
    received_at: int
    type: str
    tenant: str = "default"
    platform: str = WEB
    name: str = ""
    visitor: str = ""
    user: str = ""
    email: str = ""
    group: str = ""
    url: str = ""
    referrer: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""
    engaged_ms: int = 0
    bot: str = ""
    company: str = ""


_glance: Final = msgspec.json.Decoder(Glance).decode


class _Run:
    """A session during one frame: what the frame's hits add to it. Nothing is applied before all are known to be everyday."""

    __slots__ = ("actions", "cause", "end", "engaged_ms", "exit", "fresh", "key", "points", "session", "views")

    def __init__(self, session: Session, *, fresh: bool) -> None:
        self.session = session
        self.fresh = fresh
        self.cause = self.exit = ""
        self.end = self.views = self.actions = self.engaged_ms = self.points = 0
        self.key = False

    def apply(self) -> None:
        session = self.session
        session.end = self.end
        session.engaged_ms += self.engaged_ms
        session.events += self.actions
        session.page_views += self.views
        session.points += self.points
        if self.exit:
            session.exit = self.exit
        if self.key:
            session.key = True


def go_on(  # noqa: C901, PLR0911, PLR0912, PLR0915 - one piece on purpose: half of what it saves is calls
    step: Step, book: Rulebook, node: str, lines: Sequence[tuple[int, bytes]]
) -> bool:
    """Let the events of a visitor count if they are everyday hits.

    Returns: whether they were. If not, nothing happened.
    """
    record = "x\x00" + node
    seen = step.state.get(record, Seen)
    if seen is None or seen.newest is None:
        if level(node) < 0 or kind_of(node) != VISITOR:
            return False
        seen = seen or Seen()
    if seen.spilled or (seen.entries and seen.entries < step.forgotten):
        return False
    cluster = seen.newest
    run: _Run | None = None
    runs: list[_Run] = []
    signed = ""
    source = DIRECT_SOURCE
    until = end = 0
    if cluster is not None:
        if not cluster.sessions:
            return False
        session = cluster.sessions[-1]
        end, until, source = cluster.end, session.start + book.max_ms, session.source
        if session.users:
            signed = session.users[-1][1]
    gap = book.gap_ms
    known = seen.hashes
    rows = step.rows["events"]
    number = len(rows)
    address, offset, now = step.row_address, step.offset, step.at
    hashes = entries = packed = b""
    event_id = ""
    told: list[bytes] = []
    grown: list[tuple[Cluster, bytes, int, int, str]] = []
    count = 0
    users: dict[str, int] = {}
    for _, line in lines:
        try:
            event = _glance(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False  # no event: the general way says why
        kind = _PLAIN.get(event.type)
        if kind is None or event.bot or event.email or event.group or event.platform not in SITES or event.node != node:
            return False
        at = event.at
        if not (0 <= event.received_at < LATEST and -LATEST < at < LATEST):
            return False
        page = book.page(event)
        name = event.name
        if (
            cluster is None
            or at > end + gap
            or at > until
            or (page.opens is not None and not source.same_visit(page.opens))
        ):
            # A new visit, perhaps the first. Pings open none.
            if kind == PING or (cluster is not None and at <= end):
                return False
            if cluster is None or at > end + gap:
                if cluster is not None:
                    if len(cluster.packed) + len(packed) > CHUNK:
                        return False
                    grown.append((cluster, packed, count, end, event_id))
                cluster, packed, count = Cluster(at), b"", 0
            session = opened(at, event.id, page.opens, node)
            run = _Run(session, fresh=True)
            runs.append(run)
            source, until, signed = session.source, at + book.max_ms, ""
        elif at <= end:
            return False
        elif run is None:
            if session.held or (session.items and any(item.held for item in session.items)):
                return False
            run = _Run(session, fresh=False)
            runs.append(run)
        event_id = event.id
        hashed = blake2b(event_id.encode(), digest_size=HASH_BYTES).digest()
        if hashed in known or hashed in hashes:
            return False
        if kind == PING:
            hit: tuple[object, ...] = (at, event_id, PING, "", "", event.engaged_ms, 0, False, None, None, "")
        else:
            user = session_link(event, step.rules) if event.user else ""
            if user and user != signed:
                if signed or not run.fresh:
                    return False
                run.session.users.append((at, user))
                users[user] = users.get(user, 0) + 1
                signed = user
            points = book.points(event.type, name, page.path)
            is_key = False
            if kind == VIEW:
                run.views += 1
            else:
                if name in book.form_events or name in book.conversions:
                    return False
                if event.type == kinds.TRACK and name in book.key_events:
                    run.key = is_key = True
            run.actions += 1
            run.points += points
            url = event.url
            if url:
                run.exit = url
                if not run.session.landing:
                    if not run.fresh:
                        return False
                    run.session.landing = url
            company = company_node(event.tenant, event.company) if event.company else ""
            if company and not run.session.company:
                if not run.fresh:
                    return False
                run.session.company = company
            hit = (at, event_id, kind, url, user, event.engaged_ms, points, is_key, page.opens, None, company)
        run.engaged_ms += event.engaged_ms
        run.end, run.cause = at, event_id
        hashes += hashed
        packed += state_encoder.encode(hit)
        count += 1
        content = line[line.index(CONTENT) :]
        entries += pack(now, crc32(content), len(content), event.received_at, at, offset, number)
        told.append(b"%b%b%b%d}" % (line[:-1], page.columns, address, number))
        number += 1
        end = at
    assert cluster is not None, "every hit has one"
    if len(cluster.packed) + len(packed) > CHUNK or len(known) + len(hashes) > PACKED_BYTES:
        return False
    rows += told
    seen.hashes = known + hashes
    seen.entries += entries
    grown.append((cluster, packed, count, end, event_id))
    seen.newest = cluster
    _grow(grown, runs)
    _show(step, node, runs, users)
    for older, *_ in grown[:-1]:  # no longer the newest: it gets a key of its own
        step.state.put(cluster_prefix(node) + time_part(older.start), older)
    step.state.put(record, seen)
    return True


def _grow(grown: list[tuple[Cluster, bytes, int, int, str]], runs: list[_Run]) -> None:
    """Add the hits to their clusters and sessions."""
    for cluster, packed, count, end, last in grown:
        if count:
            cluster.packed += packed
            cluster.count += count
            cluster.end, cluster.last = end, last
    for run in runs:
        run.apply()
        if run.fresh:
            begin = run.session.start
            next(cluster for cluster, *_ in reversed(grown) if cluster.start <= begin).sessions.append(run.session)


def _show(step: Step, node: str, runs: list[_Run], users: dict[str, int]) -> None:
    """Say what became of the sessions, as ``leaf.show_changes`` does."""
    for user in sorted(users):
        link(step, node, user, users[user], runs[0].cause)
    for run in runs:
        session = run.session
        if session.company != session.counted:
            link_company(step, node, session.company, 1, runs[0].cause)
            session.counted = session.company
    for run in runs:
        if run.fresh:
            show(step, node, run.session, "new", run.cause)
        else:
            show_again(step, node, run.session, run.cause)
