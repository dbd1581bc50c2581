"""Explanations and predictions: read what they need from the audit, let the pure functions of the core decide."""

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from schemas.ids import USER, VISITOR, kind
from schemas.messages import BEGINNING
from stream.collect.identity.audit import Audit
from stream.collect.identity.family import Family, family_of, named_directly, named_for, words_of
from stream.collect.identity.meant import unlinked, unmerged
from stream.collect.identity.orders import Order, Teller, Unfit, link_of, merge_of
from stream.collect.identity.refused import Refused
from stream.collect.identity.shapes import Preview
from stream.core.identity import precedence
from stream.core.identity.book import Book, Held, Known
from stream.core.identity.composition import Composition, compose, merged_into
from stream.core.identity.contacts import is_link
from stream.core.identity.explanation import Explanation, Reason, explain
from stream.core.identity.operators import SOURCE
from stream.core.identity.prediction import Claims, Move, predict, resting_on, visit_of, with_claim, without_claims


class Predicted(NamedTuple):
    """What would move below the node ``top``, of how much that was looked at."""

    top: str
    identifiers: int
    records: int
    moves: list[Move]


async def explained_touch(audit: Audit, touch_id: str) -> Explanation:
    """Whose a touch is and why. Raises: Refused if there is none of that id."""
    touch = await audit.touch(touch_id)
    if touch is None:
        raise Refused(404, "no_touch", "there is no touch of that id (v_touches)")
    book = Book(_flat(await audit.upwards([touch.node])), audit.rules)
    visit = visit_of(book, touch.node, touch.at, touch.account, touch.person)
    return explain(book, touch.node, touch.at, *visit)


async def explained(audit: Audit, name: str, at: int | None, now: int) -> Explanation:
    """Whose a node is at ``at`` (ms; None: ``now``) and why; of a visitor in the session of that time, if there is one."""
    book = Book(_flat(await audit.upwards([name])), audit.rules)
    visit = ("", "")
    if at is not None and kind(name) == VISITOR:
        session = await audit.session_at(name, at)
        visit = visit_of(book, name, at, *session) if session else visit
    return explain(book, name, now if at is None else at, *visit)


async def composed(audit: Audit, account: str, at: int) -> tuple[Composition, Family]:
    """What an account (a node) is made of at ``at`` (ms)."""
    merges = Book(await audit.merges(), audit.rules)
    together = merged_into(merges, account)
    words = await words_of(audit, together)
    family = await family_of(audit, merges, account, words)
    family.direct = await named_directly(audit, together)
    named = await named_for(audit, together, words)
    book = Book(_flat(await audit.upwards([account, *named.domains])), audit.rules)
    return compose(book, account, named, at), family


def causes(found: Explanation) -> list[str]:
    """The events behind an explanation."""
    return _causes(reason for edge in found.edges for reason in (edge.reason, *edge.lost)) + [
        claim.cause for claim in found.taken_back
    ]


def causes_of(found: Composition, family: Family) -> list[str]:
    """The events behind what an account is made of."""
    named = (reason for domain in found.domains for reason in (*domain.claims, domain.instead) if reason is not None)
    return [*_causes(named), *_causes(merge.reason for merge in found.merges), family.parent_event]


def _causes(reasons: Iterable[Reason]) -> list[str]:
    return [reason.claim.cause for reason in reasons if reason.claim is not None]


async def predicted(audit: Audit, wanted: Preview, teller: Teller) -> Predicted:
    """What would move if ``wanted`` were said. Raises: Refused, Unfit, TooMany."""
    top, change = await _change(audit, wanted, teller)
    names = await audit.downwards(top)
    known = await audit.upwards(names)
    after = change(known)
    new = [c.held.parent for claims in after.values() for c in claims if c.live and c.held.parent not in known]
    after |= {n: c for n, c in (await audit.upwards(new)).items() if n not in after}
    before = Book(_flat(known), audit.rules)
    records = await audit.records(names, before)
    credit = await audit.credits([record.id for record in records if not record.is_conversion])
    would_be = Book(_flat(after), audit.rules)
    moves = await asyncio.to_thread(predict, before, would_be, records, credit)
    return Predicted(top, len(names), len(records), moves)


async def _change(audit: Audit, wanted: Preview, teller: Teller) -> tuple[str, Callable[[Claims], Claims]]:
    """The node below which something could move, and what would become of the claims."""
    rules = audit.rules
    if sum(part is not None for part in msgspec.structs.astuple(wanted)) != 1:
        raise Unfit("exactly one of link, unlink, merge, unmerge")
    if wanted.link is not None:
        order = link_of(wanted.link, teller, rules)
        claim = _claim(order, order.event.node)
        return claim.node, lambda known: with_claim(known, claim)
    if wanted.merge is not None:
        order = merge_of(wanted.merge, teller, rules)
        merge = _claim(order, f"{audit.tenant}/{order.words.loser}")
        return merge.node, lambda known: with_claim(known, merge)
    if wanted.unlink is not None:
        gone = await unlinked(audit, wanted.unlink)
    else:
        assert wanted.unmerge is not None, "one of the four is given"
        gone = await unmerged(audit, wanted.unmerge)
    # What the CRM says of a contact goes for its address as well, so more than what is below the contact may move.
    resting = resting_on(await _around(audit, gone[0]), gone)
    top = gone[0].held.parent if resting else gone[0].node
    return top, lambda known: without_claims(known, gone)


async def _around(audit: Audit, gone: Known) -> Claims:
    """Claims of the node and above it; if it is a user who has an address, those of everybody who has that, too.

    A contact may have it through another one, which is not above it.
    """
    known = await audit.upwards([gone.node])
    if kind(gone.node) == USER and is_link(gone.held):
        known = await audit.below([gone.held.parent]) | known
    return known


def _claim(order: Order, name: str) -> Known:
    words = order.words
    since = BEGINNING if words.since is None else words.since
    parent = f"{order.event.tenant}/{words.parent}"
    held = Held(parent, precedence.OPERATOR, order.event.at, since, words.until, SOURCE)
    return Known(name, order.claim, held)


def _flat(known: Claims) -> list[Known]:
    return [claim for claims in known.values() for claim in claims]
