"""Rows of the kept events: one ``events`` row each, and one ``email`` row for that kind."""

from schemas.event import Event
from schemas.facts import EmailRow
from stream.core.items import properties_or_reject, text_of
from stream.core.rulebook import Page
from stream.core.step import Step


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
        event.protocol, event.node[event.node.index("/") + 1 :], step.partition, step.offset, number,
    )  # fmt: skip
