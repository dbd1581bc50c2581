"""The everyday case of the stitch stage: hits that come in order, and go on with the visitor's session or begin one.

Nine in ten events of a site are such hits, so this decides how fast the stage is. ``stream.core.stitch`` asks here first.
What is unusual in any way (a late or repeated event, a form, a second user, an identifier that may be news)
changes nothing here and goes the general way, which gives the same record, rows and messages for everyday hits, too:
``tests/properties/test_visit.py`` holds the two together.
"""

from _blake2 import blake2b
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from schemas import event as kinds
from schemas.codec import state_encoder
from schemas.event import COLUMNS, CONTENT, WEB
from schemas.ids import VISITOR
from schemas.ids import kind as kind_of
from stream.core.clusters import CHUNK, Cluster, cluster_prefix
from stream.core.hits import ACTION, PING, VIEW
from stream.core.identity import company_node, is_news, link, link_company, session_link, settled_owner
from stream.core.identity.node import level, node_of
from stream.core.leaf import show
from stream.core.nodes import NodeState
from stream.core.rulebook import Rulebook
from stream.core.seen import HASH_BYTES, PACKED_BYTES, Seen, fill_sheets, forget, hash_bytes, overdue, pack
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
PLAIN: Final = {name: hit for name, hit in HIT_KINDS.items() if name != kinds.ALIAS}
"""Hits that say nothing new of identity if what they name was named before."""


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


class _Run(NamedTuple):
    """What a frame's hits add to one session. Nothing is added before all of them are known to be everyday."""

    session: Session
    fresh: bool
    cause: str
    end: int
    views: int
    actions: int
    engaged_ms: int
    points: int
    exit: str
    key: bool
    named: tuple[int, str] | None
    """When a session that went on and was nobody's was named, and the user; one that began has it already."""

    def apply(self) -> None:
        session = self.session
        if self.named is not None:
            session.users.append(self.named)
        session.end = self.end
        session.engaged_ms += self.engaged_ms
        session.events += self.actions
        session.page_views += self.views
        session.points += self.points
        if self.exit:
            session.exit = self.exit
        if self.key:
            session.key = True


