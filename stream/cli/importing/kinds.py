"""What a file can hold: where it goes, and which of its fields are times, money or lists."""

from collections.abc import Mapping
from typing import Final

import msgspec

from stream.collect.adapters import cost, crm, fx, segment
from stream.collect.request import Adapter


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of rows."""

    path: str
    """The collector's endpoint."""
    events_of: Adapter
    """What the collector itself makes of a row."""
    needs: tuple[str, ...]
    """Fields that a mapping must find a column for."""
    others: tuple[str, ...] = ()
    """What else it has a meaning for; () if any name may have one."""
    types: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Field -> time, day, number, list, ids (a list of them), first (of a list); the others are texts."""
    key: str = ""
    """Of restated sums: what tells one from another. Two of one file's rows with that in common are one, not the sum."""
    merges: str = ""
    """Field by which an object says that it was merged into another one; "" if none can."""
    version: str = "updated_at"
    """Field with the time of the version; "" where rows have none."""


IDS: Final = frozenset({"id", "account_id", "contact_id", "contact_ids", "parent_id", "merged_into"})
"""Fields that name objects of the CRM."""
_VERSION: Final = {"updated_at": "time"}

KINDS: Final = {
    "accounts": Kind(
        path="/v1/crm/accounts",
        events_of=crm.events_of,
        needs=("id",),
        others=("name", "domain", "domains", "parent_id", "owner", "stage", "merged_into", "deleted", "updated_at"),
        types={"domains": "list", "parent_id": "first", "merged_into": "first"} | _VERSION,
        merges="merged_into",
    ),
    "contacts": Kind(
        path="/v1/crm/contacts",
        events_of=crm.events_of,
        needs=("id", "email"),
        others=("account_id", "user_id", "title", "merged_into", "deleted", "updated_at"),
        types={"account_id": "first", "merged_into": "first"} | _VERSION,
        merges="merged_into",
    ),
    "opportunities": Kind(
        path="/v1/crm/opportunities",
        events_of=crm.events_of,
        needs=("id",),
        others=(
            "account_id", "name", "stage", "stages", "amount", "currency", "contact_emails", "contact_ids", "created_at",
            "updated_at", "closed_at", "deleted",
        ),
        types={
            "account_id": "first", "amount": "number", "contact_emails": "list", "contact_ids": "ids",
            "created_at": "time", "closed_at": "time",
        } | _VERSION,
        merges="deleted",
    ),
    "activities": Kind(
        path="/v1/crm/activities",
        events_of=crm.events_of,
        needs=("id", "type", "occurred_at"),
        others=("email", "contact_id", "account_id", "subject", "status", "deleted", "updated_at"),
        types={"account_id": "first", "occurred_at": "time"} | _VERSION,
    ),
    "costs": Kind(
        path="/v1/costs",
        events_of=cost.events_of,
        needs=("date", "amount", "currency"),
        others=("channel", "utm_source", "utm_medium", "utm_campaign", "updated_at"),
        types={"date": "day", "amount": "number"} | _VERSION,
        key="date, channel, source, medium, campaign and currency",
    ),
    "fx": Kind(
        path="/v1/fx",
        events_of=fx.events_of,
        needs=("date", "from", "to", "rate"),
        others=("updated_at",),
        types={"date": "day", "rate": "number"} | _VERSION,
        key="date and currencies",
    ),
    "events": Kind(
        path="/v1/batch",
        events_of=segment.events_of,
        needs=("type",),
        types={"timestamp": "time", "originalTimestamp": "time"},
        version="",
    ),
}  # fmt: skip
EVENTS: Final = "events"
