"""Segment's email events as ours: what a provider reports by way of Segment counts like its webhooks' events.

track call "Email Opened" -> Event of type ``email`` named ``opened``

Properties that we know get our names (``stream.collect.webhooks.mail``); all others are kept in ``custom``. The person is
the recipient: the anonymous id of such a call is nobody's device, so it is dropped. A call that names neither an address
nor a user stays the track call that it is.
"""

from typing import Final

from schemas import event as kinds
from schemas.event import Event
from stream.collect import normal
from stream.collect.adapters.rows import as_properties, custom_of
from stream.collect.request import Enrich
from stream.collect.webhooks.readers import judge

MAIL_NAMES: Final = {
    "Email Delivered": "delivered",
    "Email Opened": "opened",
    "Email Link Clicked": "clicked",
    "Email Bounced": "bounced",
    "Email Marked as Spam": "complained",
    "Unsubscribed": "unsubscribed",
}
_OF_MAIL: Final = ("email_id", "email_subject", "campaign_id", "campaign_name", "list_id", "list_name")
_KNOWN: Final = frozenset({"email_id", "campaign_name", "link_url", "reason", "recipient", "email"})
_AMBIGUOUS: Final = "Unsubscribed"
"""Also what a product calls the end of a subscription: a mail's only if a property of mails says so."""


def is_mail(event: Event, property_of: dict[str, object]) -> bool:
    """Whether a track call is one of the email events, of somebody whom it names."""
    if event.name not in MAIL_NAMES or not (event.user or _recipient(event, property_of)):
        return False
    return event.name != _AMBIGUOUS or not property_of.keys().isdisjoint(_OF_MAIL)


def put_mail(event: Event, property_of: dict[str, object], enrich: Enrich, *, user_agent: str, address: str) -> None:
    """Make the event of a call that ``is_mail`` an email event.

    Args:
        event: the track call, with everything but its edge.
        property_of: the members of its properties.
        enrich: of the request.
        user_agent: the reader's, as the call's context has it.
        address: likewise.
    """
    event.type, event.name, event.platform = kinds.EMAIL_EVENT, MAIL_NAMES[event.name], kinds.SERVER
    event.email, event.visitor = _recipient(event, property_of), ""
    # The user first: an address alone belongs to its domain's company, a user to the account that the product says.
    event.node = normal.entry_node(event.tenant, "", event.user, event.email)
    event.url = normal.text(property_of.get("link_url"), normal.URL_LIMIT)
    event.referrer = event.title = ""
    gateway = judge(event, enrich, user_agent=user_agent, address=address, flag="")
    campaign = normal.text(property_of.get("campaign_name")) or normal.text(property_of.get("campaign_id"))
    event.properties = as_properties(
        {
            "message_id": normal.text(property_of.get("email_id")),
            "campaign": campaign,
            "url": event.url,
            "reason": normal.text(property_of.get("reason")),
            "useragent": event.bot_reason or event.browser,
            "gateway": gateway or None,
            "custom": custom_of(property_of, _KNOWN) or None,
        }
    )


def _recipient(event: Event, property_of: dict[str, object]) -> str:
    """The address of the properties, which the mail went to; else the person's."""
    return normal.address(property_of.get("recipient")) or normal.address(property_of.get("email")) or event.email
