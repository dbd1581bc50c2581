"""CRM opportunities: a fold over all updates, and the conversions that follow from it.

Updates carry what changed; what they leave out stays as it was. All are kept, sorted by (time, event id), so that the
result is a function of their set.
"""

from typing import Final

import msgspec

from schemas.event import Event
from schemas.ids import derived_id, tenant, value
from schemas.messages import Conversion
from schemas.money import minor_units
from stream.core.hits import Item
from stream.core.items import currency_of, moment_of, properties_or_reject, text_of, usable_amount
from stream.core.leaf import put_item, remove_item
from stream.core.opportunity_stages import Reached, Update, stage_name, stages_of
from stream.core.state import key
from stream.core.step import Step
from stream.core.versions import with_version

_IN_PIECES: Final = "hubspot"
"""Protocol whose versions are of one property each. It goes on to report links of deals that are deleted or merged."""


class Opportunity(msgspec.Struct, array_like=True, gc=False):
    """All versions of an opportunity, and the conversions that were last told: stage -> (time, id)."""

    updates: list[Update] = msgspec.field(default_factory=list)
    told: dict[str, tuple[int, str]] = msgspec.field(default_factory=dict)


def take_opportunity(step: Step, event: Event) -> None:
    """Fold an opportunity's update in and tell what it changed about its conversions.

    Args:
        step: of the frame.
        event: of type ``crm.opportunity``. It takes the place of what was known of its id.
    """
    place = key("f", event.node)
    fold = step.state.get(place, Opportunity) or Opportunity()
    fold.updates = with_version(fold.updates, _update_of(step, event))
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
        moment_of(properties.get("created_at")),
        _deleted(event, properties),
        moment_of(properties.get("closed_at")),
        _history_of(properties.get("stages")),
    )


def _deleted(event: Event, properties: dict[str, object]) -> bool | None:
    """Whether the deal is gone. A version that does not say so says that it is there, unless it is of one property only."""
    said = properties.get("deleted")
    return None if event.protocol == _IN_PIECES and not isinstance(said, bool) else said is True


def _history_of(given: object) -> tuple[tuple[int, str], ...] | None:
    """The entries of ``[{stage, at}]`` that name both, ascending; None if it is no list."""
    if not isinstance(given, list):
        return None
    found = set()
    for entry in given:
        if isinstance(entry, dict):
            at, stage = moment_of(entry.get("at")), stage_name(text_of(entry, "stage"))
            if at is not None and stage:
                found.add((at, stage))
    return tuple(sorted(found))
