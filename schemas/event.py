"""The canonical event: what every adapter produces and the ``events`` topic carries, one JSON object a line.

A frame is one Kafka record with one to 500 such lines (NDJSON); ``(topic, partition, offset, line)`` is the
address of an event for ever. Fields left at their default are not written.
"""

from typing import Final

import msgspec

PAGE: Final = "page"
SCREEN: Final = "screen"
TRACK: Final = "track"
IDENTIFY: Final = "identify"
GROUP: Final = "group"
ALIAS: Final = "alias"
PING: Final = "ping"
"""Engaged-time heartbeat: counts ``engaged_ms``, opens no session."""
EMAIL_EVENT: Final = "email"
"""``name`` is one of EMAIL_EVENTS; ``properties`` has message_id, campaign, url, reason."""
CRM_ACCOUNT: Final = "crm.account"
CRM_CONTACT: Final = "crm.contact"
CRM_OPPORTUNITY: Final = "crm.opportunity"
CRM_ACTIVITY: Final = "crm.activity"
COST: Final = "cost"
IDENTITY_LINK: Final = "identity.link"
"""An operator says that ``node`` belongs to another; enters by the child (``stream.core.identity.operators``)."""
IDENTITY_UNLINK: Final = "identity.unlink"
"""An operator takes a claim back, whoever made it; enters by the claim's child."""
IDENTITY_MERGE: Final = "identity.merge"
"""An operator says that two accounts are one; enters by the tenant's registry."""
IDENTITY_UNMERGE: Final = "identity.unmerge"

OPERATOR_EVENTS: Final = (IDENTITY_LINK, IDENTITY_UNLINK, IDENTITY_MERGE, IDENTITY_UNMERGE)
"""Only the collector makes them, for holders of an operator's key; foreign producers may not."""
EVENT_TYPES: Final = (
    PAGE, SCREEN, TRACK, IDENTIFY, GROUP, ALIAS, PING, EMAIL_EVENT,
    CRM_ACCOUNT, CRM_CONTACT, CRM_OPPORTUNITY, CRM_ACTIVITY, COST,
)  # fmt: skip
EMAIL_EVENTS: Final = (
    "sent", "delivered", "deferred", "bounced", "rejected", "opened", "clicked",
    "complained", "unsubscribed", "subscribed", "replied",
)  # fmt: skip

WEB: Final = "web"
APP: Final = "app"
SERVER: Final = "server"
"""Platforms. Only ``web`` and ``app`` events open or extend sessions."""


class Event(msgspec.Struct, omit_defaults=True, gc=False):
    """One thing that happened, in one shape whatever SDK sent it.

    Times are integer milliseconds since 1970 UTC. Texts are "" where absent. ``properties`` and ``traits`` are raw
    JSON objects, decoded only where a rule needs them.
    """

    id: str
    """The client's id (messageId, eid, sg_event_id, ...), unique per ``node``; generated at the edge if missing."""
    node: str
    """Entry node (``schemas.ids``): visitor if known, else user, else email, else account or opportunity."""
    type: str
    at: int
    """When it happened: the client's time corrected for clock skew."""
    received_at: int
    tenant: str = "default"
    source: str = ""
    """Name of the configured source (write key) it came by, never the key itself."""
    protocol: str = ""
    """segment, rudderstack, snowplow, tracker, pixel, crm, cost, sendgrid, ..."""
    platform: str = WEB
    name: str = ""
    """Event name (track), page or screen name, email event."""
    visitor: str = ""
    user: str = ""
    email: str = ""
    """Lower-case address, from traits or the provider."""
    group: str = ""
    """Account id of a ``group`` call or of ``context.groupId``."""
    client_session: str = ""
    """What the SDK calls its session; kept, not trusted."""
    original_at: int = 0
    """The client's own, uncorrected time; 0 if it sent none."""
    sent_at: int = 0
    clock_suspect: bool = False
    url: str = ""
    referrer: str = ""
    title: str = ""
    utm_source: str = ""
    """Explicit campaign fields (``context.campaign``); where empty, the URL's own parameters count."""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""
    engaged_ms: int = 0
    bot: str = ""
    """Bot class: crawler, ai, tool, headless, monitor, scanner, machine (mail images fetched ahead); "" for people."""
    bot_reason: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    region: str = ""
    city: str = ""
    company: str = ""
    """Domain of the company that the address belongs to, if a company file is configured; owns the visit only."""
    consent: dict[str, bool] | None = None
    gpc: bool = False
    locale: str = ""
    library: str = ""
    properties: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    traits: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
