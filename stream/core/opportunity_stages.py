"""The stages that an opportunity reached: a function of all that is known of it. Rules: docs/crm.md#opportunities.

updates, each with what it says -> stages_of -> stage -> when it was entered, and for how much
"""

from typing import Final

import msgspec

from schemas.messages import BEGINNING

OPEN: Final = "open"
WON: Final = "won"
LOST: Final = "lost"
_FINAL: Final = (WON, LOST)
_STAGES: Final = {
    "closed_won": WON, "closedwon": WON, "closed_as_won": WON,
    "closed_lost": LOST, "closedlost": LOST, "closed_as_lost": LOST, "opened": OPEN, "created": OPEN,
}  # fmt: skip


class Update(msgspec.Struct, array_like=True, gc=False, order=True):
    """One version of an opportunity. None: it does not say."""

    at: int
    event: str
    stage: str | None = None
    amount: str | None = None
    """In whole units: how many minor units that is depends on the currency, which another update may have named."""
    currency: str | None = None
    created_at: int | None = None
    deleted: bool | None = False
    closed_at: int | None = None
    history: tuple[tuple[int, str], ...] | None = None
    """When it entered which stage, as the CRM remembers it: (ms, stage), ascending."""


class Reached(msgspec.Struct, frozen=True):
    """A stage that an opportunity counts as having reached."""

    at: int
    event: str
    amount: str
    """In whole units of ``currency``."""
    currency: str


def stage_name(text: str) -> str:
    """A CRM's stage as we name it: lower-case with underscores; every spelling of closed-won is ``won``.

    >>> stage_name("Closed Won"), stage_name("Needs Analysis"), stage_name("Closed/Lost")
    ('won', 'needs_analysis', 'lost')
    """
    letters = "".join(c if c.isalnum() else " " for c in text.lower())
    name = "_".join(letters.split())
    return _STAGES.get(name, name)


class _Walk(msgspec.Struct):
    """An opportunity while one goes through what is known of it, in the order of time."""

    amount: str
    currency: str
    stage: str = ""
    began: int = BEGINNING
    """Of the present cycle; the first one has no beginning."""
    closed: int | None = None
    """When it was closed, as updates of the present cycle say."""
    entered: dict[str, Reached] = {}
    """Stages of the present cycle."""
    reached: dict[str, Reached] = {}
    """Stages of all cycles, each as in the latest one that had it."""

    def take(self, moment: Update) -> None:
        before, self.stage = self.stage, moment.stage or self.stage
        self.amount = self.amount if moment.amount is None else moment.amount
        self.currency = self.currency if moment.currency is None else moment.currency
        if before in _FINAL and self.stage not in _FINAL:
            self.began, self.closed, self.entered = moment.at, None, {}
        if self.stage in _FINAL and moment.closed_at is not None:
            self.closed = moment.closed_at
        if self.stage:
            first = self.entered.get(self.stage)
            at, event = (moment.at, moment.event) if first is None else (first.at, first.event)
            self.entered[self.stage] = self.reached[self.stage] = Reached(at, event, self.amount, self.currency)


def stages_of(updates: list[Update]) -> dict[str, Reached]:
    """The stages that a sorted list of updates amounts to.

    A stage counts from its first entry in the latest cycle in which the opportunity was in it; ``won`` or ``lost`` ends
    a cycle. Its amount is that of the last update while in it. ``won`` and ``lost`` count only while they are the latest
    stage, and from when it was closed if that was before the update. Without an explicit ``open`` the first update opens
    it at its creation time.
    """
    if not updates or next((u.deleted for u in reversed(updates) if u.deleted is not None), False):
        return {}
    # Until an update names an amount, the first one that does counts: a CRM that does not say it does not say "nothing".
    amount = next((u.amount for u in updates if u.amount is not None), "0")
    currency = next((u.currency for u in updates if u.currency is not None), "")
    created = next((u.created_at for u in reversed(updates) if u.created_at is not None), BEGINNING)
    walk = _Walk(amount, currency)
    moments = _moments(updates)
    for moment in moments:
        walk.take(moment)
    reached = walk.reached
    for outcome in _FINAL:
        if walk.stage != outcome:
            reached.pop(outcome, None)
        elif walk.closed is not None:
            entry = reached[outcome]
            closed = max(walk.began, created, walk.closed)
            reached[outcome] = msgspec.structs.replace(entry, at=min(entry.at, closed))
    if OPEN not in reached:
        earliest = min(moments[0].at, *(entry.at for entry in reached.values())) if reached else moments[0].at
        opened = earliest if created == BEGINNING else min(created, earliest)
        reached[OPEN] = Reached(opened, updates[0].event, amount, currency)
    return reached


def _moments(updates: list[Update]) -> list[Update]:
    """The updates and, of the latest that has one, the history: all that is known of when which stage was entered.

    Of one moment the history comes first and the update last: it is what the CRM says now. Some CRMs report each field by
    itself, and a history may have days only, so of one moment a stage comes before what is said of it, and closed ones
    come after open ones.
    """
    told = next((u for u in reversed(updates) if u.history is not None), None)
    ranked = [(u.at, 4 if u.stage is None else 2 + (u.stage in _FINAL), u) for u in updates]
    if told is not None and told.history:
        ranked += [(at, stage in _FINAL, Update(at, told.event, stage)) for at, stage in told.history]
    return [moment for _, _, moment in sorted(ranked, key=lambda one: one[:2])]
