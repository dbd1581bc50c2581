"""What a node does with a message: the protocol of the forest.

Every function takes the step, changes the node's state, and lists sends through ``step.tell``. A message carries the
value at the moment of sending, and between two nodes messages stay in order, so no epochs or revisions are needed
(forest rules 9-14). ``handle`` is for messages of the log and of ``step.local`` alike; its caller loops over the latter.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from schemas.ids import ACCOUNT, EMAIL, USER, VISITOR, kind
from schemas.messages import (
    Claim,
    IdentityMessage,
    Resolved,
    Retract,
    Root,
    Sold,
    Subscribe,
    Token,
    Unsubscribe,
)
from stream.core.identity import contacts, registry
from stream.core.identity.audit import Stated, book_claim, book_crowd, book_shared
from stream.core.identity.node import (
    MOST_IDS,
    NEVER_PARENTS,
    acceptable,
    become_crowd,
    keep_node,
    level,
    node_of,
    person_kind,
    statement,
    taken_back,
    too_large,
)
from stream.core.identity.precedence import OPERATOR
from stream.core.identity.resolution import Decider, first_resolution, linked
from stream.core.identity.subscribers import anybody_hears, hears, subscribe, subscriber_key, subscribers, unsubscribe
from stream.core.nodes import Held, NodeState
from stream.core.step import Step

CHUNK: Final = 500
"""Most records settled in one step. 500 take about 3 ms; then others have their turn."""
TOLD: Final = 25
"""Most subscribers told in one step. Each may have dozens of touches, and all of them send those to the same two accounts: the
next ones wait until they have been taken in (``stream.stages.unheard``), so that others' messages to the accounts' partitions
come in between."""

_ALONE: Final = NEVER_PARENTS | {USER}
"""Without claims they belong to nobody, and it needs no more work to know it. Others have a default parent, or are one."""

Settle = Callable[[Step, str, str, int, str], str]
"""``settle(step, node, after, limit, cause)``: give the node's own records to their present owners.

At most ``limit`` records whose key is above ``after`` ("" = from the first one). Returns the ``after`` to go on with,
"" if none are left. It may ask ``owner_of`` but must not call ``link`` or ``observe``.
"""


class Turn(msgspec.Struct, frozen=True, gc=False):
    """How a node works off what it owes: who settles its records, and how much in one step."""

    settle: Settle
    chunk: int
    told: int


class Woken(IdentityMessage, tag="N", frozen=True, gc=False):
    """Within a step only: ``to`` has something to tell or to settle, once its caller is done with its records."""


def handle(
    step: Step, message: IdentityMessage, settle: Settle, *, chunk: int = CHUNK, told: int | None = None
) -> None:
    """Let ``message.to`` take the message in. New messages to this partition's nodes are appended to ``step.local``.

    Args:
        step: of the frame.
        message: one of ``schemas.messages.Identity``.
        settle: see ``Settle``.
        chunk: most records to settle now; the rest waits for a token.
        told: most subscribers to tell now; ``TOLD``, or ``chunk`` if that is less.
    """
    if registry.is_registry(message.to):
        registry.take_in(step, message)
        return
    turn = Turn(settle, chunk, min(TOLD, chunk) if told is None else told)
    if isinstance(message, Subscribe):
        _subscribe(step, message, turn)
    elif isinstance(message, Resolved):
        _resolved(step, message, turn)
    elif isinstance(message, Claim):
        _claim(step, message, turn)
    elif isinstance(message, Unsubscribe):
        _unsubscribe(step, message, turn)
    elif isinstance(message, Retract):
        _retract(step, message, turn)
    elif isinstance(message, Root):
        _root(step, message, turn)
    elif isinstance(message, Sold):
        _sold(step, message, turn)
    elif isinstance(message, Token | Woken):
        _go_on(step, message, turn)


def opened(step: Step, name: str, cause: str) -> NodeState:
    """The node's state; the first contact creates it and asks its default parent (forest rule 9)."""
    state = node_of(step.state, name)
    if state is None and kind(name) in _ALONE:
        state = NodeState(resolution=first_resolution(name), few={})
        step.changed[name] = cause
        keep_node(step.state, name, state)
    elif state is None or state.orphan:
        state = state or NodeState(few={})
        state.orphan = False
        relink(step, name, state, cause)
        # Nobody subscribes to a node, and none but visitors have records, before the first contact.
        state.telling = state.settling = None
        keep_node(step.state, name, state)
    return state


def let_go(step: Step, name: str, state: NodeState, cause: str) -> None:
    """If nothing refers to the node any more, make it as if it had never been contacted. Puts the state if so.

    No events of its own, no claims, no subscribers: whether such a node was ever contacted depends on the order of
    events, so it must show neither in its own row nor in its parents'.
    """
    if state.entry or state.claims or state.sold or state.orphan or kind(name) in NEVER_PARENTS:
        return
    if anybody_hears(step.state, name, state):
        return
    for parent in state.parents:
        step.tell(Unsubscribe(parent, cause, name))
    state.parents = {}
    state.resolution = state.telling = state.settling = None
    state.waiting = 0
    state.orphan = True
    step.changed[name] = cause
    keep_node(step.state, name, state)


