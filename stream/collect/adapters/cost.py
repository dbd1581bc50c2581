"""What was spent on a channel, source or campaign on a day.

POST /v1/costs (JSON array or NDJSON, Basic write key) -> Events of type cost

The channel is one of ours however it is spelled, or any other name. A row that says nothing of where the money went is
of none (Unassigned): nobody pays for direct visits.

A row is ``{date, channel?, utm_source?, utm_medium?, utm_campaign?, amount, currency, updated_at?}``. All but amount
and updated_at are its key, with the channel worked out where it is missing: a later row with the same key replaces the
amount. The key's hash is ``properties.cost_id``
and makes the entry node ``o:cost/HASH``, so all versions of one key lie in one partition, in order; the node has no
claims and belongs to no account.

``Event.properties``: cost_id, day (YYYY-MM-DD), channel, utm_source, utm_medium, utm_campaign, amount (decimal text in
whole units), currency; all of them always. ``Event.at`` is ``updated_at``, else the time of receipt.
"""

from typing import Final

from schemas import event as kinds
from schemas.event import Event
from schemas.ids import derived_id
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.adapters.rows import (
    Row,
    amount_of,
    as_properties,
    currency_of,
    day_of,
    parsed_rows,
    put_version,
    text_of,
)
from stream.collect.bodies import Unfit
from stream.collect.request import Parsed, Request
from stream.core.channels import CHANNELS, UNASSIGNED, channel_of

_CHANNELS: Final = {name.lower(): name for name in CHANNELS}


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one request, in its order."""
    return parsed_rows(body, request, kinds.COST, "cost", _cost)


def _cost(row: Row, event: Event) -> None:
    currency = currency_of(row)
    amount = amount_of(row, currency)
    day = day_of(row, "date")
    for name, text in (("amount", amount), ("currency", currency)):
        if not text:
            raise Unfit(RejectReason.MISSING_FIELD, name)
    event.utm_source, event.utm_medium = text_of(row, "utm_source"), text_of(row, "utm_medium")
    event.utm_campaign = text_of(row, "utm_campaign")
    channel = _channel(row, event)
    key = (day, channel, event.utm_source, event.utm_medium, event.utm_campaign, currency)
    cost_id = derived_id(kinds.COST, *key)
    version = put_version(event, row, time_name="updated_at")
    event.id = derived_id(cost_id, version, amount)
    event.node = normal.entry_node(event.tenant, opportunity=f"cost/{cost_id}")
    event.properties = as_properties(
        {
            "cost_id": cost_id,
            "day": day,
            "channel": channel,
            "utm_source": event.utm_source,
            "utm_medium": event.utm_medium,
            "utm_campaign": event.utm_campaign,
            "amount": amount,
            "currency": currency,
        }
    )


def _channel(row: Row, event: Event) -> str:
    given = " ".join(text_of(row, "channel").split())
    if given:
        return _CHANNELS.get(given.lower(), given)
    if event.utm_source or event.utm_medium or event.utm_campaign:
        return channel_of(event.utm_source, event.utm_medium, event.utm_campaign)
    return UNASSIGNED
