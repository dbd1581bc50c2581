"""Why something belongs to whom: the edges from a node to its account, with what decided each and what lost against it.

A pure function of a ``Book``. The order is that of the way up: first who the person is, then where the account is.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas import event as kinds
from schemas.ids import ACCOUNT, kind
from stream.core.identity import precedence
from stream.core.identity.audit import NETWORK, SESSION
from stream.core.identity.book import Book, Known
from stream.core.identity.node import person_kind
from stream.core.identity.protection import Protection, protections
from stream.core.identity.resolution import Candidate, Decider
from stream.core.identity.timeline import value_at
from stream.core.nodes import Held

PERSON = "person"
"""The edge says who it is."""
WHERE = "account"
"""The edge says where it belongs."""
MOST_SHOWN: Final = 50
"""Of a kind, in one answer: an identifier may have a thousand claims, and nobody reads them all."""


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """What says that one belongs to another. Times in ms; None: always, for good."""

    parent: str
    source: str
    rank: int
    account: str = ""
    """Account that it leads to."""
    claim: Known | None = None
    """None: the rule for what nobody claimed (a work address belongs to its domain)."""
    note: str = ""
    """Why it lost."""


class Edge(msgspec.Struct, frozen=True):
    """One step of the way up."""

    node: str
    role: str
    reason: Reason
    lost: list[Reason]
    """The strongest first, at most ``MOST_SHOWN``."""
    more_lost: int = 0
    """Those that are left out."""


class Explanation(msgspec.Struct, frozen=True):
    """Whose ``node`` is at ``at``, and why."""

    node: str
    at: int
    via: str
    """User of the session that was asked about, "" if it has none or there is none."""
    account: str
    person: str
    rank: int
    source: str
    edges: list[Edge]
    taken_back: list[Known]
    """Claims on the way that no longer count, the newest first, at most ``MOST_SHOWN``."""
    more_taken_back: int
    """Those that are left out."""
    protections: list[Protection]
    """Protecting rules that hold for nodes on the way."""


def explain(book: Book, name: str, at: int, via: str = "", company: str = "") -> Explanation:
    """Why ``name`` belongs to whom at ``at`` (ms).

    Args:
        book: closed upwards from ``name``.
        name: the node.
        at: ms.
        via: visitors: the user of the session in question.
        company: visitors: the domain node of the company whose network that session came from.
    """
    decision = book.decision(name, at, via, company)
    edges = list(_edges(book, name, at, via, account=True))
    if decision.source == NETWORK:
        held = next(k.held for k in book.known[name] if k.is_network and k.held.parent == company)
        edges.append(Edge(name, WHERE, _reason(book, book.decider(name), company, held, NETWORK), []))
        edges += _edges(book, company, at, "", account=True)
    way = dict.fromkeys([name, *(edge.node for edge in edges), *(edge.reason.parent for edge in edges)])
    gone = [known for node in way for known in book.known.get(node, ()) if not known.live]
    gone.sort(key=lambda known: known.recorded_at, reverse=True)
    rules = [rule for node in way for rule in protections(book, node, via if node == name else "")]
    owner = decision.owner
    return Explanation(
        name,
        at,
        via,
        owner.account,
        owner.person,
        owner.rank,
        decision.source,
        edges,
        gone[:MOST_SHOWN],
        len(gone[MOST_SHOWN:]),
        rules,
    )


def _edges(book: Book, name: str, at: int, via: str, *, account: bool) -> Iterator[Edge]:
    decider = book.decider(name)
    if kind(name) == ACCOUNT:
        yield from _merges(book, name)
        return
    candidates = decider.candidates(at, via)
    winner = max(candidates, key=lambda c: c.rank, default=None)  # the first of equals, as the decider takes it
    person, source = decider.link_at(at, via)
    if person:
        held = value_at(decider.links, at)
        reason = _reason(book, decider, person, held, source)
        yield _edge(name, PERSON, reason, _weaker(book, decider, at, held, person=True))
        yield from _edges(book, person, at, "", account=account and winner is not None and winner.parent == person)
    if account and winner is not None and winner.parent != person:
        yield _edge(name, WHERE, _chosen(book, decider, at, winner), _losers(book, decider, at, winner, candidates))
        yield from _edges(book, winner.parent, at, "", account=True)


def _edge(node: str, role: str, reason: Reason, lost: list[Reason]) -> Edge:
    return Edge(node, role, reason, lost[:MOST_SHOWN], len(lost[MOST_SHOWN:]))


def _chosen(book: Book, decider: Decider, at: int, winner: Candidate) -> Reason:
    own = value_at(decider.owns, at)
    held = own if own is not None and winner.parent == own.parent else None
    return _reason(book, decider, winner.parent, held, winner.source, account=winner.account, rank=winner.rank)


def _losers(book: Book, decider: Decider, at: int, winner: Candidate, candidates: list[Candidate]) -> list[Reason]:
    own = value_at(decider.owns, at)
    lost = [
        msgspec.structs.replace(_chosen(book, decider, at, found), note=f"rank {found.rank} is not above {winner.rank}")
        for found in candidates
        if found is not winner
    ]
    return lost + _weaker(book, decider, at, own, person=False)


def _weaker(book: Book, decider: Decider, at: int, held: Held | None, *, person: bool) -> list[Reason]:
    """Live claims of one family that hold at ``at`` and are not the one that decides."""
    found = [
        known
        for known in book.known.get(decider.name, ())
        if known.live
        and known.held is not held
        and not known.is_no_claim
        and person_kind(known.held.parent) == person
        and known.held.since <= at
        and (known.held.until is None or at < known.held.until)
    ]
    strongest_first = sorted(found, key=lambda k: (-k.held.precedence, -k.held.at, k.id))
    return [
        Reason(k.held.parent, k.held.source, k.held.precedence, claim=k, note=why_weaker(k.held, held))
        for k in strongest_first
    ]


def why_weaker(lost: Held, won: Held | None) -> str:
    """Why the claim ``won`` (None: something that is no claim) decides, and not ``lost``, which holds then, too."""
    if won is None or lost.precedence < won.precedence:
        rank = precedence.LINK if won is None else won.precedence
        return f"rank {lost.precedence} is not above {rank}"
    if lost.at == won.at:
        return "the same rank and time, and a smaller id"
    # Of domains the account that named it first keeps it: their times are negative (``crm``).
    return "the same rank, and later" if lost.source == kinds.CRM_ACCOUNT else "the same rank, and earlier"


def _merges(book: Book, name: str) -> Iterator[Edge]:
    root = book.decider(name).state.root
    while name in book.merged:
        live = [known for known in book.known.get(name, ()) if known.live and known.is_merge]
        counts = next(known for known in live if known.id == book.merged[name])
        lost = [
            Reason(k.held.parent, k.held.source, k.held.precedence, claim=k, note=book.refusal(k))
            for k in live
            if k is not counts
        ]
        yield _edge(name, WHERE, Reason(counts.held.parent, "merge", counts.held.precedence, root, counts), lost)
        name = counts.held.parent


def _reason(
    book: Book, decider: Decider, parent: str, held: Held | None, source: str, *, account: str = "", rank: int = -1
) -> Reason:
    known = _known(book, decider, parent, held)
    if known is None:
        return Reason(parent, source, max(rank, 0), account)
    return Reason(parent, known.held.source, rank if rank >= 0 else known.held.precedence, account, known)


def _known(book: Book, decider: Decider, parent: str, held: Held | None) -> Known | None:
    mine = [known for known in book.known.get(decider.name, ()) if known.live]
    if held is not None:
        return next((known for known in mine if known.held is held), None)
    # Sessions, and ordinary claims of a visitor, count together: the earliest of them stands for all.
    named = [known for known in mine if known.held.parent == parent and person_kind(parent)]
    return min(named, key=lambda k: (k.held.source != SESSION, k.recorded_at), default=None)
