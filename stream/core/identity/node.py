"""Where a node of the forest lies in the partition's state, and how much it may have. What it remembers: ``stream.core.nodes``.

It lies in the record of its name (``stream.core.seen``), which its own events read anyway.
"""

from collections.abc import Iterable
from typing import Final

from schemas.ids import ACTIVITY, LEVEL, OPPORTUNITY, VISITOR, kind
from schemas.messages import Claim
from stream.core.identity.precedence import OPERATOR
from stream.core.nodes import NodeState
from stream.core.seen import Seen
from stream.core.state import State

NEVER_PARENTS: Final = frozenset({VISITOR, OPPORTUNITY, ACTIVITY})
"""Nobody can belong to them, so nobody has to be told."""
_OBJECTS: Final = frozenset({OPPORTUNITY, ACTIVITY})
MOST_USERS: Final = 500
"""Users of one visitor. More share a program's constant, not a device."""
MOST_IDS: Final = 1000
"""Visitors and users that belong to one user or address. More share a program's constant, not a person."""
MOST_DOMAINS: Final = 5
"""Work domains among the addresses of one user. More is a login that companies share, not a person."""
MOST_CLAIMS: Final = 1000
"""Different claims that were ever made at one node. Beyond it somebody sends noise, and every further one would cost more."""


def node_of(state: State, name: str) -> NodeState | None:
    """The node's state, None before the first contact. It is the live one, as ``State.get`` gives it."""
    record = state.get("x\x00" + name, Seen)
    return None if record is None else record.node


def keep_node(state: State, name: str, node: NodeState) -> None:
    """Store the node's state."""
    place = "x\x00" + name
    record = state.get(place, Seen)
    if record is None:
        record = Seen()
    record.node = node
    state.put(place, record)


def level(name: str) -> int:
    """Level of the node's kind, -1 if ``name`` is not a node that can take part in claims."""
    begin = name.find("/") + 1
    return LEVEL.get(name[begin], -1) if begin and name[begin + 1 : begin + 2] == ":" else -1


def acceptable(claim: Claim) -> bool:
    """Whether a claim points upward, within one tenant (forest rule 6)."""
    low, high = level(claim.to), level(claim.parent)
    return 0 <= low < high and claim.to.partition("/")[0] == claim.parent.partition("/")[0]


def person_kind(name: str) -> bool:
    """Whether the node is a user or an address: what person links point at."""
    return name[name.index("/") + 1] in "ue"


def too_large(name: str, state: NodeState) -> bool:
    """Whether it has too much. Ids ever seen only grow in number, so the order does not count."""
    if len(state.links) > MOST_USERS:
        return True
    if len(state.claims) + len(state.retracted) <= MOST_CLAIMS:
        return False
    return statements(name, (*state.claims, *state.retracted)) > MOST_CLAIMS


def statements(name: str, claim_ids: Iterable[str]) -> int:
    """How many different things were ever said of the node.

    Of an opportunity or activity without what the CRM says of it: that is two claims at most, and what it said on the way there
    depends on the order in which the versions came.
    """
    everything = kind(name) not in _OBJECTS
    return len({statement(i) for i in claim_ids if everything or statement(i) == i})


def statement(claim_id: str) -> str:
    """What a claim says, by its id: without the number by which claims of the CRM are told from those that they replace.

    How many of those there were depends on the order in which an object's versions came: newest first, each takes the
    claim of the one before it back.

    >>> statement("crm.contact default/a:A1" + chr(0) + "00000007")
    'crm.contact default/a:A1'
    """
    return claim_id.partition("\x00")[0]


def taken_back(state: NodeState, claim_id: str) -> bool:
    """Whether the claim never counts again: it was retracted, or what it says was, whichever version of an object says it."""
    return claim_id in state.retracted or statement(claim_id) in state.retracted


def become_crowd(state: NodeState) -> None:
    """From now on nobody but an operator can say whose it is."""
    state.crowd = True
    state.links = {}
    state.companies = {}
    state.claims = {i: held for i, held in state.claims.items() if held.precedence >= OPERATOR}
