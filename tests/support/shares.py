"""Bookings as the views show them: a row for each share."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sinks.clickhouse.client import ClickHouse
from tests.support.fact_rows import put

ARRAYS: Final = {
    "touch_ids": "touch_id", "channels": "channel", "utm_sources": "utm_source", "utm_mediums": "utm_medium",
    "utm_campaigns": "utm_campaign", "touched_at": "touch_at", "credits": "credit", "amounts": "amount",
}  # fmt: skip
"""Columns of ``bookings`` and what they are called where each share has a row."""


class Share(msgspec.Struct, kw_only=True):
    """A row of ``ledger_shares``."""

    tenant: str
    conversion_id: str
    account_id: str
    stage: str
    model: str
    model_version: str
    touch_id: str
    channel: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    credit: str
    amount: str
    currency: str
    touch_at: int
    conversion_at: int
    recorded_at: int
    reason: str
    cause_event_id: str


WHICH: Final = [
    name
    for name in Share.__struct_fields__
    if name not in {"credit", "amount", "reason", "recorded_at", "cause_event_id"}
]
"""What says which share it is; the rest says how much, and when and why it was booked."""


def shares_of(booking: Mapping[str, Any]) -> list[Share]:
    """The shares of a row of ``bookings``."""
    same = {name: booking[name] for name in Share.__struct_fields__ if name in booking}
    columns = [booking[name] for name in ARRAYS]
    return [Share(**same, **dict(zip(ARRAYS.values(), cells, strict=True))) for cells in zip(*columns, strict=True)]


def book(database: ClickHouse, *shares: dict[str, Any]) -> None:
    """Insert shares, each a booking of its own, given by the fields that matter (``fact_rows.put``)."""
    empty = dict.fromkeys(ARRAYS.values(), "") | {"touch_at": 0, "credit": "0", "amount": "0"}
    rows = []
    for share in shares:
        whole = empty | share
        same = {name: value for name, value in share.items() if name not in empty}
        rows.append(same | {column: [whole[name]] for column, name in ARRAYS.items()})
    put(database, "bookings", *rows)
