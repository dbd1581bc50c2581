"""CRM accounts: the present profile, the latest word on each field over all updates, in whatever order they came."""

from typing import Final

import msgspec

from schemas.event import Event
from schemas.messages import BEGINNING, Profile
from stream.core.identity.domains import journey_node
from stream.core.items import properties_or_reject, text_of
from stream.core.state import key
from stream.core.step import Step
from stream.core.versions import with_version

_PROFILE_FIELDS: Final = {
    "name": ("name",), "domain": ("domain", "domains", "website"), "stage": ("stage",),
    "parent": ("parent_id", "parent"), "owner": ("owner",),
}  # fmt: skip


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


def take_account(step: Step, event: Event) -> None:
    """Fold a CRM account's update in and tell the account its present profile."""
    place = key("f", event.node)
    fold = step.state.get(place, Profiles) or Profiles()
    fold.updates = with_version(fold.updates, ProfileUpdate(event.at, event.id, _fields_of(step, event)))
    fold.told_at = max(fold.told_at, fold.updates[-1].at)
    step.state.put(place, fold)
    fields: dict[str, str] = {}
    for update in fold.updates:
        fields |= update.fields
    step.tell_account(
        Profile(journey_node(event.node), step.at, event.id, "changed", **fields, profile_at=fold.told_at)
    )


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
