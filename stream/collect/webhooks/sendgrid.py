"""SendGrid's Event Webhook: an array of events, merged with the sender's own arguments; signed with ECDSA.

The secret is the verification key as SendGrid's console shows it: a P-256 public key, base64 of DER.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.adapters.rows import Row, custom_of
from stream.collect.bodies import Unfit
from stream.collect.request import Parsed, Request
from stream.collect.webhooks.deliveries import events_of_json, first_text, listed
from stream.collect.webhooks.mail import Mail, event_of
from stream.collect.webhooks.provider import Provider
from stream.collect.webhooks.verification import Delivery, Refusal, decoded, time_fault
from stream.settings import Webhook

SIGNATURE_HEADER: Final = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER: Final = "x-twilio-email-event-webhook-timestamp"
WINDOW_S: Final = 86_400
"""SendGrid repeats for 24 h what it could not deliver; within that a replay does no harm, since each event has an id
and counts once, and the signature covers all of it."""

_NAMES: Final = {
    "processed": "sent",
    "delivered": "delivered",
    "deferred": "deferred",
    "bounce": "bounced",
    "dropped": "rejected",
    "open": "opened",
    "click": "clicked",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
    "group_resubscribe": "subscribed",
}
_BEFORE_SERVER: Final = re.compile(r"(?!filter|recvd)(.+?)(?:\.(?:filter|recvd).*)?$")
_GIVEN_HEADER: Final = re.compile(r"<(.+)@[^@]*ismtpd[^@]*>$")
_KNOWN: Final = frozenset({
    "email", "timestamp", "event", "sg_event_id", "sg_message_id", "smtp-id", "useragent", "ip", "url", "url_offset",
    "reason", "response", "status", "attempt", "type", "tls", "cert_err", "category", "asm_group_id", "sg_machine_open",
    "sg_content_type", "bounce_classification", "send_at", "pool", "newsletter", "sg_template_id", "sg_template_name",
    "marketing_campaign_id", "marketing_campaign_name", "singlesend_id", "singlesend_name", "mc_stats", "phase_id",
})  # fmt: skip


def verify(delivery: Delivery, webhook: Webhook) -> Refusal | None:
    """Whether SendGrid signed exactly these bytes, and not longer ago than it repeats a delivery."""
    timestamp = delivery.headers.get(TIMESTAMP_HEADER) or ""
    signature = decoded(delivery.headers.get(SIGNATURE_HEADER) or "")
    key = public_key(webhook.secret)
    if key is None or not timestamp.isascii():
        return Refusal.SIGNATURE
    try:
        key.verify(signature, timestamp.encode() + delivery.body, ECDSA(SHA256()))
    except InvalidSignature:
        return Refusal.SIGNATURE
    return time_fault(timestamp, delivery, webhook, default_s=WINDOW_S)


@lru_cache(maxsize=256)
def public_key(secret: str) -> EllipticCurvePublicKey | None:
    """The key of the console's text, with or without PEM's frame; None if it is none (nothing is genuine then)."""
    lines = [line for line in secret.strip().splitlines() if not line.startswith("-----")]
    try:
        key = load_der_public_key(decoded("".join(lines)))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one delivery, in its order."""
    return events_of_json(body, request, _read)


def _read(row: Row, request: Request) -> Iterator[Event]:
    name = _NAMES.get(normal.text(row.get("event")).lower())
    if name is None:
        raise Unfit(RejectReason.UNSUPPORTED, "event")
    yield event_of(
        Mail(
            name=name,
            recipients=(row.get("email"),),
            at=row.get("timestamp"),
            id=normal.text(row.get("sg_event_id")),
            message=_message(row),
            campaign=first_text(
                row.get("marketing_campaign_name"), row.get("singlesend_name"), *listed(row, "category")[:1]
            ),
            url=normal.text(row.get("url"), normal.URL_LIMIT),
            reason=first_text(row.get("reason"), row.get("response")),
            user_agent=row.get("useragent"),
            address=row.get("ip"),
            flag="sg_machine_open" if row.get("sg_machine_open") is True else "",
            custom=custom_of(row, _KNOWN),
        ),
        request,
    )


def _message(row: Row) -> str:
    """The id that SendGrid gave when it took the mail: it comes before the name of the server that processed it.

    Of a mail that was dropped early there is only the server, which many mails share; then the id is in ``smtp-id``, unless
    the sender set that header.
    """
    found = _BEFORE_SERVER.match(normal.text(row.get("sg_message_id")))
    if found is not None:
        return found[1]
    header = normal.text(row.get("smtp-id"))
    given = _GIVEN_HEADER.match(header)
    return given[1] if given else header


def _fault_of(webhook: Webhook) -> str:
    if public_key(webhook.secret) is None:
        return "secret is not the verification key that SendGrid shows under Mail Settings, Event Webhooks"
    return ""


PROVIDER: Final = Provider(
    name="sendgrid", title="SendGrid: email events", verify=verify, events_of=events_of, fault_of=_fault_of
)
