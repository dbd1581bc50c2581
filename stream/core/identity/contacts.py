"""Who employed a CRM contact when: one claim for each run of versions that name the same account.

A contact that is synced every night makes no claim as long as it says the same; one that changes its account keeps its
past with the old one; one that is taken off its account belongs to nobody by the CRM from then on.

A contact enters by the user that stands for it: its id is what stays when everything else is corrected. The claims hold
for that user and for every address that it has, whichever became known first: ``observe_contact`` hears of versions,
``readdress`` of addresses. An address that a later version replaces is the contact's until then.

Contacts that enter by their address have no id that counts: all versions with one address are one contact's.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from schemas import event as kinds
from schemas.event import Event
from schemas.ids import EMAIL, USER, kind, node, value
from schemas.messages import Claim, Retract
from stream.core.identity import precedence
from stream.core.identity.blocked import is_blocked
from stream.core.identity.domains import link_rank
from stream.core.identity.folds import ContactFold, folds_of, keep_folds
from stream.core.identity.node import node_of
from stream.core.nodes import Held
from stream.core.step import Step

LEFT: Final = "\x00"
"""Before an account: the contact is off that one, if it was there. At one moment it counts before what names one."""
DELETED: Final = "\x01"
RESTORED: Final = "\x02"
MERGED: Final = "crm.merge"
"""Source of what a contact has from another one that was merged into it."""
_BY_MERGE: Final = {
    precedence.LINK: precedence.MERGED_LINK,
    precedence.PERSONAL_LINK: precedence.MERGED_PERSONAL_LINK,
}


class Words(NamedTuple):
    """What a version of a contact says."""

    accounts: tuple[str, ...] = ()
    """Account node, "" for none, LEFT before an account node, DELETED, RESTORED."""
    heir: str = ""
    """The user that stands for the contact which this one was merged into."""
    leads: bool = False
    """Whether of all contacts merged this one's address became the heir's."""
    erased: bool = False
    """The CRM erased the person: nothing that it ever said of the contact counts."""


class _Run(msgspec.Struct, frozen=True, gc=False):
    parent: str
    since: int
    until: int | None
    """Beginning of the next run, also of one without account; None for the last."""

    def name(self) -> str:
        return f"{self.since} {self.until} {self.parent}"

    def before(self, end: int | None) -> "_Run | None":
        """What of it lies before ``end``; None if nothing does."""
        if end is None or (self.until is not None and self.until <= end):
            return self
        return _Run(self.parent, self.since, end) if self.since < end else None


def observe_contact(step: Step, event: Event, words: Words) -> None:
    """Take a version in; bring the claims of its person in line."""
    child = _person(event)
    address = node(event.tenant, EMAIL, event.email) if event.email and kind(child) == USER else ""
    if not child or (words == Words() and not address):
        return
    folds = folds_of(step.state, event.node)
    fold = folds.contacts.setdefault(child, ContactFold())
    known = len(fold.versions)
    news = [_put(fold, (event.at, word)) for word in words.accounts]
    named = address != "" and _name(fold, address, event.at)
    # Only another address can end one. Which others end with it is found out below. The first one may be the user's already,
    # by what somebody else said: then nobody tells of it again.
    news.append(named and (len(fold.addresses) > 1 or len(fold.addresses[address]) == 1))
    login = node(event.tenant, USER, event.user) if event.user and address else ""
    if login not in {"", child, *fold.logins} and not is_blocked(event.user, step.rules.blocked_ids):
        fold.logins.append(login)
        news.append(True)
    if words.heir not in {"", child}:
        # Of two addresses the later one is the person's: the leading contact's counts as said last.
        since = event.at if words.leads else event.at - 1
        news.append(since < fold.heirs.get(words.heir, since + 1))
        fold.heirs[words.heir] = min(since, fold.heirs.get(words.heir, since))
    news.append(words.erased and not fold.erased)
    fold.erased |= words.erased
    if any(news):
        _bring_in_line(step, child, event.id, fold)
    if any(news) or named or len(fold.versions) > known:
        keep_folds(step.state, event.node, folds)


def readdress(step: Step, user: str, cause: str) -> None:
    """The user has other addresses than before: if it stands for a contact, its claims are theirs."""
    folds = folds_of(step.state, user)
    fold = folds.contacts.get(user)
    if fold is not None:
        _bring_in_line(step, user, cause, fold)
        keep_folds(step.state, user, folds)


def _put(fold: ContactFold, version: tuple[int, str]) -> bool:
    """Keep the version. Returns: whether it is news; one that repeats the one before it changes nothing by itself."""
    position = bisect_left(fold.versions, version)
    if position < len(fold.versions) and fold.versions[position] == version:
        return False
    fold.versions.insert(position, version)
    return position == 0 or fold.versions[position - 1][1] != version[1]


def _name(fold: ContactFold, address: str, at: int) -> bool:
    """Keep that a version of ``at`` names the address. Returns: whether that was not known."""
    times = fold.addresses.setdefault(address, [])
    position = bisect_left(times, at)
    if position < len(times) and times[position] == at:
        return False
    times.insert(position, at)
    return True


def _end(fold: ContactFold, address: str) -> int | None:
    """When a version replaced the address for good; None if it is the latest one.

    Of two addresses at one moment the greater one is the later.
    """
    times = fold.addresses[address]
    later = [
        others[position]
        for other, others in fold.addresses.items()
        if other != address and (position := _before(others, other, times[-1], address)) < len(others)
    ]
    return min(later, default=None)


def _begin(fold: ContactFold, address: str) -> int:
    """Since when without a break the latest address is that, as far as versions name it."""
    times = fold.addresses[address]
    earlier = [
        (others[position - 1], other)
        for other, others in fold.addresses.items()
        if other != address and (position := _before(others, other, times[-1], address))
    ]
    return times[_before(times, address, *max(earlier))] if earlier else times[0]


def _before(times: list[int], address: str, at: int, other: str) -> int:
    """How many of the times at which ``address`` is named are before ``other`` is named at ``at``."""
    return (bisect_left if address > other else bisect_right)(times, at)


def _bring_in_line(step: Step, child: str, cause: str, fold: ContactFold) -> None:
    links = _links(step, child)
    for claim_id in links if fold.erased else ():
        step.tell(Retract(child, cause, id=claim_id))
    wanted = {} if fold.erased else dict(_wanted(child, fold, links))
    for name in [name for name in fold.standing if name not in wanted]:
        step.tell(Retract(_claimant(name, child), cause, id=fold.standing.pop(name)))
    for name, claim in wanted.items():
        if name not in fold.standing:
            fold.standing[name] = f"{claim.id}\x00{fold.given:08x}"
            fold.given += 1
            step.tell(msgspec.structs.replace(claim, cause=cause, id=fold.standing[name]))


def _links(step: Step, child: str) -> dict[str, Held]:
    """What says that the user has an address, by the claim's id."""
    state = node_of(step.state, child) if kind(child) == USER else None
    return {} if state is None else {i: held for i, held in state.claims.items() if is_link(held)}


