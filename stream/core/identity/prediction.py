"""What would move if an operator said something: the same deciding over the claims as they are and as they would be.

A pure function: nothing is booked. ``Record`` is a touch or conversion as it is now; what comes out says from which
account to which how many would move, and the credit that is booked on them.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal

import msgspec

from schemas import event as kinds
from schemas.ids import USER, account_id, kind, value
from stream.core.identity.book import Book, Known
from stream.core.identity.contacts import MERGED, is_link
from stream.core.identity.node import statement


class Record(msgspec.Struct, frozen=True):
    """A touch or a conversion, and to whom it belongs now (as tables write it)."""

    id: str
    node: str
    at: int
    account: str
    person: str
    is_conversion: bool = False


class Credit(msgspec.Struct, frozen=True):
    """What one model booked on a touch."""

    touch: str
    model: str
    currency: str
    credit: Decimal
    amount: Decimal


class Amount(msgspec.Struct):
    """Credit of one model in one currency."""

    model: str
    currency: str
    credit: Decimal
    amount: Decimal


class Move(msgspec.Struct):
    """What would go from one account to another; "" is nobody."""

    source: str
    target: str
    touches: int = 0
    conversions: int = 0
    people: int = 0
    """Touches and conversions that stay on their account but get another person."""
    credits: list[Amount] = []


Claims = dict[str, list[Known]]
"""Claims by node."""


def with_claim(known: Claims, claim: Known) -> Claims:
    """The claims as they would be with one more."""
    return known | {claim.node: [*known.get(claim.node, []), claim]}


def without_claims(known: Claims, gone: Iterable[Known]) -> Claims:
    """The claims as they would be if an operator took some back: without those that say the same, and what rests on them."""
    taken = saying_the_same(known, gone)
    names = {(claim.node, claim.id) for claim in (*taken, *resting_on(known, taken))}
    return {
        node: [msgspec.structs.replace(c, live=False) if (c.node, c.id) in names else c for c in claims]
        for node, claims in known.items()
    }


def saying_the_same(known: Claims, gone: Iterable[Known]) -> list[Known]:
    """The live claims that an operator takes back with the claims ``gone``, and those: all of their statements.

    A CRM contact has one for each time that it was with an account.
    """
    said = {(claim.node, statement(claim.id)) for claim in gone}
    return [
        claim
        for node in sorted({node for node, _ in said})
        for claim in known.get(node, ())
        if claim.live and not claim.is_no_claim and (node, statement(claim.id)) in said
    ]


def resting_on(known: Claims, gone: Collection[Known]) -> list[Known]:
    """The claims that go with the claims ``gone``, if those said that the user of a contact has an address.

    Args:
        known: claims by node, with all of the users and addresses in question.
        gone: what would be taken back.
    """
    found: list[Known] = []
    taken = {(claim.node, claim.id) for claim in gone}
    wanted = list(gone)
    live = [claim for claims in known.values() for claim in claims if claim.live]
    for claim in wanted:  # grows: contacts that are merged into each other come back to the first one
        user, address = claim.node, claim.held.parent
        if kind(user) != USER or not is_link(claim.held):
            continue
        names = [c for c in live if c.node == user and c.held.parent == address and is_link(c.held)]
        rest = [c for c in names if (c.node, c.id) not in taken]
        if any(c.held.source != MERGED for c in rest):
            continue
        # What an earlier merge brought in goes on by a later one.
        since = min((c.held.at for c in rest), default=None)
        contact, heir = f" {user}\x00", f"{MERGED} {address} {user}\x00"
        inherited = [c for c in live if c.id.startswith(heir) and (since is None or c.held.at <= since)]
        # What holds for the address stays while the contact has it in any way; that it is the latest one goes with its own word.
        company = [
            c
            for c in live
            if c.held.source == kinds.CRM_CONTACT and contact in c.id
            if c.held.parent == address or (c.node == address and not rest)
        ]
        more = [c for c in (*company, *inherited) if (c.node, c.id) not in taken]
        taken.update((c.node, c.id) for c in more)
        found += more
        wanted += [c for c in more if c.held.source == MERGED]
    return found


def visit_of(book: Book, name: str, at: int, account: str, person: str) -> tuple[str, str]:
    """User and network's company of the session in which a visitor's record lies: those through which it is where it is."""
    for via, company in book.visits(name):
        owner = book.decision(name, at, via, company).owner
        if (account_id(owner.account), _value(owner.person)) == (account, person):
            return via, company
    return "", ""


def predict(before: Book, after: Book, records: Iterable[Record], booked: Iterable[Credit]) -> list[Move]:
    """What would move, largest first.

    Args:
        before: the claims as they are, closed upwards from the records' nodes.
        after: the claims as they would be.
        records: what the change could concern.
        booked: credit on the records' touches.
    """
    moves: dict[tuple[str, str], Move] = {}
    moved: dict[str, Move] = {}
    for record in records:
        visit = visit_of(before, record.node, record.at, record.account, record.person)
        was = before.decision(record.node, record.at, *visit).owner
        becomes = after.decision(record.node, record.at, *visit).owner
        if was == becomes or (was.account, was.person) == (becomes.account, becomes.person):
            continue
        ends = (_value(was.account), _value(becomes.account))
        move = moves.setdefault(ends, Move(*ends))
        if was.account == becomes.account:
            move.people += 1
        elif record.is_conversion:
            move.conversions += 1
        else:
            move.touches += 1
            moved[record.id] = move
    for credit in booked:
        if credit.touch in moved:
            _add(moved[credit.touch], credit)
    return sorted(moves.values(), key=lambda m: (-m.touches, -m.conversions, m.source, m.target))


def _add(move: Move, credit: Credit) -> None:
    for amount in move.credits:
        if (amount.model, amount.currency) == (credit.model, credit.currency):
            amount.credit += credit.credit
            amount.amount += credit.amount
            return
    move.credits.append(Amount(credit.model, credit.currency, credit.credit, credit.amount))


def _value(name: str) -> str:
    return value(name) if name else ""