def limit_size(step: Step, name: str, state: NodeState, cause: str) -> None:
    """Make the node a crowd if it has too much, and book what no longer counts."""
    if not state.crowd and too_large(name, state):
        book_crowd(step, name, state, cause)
        become_crowd(state)
    elif state.crowd:
        become_crowd(state)


def entered(step: Step, name: str, cause: str) -> None:
    """Note that events come in by the node. Visitors need no such note: nobody can refer to them."""
    if registry.is_registry(name):
        return
    state = opened(step, name, cause)
    if not state.entry:
        state.entry = True
        step.changed[name] = cause
        keep_node(step.state, name, state)


def relink(step: Step, name: str, state: NodeState, cause: str) -> None:
    """Claims or links changed: subscribe to who counts now, leave the others, work out the resolution anew."""
    gated = state.waiting > 0
    if kind(name) == VISITOR:
        named = linked(state)
        state.only = next(iter(named)) if len(named) == 1 else ""
    decider = Decider(name, state, step.rules)
    wanted = decider.parents()
    for parent in wanted:
        if parent not in state.parents:
            state.parents[parent] = None
            step.tell(Subscribe(parent, cause, name))
    kept = set(wanted)
    for parent in [p for p in state.parents if p not in kept]:
        del state.parents[parent]
        step.tell(Unsubscribe(parent, cause, name))
    refresh(step, decider, cause, gated=gated)
    if not state.waiting:
        # Its row says who said so, and that may be another one now though the owner is the same.
        step.changed.setdefault(name, cause)


def refresh(step: Step, decider: Decider, cause: str, *, gated: bool) -> None:
    """Work out the resolution and note what has to hear of it. Nothing while a parent has not answered (forest rule 11).

    Args:
        step: of the frame.
        decider: of the node.
        cause: event that set it off.
        gated: whether the gate was shut before this message; records that came meanwhile wait for it.
    """
    state = decider.state
    state.waiting = sum(answer is None for answer in state.parents.values())
    if state.waiting:
        return
    resolution = decider.resolution()
    changed = resolution != state.resolution
    if changed:
        state.resolution = resolution
        if decider.kind not in NEVER_PARENTS:
            state.telling = ""
    if changed or gated:
        step.changed[decider.name] = cause
    has_records = state.entry or decider.kind in NEVER_PARENTS
    if has_records and (changed or gated or decider.kind == VISITOR):
        state.settling = ""


def pump(step: Step, name: str, state: NodeState, cause: str, turn: Turn) -> None:
    """Tell the next subscribers and settle the next records, a chunk each; a token brings the rest (forest rule 14).

    Puts the state. A change while a token is out only sends the cursors back to the first: the token goes on.
    """
    if not state.token:
        if state.telling is not None:
            _tell_next(step, name, state, cause, turn.told)
        if state.settling is not None and not state.waiting:
            keep_node(step.state, name, state)  # settle asks owner_of
            state.settling = turn.settle(step, name, state.settling, turn.chunk, cause) or None
        if state.telling is not None or (state.settling is not None and not state.waiting):
            state.token = True
            step.tell(Token(name, cause))
    keep_node(step.state, name, state)


def _tell_next(step: Step, name: str, state: NodeState, cause: str, chunk: int) -> None:
    found = subscribers(step.state, name, state, start=state.telling or "", limit=chunk + 1)
    resolution = state.resolution
    assert resolution is not None, "a fan-out starts with a resolution"
    for child in found[:chunk]:
        step.tell(Resolved(child, cause, name, resolution))
    state.telling = subscriber_key(name, found[chunk]) if len(found) > chunk else None


def _subscribe(step: Step, message: Subscribe, turn: Turn) -> None:
    state = opened(step, message.to, message.cause)
    counts = _counts(message) and not hears(step.state, message.to, state, message.child)
    subscribe(step.state, message.to, state, message.child)
    if counts:
        _count_child(step, message, 1, state, turn)
    if state.resolution is not None:
        step.tell(Resolved(message.child, message.cause, message.to, state.resolution))


def _unsubscribe(step: Step, message: Unsubscribe, turn: Turn) -> None:
    state = node_of(step.state, message.to)
    if state is None:
        return
    counts = _counts(message) and hears(step.state, message.to, state, message.child)
    unsubscribe(step.state, message.to, state, message.child)
    if counts:
        _count_child(step, message, -1, state, turn)
    let_go(step, message.to, state, message.cause)


def _counts(message: Subscribe | Unsubscribe) -> bool:
    """Whether the child is one of those that a person can have too many of."""
    return person_kind(message.to) and kind(message.child) in {VISITOR, USER}


def _count_child(step: Step, message: Subscribe | Unsubscribe, delta: int, state: NodeState, turn: Turn) -> None:
    """One more or fewer belong to a person: too many are none (``resolution.is_shared``)."""
    name = message.to
    before = state.children
    state.children += delta
    if (before > MOST_IDS) != (state.children > MOST_IDS):
        book_shared(step, name, "claim" if state.children > MOST_IDS else "retract", message.cause)
        relink(step, name, state, message.cause)
        pump(step, name, state, message.cause, turn)
    else:
        keep_node(step.state, name, state)


