"""Rows of the kept events: one ``events`` row each, and one ``email`` or ``costs`` row for those two kinds."""

from typing import Final

from schemas.event import Event
from schemas.facts import CostRow, EmailRow
from schemas.ids import derived_id
from schemas.money import decimal_text
from stream.core.channels import channel_of
from stream.core.items import amount_or_reject, currency_of, properties_or_reject, text_of
from stream.core.rulebook import Page
from stream.core.step import Step

_DAY_LETTERS: Final = 10
_TIE_BITS: Final = 20
"""Of a cost's version: above them its time in ms, in them a digest of its id."""
_LATEST_VERSION: Final = (1 << 43) - 1


def event_row(step: Step, line: bytes, page: Page, number: int) -> bytes:
    """The ``events`` row of an event: its own line, what its addresses say, and the row's address."""
    return b"%b%b%b%d}" % (line[:-1], page.columns, step.row_address, number)


def email_row(step: Step, event: Event, number: int) -> EmailRow:
    """The ``email`` row of a provider's event. It has the address of its ``events`` row, and is superseded with it."""
    properties = properties_or_reject(step, event)
    return EmailRow(
        event.tenant, event.id, text_of(properties, "message_id"), event.email,
        event.utm_campaign or text_of(properties, "campaign"), event.name, event.at,
        text_of(properties, "url") or event.url, event.bot != "", event.bot_reason or text_of(properties, "reason"),
        event.protocol, step.partition, step.offset, number,
    )  # fmt: skip


def cost_row(step: Step, event: Event) -> CostRow:
    """The ``costs`` row of an ad cost. Of two uploads for one day and campaign the later version counts.

    Which one is later is said by the event, never by the order of arrival: its time, and of equal times the greater id.
    """
    properties = properties_or_reject(step, event)
    source = event.utm_source or text_of(properties, "source", "utm_source")
    medium = event.utm_medium or text_of(properties, "medium", "utm_medium")
    campaign = event.utm_campaign or text_of(properties, "campaign", "utm_campaign")
    channel = text_of(properties, "channel") or channel_of(source, medium, campaign)
    currency = currency_of(text_of(properties, "currency"))
    day = text_of(properties, "day", "date")[:_DAY_LETTERS]
    given = next((properties[n] for n in ("amount", "cost", "spend") if properties.get(n) is not None), "")
    units = amount_or_reject(step, event, given, currency)
    cost_id = derived_id(event.tenant, "cost", day, channel, source, medium, campaign, currency)
    return CostRow(
        event.tenant, cost_id, day, channel, source, medium, campaign, decimal_text(units, currency), currency,
        min(max(event.at, 0), _LATEST_VERSION) << _TIE_BITS | int(derived_id(event.id)[: _TIE_BITS // 4], 16),
        step.partition, step.offset, step.next_row("costs"),
    )  # fmt: skip
