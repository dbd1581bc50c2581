"""Claims of CRM objects: what they say depends on their other versions, so each object's versions are folded.

Of an account the latest word on its domains counts, of an opportunity the latest word on its account and its contacts, of
an activity that on its account and its person, whenever it came; of a contact all versions together say who employed the
person when (``contacts``). A fold is a pure function of the set of versions. Since claims are immutable (forest rule 2), one
that no longer holds is retracted, and comes back under a new id.
"""

from typing import Final

from schemas import event as kinds
from schemas.codec import properties_of
from schemas.event import Event
from schemas.ids import ACCOUNT, ACTIVITY, DOMAIN, EMAIL, OPPORTUNITY, USER, kind, node
from schemas.messages import Claim, Merge, Retract
from stream.core.identity import contacts, folds, precedence
from stream.core.identity.blocked import is_blocked
from stream.core.identity.contacts import observe_contact
from stream.core.identity.domains import work_host
from stream.core.identity.folds import ObjectFold
from stream.core.identity.operators import registry_of
from stream.core.step import Step

FOLDED: Final = frozenset({kinds.CRM_ACCOUNT, kinds.CRM_CONTACT, kinds.CRM_OPPORTUNITY, kinds.CRM_ACTIVITY})
Words = dict[str, tuple[str, ...]]
"""What one version says: about what -> the nodes that it names, () for "none".

``domains`` of an account; ``account``, ``contact`` and ``contacts`` of an opportunity; ``account`` and ``person`` of an
activity. Some CRMs report single links instead: ``user NODE`` names a contact by its user, or no longer, and ``left NODE``
says that the opportunity is off that account, if it was there. ``deleted`` names something if the account is deleted in the
CRM."""


def observe(step: Step, event: Event) -> None:
    """Take a version of a CRM object in and send the claims and retractions that bring the forest in line with it."""
    properties = properties_of(event.properties)
    if event.type == kinds.CRM_CONTACT:
        observe_contact(step, event, _of_contact(step, event, properties))
        return
    entry, words_of = _OBJECTS[event.type]
    if kind(event.node) != entry:
        return
    words = words_of(step, event, properties)
    if words:
        _fold(step, event, words)
    winner = properties.get("merged_into")
    if event.type == kinds.CRM_ACCOUNT and isinstance(winner, str):
        _merge(step, event, _account(step, event, winner))


def _merge(step: Step, event: Event, winner: str) -> None:
    """The CRM merged two accounts. It cannot undo that: its word is for ever, and operators may take it back."""
    if winner not in {"", event.node}:
        # The id is a function of what is said, so a merge that was taken back stays so however often it is reported.
        claim_id = f"{event.type} {event.node} {winner}"
        registry = registry_of(event.tenant)
        step.tell(Merge(registry, event.id, claim_id, event.node, winner, precedence.CRM, event.at))


def _fold(step: Step, event: Event, words: Words) -> None:
    kept = folds.folds_of(step.state, event.node)
    fold = kept.own = kept.own or ObjectFold()
    news = False
    for about, names in words.items():
        known = fold.said.get(about)
        if known is None or (event.at, names) > known:
            fold.said[about], news = (event.at, names), True
        for name in names:
            if event.at < fold.first.get(name, event.at + 1):
                fold.first[name], news = event.at, True
    if news:
        _bring_in_line(step, event, fold)
        folds.keep_folds(step.state, event.node, kept)


def _bring_in_line(step: Step, event: Event, fold: ObjectFold) -> None:
    wanted = {name: fold.first[name] for name in fold.names()}
    changed, fold.weak = fold.weak != fold.is_deleted(), fold.is_deleted()
    for name, (claim_id, first) in list(fold.standing.items()):
        if changed or wanted.get(name) != first:
            del fold.standing[name]
            child = name if event.type == kinds.CRM_ACCOUNT else event.node
            step.tell(Retract(child, event.id, id=claim_id))
    for name, first in wanted.items():
        if name not in fold.standing:
            claim_id = f"{_statement(event, name)}\x00{fold.given:08x}"
            fold.given += 1
            fold.standing[name] = (claim_id, first)
            step.tell(_claim(event, name, claim_id, first, weak=fold.weak))


def _statement(event: Event, name: str) -> str:
    """What a claim says at its node, without the number that every claim has beside it.

    Of two claims that tie the greater id counts, so the object comes first and the number last: which account wins a domain
    must not depend on how often it changed its mind. Of an opportunity or activity no two claims tie: each is the only one of
    the CRM's at its node that names an account, or a person.
    """
    return event.node if event.type == kinds.CRM_ACCOUNT else f"{event.node} {name}"


