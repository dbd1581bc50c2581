"""Whose a node is: the pure function from its claims and its parents' answers to account, rank and person.

Account and person are resolved separately (docs/adr/0001): a user may have an address (who it is) and a group account
(where it belongs), and both count.
"""

from typing import Final

import msgspec

from schemas.ids import ACCOUNT, DOMAIN, EMAIL, USER, VISITOR, kind, node, tenant, value
from schemas.messages import BEGINNING, Owner, Resolution
from schemas.rules import Rules
from stream.core.identity import precedence
from stream.core.identity.domains import domain_owns, is_role_address, journey_node, work_domain
from stream.core.identity.node import MOST_DOMAINS, MOST_IDS, person_kind
from stream.core.identity.timeline import Steps, canonical, strongest, value_at
from stream.core.nodes import Held, NodeState

NOBODY: Final = Owner()
NO_CLAIM: Final[Steps[Held | None]] = ((BEGINNING, None),)


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The owner at one moment, and the source of the claim that decided it (for the audit)."""

    owner: Owner
    source: str


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An account that a node could belong to at one moment, and through whom."""

    account: str
    rank: int
    source: str
    parent: str = ""
    """The node whose account it is; "" if it is the node's own default."""


class Decider:
    """A node's claims, made ready for look-ups at many times."""

    __slots__ = ("domain", "kind", "links", "name", "owns", "rules", "shared", "state")

    def __init__(self, name: str, state: NodeState, rules: Rules) -> None:
        self.name = name
        self.state = state
        self.rules = rules
        self.kind = kind(name)
        self.shared = is_shared(self.kind, state)
        self.domain = "" if self.shared else work_domain_node(name)
        self.links: Steps[Held | None] = NO_CLAIM
        self.owns: Steps[Held | None] = NO_CLAIM
        if state.claims:
            self._weigh(state)

    def _weigh(self, state: NodeState) -> None:
        # A visitor's ordinary person claims count like the links of its sessions; only stronger ones override those.
        floor = precedence.LINK if self.kind == VISITOR else -1
        if self.shared:
            floor = precedence.OPERATOR - 1
        least = precedence.OPERATOR if self.shared else 0
        links: list[tuple[str, Held]] = []
        owns: list[tuple[str, Held]] = []
        for claim_id, held in state.claims.items():
            if person_kind(held.parent):
                if held.precedence > floor:
                    links.append((claim_id, held))
            elif held.precedence >= least:
                owns.append((claim_id, held))
        if links:
            self.links = strongest(links)
        if owns:
            self.owns = strongest(owns)

    def parents(self) -> list[str]:
        """Nodes to subscribe to, sorted."""
        wanted = {held.parent for steps in (self.links, self.owns) for _, held in steps if held is not None}
        if self.domain:
            wanted.add(self.domain)
        if self.kind == VISITOR:
            wanted |= linked(self.state) | set(self.state.companies)
        return sorted(wanted)

    def resolution(self) -> Resolution:
        """The whole step function (for a visitor: of its sessions without a user)."""
        if len(self.links) == len(self.owns) == 1 and all(map(_is_constant, self.state.parents.values())):
            return ((BEGINNING, self.at(BEGINNING).owner),)
        cuts = {start for steps in (self.links, self.owns) for start, _ in steps}
        for answer in self.state.parents.values():
            if answer is not None and len(answer) > 1:
                cuts.update(start for start, _ in answer)
        return canonical((cut, self.at(cut).owner) for cut in sorted(cuts))

    def at(self, at: int, via: str = "") -> Decision:
        """The owner at ``at`` (ms); ``via`` is the user node of a visitor's session, "" if it has none."""
        parent, source = self.link_at(at, via)
        link = self._answer(parent, at) if parent else NOBODY
        account = self._account(at, link, source, parent)
        return Decision(Owner(account.account, max(account.rank, 0), link.person or self._itself()), account.source)

    def visit(self, at: int, company: str, owner: Owner) -> Owner:
        """The owner of a visit from the network of ``company`` (its domain node) that is nobody's; the person stays."""
        account = self._answer(company, at).account if company in self.state.companies else ""
        return Owner(account, precedence.NETWORK, owner.person) if account else owner

    def link_at(self, at: int, via: str = "") -> tuple[str, str]:
        """The person that the node belongs to at ``at``, and the source that says so."""
        stated = None if self.links is NO_CLAIM else value_at(self.links, at)
        return (stated.parent, stated.source) if stated is not None else (via or self.state.only, "identify")

    def candidates(self, at: int, via: str = "") -> list[Candidate]:
        """All accounts that come into question at ``at``: the first one with the highest rank is it."""
        parent, source = self.link_at(at, via)
        return self._candidates(at, self._answer(parent, at) if parent else NOBODY, source, parent)

    def _account(self, at: int, link: Owner, link_source: str, parent: str) -> Candidate:
        best: Candidate | None = None
        for found in self._candidates(at, link, link_source, parent):
            if best is None or found.rank > best.rank:
                best = found
        if best is not None:
            return best
        if self.kind == DOMAIN and not domain_owns(value(self.name), self.rules):
            return Candidate("", 0, "")
        source = link_source if link is not NOBODY else ""
        if self.state.sold > 0 and not link.person and self._itself():
            return Candidate(self.name, precedence.BUYER, "conversion")
        return self._default(source)

    def _candidates(self, at: int, link: Owner, link_source: str, parent: str) -> list[Candidate]:
        """Of equal rank the own claim's comes before the link's, and that before the domain's."""
        found: list[Candidate] = []
        if self.kind == DOMAIN and not domain_owns(value(self.name), self.rules):
            return found
        own = None if self.owns is NO_CLAIM else value_at(self.owns, at)
        if own is not None:
            account = self._answer(own.parent, at).account
            if account:
                found.append(Candidate(account, own.precedence, own.source, own.parent))
        if link.account:
            found.append(Candidate(link.account, link.rank, link_source, parent))
        if self.domain:
            default = self._answer(self.domain, at)
            if default.account:
                found.append(Candidate(default.account, default.rank, "domain", self.domain))
        return found

    def _default(self, source: str) -> Candidate:
        if self.kind == DOMAIN:
            return Candidate(self.name, precedence.DOMAIN, "domain")
        if self.kind == ACCOUNT:
            root = self.state.root
            return Candidate(journey_node(root or self.name), precedence.ITSELF, "merge" if root else "account")
        return Candidate("", 0, source)

    def _itself(self) -> str:
        """The node as a person, "" if it cannot be one."""
        if self.shared:
            return ""
        if self.kind == EMAIL:
            return "" if is_role_address(value(self.name)) else self.name
        return self.name if self.kind in {USER, VISITOR} else ""

    def _answer(self, parent: str, at: int) -> Owner:
        answer = self.state.parents.get(parent)
        if answer is None:
            return NOBODY
        return answer[0][1] if len(answer) == 1 else value_at(answer, at)