class _Growth(NamedTuple):
    """What a frame's hits add to one cluster: ``fresh`` are the sessions that begin in it."""

    cluster: Cluster
    packed: bytes
    hits: int
    end: int
    last: str
    fresh: list[Session]

    def apply(self) -> None:
        cluster = self.cluster
        cluster.packed += self.packed
        cluster.count += self.hits
        cluster.end, cluster.last = self.end, self.last
        cluster.sessions += self.fresh


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
    if seen.spilled:
        return False
    over = overdue(seen, step.forgotten)
    known, cluster = seen.hashes[hash_bytes(*over) :], seen.newest
    session: Session | None = None
    own = node[: node.index("/")]
    signed = signer = ""
    source = DIRECT_SOURCE
    until = end = 0
    if cluster is not None:
        if not cluster.sessions:
            return False
        session = cluster.sessions[-1]
        end, until, source = cluster.end, session.start + book.max_ms, session.source
        if session.users:
            signed = session.users[-1][1]
            signer = _user_id(signed, own)
        if session.held or (session.items and any(item.held for item in session.items)):
            return False
    gap = book.gap_ms
    rows = step.rows["events"]
    number = len(rows)
    address, offset, now, rules = step.row_address, step.offset, step.at, step.rules
    hashes = entries = packed = b""
    event_id = cause = landed = ""
    told: list[bytes] = []
    runs: list[_Run] = []
    growths: list[_Growth] = []
    begun: list[Session] = []
    users: dict[str, int] = {}
    named: tuple[int, str] | None = None
    hits = views = actions = engaged_ms = points = count = 0
    fresh = key = networks = False
    for _, line in lines:
        try:
            event = _glance(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False  # no event: the general way says why
        kind = PLAIN.get(event.type)
        at = event.at
        if (
            kind is None
            or event.bot
            or event.platform not in SITES
            or event.node != node
            or not (0 <= event.received_at < LATEST and -LATEST < at < LATEST)
        ):
            return False
        page = book.page(event)
        opens = None if kind == PING else page.opens
        if cluster is None or at > end + gap or at > until or (opens is not None and not source.same_visit(opens)):
            # A new visit, perhaps the first. Pings open none.
            if kind == PING or (cluster is not None and at <= end):
                return False
            if hits and session is not None:
                runs.append(_Run(session, fresh, cause, end, views, actions, engaged_ms, points, landed, key, named))
                named = None
                hits = views = actions = engaged_ms = points = 0
                landed, key = "", False
            if cluster is None or at > end + gap:
                if cluster is not None:
                    if len(cluster.packed) + len(packed) > CHUNK:
                        return False
                    growths.append(_Growth(cluster, packed, count, end, event_id or cluster.last, begun))
                cluster, packed, count, begun = Cluster(at), b"", 0, []
            session, fresh = opened(at, event.id, opens, node), True
            begun.append(session)
            source, until, signed, signer = session.source, at + book.max_ms, "", ""
        elif at <= end or session is None:
            return False
        event_id = event.id
        hashed = blake2b(event_id.encode(), digest_size=HASH_BYTES).digest()
        if hashed in known or hashed in hashes:
            return False
        if kind == PING:
            if event.email or event.group:
                return False
            hit: tuple[object, ...] = (at, event_id, PING, "", "", event.engaged_ms, 0, False, None, None, "")
        else:
            name, url, user, company = event.name, event.url, "", ""
            if event.user or event.email or event.group:
                if (
                    event.user
                    and event.user == signer
                    and event.visitor
                    and event.tenant == own
                    and not rules.blocked_ids
                ):
                    user = signed  # shipped rules alone say what names nobody, and that did not change since
                else:
                    user = session_link(event, rules)
                if user and user != signed:
                    if signed:
                        return False
                    if fresh:
                        session.users.append((at, user))
                    else:
                        named = at, user
                    users[user] = users.get(user, 0) + 1
                    signed, signer = user, _user_id(user, own)
                if (event.email or event.group) and is_news(seen.node, event, at, rules):
                    return False
            worth = book.points(event.type, name, page.path)
            is_key = False
            if kind == VIEW:
                views += 1
            else:
                if name in book.form_events or name in book.conversions:
                    return False
                if event.type == kinds.TRACK and name in book.key_events:
                    key = is_key = True
            actions += 1
            points += worth
            if url:
                landed = url
                if not session.landing:
                    if not fresh:
                        return False
                    session.landing = url
            if event.company:
                company = company_node(event.tenant, event.company)
                if company and not session.company:
                    if not fresh:
                        return False
                    session.company, networks = company, True
            hit = (at, event_id, kind, url, user, event.engaged_ms, worth, is_key, opens, None, company)
        engaged_ms += event.engaged_ms
        end, cause = at, event_id
        hits += 1
        hashes += hashed
        packed += state_encoder.encode(hit)
        count += 1
        content = line[max(line.find(CONTENT), 0) :]  # stream.core.digest
        entries += pack(now, crc32(content), len(content), event.received_at, at, offset, number)
        told.append(b"".join((line[:-1], page.columns, address, b"%d}" % number)))
        number += 1
    assert cluster is not None, "every hit has one"
    assert session is not None, "and a session"
    if len(cluster.packed) + len(packed) > CHUNK or len(known) + len(hashes) > PACKED_BYTES:
        return False
    runs.append(_Run(session, fresh, cause, end, views, actions, engaged_ms, points, landed, key, named))
    if not runs[0].fresh and (networks or not _stays(runs[0], seen.node, users)):
        return False  # the visitor may get another owner, and the session that went on with it
    rows.extend(b"\n".join(told), len(told))
    forget(step.state, node, seen, *over)
    seen.hashes, seen.entries, seen.newest = known + hashes, seen.entries + entries, cluster
    fill_sheets(step.state, node, seen)
    _Growth(cluster, packed, count, end, event_id, begun).apply()
    for growth in growths:  # no longer the newest: it gets a key of its own
        growth.apply()
        seen.spread = True
    _show(step, node, runs, users)
    if users or networks:
        seen.node = node_of(step.state, node)  # it was told
    for growth in growths:
        step.state.put(cluster_prefix(node) + time_part(growth.cluster.start), growth.cluster)
    step.state.put(record, seen)
    return True


def _stays(run: _Run, state: NodeState | None, users: Iterable[str]) -> bool:
    """Whether the session that went on in ``run`` remains whose it was, though ``users`` are named."""
    session, shown_to = run.session, (run.session.account, run.session.person)
    for user in users:
        owner = None if state is None else settled_owner(state, user)
        if owner is None:
            return False
        if run.named is not None and (session.company or (owner.account, owner.person) != shown_to):
            return False
    return True


def _user_id(name: str, tenant: str) -> str:
    """The id of a user of ``tenant``; "" if ``name`` is another node."""
    start = len(tenant) + 3
    return name[start:] if name[:start] == f"{tenant}/u:" else ""


def _show(step: Step, node: str, runs: list[_Run], users: dict[str, int]) -> None:
    """Add to the sessions, and say what became of them as ``leaf.show_changes`` does."""
    for run in runs:
        run.apply()
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
