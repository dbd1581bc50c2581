"""Claims of CRM objects: what they say depends on their other versions, so each object's versions are folded.

An account's latest version alone says which domains it has, and an opportunity's latest version alone whose it is;
all versions of a contact together say who employed the person when. Each fold is a pure function of the set of
versions. Since claims are immutable (IDENTITY 2), one that no longer holds is retracted, and comes back under a new id.
"""

from bisect import bisect_left
from typing import Final

import msgspec

from schemas import event as kinds
from schemas.codec import properties_of
from schemas.event import Event
from schemas.ids import ACCOUNT, DOMAIN, EMAIL, OPPORTUNITY, USER, kind, node
from schemas.messages import Claim, Retract
from stream.core.identity import precedence
from stream.core.identity.blocked import is_blocked
from stream.core.identity.domains import work_host
from stream.core.state import key
from stream.core.step import Step

FOLDED: Final = frozenset({kinds.CRM_ACCOUNT, kinds.CRM_CONTACT, kinds.CRM_OPPORTUNITY})


class ObjectFold(msgspec.Struct, array_like=True, gc=False):
    """An account or opportunity: which nodes its latest version names, and the claims that stand for that."""

    at: int = -(2**62)
    """Event time of the latest version; of two versions at one time the greater names count."""
    names: tuple[str, ...] = ()
    """Nodes that it names: domains of an account; account or contact of an opportunity."""
    first: dict[str, int] = msgspec.field(default_factory=dict)
    """Node -> event time of the earliest version that names it."""
    standing: dict[str, tuple[str, int]] = msgspec.field(default_factory=dict)
    """Node -> id and earliest time of the claim that was sent and not retracted."""
    given: int = 0
    """Ids given away so far."""


class ContactFold(msgspec.Struct, array_like=True, gc=False):
    """A contact: (event time, account node) of every version, ascending."""

    versions: list[tuple[int, str]] = msgspec.field(default_factory=list)


def observe(step: Step, event: Event) -> None:
    """Take a version of a CRM object in and send the claims and retractions that bring the forest in line with it."""
    properties = properties_of(event.properties)
    if event.type == kinds.CRM_CONTACT:
        _contact(step, event, properties)
        return
    is_account = event.type == kinds.CRM_ACCOUNT
    names = _domains(event, properties) if is_account else _parents(step, event, properties)
    if names is not None and kind(event.node) == (ACCOUNT if is_account else OPPORTUNITY):
        _object(step, event, names)


def _contact(step: Step, event: Event, properties: dict[str, object]) -> None:
    """A claim for the first version of each run of versions that name one account: the others change nothing."""
    account = _id(step, properties.get("account_id"))
    child = _person(event)
    if not account or not child:
        return
    place = key("f", event.node, "claims", child)
    fold = step.state.get(place, ContactFold) or ContactFold()
    version = (event.at, node(event.tenant, ACCOUNT, account))
    position = bisect_left(fold.versions, version)
    if position < len(fold.versions) and fold.versions[position] == version:
        return
    fold.versions.insert(position, version)
    step.state.put(place, fold)
    # The one that follows may have been silent because the one before named the same account.
    for i in (position, position + 1):
        if i < len(fold.versions) and (i == 0 or fold.versions[i - 1][1] != fold.versions[i][1]):
            at, parent = fold.versions[i]
            step.tell(_employed(event, child, parent, at))


def _employed(event: Event, child: str, parent: str, at: int) -> Claim:
    return Claim(
        child,
        event.id,
        id=f"crm.contact {at} {parent}",
        parent=parent,
        precedence=precedence.CRM,
        at=at,
        since=at,
        source=event.type,
    )


def _object(step: Step, event: Event, names: tuple[str, ...]) -> None:
    place = key("f", event.node, "claims")
    fold = step.state.get(place, ObjectFold) or ObjectFold()
    news = False
    if (event.at, names) > (fold.at, fold.names):
        fold.at, fold.names, news = event.at, names, True
    for name in names:
        if event.at < fold.first.get(name, event.at + 1):
            fold.first[name], news = event.at, True
    if news:
        _bring_in_line(step, event, fold)
        step.state.put(place, fold)


def _bring_in_line(step: Step, event: Event, fold: ObjectFold) -> None:
    wanted = {name: fold.first[name] for name in fold.names}
    for name, (claim_id, first) in list(fold.standing.items()):
        if wanted.get(name) != first:
            del fold.standing[name]
            child = name if event.type == kinds.CRM_ACCOUNT else event.node
            step.tell(Retract(child, event.id, id=claim_id))
    for name, first in wanted.items():
        if name not in fold.standing:
            # Of two claims that tie the greater id counts, so the object comes first and the count after it: which
            # account wins must not depend on how often it changed its mind.
            claim_id = f"{event.node}\x00{fold.given:08x}"
            fold.given += 1
            fold.standing[name] = (claim_id, first)
            step.tell(_standing(event, name, claim_id, first))


def _standing(event: Event, name: str, claim_id: str, first: int) -> Claim:
    if event.type == kinds.CRM_OPPORTUNITY:
        return Claim(
            event.node, event.id, id=claim_id, parent=name, precedence=precedence.CRM, at=first, source=event.type
        )
    # SURPRISE: the time is negated. Of two accounts that name one domain the one that named it first keeps it:
    # a duplicate that somebody creates in the CRM must not take the journey away from the account in use.
    return Claim(
        name, event.id, id=claim_id, parent=event.node, precedence=precedence.CRM_DOMAIN, at=-first, source=event.type
    )


def _domains(event: Event, properties: dict[str, object]) -> tuple[str, ...] | None:
    """Domain nodes that an account version names; None if it does not speak of domains."""
    if "domains" not in properties:
        return None
    given = properties["domains"]
    hosts = given if isinstance(given, list) else [given]
    found = {work_host(host) for host in hosts if isinstance(host, str)} - {""}
    return tuple(sorted(node(event.tenant, DOMAIN, domain) for domain in found))


def _parents(step: Step, event: Event, properties: dict[str, object]) -> tuple[str, ...] | None:
    """The node that an opportunity version belongs to: its account, else its first contact."""
    if "account_id" not in properties and "contact_emails" not in properties:
        return None
    account = _id(step, properties.get("account_id"))
    if account:
        return (node(event.tenant, ACCOUNT, account),)
    emails = properties.get("contact_emails")
    first = emails[0] if isinstance(emails, list) and emails else ""
    return (node(event.tenant, EMAIL, first),) if isinstance(first, str) and "@" in first else ()


def _person(event: Event) -> str:
    """The node of a contact's person: the address, else the user."""
    if event.email:
        return node(event.tenant, EMAIL, event.email)
    return node(event.tenant, USER, event.user) if event.user else ""


def _id(step: Step, value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return "" if is_blocked(text, step.rules.blocked_ids) else text
