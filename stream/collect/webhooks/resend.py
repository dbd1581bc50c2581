"""Resend's webhooks: one event, signed as Standard Webhooks (Svix) prescribe.

Resend reports a message's events without saying which recipient they are of, so those of several recipients are nobody's
in particular (``mail``).
"""

import binascii
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.adapters.rows import Row
from stream.collect.bodies import Unfit
from stream.collect.request import Parsed, Request
from stream.collect.webhooks.deliveries import events_of_json, first_text, inner, listed
from stream.collect.webhooks.mail import Mail, event_of
from stream.collect.webhooks.provider import Provider
from stream.collect.webhooks.replies import headers_of, reply_of
from stream.collect.webhooks.verification import Delivery, Refusal, same, time_fault
from stream.settings import Webhook

ID_HEADER: Final = "svix-id"
TIMESTAMP_HEADER: Final = "svix-timestamp"
SIGNATURE_HEADER: Final = "svix-signature"
_SIGNATURES_LIMIT: Final = 16
"""While a secret is changed there are two."""
_NAMES: Final = {
    "email.sent": "sent",
    "email.delivered": "delivered",
    "email.delivery_delayed": "deferred",
    "email.bounced": "bounced",
    "email.failed": "rejected",
    "email.suppressed": "rejected",
    "email.opened": "opened",
    "email.clicked": "clicked",
    "email.complained": "complained",
}
_RECEIVED: Final = "email.received"


def verify(delivery: Delivery, webhook: Webhook) -> Refusal | None:
    """Whether the signature is over exactly this id, time and body, made within the window.

    The library signs; its ``verify`` is not used, since it looks at the clock itself and allows no other window.
    """
    timestamp = delivery.headers.get(TIMESTAMP_HEADER) or ""
    message = delivery.headers.get(ID_HEADER) or ""
    signer = _signer(webhook.secret)
    fault = time_fault(timestamp, delivery, webhook)
    if signer is None or not message:
        return Refusal.SIGNATURE
    try:
        moment = datetime.fromtimestamp(int(timestamp), UTC)
        expected = signer.sign(message, moment, delivery.body.decode())
    except (ValueError, OverflowError, OSError):  # no time, or not UTF-8
        return fault or Refusal.SIGNATURE
    given = (delivery.headers.get(SIGNATURE_HEADER) or "").split(" ")[:_SIGNATURES_LIMIT]
    return fault if any(same(one, expected) for one in given) else Refusal.SIGNATURE


@lru_cache(maxsize=256)
def _signer(secret: str) -> StandardWebhook | None:
    try:
        return StandardWebhook(secret) if secret else None
    except (ValueError, binascii.Error, EmptyWebhookSecretError):
        return None


def events_of(body: bytes, request: Request) -> Parsed:
    """The event of one delivery."""
    return events_of_json(body, request, _read)


def _read(row: Row, request: Request) -> Iterator[Event]:
    data = inner(row, "data")
    kind = normal.text(row.get("type"))
    if kind == _RECEIVED:
        yield _reply(row, data, request)
        return
    name = _NAMES.get(kind)
    if name is None:
        raise Unfit(RejectReason.UNSUPPORTED, "type")
    act = inner(data, "click") if name == "clicked" else inner(data, "open")
    tags = data.get("tags")
    yield event_of(
        Mail(
            name=name,
            recipients=[one for field in ("to", "cc", "bcc") for one in listed(data, field)],
            # The event's; that within ``data`` is the message's.
            at=row.get("created_at"),
            id=request.headers.get(ID_HEADER) or "",
            message=normal.text(data.get("email_id")),
            campaign=first_text(tags.get("campaign") if isinstance(tags, dict) else "", data.get("broadcast_id")),
            url=normal.text(act.get("link"), normal.URL_LIMIT),
            reason=first_text(
                inner(data, "bounce").get("message"),
                inner(data, "failed").get("reason"),
                inner(data, "suppressed").get("message"),
            ),
            user_agent=act.get("userAgent"),
            address=act.get("ipAddress"),
            custom=tags if isinstance(tags, dict) else None,
        ),
        request,
    )


def _reply(row: Row, data: Row, request: Request) -> Event:
    headers = headers_of(data.get("headers"))
    mail = Mail(
        name="replied",
        recipients=(data.get("from"),),
        at=row.get("created_at"),
        id=request.headers.get(ID_HEADER) or "",
        message=headers.get("in-reply-to", ""),
    )
    return reply_of(mail, headers, request)


def _fault_of(webhook: Webhook) -> str:
    return "" if _signer(webhook.secret) else "secret is not the signing secret (whsec_...) that Resend shows"


PROVIDER: Final = Provider(
    name="resend",
    title="Resend: email events and replies",
    verify=verify,
    events_of=events_of,
    fault_of=_fault_of,
)
