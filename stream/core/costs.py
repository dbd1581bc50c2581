"""Ad cost: what was spent on a channel and campaign on a day, booked like the attribution ledger as signed differences.

    event of type cost -> restate -> rows of ``cost_ledger``

The sum over a cost's rows is its latest version's amount; the sum of those with ``recorded_at`` up to a moment is what was
known then.
"""

from typing import Final

from schemas.event import Event
from schemas.facts import CostLedgerRow
from schemas.ids import derived_id
from schemas.money import decimal_text
from stream.core.channels import channel_of
from stream.core.items import amount_or_reject, currency_of, properties_or_reject, text_of
from stream.core.restated import Restatement, restate
from stream.core.step import Step

_DAY_LETTERS: Final = 10
_BETWEEN: Final = "\x1f"
"""Parts a key; the edge lets no control characters in."""


def take_cost(step: Step, event: Event) -> None:
    """Fold a report of a cost in and book what it changes."""
    properties = properties_or_reject(step, event)
    source = event.utm_source or text_of(properties, "source", "utm_source")
    medium = event.utm_medium or text_of(properties, "medium", "utm_medium")
    campaign = event.utm_campaign or text_of(properties, "campaign", "utm_campaign")
    channel = text_of(properties, "channel") or channel_of(source, medium, campaign)
    currency = currency_of(text_of(properties, "currency"))
    day = text_of(properties, "day", "date")[:_DAY_LETTERS]
    given = next((properties[n] for n in ("amount", "cost", "spend") if properties.get(n) is not None), "")
    units = amount_or_reject(step, event, given, currency)
    name = _BETWEEN.join(part.replace(_BETWEEN, " ") for part in (day, channel, source, medium, campaign, currency))
    for change in restate(step, event, name, str(units)):
        step.fact("cost_ledger", _row(step, event, change))


def _row(step: Step, event: Event, change: Restatement) -> CostLedgerRow:
    day, channel, source, medium, campaign, currency = change.key.split(_BETWEEN)
    before, after = int(change.before or 0), int(change.after or 0)
    standing = (change.after is not None) - (change.before is not None)
    return CostLedgerRow(
        event.tenant, derived_id(event.tenant, "cost", day, channel, source, medium, campaign, currency),
        day, channel, source, medium, campaign,
        decimal_text(after - before, currency), currency, standing, _REASONS[standing], event.id, step.at,
        step.partition, step.offset, step.next_row("cost_ledger"),
    )  # fmt: skip


_REASONS: Final = {1: "new_cost", 0: "restated", -1: "withdrawn"}
