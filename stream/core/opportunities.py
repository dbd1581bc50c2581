"""CRM objects: the stages that an opportunity reached, and an account's profile, each a fold over all updates.

Updates carry what changed; what they leave out stays as it was. All are kept, sorted by (time, event id), so that the
result is a function of their set. Rules: docs/sessions.md#opportunities.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

from schemas.event import Event
from schemas.ids import derived_id, tenant, value
from schemas.messages import BEGINNING, Conversion, Profile
from schemas.money import minor_units
from stream.core.hits import Item
from stream.core.items import currency_of, properties_or_reject, text_of, usable_amount
from stream.core.leaf import put_item, remove_item
from stream.core.state import key
from stream.core.step import Step

OPEN: Final = "open"
WON: Final = "won"
LOST: Final = "lost"
_FINAL: Final = (WON, LOST)
_STAGES: Final = {
    "closed_won": WON, "closedwon": WON, "closed_as_won": WON,
    "closed_lost": LOST, "closedlost": LOST, "closed_as_lost": LOST, "opened": OPEN, "created": OPEN,
}  # fmt: skip
_PROFILE_FIELDS: Final = {
    "name": ("name",), "domain": ("domain", "domains", "website"), "stage": ("stage",),
    "parent": ("parent_id", "parent"), "owner": ("owner",),
}  # fmt: skip
_MS_IN_S: Final = 1000
_LEAST_MS: Final = 10**11
"""Numbers below are seconds: 10**11 ms is 1973, 10**11 s is the year 5138."""


class Update(msgspec.Struct, array_like=True, gc=False, order=True):
    """One version of an opportunity. None: it does not say."""

    at: int
    event: str
    stage: str | None = None
    amount: str | None = None
    """In whole units: how many minor units that is depends on the currency, which another update may have named."""
    currency: str | None = None
    created_at: int | None = None
    deleted: bool = False
    closed_at: int | None = None
    history: tuple[tuple[int, str], ...] | None = None
    """When it entered which stage, as the CRM remembers it: (ms, stage), ascending."""


class Opportunity(msgspec.Struct, array_like=True, gc=False):
    """All versions of an opportunity, and the conversions that were last told: stage -> (time, id)."""

    updates: list[Update] = msgspec.field(default_factory=list)
    told: dict[str, tuple[int, str]] = msgspec.field(default_factory=dict)


class ProfileUpdate(msgspec.Struct, array_like=True, gc=False):
    """One version of an account: only the fields that it names."""

    at: int
    event: str
    fields: dict[str, str]


class Profiles(msgspec.Struct, array_like=True, gc=False):
    """All versions of an account, ascending."""

    updates: list[ProfileUpdate] = msgspec.field(default_factory=list)
    told_at: int = BEGINNING
    """Time of the latest profile that was told: it must not go back, also if its update was replaced by an earlier one."""


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
    if not updates or updates[-1].deleted:
        return {}
    # Until an update names an amount, the first one that does counts: a CRM that does not say it does not say "nothing".
    amount = next((u.amount for u in updates if u.amount is not None), "0")
    currency = next((u.currency for u in updates if u.currency is not None), "")
    created = next((u.created_at for u in updates if u.created_at is not None), BEGINNING)
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
    """The updates and, of the latest that has one, the history: all that is known of when which stage was entered."""
    told = next((u for u in reversed(updates) if u.history is not None), None)
    if told is None or not told.history:
        return updates
    entries = [Update(at, told.event, stage) for at, stage in told.history]
    # Of one moment the update counts last: it is what the CRM says now.
    return sorted([*entries, *updates], key=lambda m: m.at)


def take_opportunity(step: Step, event: Event) -> None:
    """Fold an opportunity's update in and tell what it changed about its conversions.

    Args:
        step: of the frame.
        event: of type ``crm.opportunity``. It takes the place of what was known of its id.
    """
    place = key("f", event.node)
    fold = step.state.get(place, Opportunity) or Opportunity()
    fold.updates = [u for u in fold.updates if u.event != event.id]
    fold.updates.append(_update_of(step, event))
    fold.updates.sort(key=_order)
    wanted = stages_of(fold.updates)
    for stage, (at, item_id) in list(fold.told.items()):
        if stage not in wanted or wanted[stage].at != at:
            remove_item(step, event.node, at, item_id, event.id)
            del fold.told[stage]
    for stage, reached in wanted.items():
        item = _item(event.node, stage, reached)
        reason = "changed" if stage in fold.told else "new"
        put_item(step, event.node, item, reason, event.id)
        fold.told[stage] = (item.at, item.id)
    step.state.put(place, fold)


def _order(update: Update | ProfileUpdate) -> tuple[int, str]:
    return update.at, update.event


def _item(node: str, stage: str, reached: Reached) -> Item:
    opportunity = value(node)
    item_id = derived_id(tenant(node), "opportunity", opportunity, stage)
    amount = minor_units(reached.amount, reached.currency)
    conversion = Conversion(item_id, reached.at, stage, "", node, amount, reached.currency, reached.event, opportunity)
    return Item(item_id, reached.at, reached.event, conversion=conversion)


def _update_of(step: Step, event: Event) -> Update:
    properties = properties_or_reject(step, event)
    currency = currency_of(text_of(properties, "currency"))
    given = next((properties[n] for n in ("amount", "value") if properties.get(n) is not None), None)
    return Update(
        event.at,
        event.id,
        stage_name(text_of(properties, "stage", "stage_name")) or None,
        # Empty is what "there is none" looks like, not a bad number.
        None if given is None else "0" if given == "" else usable_amount(step, event, given, currency),
        currency or None,
        _time_of(properties.get("created_at")),
        properties.get("deleted") is True,
        _time_of(properties.get("closed_at")),
        _history_of(properties.get("stages")),
    )


def _history_of(given: object) -> tuple[tuple[int, str], ...] | None:
    """The entries of ``[{stage, at}]`` that name both, ascending; None if it is no list."""
    if not isinstance(given, list):
        return None
    found = set()
    for entry in given:
        if isinstance(entry, dict):
            at, stage = _time_of(entry.get("at")), stage_name(text_of(entry, "stage"))
            if at is not None and stage:
                found.add((at, stage))
    return tuple(sorted(found))


def _time_of(given: object) -> int | None:
    """A time as CRMs write it (ISO text, s or ms since 1970) in ms; None if it is none."""
    if isinstance(given, bool):
        return None
    if isinstance(given, int | float) and abs(given) < 2**53:
        return round(given) if abs(given) >= _LEAST_MS else round(given * _MS_IN_S)
    if not isinstance(given, str):
        return None
    try:
        time = datetime.fromisoformat(given)
    except ValueError:
        return None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * _MS_IN_S)


def take_account(step: Step, event: Event) -> None:
    """Fold a CRM account's update in and tell the account its present profile (arguments as ``take_opportunity``)."""
    place = key("f", event.node)
    fold = step.state.get(place, Profiles) or Profiles()
    fold.updates = [u for u in fold.updates if u.event != event.id]
    fold.updates.append(ProfileUpdate(event.at, event.id, _fields_of(step, event)))
    fold.updates.sort(key=_order)
    fold.told_at = max(fold.told_at, fold.updates[-1].at)
    step.state.put(place, fold)
    fields: dict[str, str] = {}
    for update in fold.updates:
        fields |= update.fields
    step.tell_account(Profile(event.node, step.at, event.id, "changed", **fields, profile_at=fold.told_at))


def _fields_of(step: Step, event: Event) -> dict[str, str]:
    properties = properties_or_reject(step, event)
    found: dict[str, str] = {}
    for field, names in _PROFILE_FIELDS.items():
        given = next((n for n in names if n in properties), None)
        if given is not None:
            raw = properties[given]
            first = raw[0] if isinstance(raw, list) and raw else raw
            found[field] = text_of({"": first}, "")
    return found
