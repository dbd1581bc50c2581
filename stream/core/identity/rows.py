"""Rows of the ``identity`` table: what changed in a frame, each node once, as it stands at the frame's end."""

from typing import Final

from schemas.facts import IdentityRow
from schemas.ids import ACCOUNT, ACTIVITY, DOMAIN, EMAIL, OPPORTUNITY, USER, VISITOR, account_id, kind, tenant, value
from schemas.messages import Resolution
from stream.core.identity.node import node_of
from stream.core.identity.resolution import Decider
from stream.core.nodes import NodeState
from stream.core.step import Step

KINDS: Final = {
    VISITOR: "visitor",
    USER: "user",
    EMAIL: "email",
    DOMAIN: "domain",
    ACCOUNT: "account",
    OPPORTUNITY: "opportunity",
    ACTIVITY: "activity",
}

_GONE: Final[Resolution] = ()
"""Of a node that nothing refers to any more: no stretch of time, so that no view shows it."""


def flush(step: Step) -> None:
    """Book one ``IdentityRow`` for each node whose resolution changed in this step. Call it once, at its end.

    A node whose gate is shut is left out: it is booked when the gate opens. One that nothing refers to any more gets a
    row without any stretch of time: had its events come in another order, it might have none at all.
    """
    for name, cause in step.changed.items():
        state = node_of(step.state, name)
        if state is not None and state.orphan:
            step.fact("identity", _row(step, name, state, _GONE, cause))
        elif state is not None and state.resolution is not None and not state.waiting:
            step.fact("identity", _row(step, name, state, state.resolution, cause))
    step.changed.clear()


def _row(step: Step, name: str, state: NodeState, resolution: Resolution, cause: str) -> IdentityRow:
    decider = Decider(name, state, step.rules)
    return IdentityRow(
        tenant=tenant(name),
        node=name[name.index("/") + 1 :],
        kind=KINDS[kind(name)],
        since=[start for start, _ in resolution],
        person_id=[value(owner.person) if owner.person else "" for _, owner in resolution],
        account_id=[account_id(owner.account) for _, owner in resolution],
        source=[decider.at(start).source for start, _ in resolution],
        version=step.offset,
        recorded_at=step.at,
        cause_event_id=cause,
        _p=step.partition,
        _o=step.offset,
        _i=step.next_row("identity"),
    )
