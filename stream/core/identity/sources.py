"""Which claims an event makes.

Claims are for ever, so steady traffic must not add to them: a claim's id names source and parent only, and of two
contents with one id the smaller, that is the earlier one, counts. "This user has that address" is therefore one claim
with the time when it was first seen, however often it is repeated, and whatever the order. The node that the event
enters by remembers what it told other nodes, so that a repeat sends nothing.
"""

from typing import Final, Protocol

import msgspec

from schemas import event as kinds
from schemas.codec import properties_of
from schemas.event import Event
from schemas.ids import ACCOUNT, DOMAIN, EMAIL, USER, VISITOR, kind, node, value
from schemas.messages import BEGINNING, Claim
from schemas.rules import Rules
from stream.core.identity import crm, operators, precedence
from stream.core.identity.blocked import is_blocked
from stream.core.identity.domains import link_rank, typed_domain
from stream.core.identity.node import MOST_CLAIMS, keep_node, node_of
from stream.core.identity.protocol import opened
from stream.core.nodes import NodeState
from stream.core.step import Step

_TRAIT: Final = "trait"
_RANKS: Final = {"alias": precedence.LINK, "group": precedence.GROUP, "form": precedence.FORM}
"""By source. How strongly an address is believed depends on it."""
_HISTORIC: Final = ("group", "form")
"""Sources of what holds from its event time on (back-stitched only if it is the first); the others' holds for all time:
who gives a work address after a private one was that person before, too, but who changes the account leaves the past
with the old one."""
_OBJECTS: Final = (kinds.CRM_ACCOUNT, kinds.CRM_OPPORTUNITY, kinds.CRM_ACTIVITY)
_COMPANY_FIELDS: Final = ("company_domain", "company_website", "website")
"""Properties of a form, the first one with a domain counts. A company's name is nobody's: many bear it."""


class Named(Protocol):
    """What has the identifiers of an ``Event``."""

    node: str
    type: str
    tenant: str
    visitor: str
    user: str
    email: str
    group: str


class Said(msgspec.Struct, frozen=True, gc=False):
    """What an event says of whom, and where. Most of it was said before, so only a claim that is news is worked out."""

    child: str
    id: str
    parent: str
    source: str


def session_link(event: Named, rules: Rules) -> str:
    """Whose session the event says it is: its user, else the address of a form; "" if it does not say.

    Never both: a device with a user and an address would look shared (forest rule 8). The address becomes the user's.
    """
    if not event.visitor or event.type == kinds.ALIAS:
        return ""
    user = event.user
    if user and not is_blocked(user, rules.blocked_ids):
        return node(event.tenant, USER, user)
    return node(event.tenant, EMAIL, event.email) if event.email else ""


def claims_of(event: Event, rules: Rules) -> list[Claim]:
    """The claims that an event makes by itself, whatever came before. CRM objects need their history: ``observe``."""
    return [_claim(said, event) for said in (*_said_by(event, rules), *_said_in_form(event, rules))]


def observe(step: Step, event: Event) -> None:
    """Send the claims of an event that were not yet made. Idempotent, and the order of events does not count.

    Call it for every event that is let in, duplicates with other contents included; one that names a user alone says nothing.
    """
    if event.type in operators.TYPES:
        operators.observe(step, event)
        return
    if event.type in crm.FOLDED:
        crm.observe(step, event)
    for said in (*_said_by(event, step.rules), *_said_in_form(event, step.rules)):
        if _is_news(step, event, said):
            step.tell(_claim(said, event))


def is_news(state: NodeState | None, event: Named, at: int, rules: Rules) -> bool:
    """Whether ``observe`` has anything to do for an event at ``at`` of the visitor whose node ``state`` is."""
    since = known_since(state, event, rules)
    return since is None or since > at


def known_since(state: NodeState | None, event: Named, rules: Rules) -> int | None:
    """From which time (ms) on events with these identifiers say nothing new of the visitor; None if this one does."""
    since = BEGINNING
    for said in _said_by(event, rules):
        known = None if state is None else _known_since(state, event, said)
        if known is None:
            return None
        since = max(since, known)
    return since


def _known_since(state: NodeState, event: Named, said: Said) -> int | None:
    """The time from which on the entry node ``state`` knows the claim, or told it; None if it does not."""
    if said.child != event.node:
        return state.said.get(_name(said))
    if said.id in state.retracted:
        return BEGINNING
    held = state.claims.get(said.id)
    return None if held is None else held.at


def _repeats(state: NodeState, event: Event, said: Said) -> bool:
    known = _known_since(state, event, said)
    return known is not None and known <= event.at


def _is_news(step: Step, event: Event, said: Said) -> bool:
    state = node_of(step.state, event.node)
    if said.child == event.node:
        return state is None or not _repeats(state, event, said)
    state = state or opened(step, event.node, event.id)
    if _repeats(state, event, said):
        return False
    if len(state.said) >= MOST_CLAIMS:
        state.said.clear()  # what is forgotten is only told again
    state.said[_name(said)] = event.at
    keep_node(step.state, event.node, state)
    return True


def _name(said: Said) -> str:
    """What a claim told to another node is remembered by."""
    return f"{said.child} {said.id}"


def _claim(said: Said, event: Event) -> Claim:
    since = event.at if said.source in _HISTORIC else BEGINNING
    return Claim(
        said.child,
        event.id,
        id=said.id,
        parent=said.parent,
        precedence=link_rank(value(said.parent)) if said.source == _TRAIT else _RANKS[said.source],
        at=event.at,
        since=since,
        source=said.source,
    )


def _said_in_form(event: Event, rules: Rules) -> tuple[Said, ...]:
    """The company whose domain a person typed into a form. Of a device without a person it says nothing."""
    if event.type != kinds.TRACK or event.name not in rules.form_events:
        return ()
    user = "" if is_blocked(event.user, rules.blocked_ids) else event.user
    if not (event.email or user):
        return ()
    try:
        properties = properties_of(event.properties)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
    texts = [text for name in _COMPANY_FIELDS if isinstance(text := properties.get(name), str)]
    domain = next(filter(None, map(typed_domain, texts)), "")
    if not domain:
        return ()
    child = node(event.tenant, EMAIL, event.email) if event.email else node(event.tenant, USER, user)
    return (_said(child, node(event.tenant, DOMAIN, domain), "form"),)


def _said_by(event: Named, rules: Rules) -> list[Said]:
    """What the event's own identifiers say. ``stream/core/native/node.c`` knows what a user with an address makes of a hit."""
    found: list[Said] = []
    type_, email, group, blocked = event.type, event.email, event.group, rules.blocked_ids
    if type_ in _OBJECTS:
        return found
    tenant = event.tenant
    user = "" if not event.user or is_blocked(event.user, blocked) else node(tenant, USER, event.user)
    if type_ == kinds.ALIAS:
        if user and event.visitor and not is_blocked(event.visitor, blocked):
            found.append(_said(node(tenant, VISITOR, event.visitor), user, "alias"))
        return found
    if user and email:
        found.append(_said(user, node(tenant, EMAIL, email), _TRAIT))
    if type_ == kinds.CRM_CONTACT and email and user != event.node and kind(event.node) == USER:
        found.append(_said(event.node, node(tenant, EMAIL, email), _TRAIT))
    if group and type_ != kinds.CRM_CONTACT and not is_blocked(group, blocked) and (user or event.visitor):
        child = user or node(tenant, VISITOR, event.visitor)
        found.append(_said(child, node(tenant, ACCOUNT, group), "group"))
    return found


def _said(child: str, parent: str, source: str) -> Said:
    return Said(child, f"{source} {parent}", parent, source)
