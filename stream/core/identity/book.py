"""The forest without messages: whose everything is, worked out at once from the claims that the audit has.

For questions about the present and about what would be if (``explanation``, ``prediction``). The deciding is done by the
forest's own ``Decider``, so precedence is written once.

    >>> from schemas.rules import Rules
    >>> held = Held("t/a:acme", 60, 5, BEGINNING, None, "group")
    >>> book = Book([Known("t/u:7", "group t/a:acme", held)], Rules())
    >>> book.decision("t/u:7", at=9).owner.account
    't/a:acme'
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.ids import ACCOUNT, VISITOR, kind
from schemas.messages import BEGINNING, Resolution
from schemas.rules import Rules
from stream.core.identity import registry
from stream.core.identity.audit import LIMIT, NETWORK, SESSION
from stream.core.identity.node import MOST_IDS
from stream.core.identity.resolution import Decider, Decision, linked
from stream.core.nodes import Held, NodeState

TOO_MANY_MERGED: Final = f"more than {registry.MOST_MERGED} accounts would be one"

__all__ = ("BEGINNING", "Book", "Held", "Known")


class Known(msgspec.Struct, frozen=True):
    """A claim as the audit has it; the names are full ones, with their tenant."""

    node: str
    id: str
    held: Held
    live: bool = True
    recorded_at: int = 0
    """ms, when it became known."""
    cause: str = ""
    """Event that made it."""
    limited: bool = False
    """It no longer counts because its node had too many of them."""

    @property
    def is_session(self) -> bool:
        """Whether it stands for what sessions say of a visitor."""
        return self.held.source == SESSION and kind(self.node) == VISITOR

    @property
    def is_network(self) -> bool:
        """Whether it stands for the network of a visit."""
        return self.held.source == NETWORK and kind(self.node) == VISITOR

    @property
    def is_no_claim(self) -> bool:
        """Whether it stands for something else that decides: sessions, networks, limits."""
        return self.is_session or self.is_network or self.held.source == LIMIT

    @property
    def is_merge(self) -> bool:
        """Only merges lead from an account to an account."""
        return kind(self.node) == ACCOUNT


class Book:
    """A set of claims that is closed upwards: with a claim it has those of the claim's parent. Live ones decide."""

    def __init__(self, known: Iterable[Known], rules: Rules) -> None:
        self.rules = rules
        self.known: dict[str, list[Known]] = {}
        merges: dict[str, registry.HeldMerge] = {}
        for claim in known:
            self.known.setdefault(claim.node, []).append(claim)
            if claim.is_merge and claim.live:
                held = claim.held
                merges[claim.id] = registry.HeldMerge(claim.node, held.parent, held.precedence, held.at)
        self.merged = registry.accepted(merges)
        """Account -> id of the merge that counts for it."""
        self._roots = registry.roots(merges)
        self._deciders: dict[str, Decider] = {}

    def refusal(self, merge: Known) -> str:
        """Why a merge that nobody took back does not count; "" if it does."""
        counts = self.merged.get(merge.node, "")
        if counts:
            return "" if counts == merge.id else "another merge of it is stronger"
        if self._roots.get(merge.held.parent) == merge.node:
            return "it would close a circle"
        return TOO_MANY_MERGED

    def decider(self, name: str) -> Decider:
        """The node's claims, with the answers of everybody that it could belong to."""
        known = self._deciders.get(name)
        if known is not None:
            return known
        live = [claim for claim in self.known.get(name, ()) if claim.live and not claim.is_merge]
        state = NodeState(
            claims={claim.id: claim.held for claim in live if not claim.is_no_claim},
            children=MOST_IDS + 1 if any(claim.held.source == LIMIT for claim in live) else 0,
            companies={claim.held.parent: 1 for claim in live if claim.is_network},
            links={claim.held.parent: 1 for claim in live if claim.is_session},
            root=self._roots.get(name, ""),
        )
        if kind(name) == VISITOR:
            named = linked(state)
            state.only = next(iter(named)) if len(named) == 1 else ""
        decider = self._deciders[name] = Decider(name, state, self.rules)
        for parent in decider.parents():
            state.parents[parent] = self.resolution(parent)
        return decider

    def resolution(self, name: str) -> Resolution:
        """Whose the node is, over time (of a visitor: without a user of its session)."""
        return self.decider(name).resolution()

    def decision(self, name: str, at: int, via: str = "", company: str = "") -> Decision:
        """Whose the node is at ``at``; of a visitor's session ``via`` is the user and ``company`` that of the network."""
        decider = self.decider(name)
        found = decider.at(at, via)
        if company and not found.owner.account:
            owner = decider.visit(at, company, found.owner)
            return Decision(owner, NETWORK) if owner.account else found
        return found

    def visits(self, name: str) -> list[tuple[str, str]]:
        """All (user, company) that a record of the node can have; the plainest first."""
        companies = ["", *sorted(self.decider(name).state.companies)]
        return [(via, company) for company in companies for via in ("", *self.sessions_users(name))]

    def sessions_users(self, name: str) -> list[str]:
        """Users that a visitor's sessions name, sorted."""
        return sorted(self.decider(name).state.links)
