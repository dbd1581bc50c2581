"""Rows of the kept events: one ``events`` row each, and one ``email`` row for that kind."""

from typing import Final

import msgspec

from schemas.codec import json_encoder
from schemas.event import Event
from schemas.facts import EmailRow, EventRow
from stream.core.items import properties_or_reject, text_of
from stream.core.rulebook import Page
from stream.core.step import Step

_EMPTY: Final = msgspec.Raw(b"{}")
_UNSET: Final = msgspec.UNSET


def event_row(event: Event, page: Page, partition: int, offset: int, number: int) -> bytes:
    """The encoded ``events`` row of an event."""
    node = event.node
    source = page.source
    properties, traits = event.properties, event.traits
    return json_encoder.encode(
        EventRow(
            event.tenant, event.id, event.at, event.received_at, event.source, event.protocol, event.platform,
            event.type, event.name, node[node.index("/") + 1 :], event.visitor, event.user, event.email, event.group,
            event.url, page.path, event.referrer, event.title,
            source.channel, source.source, source.medium, source.campaign, source.term, source.content, source.click_id,
            event.engaged_ms, event.bot != "", event.bot, event.bot_reason,
            event.device, event.browser, event.os, event.country, event.region, event.city, event.company,
            event.clock_suspect, event.client_session, event.locale, event.library,
            _EMPTY if properties is _UNSET else properties, _EMPTY if traits is _UNSET else traits,
            partition, offset, number,
        )
    )  # fmt: skip


def email_row(step: Step, event: Event, number: int) -> EmailRow:
    """The ``email`` row of a provider's event. It has the address of its ``events`` row, and is superseded with it."""
    properties = properties_or_reject(step, event)
    return EmailRow(
        event.tenant, event.id, text_of(properties, "message_id"), event.email,
        event.utm_campaign or text_of(properties, "campaign"), event.name, event.at,
        text_of(properties, "url") or event.url, event.bot != "", event.bot_reason or text_of(properties, "reason"),
        event.protocol, step.partition, step.offset, number,
    )  # fmt: skip
