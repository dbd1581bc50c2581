"""Rows of the ``identity`` table: what changed in a frame, each node once, as it stands at the frame's end."""

from typing import Final

from schemas.facts import IdentityRow
from schemas.ids import ACCOUNT, DOMAIN, EMAIL, OPPORTUNITY, USER, VISITOR, kind, tenant, value
from stream.core.identity.node import NodeState, node_key
from stream.core.identity.resolution import Decider
from stream.core.step import Step

KINDS: Final = {
    VISITOR: "visitor",
    USER: "user",
    EMAIL: "email",
    DOMAIN: "domain",
    ACCOUNT: "account",
    OPPORTUNITY: "opportunity",
}


def flush(step: Step) -> None:
    """Book one ``IdentityRow`` for each node whose resolution changed in this step. Call it once, at its end."""
    for name, cause in step.changed.items():
        state = step.state.get(node_key(name), NodeState)
        if state is not None and state.resolution is not None:
            step.fact("identity", _row(step, name, state, cause))
    step.changed.clear()


def _row(step: Step, name: str, state: NodeState, cause: str) -> IdentityRow:
    resolution = state.resolution or ()
    # A gated node still publishes its last resolution, while its claims already say something else.
    decider = None if state.waiting else Decider(name, state, step.rules)
    return IdentityRow(
        tenant=tenant(name),
        node=name[name.index("/") + 1 :],
        kind=KINDS[kind(name)],
        since=[start for start, _ in resolution],
        person_id=[value(owner.person) if owner.person else "" for _, owner in resolution],
        account_id=[value(owner.account) if owner.account else "" for _, owner in resolution],
        source=[decider.at(start).source if decider else "" for start, _ in resolution],
        version=step.offset,
        recorded_at=step.at,
        cause_event_id=cause,
        _p=step.partition,
        _o=step.offset,
        _i=step.next_row("identity"),
    )
