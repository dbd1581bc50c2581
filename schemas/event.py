"""The canonical event: what every adapter produces and the ``events`` topic carries, one JSON object a line.

A frame is one Kafka record with one to 2,000 such lines (NDJSON); ``(topic, partition, offset, line)`` is the
address of an event for ever. Fields left at their default are not written. On the wire fields have the names of the
``events`` table's columns, so that a line is most of its row already (``stream.core.rows``).
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
"""``name`` is one of EMAIL_EVENTS; ``properties`` has message_id, campaign, url, reason. Enters by the recipient
(``e:``, or ``u:`` where an SDK says which user that is), or by the domain that all recipients share (``d:``) where the
provider does not tell which one it was."""
CRM_ACCOUNT: Final = "crm.account"
CRM_CONTACT: Final = "crm.contact"
CRM_OPPORTUNITY: Final = "crm.opportunity"
CRM_ACTIVITY: Final = "crm.activity"
COST: Final = "cost"
FX: Final = "fx"
"""A rate between two currencies on a day."""
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
    CRM_ACCOUNT, CRM_CONTACT, CRM_OPPORTUNITY, CRM_ACTIVITY, COST, FX,
)  # fmt: skip
EMAIL_EVENTS: Final = (
    "sent", "delivered", "deferred", "bounced", "rejected", "opened", "clicked",
    "complained", "unsubscribed", "subscribed", "replied",
)  # fmt: skip

WEB: Final = "web"
APP: Final = "app"
SERVER: Final = "server"
"""Platforms. Only ``web`` and ``app`` events open or extend sessions."""


COLUMNS: Final = {
    "id": "event_id", "at": "occurred_at", "visitor": "visitor_id", "user": "user_id", "group": "group_id",
    "utm_source": "campaign_source", "utm_medium": "campaign_medium", "utm_campaign": "campaign_name",
    "utm_term": "campaign_term", "utm_content": "campaign_content",
}  # fmt: skip
"""Names on the wire where they differ. What a campaign field says explicitly is not yet what an event is attributed to."""
NODE_FIRST: Final = b'{"node":"'
"""How every line begins that our encoder wrote."""
CONTENT: Final = b',"type":'
"""Where its content begins: before it are the id, the node and times, which a repeated delivery may have others of."""


class Event(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True, rename=COLUMNS):
    """One thing that happened, in one shape whatever SDK sent it.

    Times are integer milliseconds since 1970 UTC. Texts are "" where absent. ``properties`` and ``traits`` are raw
    JSON objects, decoded only where a rule needs them.
    """

    node: str
    """Entry node (``schemas.ids``): visitor if known, else user, else email, else account or opportunity."""
    id: str
    """The client's id (messageId, eid, sg_event_id, ...), unique per ``node``; generated at the edge if missing."""
    at: int
    """When it happened: the client's time corrected for clock skew."""
    received_at: int
    original_at: int = 0
    """The client's own, uncorrected time; 0 if it sent none."""
    sent_at: int = 0
    type: str
    tenant: str = "default"
    source: str = ""
    """Name of the configured source (write key) it came by, never the key itself."""
    protocol: str = ""
    """segment, rudderstack, snowplow, posthog, tracker, pixel, crm, cost, fx, or the provider of a webhook: sendgrid, ..."""
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
