"""CRM activities (meetings, calls, tasks): a fold over all versions, and the one touch that follows from it.

Versions carry what changed; what they leave out stays as it was. All are kept, sorted by (time, event id), so that the
result is a function of their set. Rules: docs/crm.md#activities.
"""

from typing import Final

import msgspec

from schemas.event import Event
from schemas.ids import derived_id
from schemas.messages import Touch
from stream.core import channels
from stream.core.hits import Item
from stream.core.items import moment_of, properties_or_reject, text_of
from stream.core.leaf import put_item, remove_item
from stream.core.rulebook import Rulebook, rulebook_of
from stream.core.sources import Source
from stream.core.state import key
from stream.core.step import Step
from stream.core.versions import with_version

_CHANNELS: Final = dict.fromkeys(("event", "webinar", "tradeshow", "conference"), channels.EVENT)
_NOT_HELD: Final = frozenset({
    "planned", "scheduled", "rescheduled", "not_started", "open", "queued", "in_progress", "waiting",
    "waiting_on_someone_else", "deferred", "cancelled", "canceled", "declined", "no_show",
})  # fmt: skip
"""Statuses, as the collector writes them, with which nobody met anybody. Any other one says that it took place."""


class Version(msgspec.Struct, array_like=True, gc=False):
    """One version of an activity. None: it does not say."""

    at: int
    event: str
    received_at: int
    type: str | None = None
    occurred_at: int | None = None
    status: str | None = None
    deleted: bool = False
    source: Source | None = None
    """Only if it is an external one."""


class Activity(msgspec.Struct, array_like=True, gc=False):
    """All versions of an activity, and the touch that was last told: (time, id)."""

    versions: list[Version] = msgspec.field(default_factory=list)
    told: tuple[int, str] | None = None


def take_activity(step: Step, event: Event) -> None:
    """Fold an activity's version in and tell what it changed about its touch.

    Args:
        step: of the frame.
        event: of type ``crm.activity``. It takes the place of what was known of its id.
    """
    book = rulebook_of(step.rules)
    place = key("f", event.node)
    fold = step.state.get(place, Activity) or Activity()
    fold.versions = with_version(fold.versions, _version_of(step, book, event))
    item = _item(book, event.type, event.node, fold.versions)
    told = fold.told
    fold.told = None if item is None else (item.at, item.id)
    if told is not None and told != fold.told:
        remove_item(step, event.node, *told, event.id)
    if item is not None:
        put_item(step, event.node, item, "new" if told is None else "changed", event.id)
    step.state.put(place, fold)


def _item(book: Rulebook, kind: str, node: str, versions: list[Version]) -> Item | None:
    """The touch that a sorted list of versions amounts to; None if it did not take place, as far as is known."""
    latest, first = versions[-1], versions[0]
    status = next((v.status for v in reversed(versions) if v.status is not None), "")
    at = next((v.occurred_at for v in reversed(versions) if v.occurred_at is not None), first.at)
    # Nobody can tell of a meeting before its time that it was held. There is no clock here: receipt is the proof.
    if latest.deleted or status in _NOT_HELD or at > max(v.received_at for v in versions):
        return None
    name = next((v.type for v in reversed(versions) if v.type), "activity")
    source = next((v.source for v in reversed(versions) if v.source is not None), None)
    if source is None:
        source = Source(_CHANNELS.get(name.lower(), channels.SALES_OUTREACH))
    # A touch never moves in time (tables and accounts keep it by its time): one at another time is another.
    touch_id = derived_id("activity", node, str(at))
    touch = Touch(
        touch_id, at, name, source.channel, "", node,
        source.source, source.medium, source.campaign, "", first.event, book.points(kind, name, ""), at,
    )  # fmt: skip
    return Item(touch_id, at, first.event, touch=touch)


def _version_of(step: Step, book: Rulebook, event: Event) -> Version:
    properties = properties_or_reject(step, event)
    return Version(
        event.at,
        event.id,
        event.received_at,
        event.name or None,
        moment_of(properties.get("occurred_at")),
        text_of(properties, "status") if isinstance(properties.get("status"), str) else None,
        properties.get("deleted") is True,
        book.page(event).opens,
    )