def is_link(held: Held) -> bool:
    """Whether the claim says which address a user, who may be a contact, has. Operators' links are theirs alone."""
    return (
        kind(held.parent) == EMAIL
        and held.precedence < precedence.OPERATOR
        # What follows from a link is none: it goes with it.
        and held.source != kinds.CRM_CONTACT
    )


def _wanted(child: str, fold: ContactFold, links: dict[str, Held]) -> Iterator[tuple[str, Claim]]:
    """What is to be claimed, by names that tell it from everything else; the ids lack their number."""
    merged = sorted(((held.parent, held.at) for held in links.values() if held.source == MERGED), reverse=True)
    inherited = dict(merged)  # of several merges that brought an address in the first one counts
    # Anybody with a write key can name an address for this user; whom the contact's account has only the CRM says.
    linked = {held.parent for held in links.values() if held.source != MERGED}
    own = {address: _end(fold, address) for address in linked & fold.addresses.keys()}
    # What another contact brought in stays beside the address that the versions of this one name.
    ends = dict(sorted((own | dict.fromkeys(inherited)).items()))
    for run in _runs(fold):
        yield run.name(), _claim(child, run, f"{kinds.CRM_CONTACT} {run.parent}")
        for address, end in ends.items():
            part = run.before(end)
            if part is not None:
                # Of two claims that tie the greater id counts: the account before the contact, and the number last.
                yield f"{address}\x00{part.name()}", _claim(address, part, f"{kinds.CRM_CONTACT} {run.parent} {child}")
    if len(fold.addresses) > 1:
        for address in (address for address, end in own.items() if end is None):
            at = _begin(fold, address)
            for user in (child, *fold.logins):
                yield f"{user}\x00now {address} {at}", _corrected(user, address, at, child)
    for heir, since in fold.heirs.items():
        for address in ends:
            # An inherited address goes on by a later merge only: so no circle of merges keeps one alive.
            is_own = address in own and own[address] is None
            if is_own or inherited.get(address, since) < since:
                yield f"{heir}\x00{address} {since}", _inherited(heir, address, since, f"{MERGED} {address} {child}")


def _claimant(name: str, child: str) -> str:
    """The node whose claim ``name`` is."""
    other, named, _ = name.rpartition("\x00")
    return other if named else child


def _runs(fold: ContactFold) -> Iterator[_Run]:
    starts: list[tuple[int, str]] = []
    account, deleted = "", False
    for at, word in fold.versions:
        if word in {DELETED, RESTORED}:
            # The contact that another one goes on for is gone from the CRM, but nobody left a job.
            deleted = word == DELETED and not fold.heirs
        elif not word.startswith(LEFT):
            account = word
        elif account == word.removeprefix(LEFT):
            account = ""
        now = "" if deleted else account
        if starts and starts[-1][0] == at:
            starts.pop()  # of several words of one moment the last one counts, and nobody was anywhere for no time
        if not starts or starts[-1][1] != now:
            starts.append((at, now))
    for i, (since, parent) in enumerate(starts):
        if parent:
            yield _Run(parent, since, starts[i + 1][0] if i + 1 < len(starts) else None)


def _claim(child: str, run: _Run, claim_id: str) -> Claim:
    return Claim(
        child,
        id=claim_id,
        parent=run.parent,
        precedence=precedence.CRM,
        at=run.since,
        since=run.since,
        until=run.until,
        source=kinds.CRM_CONTACT,
    )


def _corrected(user: str, address: str, at: int, child: str) -> Claim:
    """The address that replaced another one is the person's, be it a private one, as if it were first seen then."""
    claim_id = f"{kinds.CRM_CONTACT} {address} {child}"
    return Claim(user, id=claim_id, parent=address, precedence=precedence.LINK, at=at, source=kinds.CRM_CONTACT)


def _inherited(heir: str, address: str, since: int, claim_id: str) -> Claim:
    rank = _BY_MERGE[link_rank(value(address))]
    return Claim(heir, id=claim_id, parent=address, precedence=rank, at=since, source=MERGED)


def _person(event: Event) -> str:
    """The node of a contact's person: the user that stands for it, else the address, else the user."""
    if kind(event.node) == USER:
        return event.node
    if event.email:
        return node(event.tenant, EMAIL, event.email)
    return node(event.tenant, USER, event.user) if event.user else ""
