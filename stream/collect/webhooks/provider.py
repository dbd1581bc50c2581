"""What a provider's module offers: one value, listed in ``registry``.

path /webhooks/{name}/{webhook} -> verify(Delivery, Webhook) -> events_of(body, request) -> Parsed
"""

from collections.abc import Callable

import msgspec

from stream.collect.request import Adapter
from stream.collect.webhooks.verification import Delivery, Refusal, Token, Verify
from stream.settings import Webhook


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A sender of webhooks. All functions are pure."""

    name: str
    """In the path, in ``touchline.toml``, and as ``Event.protocol``."""
    title: str
    verify: Verify
    events_of: Adapter
    """For a delivery that was verified. What it cannot use becomes dead letters, since a provider would only repeat it."""
    fault_of: Callable[[Webhook], str]
    """What the webhook's configuration lacks, and what to do; "" if it can work."""
    content_type: str = "application/json"
    head: bool = False
    """Answer HEAD with 200: the provider asks so whether the address exists."""
    certificate_url: Callable[[Delivery, Webhook], str | Refusal] | None = None
    """Where the certificate lies that ``verify`` needs."""
    token_of: Callable[[Delivery], Token] | None = None
    """The one-time token of a verified delivery, where the signature covers nothing else."""


def secret_missing(webhook: Webhook) -> str:
    """The commonest fault.

    >>> secret_missing(Webhook("mailgun", "main"))
    'secret is empty: copy it from the console of mailgun'
    """
    return "" if webhook.secret else f"secret is empty: copy it from the console of {webhook.provider}"


def secret_or_url_missing(webhook: Webhook) -> str:
    """For providers that sign the address."""
    if not webhook.url.startswith(("https://", "http://")):
        return f"url is not the public address that {webhook.provider} calls: it is part of what is signed"
    return secret_missing(webhook)
