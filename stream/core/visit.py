"""The everyday case of the stitch stage: hits that come in order and go on with the visitor's open session.

Nine in ten events of a site are such hits, so this decides how fast the stage is. ``stream.core.stitch`` asks here first.
What is unusual in any way (a new visitor or visit, a late or repeated event, a form, an identifier that may be news)
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
from stream.core.clusters import CHUNK
from stream.core.hits import ACTION, PING, VIEW
from stream.core.identity import session_link
from stream.core.rulebook import Rulebook
from stream.core.seen import HASH_BYTES, PACKED_BYTES, Seen, pack
from stream.core.step import Step
from stream.core.touches import show_again

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


_glance: Final = msgspec.json.Decoder(Glance).decode


def go_on(  # noqa: C901, PLR0911, PLR0912, PLR0915 - one piece on purpose: half of what it saves is calls
    step: Step, book: Rulebook, node: str, lines: Sequence[tuple[int, bytes]]
) -> bool:
    """Let the events of a visitor count if they are everyday hits.

    Returns: whether they were. If not, nothing happened.
    Raises: what decoding a line that is no event raises, before anything happened.
    """
    record = "x\x00" + node
    seen = step.state.get(record, Seen)
    if seen is None or seen.spilled or seen.entries < step.forgotten:
        return False
    cluster = seen.newest
    if cluster is None or not cluster.sessions:
        return False
    session = cluster.sessions[-1]
    if session.held or session.items:
        return False
    end, last = cluster.end, cluster.last
    until, gap = session.start + book.max_ms, book.gap_ms
    known = seen.hashes
    source = session.source
    users = session.users
    signed = users[-1][1] if users else ""
    rows = step.rows["events"]
    number = len(rows)
    address, offset, now = step.row_address, step.offset, step.at
    views = actions = engaged_ms = gained = 0
    key = False
    exit_url = ""
    hashes = entries = packed = b""
    told: list[bytes] = []
    for _, line in lines:
        event = _glance(line)
        kind = _PLAIN.get(event.type)
        if kind is None or event.bot or event.email or event.group or event.platform not in SITES or event.node != node:
            return False
        at, event_id = event.at, event.id
        if not (end < at <= end + gap and at <= until and event.received_at >= 0):
            return False
        hashed = blake2b(event_id.encode(), digest_size=HASH_BYTES).digest()
        if hashed in known or hashed in hashes:
            return False
        page = book.page(event)
        engaged_ms += event.engaged_ms
        if kind == PING:
            hit: tuple[object, ...] = (at, event_id, PING, "", "", event.engaged_ms, 0, False, None, None)
        else:
            name = event.name
            opens = page.opens
            user = ""
            if opens is not None and not source.same_visit(opens):
                return False
            if event.user:
                user = session_link(event, step.rules)
                if user and user != signed:
                    return False
            points = book.points(event.type, name, page.path)
            is_key = False
            if kind == VIEW:
                views += 1
            else:
                if name in book.form_events or name in book.conversions:
                    return False
                if event.type == kinds.TRACK and name in book.key_events:
                    key = is_key = True
            actions += 1
            gained += points
            url = event.url
            if url:
                exit_url = url
                if not session.landing:
                    return False
            hit = (at, event_id, kind, url, user, event.engaged_ms, points, is_key, opens, None)
        hashes += hashed
        packed += state_encoder.encode(hit)
        content = line[line.index(CONTENT) :]
        entries += pack(now, crc32(content), len(content), event.received_at, at, offset, number)
        told.append(b"%b%b%b%d}" % (line[:-1], page.columns, address, number))
        number += 1
        end, last = at, event_id
    if len(cluster.packed) + len(packed) > CHUNK or len(known) + len(hashes) > PACKED_BYTES:
        return False
    rows += told
    seen.hashes = known + hashes
    seen.entries += entries
    cluster.packed += packed
    cluster.end, cluster.last = end, last
    cluster.count += len(told)
    session.end = end
    session.engaged_ms += engaged_ms
    if actions:
        session.events += actions
        session.page_views += views
        session.points += gained
        if exit_url:
            session.exit = exit_url
        if key:
            session.key = True
    show_again(step, node, session, last)
    step.state.put(record, seen)
    return True
