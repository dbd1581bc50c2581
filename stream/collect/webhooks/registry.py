"""All providers of webhooks. A new one is a module with a ``PROVIDER`` and a line here."""

from typing import Final

from stream.collect.webhooks import brevo, hubspot, mailgun, mandrill, postmark, resend, sendgrid, ses
from stream.collect.webhooks.provider import Provider
from stream.settings import Webhook

PROVIDERS: Final[tuple[Provider, ...]] = (
    sendgrid.PROVIDER,
    mailgun.PROVIDER,
    postmark.PROVIDER,
    ses.PROVIDER,
    mandrill.PROVIDER,
    resend.PROVIDER,
    brevo.PROVIDER,
    hubspot.PROVIDER,
)
_BY_NAME: Final = {provider.name: provider for provider in PROVIDERS}


def fault_of(webhook: Webhook) -> str:
    """Why a configured webhook cannot work; "" if it can.

    >>> fault_of(Webhook("mailgum", "main", "x"))
    'provider is none of sendgrid, mailgun, postmark, ses, mandrill, resend, brevo, hubspot'
    """
    provider = _BY_NAME.get(webhook.provider)
    if not webhook.name or "/" in webhook.name:
        return "name is empty or has a slash: it is the last part of the webhook's path"
    return provider.fault_of(webhook) if provider is not None else f"provider is none of {', '.join(_BY_NAME)}"
