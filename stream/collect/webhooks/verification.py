"""The vocabulary of authenticity that all providers' modules share: what was delivered, why it is refused, comparisons.

    gate -> provider.verify(Delivery, Webhook) -> None (genuine) or a Refusal -> 401, counted, nothing stored

All pure. Comparisons of secrets take the same time wherever they differ.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from stream.collect import access
from stream.settings import Webhook

WINDOW_S: Final = 300
"""Age of a signature that still counts where nothing else is said: what Svix and HubSpot prescribe."""
AHEAD_S: Final = 300
"""A signature from the future is a wrong clock; beyond this it is none that we can date."""
_DIGITS: Final = 14
_PARAMETERS: Final = 64


class Refusal(StrEnum):
    """Why a delivery is not taken. Nothing of it is kept but a count."""

    SIGNATURE = "bad_signature"
    TIME = "bad_timestamp"
    REPLAY = "replayed_token"
    CERTIFICATE = "foreign_certificate"
    TOPIC = "foreign_topic"


DETAILS: Final[Mapping[Refusal, str]] = MappingProxyType(
    {
        Refusal.SIGNATURE: "the signature or secret is missing or wrong: compare it with the provider's console",
        Refusal.TIME: "the signature is too old or from the future: check the clock, or raise the webhook's window_s",
        Refusal.REPLAY: "the signature was used already, for another event",
        Refusal.CERTIFICATE: "the signing certificate is not one of Amazon SNS that holds now",
        Refusal.TOPIC: "the topic is not among the webhook's topics",
    }
)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a provider, as far as a signature may cover it."""

    body: bytes
    """As received, undecoded: one changed byte is another body."""
    headers: Mapping[str, str] = MappingProxyType({})
    """Look up with lower-case names."""
    query: str = ""
    """As sent, percent-encoded."""
    now: int
    """Our time, ms."""
    certificate: bytes = b""
    """PEM, from the address that ``Provider.certificate_url`` named."""


Verify = Callable[[Delivery, Webhook], Refusal | None]


class Token(NamedTuple):
    """A signature's one-time token: may come again with the same content (a repeat), never with another."""

    value: str
    content: bytes
    """What the signature itself does not cover."""


def time_fault(timestamp: str, delivery: Delivery, webhook: Webhook, *, default_s: int = WINDOW_S) -> Refusal | None:
    """Whether a signed epoch time in s is outside of the webhook's window.

    Args:
        timestamp: as the provider wrote it; anything but digits is no time.
        delivery: has our time.
        webhook: its ``window_s``, if set, counts instead of ``default_s``.
        default_s: s.
    """
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > _DIGITS:
        return Refusal.TIME
    window_s = webhook.window_s or default_s
    age_s = delivery.now / 1000 - int(timestamp)
    return None if -min(AHEAD_S, window_s) <= age_s <= window_s else Refusal.TIME


def same(given: str, expected: str) -> bool:
    """Whether two texts are equal; "" never equals anything, since it stands for "not there" and "not configured"."""
    return bool(expected) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def base64_hmac(secret: str, content: bytes, digest: str) -> str:
    """Base64 of the HMAC of ``content``; "" without a secret, which no signature equals."""
    return base64.b64encode(hmac.digest(secret.encode(), content, digest)).decode() if secret else ""


def hex_hmac(secret: str, content: bytes, digest: str) -> str:
    """The same in lower-case hexadecimal."""
    return hmac.digest(secret.encode(), content, digest).hex() if secret else ""


def decoded(text: str) -> bytes:
    """The bytes of a base64 text; b"" if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def secret_fault(delivery: Delivery, webhook: Webhook, *, parameter: str = "") -> Refusal | None:
    """For providers that sign nothing: whether the delivery lacks the secret.

    Args:
        delivery: carries it in the header ``webhook.header``, as Basic authorization (the secret is ``user:password``),
            or as a parameter of the address.
        webhook: has the secret.
        parameter: name of that parameter; "": the provider cannot.
    """
    if webhook.header:
        places = [delivery.headers.get(webhook.header.lower()) or ""]
    else:
        places = [access.basic_credentials(delivery.headers.get("authorization") or "")]
    if parameter:
        places.append(_parameter(delivery.query, parameter))
    return None if any(same(given, webhook.secret) for given in places) else Refusal.SIGNATURE


def _parameter(query: str, name: str) -> str:
    try:
        return dict(parse_qsl(query, max_num_fields=_PARAMETERS)).get(name, "")
    except ValueError:
        return ""
