"""HubSpot's signature v3: HMAC-SHA256 over method, address, body and time, with the app's client secret.

The address is the webhook's ``url``, with those escapes decoded that HubSpot decodes before it signs. Versions 1 and 2,
which HubSpot sends beside it, sign no time and are not looked at.
"""

import re
from typing import Final

from stream.collect.webhooks.verification import Delivery, Refusal, base64_hmac, same, time_fault
from stream.settings import Webhook

SIGNATURE_HEADER: Final = "x-hubspot-signature-v3"
TIMESTAMP_HEADER: Final = "x-hubspot-request-timestamp"
_ESCAPED: Final = re.compile("%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
_MS_DIGITS: Final = 3


def verify(delivery: Delivery, webhook: Webhook) -> Refusal | None:
    """Whether HubSpot signed this body for this address within the window."""
    timestamp = delivery.headers.get(TIMESTAMP_HEADER) or ""
    content = b"POST" + signed_address(webhook.url).encode() + delivery.body + timestamp.encode("utf-8", "replace")
    if not webhook.url or not same(
        delivery.headers.get(SIGNATURE_HEADER) or "", base64_hmac(webhook.secret, content, "sha256")
    ):
        return Refusal.SIGNATURE
    return time_fault(timestamp[:-_MS_DIGITS], delivery, webhook)


def signed_address(url: str) -> str:
    """The address as HubSpot signs it.

    >>> signed_address("https://x.example/webhooks/hubspot/main?a=%40%20b")
    'https://x.example/webhooks/hubspot/main?a=@%20b'
    """
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), url)