def _is_constant(answer: Resolution | None) -> bool:
    return answer is not None and len(answer) == 1


def is_shared(letter: str, state: NodeState) -> bool:
    """Whether so many belong to a user or address, or it to so many companies, that it is nobody.

    It depends on what is claimed now, not on what came first: who takes claims back makes it a person again.
    """
    if letter not in {USER, EMAIL}:
        return False
    if state.children > MOST_IDS:
        return True
    if letter == EMAIL or len(state.claims) <= MOST_DOMAINS:
        return False
    addresses = {
        work_domain(value(held.parent))
        for held in state.claims.values()
        if kind(held.parent) == EMAIL and held.precedence < precedence.CRM and held.holds_ever()
    }
    return len(addresses - {""}) > MOST_DOMAINS


def work_domain_node(name: str) -> str:
    """The domain node that an email node belongs to by default; "" for freemail and for other kinds."""
    if kind(name) != EMAIL:
        return ""
    domain = work_domain(value(name))
    return node(tenant(name), DOMAIN, domain) if domain else ""


def linked(state: NodeState) -> set[str]:
    """All nodes that a visitor's sessions and ordinary person claims name. Order does not count: sort before sending.

    An operator's link is not among them: it says what it says, for its time, and nothing is guessed from it.
    """
    explicit = {
        h.parent
        for h in state.claims.values()
        if h.holds_ever() and person_kind(h.parent) and h.precedence < precedence.OPERATOR
    }
    return explicit | {user for user, sessions in state.links.items() if sessions}


def first_resolution(name: str) -> Resolution:
    """What a visitor, user, opportunity or activity resolves to that nobody has said anything about."""
    return ((BEGINNING, Owner("", 0, name if kind(name) in {VISITOR, USER} else "")),)