def _resolved(step: Step, message: Resolved, turn: Turn) -> None:
    state = node_of(step.state, message.to)
    if state is None or message.parent not in state.parents:
        return  # it unsubscribed meanwhile
    if state.parents[message.parent] == message.resolution:
        return
    gated = state.waiting > 0
    state.parents[message.parent] = message.resolution
    refresh(step, Decider(message.to, state, step.rules), message.cause, gated=gated)
    pump(step, message.to, state, message.cause, turn)


def _claim(step: Step, message: Claim, turn: Turn) -> None:
    if not acceptable(message):
        return
    state = opened(step, message.to, message.cause)
    held = Held(message.parent, message.precedence, message.at, message.since, message.until, message.source)
    present = state.claims.get(message.id)
    late = taken_back(state, message.id)
    if late:
        _book_late(step, message, held, state)
    refused = late or (state.crowd and held.precedence < OPERATOR)
    if refused or (present is not None and present.content() <= held.content()):
        let_go(step, message.to, state, message.cause)
        return
    state.claims[message.id] = held
    book_claim(step, message.to, Stated(message.id, held), "claim", message.cause)
    was_crowd = state.crowd
    limit_size(step, message.to, state, message.cause)
    relink(step, message.to, state, message.cause)
    pump(step, message.to, state, message.cause, turn)
    _readdress(step, message, present, held, lost=state.crowd != was_crowd)


def _book_late(step: Step, message: Claim, held: Held, state: NodeState) -> None:
    stated = Stated(message.id, held)
    book_claim(step, message.to, stated, "late", message.cause)
    if message.id not in state.retracted:
        # What it says was taken back under no number, so the claim has no row yet that tells by whom.
        book_claim(step, message.to, stated, "retract", state.retracted[statement(message.id)])


def _readdress(step: Step, message: Claim | Retract, *links: Held | None, lost: bool) -> None:
    """What the CRM says of a contact, named by its id, holds for its addresses: those may have changed, or all be ``lost``."""
    named = any(held is not None and kind(held.parent) == EMAIL for held in links)
    if kind(message.to) == USER and (named or lost):
        contacts.readdress(step, message.to, message.cause)


def _retract(step: Step, message: Retract, turn: Turn) -> None:
    if level(message.to) < 0:
        return
    state = opened(step, message.to, message.cause)
    if taken_back(state, message.id):
        let_go(step, message.to, state, message.cause)
        return
    gone = _retracted_by(message, state)
    for claim_id, held in gone.items():
        book_claim(step, message.to, Stated(claim_id, held), "retract", message.cause)
    if not gone and not _was_withdrawn(message.id, state):
        book_claim(step, message.to, Stated(message.id, None), "retract", message.cause)
    was_crowd = state.crowd
    limit_size(step, message.to, state, message.cause)
    if gone or state.crowd != was_crowd:
        relink(step, message.to, state, message.cause)
    pump(step, message.to, state, message.cause, turn)
    _readdress(step, message, *gone.values(), lost=state.crowd != was_crowd)
    let_go(step, message.to, state, message.cause)


def _retracted_by(message: Retract, state: NodeState) -> dict[str, Held]:
    """Take out of the node what is retracted, for good. Returns: the claims that counted until now, by id.

    An id with a number is one claim: a fold of the CRM's takes it back to say something else. One without is a statement, and
    whoever takes that back means every claim that says it, those still to come as well.
    """
    everyone = statement(message.id) == message.id
    ids = [i for i in state.claims if statement(i) == message.id] if everyone else [message.id]
    state.retracted[message.id] = message.cause if everyone else ""
    return {claim_id: state.claims.pop(claim_id) for claim_id in ids if claim_id in state.claims}


def _was_withdrawn(claim_id: str, state: NodeState) -> bool:
    """Whether it names a statement that the CRM made and took back itself: those claims have their rows, under their numbers."""
    return any(i != claim_id and statement(i) == claim_id for i in state.retracted)


def _root(step: Step, message: Root, turn: Turn) -> None:
    if kind(message.to) != ACCOUNT:
        return
    state = opened(step, message.to, message.cause)
    state.root = "" if message.root == message.to else message.root
    relink(step, message.to, state, message.cause)
    pump(step, message.to, state, message.cause, turn)
    let_go(step, message.to, state, message.cause)


def _sold(step: Step, message: Sold, turn: Turn) -> None:
    state = opened(step, message.to, message.cause)
    before = state.sold
    state.sold += message.delta
    if (before > 0) != (state.sold > 0):
        refresh(step, Decider(message.to, state, step.rules), message.cause, gated=state.waiting > 0)
    pump(step, message.to, state, message.cause, turn)
    let_go(step, message.to, state, message.cause)


def _go_on(step: Step, message: Token | Woken, turn: Turn) -> None:
    state = node_of(step.state, message.to)
    if state is None:
        return
    if isinstance(message, Token):
        state.token = False
    pump(step, message.to, state, message.cause, turn)
