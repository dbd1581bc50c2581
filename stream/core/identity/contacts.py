"""Who employed a CRM contact when: one claim for each run of versions that name the same account.

A contact that is synced every night makes no claim as long as it says the same; one that changes its account keeps its
past with the old one; one that is taken off its account belongs to nobody by the CRM from then on.
"""

from bisect import bisect_left
from collections.abc import Iterator

import msgspec

from schemas.event import Event
from schemas.ids import EMAIL, USER, node
from schemas.messages import Claim, Retract
from stream.core.identity import precedence
from stream.core.state import key
from stream.core.step import Step


class ContactFold(msgspec.Struct, array_like=True, gc=False):
    """All versions of the contacts of one address, and the claims that stand for them."""

    versions: list[tuple[int, str]] = msgspec.field(default_factory=list)
    """(event time, account node or "" for none), ascending."""
    standing: dict[str, str] = msgspec.field(default_factory=dict)
    """Run (see ``_Run.name``) -> id of the claim that was sent and not retracted."""
    given: int = 0
    """Ids given away so far."""


class _Run(msgspec.Struct, frozen=True, gc=False):
    parent: str
    since: int
    until: int | None
    """Beginning of the next run, also of one without account; None for the last."""

    def name(self) -> str:
        return f"{self.since} {self.until} {self.parent}"


def observe_contact(step: Step, event: Event, account: str) -> None:
    """Take a version in that names the node ``account`` ("" for none); bring the claims of its person in line."""
    child = _person(event)
    if not child:
        return
    place = key("f", event.node, "claims", child)
    fold = step.state.get(place, ContactFold) or ContactFold()
    version = (event.at, account)
    position = bisect_left(fold.versions, version)
    if position < len(fold.versions) and fold.versions[position] == version:
        return
    fold.versions.insert(position, version)
    wanted = {run.name(): run for run in _runs(fold.versions)}
    for name in [name for name in fold.standing if name not in wanted]:
        step.tell(Retract(child, event.id, id=fold.standing.pop(name)))
    for name, run in wanted.items():
        if name not in fold.standing:
            fold.standing[name] = f"crm.contact {run.parent}\x00{fold.given:08x}"
            fold.given += 1
            step.tell(_claim(event, child, run, fold.standing[name]))
    step.state.put(place, fold)


def _runs(versions: list[tuple[int, str]]) -> Iterator[_Run]:
    starts = [v for i, v in enumerate(versions) if i == 0 or versions[i - 1][1] != v[1]]
    for i, (since, parent) in enumerate(starts):
        if parent:
            yield _Run(parent, since, starts[i + 1][0] if i + 1 < len(starts) else None)


def _claim(event: Event, child: str, run: _Run, claim_id: str) -> Claim:
    return Claim(
        child,
        event.id,
        id=claim_id,
        parent=run.parent,
        precedence=precedence.CRM,
        at=run.since,
        since=run.since,
        until=run.until,
        source=event.type,
    )


def _person(event: Event) -> str:
    """The node of a contact's person: the address, else the user."""
    if event.email:
        return node(event.tenant, EMAIL, event.email)
    return node(event.tenant, USER, event.user) if event.user else ""
