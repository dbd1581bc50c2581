"""What a node of the identity forest remembers; what it does is in ``stream.core.identity``.

Here, since a visitor's node lies in the visitor's record (``stream.core.seen``), beside what makes its sessions.
"""

import msgspec

from schemas.messages import Resolution


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
    retracted: dict[str, str] = msgspec.field(default_factory=dict)
    """Ids that never count again, also those whose claim has not come yet. One without a number stands for all claims of that
    statement, whatever their number, and has the event that took them back; those with a number have "" (``identity.node``)."""
    links: dict[str, int] = msgspec.field(default_factory=dict)
    """Visitors: user (or email) node -> how many sessions have claims for it; 0 for one that no content that counts names."""
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
    few: dict[str, None] | None = None
    """Who is subscribed to it, while they are few; None if they have keys (``identity.subscribers``), as all had in format 3."""
