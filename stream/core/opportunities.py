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


def stages_of(updates: list[Update]) -> dict[str, Reached]:
    """The stages that a sorted list of updates amounts to.

    A stage begins with its first update; its amount is that of the last update while in it. ``won`` and ``lost`` count
    only while they are the latest stage. Without an explicit ``open`` the first update opens it at its creation time.
    """
    reached: dict[str, Reached] = {}
    stage, amount, currency, deleted = "", "0", "", False
    for update in updates:
        stage = update.stage or stage
        amount = amount if update.amount is None else update.amount
        currency = currency if update.currency is None else update.currency
        deleted = update.deleted
        if stage:
            first = reached.get(stage)
            entered, event = (update.at, update.event) if first is None else (first.at, first.event)
            reached[stage] = Reached(entered, event, amount, currency)
    if deleted:
        return {}
    for final in (WON, LOST):
        if stage != final:
            reached.pop(final, None)
    if updates and OPEN not in reached:
        reached[OPEN] = _opening(updates)
    return reached


def _opening(updates: list[Update]) -> Reached:
    first = updates[0]
    created = next((u.created_at for u in updates if u.created_at is not None), first.at)
    return Reached(min(created, first.at), first.event, first.amount or "0", first.currency or "")


def take_opportunity(step: Step, event: Event, *, replaces: bool) -> None:
    """Fold an opportunity's update in and tell what it changed about its conversions.

    Args:
        step: of the frame.
        event: of type ``crm.opportunity``.
        replaces: whether another content of the same id counted until now.
    """
    place = key("f", event.node)
    fold = step.state.get(place, Opportunity) or Opportunity()
    if replaces:
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
        None if given is None else usable_amount(step, event, given, currency),
        currency or None,
        _time_of(properties.get("created_at")),
        properties.get("deleted") is True,
    )


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


def take_account(step: Step, event: Event, *, replaces: bool) -> None:
    """Fold a CRM account's update in and tell the account its present profile (arguments as ``take_opportunity``)."""
    place = key("f", event.node)
    fold = step.state.get(place, Profiles) or Profiles()
    if replaces:
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