def _claim(event: Event, name: str, claim_id: str, first: int, *, weak: bool) -> Claim:
    if event.type != kinds.CRM_ACCOUNT:
        return Claim(
            event.node, event.id, id=claim_id, parent=name, precedence=precedence.CRM, at=first, source=event.type
        )
    # SURPRISE: the time is negated. Of two accounts that name one domain the one that named it first keeps it:
    # a duplicate that somebody creates in the CRM must not take the journey away from the account in use.
    rank = precedence.DELETED_CRM_DOMAIN if weak else precedence.CRM_DOMAIN
    return Claim(name, event.id, id=claim_id, parent=event.node, precedence=rank, at=-first, source=event.type)


def _of_contact(step: Step, event: Event, properties: dict[str, object]) -> contacts.Words:
    account, left = properties.get("account_id"), properties.get("left_account_id")
    deleted = properties.get("deleted")
    words = [_account(step, event, account)] if isinstance(account, str) else []
    if isinstance(left, str) and left:
        words.append(contacts.LEFT + node(event.tenant, ACCOUNT, left))
    if isinstance(deleted, bool):
        words.append(contacts.DELETED if deleted else contacts.RESTORED)
    heir = properties.get("merged_into")
    return contacts.Words(
        tuple(words),
        node(event.tenant, USER, heir) if isinstance(heir, str) and heir else "",
        leads=properties.get("leads") is True,
        erased=properties.get("erased") is True,
    )


def _of_account(_step: Step, event: Event, properties: dict[str, object]) -> Words:
    words: Words = {}
    domains, deleted = properties.get("domains"), properties.get("deleted")
    if isinstance(domains, list):
        found = {work_host(host) for host in domains if isinstance(host, str)} - {""}
        words["domains"] = tuple(sorted(node(event.tenant, DOMAIN, domain) for domain in found))
    if isinstance(deleted, bool):
        words[folds.DELETED] = (event.node,) if deleted else ()
    return words


def _of_opportunity(step: Step, event: Event, properties: dict[str, object]) -> Words:
    words = _employer(step, event, properties)
    emails = properties.get("contact_emails")
    if isinstance(emails, list):
        first = next((email for email in emails if isinstance(email, str) and "@" in email), "")
        words["contact"] = (node(event.tenant, EMAIL, first),) if first else ()
    left = properties.get("left_account_id")
    if isinstance(left, str) and left:
        words[folds.LEFT + node(event.tenant, ACCOUNT, left)] = ()
    users = properties.get("contact_users")
    if isinstance(users, list):
        words[folds.CONTACTS] = tuple(filter(None, (_user(step, event, user) for user in users)))
    for name, linked in (("contact_user", True), ("left_contact_user", False)):
        parent = _user(step, event, properties.get(name))
        if parent:
            words[folds.USER + parent] = (parent,) if linked else ()
    return words


def _of_activity(step: Step, event: Event, properties: dict[str, object]) -> Words:
    words = _employer(step, event, properties)
    email, user = properties.get("email"), properties.get("contact_user")
    if isinstance(email, str) or isinstance(user, str):
        person = _address(step, event, email) or _user(step, event, user)
        words[folds.PERSON] = (person,) if person else ()
    return words


def _employer(step: Step, event: Event, properties: dict[str, object]) -> Words:
    """What it says of the account that it belongs to."""
    account = properties.get("account_id")
    if not isinstance(account, str):
        return {}
    parent = _account(step, event, account)
    return {"account": (parent,) if parent else ()}


def _address(step: Step, event: Event, email: object) -> str:
    """The address's node, "" for what names nobody."""
    named = isinstance(email, str) and "@" in email and not is_blocked(email, step.rules.blocked_ids)
    return node(event.tenant, EMAIL, str(email)) if named else ""


def _user(step: Step, event: Event, user: object) -> str:
    """The user's node, "" for what names nobody."""
    named = isinstance(user, str) and not is_blocked(user, step.rules.blocked_ids)
    return node(event.tenant, USER, str(user)) if named else ""


def _account(step: Step, event: Event, account: str) -> str:
    """The account's node, "" for "none"."""
    return "" if is_blocked(account, step.rules.blocked_ids) else node(event.tenant, ACCOUNT, account)


_OBJECTS: Final = {
    kinds.CRM_ACCOUNT: (ACCOUNT, _of_account),
    kinds.CRM_OPPORTUNITY: (OPPORTUNITY, _of_opportunity),
    kinds.CRM_ACTIVITY: (ACTIVITY, _of_activity),
}
"""The kind of node by which an object's versions come in, so that all of them meet, and what they say."""
