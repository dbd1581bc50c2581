"""What a node of the forest remembers, and where it lies in the partition's state.

A hub (an account, a big domain) may have 100,000 subscribers, so they are keys of their own: the node itself stays
small and is never encoded as one blob with them.
"""

from typing import Final

import msgspec

from schemas.ids import LEVEL, OPPORTUNITY, VISITOR
from schemas.messages import Claim, Resolution
from stream.core.identity.precedence import OPERATOR
from stream.core.state import key

NEVER_PARENTS: Final = frozenset({VISITOR, OPPORTUNITY})
"""Nobody can belong to them, so nobody has to be told."""
MOST_USERS: Final = 500
"""Users of one visitor. More share a program's constant, not a device."""
MOST_IDS: Final = 1000
"""Visitors and users that belong to one user or address. More share a program's constant, not a person."""
MOST_DOMAINS: Final = 5
"""Work domains among the addresses of one user. More is a login that companies share, not a person."""
MOST_CLAIMS: Final = 1000
"""Claims that were ever made at one node. Beyond it somebody sends noise, and every further one would cost more."""


class Held(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A live claim: the node belongs to ``parent`` during ``[since, until)`` (ms; no end if None)."""

    parent: str
    precedence: int
    at: int
    since: int
    until: int | None
    source: str

    def holds_ever(self) -> bool:
        """Whether its interval is not empty."""
        return self.until is None or self.since < self.until

    def content(self) -> tuple[str, int, int, int, bool, int, str]:
        """Total order of contents: of two claims with one id the smaller one counts, whichever came first."""
        until = 0 if self.until is None else self.until
        return self.parent, self.precedence, self.at, self.since, self.until is not None, until, self.source


class NodeState(msgspec.Struct, array_like=True, gc=False):
    """One identity node. Append fields at the end only: old states are read by position.

    Dictionaries, not sets: their order is part of the state, so that a replay sends in the same order (forest rule 18).
    """

    claims: dict[str, Held] = msgspec.field(default_factory=dict)
    """Live claims by id."""
    retracted: dict[str, bool] = msgspec.field(default_factory=dict)
    """Ids that never count again, also those whose claim has not come yet."""
    links: dict[str, int] = msgspec.field(default_factory=dict)
    """Visitors: user (or email) node -> how many sessions have claims for it."""
    said: dict[str, int] = msgspec.field(default_factory=dict)
    """Entry nodes: claim told to another node -> the earliest event time told, so that repeats send nothing."""
    parents: dict[str, Resolution | None] = msgspec.field(default_factory=dict)
    """Who the node is subscribed to, with the last answer; None until the first one."""
    resolution: Resolution | None = None
    """What it publishes; None until every parent has answered once. Visitors: for sessions without a user."""
    only: str = ""
    """Visitors: the single node that all links and person claims name; "" if there are several or none."""
    root: str = ""
    """Accounts: where the registry says they are found now; "" for themselves."""
    waiting: int = 0
    """Parents that have not answered: the gate is shut while it is above 0 (forest rule 11)."""
    telling: str | None = None
    """Fan-out: state key of the next subscriber to tell ("" = the first); None when all know."""
    settling: str | None = None
    """Where ``settle`` goes on with the node's own records ("" = the first); None when all are settled."""
    token: bool = False
    """A token is on the log: it will continue both cursors."""
    crowd: bool = False
    """Too many users or claims: for good, nobody but an operator can say whose it is."""
    entry: bool = False
    """Events of its own came in by it."""
    orphan: bool = False
    """Its row says that nothing refers to it: no events of its own, no claims, no subscribers."""

    companies: dict[str, int] = msgspec.field(default_factory=dict)
    """Visitors: domain node of a company -> how many sessions came from its network."""
    children: int = 0
    """Users and addresses: visitors and users that are subscribed now."""
    sold: int = 0
    """People: conversions of theirs that are on no account. With any the person is a journey of its own."""

    def too_large(self) -> bool:
        """Whether it has too much. Ids ever seen only grow in number, so the order does not count."""
        return len(self.links) > MOST_USERS or len(self.claims) + len(self.retracted) > MOST_CLAIMS

    def become_crowd(self) -> None:
        """From now on nobody but an operator can say whose it is."""
        self.crowd = True
        self.links = {}
        self.companies = {}
        self.claims = {i: held for i, held in self.claims.items() if held.precedence >= OPERATOR}


class Subscriber(msgspec.Struct, array_like=True, gc=False):
    """One child that hears when the node's resolution changes. All there is to know is in the key."""


def node_key(name: str) -> str:
    """State key of a node."""
    return "n\x00" + name


def subscriber_key(name: str, child: str) -> str:
    """State key of a subscriber; with child "" the prefix of all of them."""
    return key("s", name, child)


def level(name: str) -> int:
    """Level of the node's kind, -1 if ``name`` is not a node that can take part in claims."""
    _, slash, rest = name.partition("/")
    return LEVEL.get(rest[0], -1) if slash and rest[1:2] == ":" else -1


def acceptable(claim: Claim) -> bool:
    """Whether a claim points upward, within one tenant (forest rule 6)."""
    low, high = level(claim.to), level(claim.parent)
    return 0 <= low < high and claim.to.partition("/")[0] == claim.parent.partition("/")[0]


def person_kind(name: str) -> bool:
    """Whether the node is a user or an address: what person links point at."""
    return name[name.index("/") + 1] in "ue"
