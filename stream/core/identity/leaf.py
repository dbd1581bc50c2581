"""What the stitch core asks of the forest: whose is this record, and who is behind this session.

The steady state lives here: the owner of a known visitor's hit is one look-up, without a message and without a put.
"""

from schemas.ids import DOMAIN, VISITOR, kind, node
from schemas.messages import Owner
from schemas.rules import Rules
from stream.core.identity.audit import Action, book_network, book_session_link
from stream.core.identity.node import keep_node, node_of
from stream.core.identity.protocol import Woken, limit_size, opened, refresh, relink
from stream.core.identity.resolution import Decider, first_resolution
from stream.core.identity.timeline import value_at
from stream.core.nodes import NodeState
from stream.core.seen import Seen, record_key
from stream.core.step import Step


def owner_of(step: Step, name: str, at: int, via: str = "") -> Owner | None:
    """Whose a record of node ``name`` is at time ``at``; None if that is not known yet.

    None means that a parent has not answered; ``settle`` is called for the node once it has.

    Args:
        step: of the frame.
        name: the leaf: any node that owns records. One that is no visitor must have been ``entered``: the others are
            not settled.
        at: ms, when the record happened.
        via: visitors only: the user (or email) node of the record's session, "" if it has none. It must have been
            linked with ``link`` before.
    """
    state = node_of(step.state, name)
    if state is None or state.orphan:
        return _first_contact(step, name, at, via)
    resolution = state.resolution
    if state.waiting or resolution is None:
        return None
    if via and via != state.only and not state.crowd:
        return _by_session(step, name, state, at, via)
    if len(resolution) == 1:
        return resolution[0][1]
    return value_at(resolution, at)


def _first_contact(step: Step, name: str, at: int, via: str) -> Owner | None:
    if kind(name) == VISITOR:
        # Most visitors stay anonymous: they cost nothing here.
        return None if via else first_resolution(name)[0][1]
    state = opened(step, name, "")
    return None if state.resolution is None else value_at(state.resolution, at)


def _by_session(step: Step, name: str, state: NodeState, at: int, via: str) -> Owner | None:
    """A shared device: the session's own user counts, and nobody else's (forest rule 8)."""
    if via not in state.parents:
        return None
    return Decider(name, state, step.rules).at(at, via).owner


def link(step: Step, visitor: str, user: str, delta: int, cause: str = "") -> None:
    """``delta`` more (or, if negative, fewer) of the visitor's sessions have claims for the node ``user``.

    Only the first and the last one change anything: the visitor subscribes to all who are named. 0 says that the user was named
    by a content that does not count: it is one of those that a visitor can have too many of, as is who left again. It never
    calls ``settle``; what has to be settled is left to the loop over ``step.local``.
    """
    state = node_of(step.state, visitor)
    if state is None:
        state = opened(step, visitor, cause)
    if state.crowd:
        return
    is_new = user not in state.links
    action = _counted(state.links, user, delta)
    if action is not None:
        book_session_link(step, visitor, user, action, cause)
    if is_new:
        limit_size(step, visitor, state, cause)
    if action is not None or state.crowd:
        relink(step, visitor, state, cause)
        _wake(step, visitor, state, cause)
    keep_node(step.state, visitor, state)


def settled_owner(state: NodeState, via: str) -> Owner | None:
    """Whose a visitor's session of ``via`` ("" = of nobody) is, as ``owner_of`` says, where one more of them changes nothing.

    Returns: None where that would need more than the node: its owner is not known yet, depends on the time, or ``via`` is
    news or not the only one whom its sessions name.
    """
    resolution = state.resolution
    if state.orphan or state.waiting or resolution is None or len(resolution) != 1:
        return None
    if via and (via != state.only or state.links.get(via, 0) <= 0 or state.crowd):
        return None
    return resolution[0][1]


def _counted(counts: dict[str, int], name: str, delta: int) -> Action | None:
    """Count sessions. Returns: claim for the first one, retract when none is left, None for those in between."""
    before = counts.get(name, 0)
    after = counts[name] = max(before + delta, 0)
    if (before > 0) == (after > 0):
        return None
    return "claim" if after > 0 else "retract"


def link_company(step: Step, visitor: str, company: str, delta: int, cause: str = "") -> None:
    """``delta`` more (or fewer) of the visitor's sessions came from the network of ``company`` (a domain node)."""
    state = node_of(step.state, visitor)
    if state is None:
        state = opened(step, visitor, cause)
    if state.crowd:
        return
    action = _counted(state.companies, company, delta)
    if not state.companies[company]:
        del state.companies[company]
    if action is not None:
        book_network(step, visitor, company, action, cause)
        relink(step, visitor, state, cause)
        _wake(step, visitor, state, cause)
    keep_node(step.state, visitor, state)


def visitor_of(step: Step, visitor: str, at: int, company: str, owner: Owner) -> Owner | None:
    """Whose a visit at ``at`` is that has no account but came from a company's network; None: not known yet."""
    state = node_of(step.state, visitor)
    if state is None or state.waiting:
        return None
    return Decider(visitor, state, step.rules).visit(at, company, owner)


def rules_changed(step: Step, before: Rules) -> None:
    """``step.rules`` hold from now on: domains that were added to or taken off the freemail list change owner."""
    turned = sorted(set(before.freemail_domains) ^ set(step.rules.freemail_domains))
    for tenant_id in _tenants(step) if turned else ():
        for domain in turned:
            name = node(tenant_id, DOMAIN, domain.lower())
            state = node_of(step.state, name)
            if state is not None and not state.orphan:
                refresh(step, Decider(name, state, step.rules), "", gated=False)
                _wake(step, name, state, "")
                keep_node(step.state, name, state)


def _tenants(step: Step) -> list[str]:
    """Tenants with records in this partition: one seek each. Their first key is a record: what is below one follows it."""
    tenants: list[str] = []
    start = record_key("")
    while found := step.state.scan(record_key(""), Seen, start=start, limit=1):
        tenants.append(found[0][0][len(record_key("")) :].partition("/")[0])
        start = record_key(tenants[-1] + "0")  # "0" follows "/"
    return tenants


def _wake(step: Step, name: str, state: NodeState, cause: str) -> None:
    if not state.token and (state.telling is not None or state.settling is not None):
        step.local.append(Woken(name, cause))
