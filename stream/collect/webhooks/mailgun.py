"""Mailgun's webhooks: one event, with a signature in the body that covers a time and a one-time token, not the event.

Whoever holds one signature could therefore send any event with it. Two things stand against that: it holds for a short
time, and a token that comes again with another event is refused (``gate``).
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.adapters.rows import Row
from stream.collect.bodies import UNREADABLE, Unfit, clean, read_whole
from stream.collect.request import Parsed, Request
from stream.collect.webhooks.deliveries import events_of_json, first_text, inner, listed
from stream.collect.webhooks.mail import Mail, event_of
from stream.collect.webhooks.provider import Provider, secret_missing
from stream.collect.webhooks.readers import GMAIL
from stream.collect.webhooks.verification import Delivery, Refusal, Token, hex_hmac, same, time_fault
from stream.settings import Webhook

_NAMES: Final = {
    "accepted": "sent",
    "delivered": "delivered",
    "rejected": "rejected",
    "opened": "opened",
    "clicked": "clicked",
    "complained": "complained",
    "unsubscribed": "unsubscribed",
}


class _Signature(msgspec.Struct, rename="kebab"):
    timestamp: str | int
    token: str
    signature: str
    parent_signature: str = ""
    """Of the main account's key, for events of a subaccount."""


class _Signed(msgspec.Struct, rename="kebab"):
    signature: _Signature
    event_data: msgspec.Raw = msgspec.Raw(b"")


_decode: Final = msgspec.json.Decoder(_Signed).decode


def verify(delivery: Delivery, webhook: Webhook) -> Refusal | None:
    """Whether time and token are signed with the account's key (or the main account's), a short time ago."""
    signed = _signed(delivery.body)
    if signed is None:
        return Refusal.SIGNATURE
    given = signed.signature
    content = f"{given.timestamp}{given.token}".encode("utf-8", "replace")
    expected = hex_hmac(webhook.secret, content, "sha256")
    if not same(given.signature, expected) and not same(given.parent_signature, expected):
        return Refusal.SIGNATURE
    return time_fault(str(given.timestamp), delivery, webhook)


def token_of(delivery: Delivery) -> Token:
    """The token of a verified delivery, and the event that came with it."""
    signed = _signed(delivery.body)
    assert signed is not None  # verified
    return Token(signed.signature.token, bytes(signed.event_data))


def events_of(body: bytes, request: Request) -> Parsed:
    """The event of one delivery."""
    return events_of_json(body, request, _read)


def _signed(body: bytes) -> _Signed | None:
    try:
        # The signature is within, and does not cover the rest: so it may be read as leniently as the rest is.
        return read_whole(_decode, clean(body))
    except UNREADABLE:
        return None


def _read(row: Row, request: Request) -> Iterator[Event]:
    data = inner(row, "event-data")
    # SURPRISE: often null, not absent.
    status, client = inner(data, "delivery-status"), inner(data, "client-info")
    headers = inner(inner(data, "message"), "headers")
    yield event_of(
        Mail(
            name=_name(data),
            recipients=(data.get("recipient") or headers.get("to"),),
            at=data.get("timestamp"),
            # The event's own id is unique within a day only.
            id=normal.text(inner(row, "signature").get("token")),
            message=normal.text(headers.get("message-id")),
            campaign=first_text(*listed(data, "tags")[:1], *listed(data, "campaigns")[:1]),
            url=normal.text(data.get("url"), normal.URL_LIMIT),
            reason=first_text(
                status.get("message"),
                status.get("description"),
                inner(data, "reject").get("reason"),
                data.get("reason"),
            ),
            user_agent=client.get("user-agent"),
            address=data.get("ip"),
            flag=_flag(client.get("bot")),
            custom=inner(data, "user-variables"),
        ),
        request,
    )


def _name(data: Row) -> str:
    event = normal.text(data.get("event")).lower()
    if event == "failed":
        return "deferred" if data.get("severity") == "temporary" else "bounced"
    name = _NAMES.get(event)
    if name is None:
        raise Unfit(RejectReason.UNSUPPORTED, "event")
    return name


def _flag(bot: object) -> str:
    """What Mailgun calls a robot. ``gmail`` is Google's image proxy, behind which somebody reads."""
    found = normal.text(bot).strip().lower()
    return found if found in {"", GMAIL} else f"mailgun-{found}"[: normal.NAME_LIMIT]


PROVIDER: Final = Provider(
    name="mailgun",
    title="Mailgun: email events",
    verify=verify,
    events_of=events_of,
    fault_of=secret_missing,
    token_of=token_of,
)
