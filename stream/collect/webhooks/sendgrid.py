"""SendGrid's Event Webhook: delivery, opens, clicks and complaints as email events.

POST /webhooks/sendgrid/{name} -> genuine(body, headers, webhook, now) -> events_of(body, request) -> Events

``Webhook.secret`` is the verification key as SendGrid's console shows it: a P-256 public key, base64 of DER. Each event
enters by the recipient (``e:ADDRESS``), is named as in ``schemas.event.EMAIL_EVENTS``, and has in ``properties``:
message_id, campaign, url, reason, useragent (class of the reader's program: browser, or what bot it is), and in
``custom`` the sender's own arguments. What opened or clicked without a human being has ``Event.bot`` ``machine``
(images fetched ahead) or ``scanner`` (links followed by a gateway), with the evidence in ``bot_reason``.
"""

import base64
import binascii
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec import Raw

from schemas import event as kinds
from schemas.event import Event
from schemas.ids import derived_id
from schemas.rejections import RejectReason
from stream.collect import clock, normal
from stream.collect.adapters.rows import Row, as_properties, custom_of
from stream.collect.bodies import UNREADABLE, Unfit, checked, clean, refusal, refused_together, rejected, undecodable
from stream.collect.bots import SCANNER
from stream.collect.edges import put_edge
from stream.collect.request import Parsed, Request, faulty
from stream.settings import Source, Webhook

SIGNATURE_HEADER: Final = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER: Final = "x-twilio-email-event-webhook-timestamp"
WINDOW_S: Final = 86_400
"""Age of a signature that still counts. SendGrid repeats for 24 h what it could not deliver; within that a replay does
no harm, since each event has an id and counts once."""
_AHEAD_S: Final = 300
MACHINE: Final = "machine"
_MPP_AGENT: Final = "Mozilla/5.0"
"""Exactly this is what Apple's Mail Privacy Protection calls itself."""
_GMAIL_PROXY: Final = "GoogleImageProxy"
"""Fetches when somebody reads: a real open whose place and browser are hidden."""

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
_KNOWN: Final = frozenset({
    "email", "timestamp", "event", "sg_event_id", "sg_message_id", "smtp-id", "useragent", "ip", "url", "url_offset",
    "reason", "response", "status", "attempt", "type", "tls", "cert_err", "category", "asm_group_id", "sg_machine_open",
    "sg_content_type", "bounce_classification", "send_at", "pool", "newsletter", "sg_template_id", "sg_template_name",
    "marketing_campaign_id", "marketing_campaign_name", "singlesend_id", "singlesend_name", "mc_stats", "phase_id",
})  # fmt: skip

_decode_array: Final = msgspec.json.Decoder(list[Raw]).decode
_decode_row: Final = msgspec.json.Decoder(Row).decode


def genuine(body: bytes, headers: Mapping[str, str], webhook: Webhook, now: int) -> bool:
    """Whether SendGrid signed exactly these bytes, and not longer ago than it repeats a delivery.

    Args:
        body: as received, undecoded: one changed byte is another body.
        headers: of the request.
        webhook: its secret is SendGrid's public key.
        now: our time, ms.
    """
    timestamp = headers.get(TIMESTAMP_HEADER) or ""
    key = public_key(webhook.secret)
    if key is None or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:  # noqa: PLR2004
        return False
    if not -_AHEAD_S <= now / 1000 - int(timestamp) <= WINDOW_S:
        return False
    try:
        signature = base64.b64decode(headers.get(SIGNATURE_HEADER) or "", validate=True)
        key.verify(signature, timestamp.encode() + body, ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


@lru_cache(maxsize=256)
def public_key(secret: str) -> EllipticCurvePublicKey | None:
    """The key of the console's text, with or without PEM's frame; None if it is none (nothing is genuine then)."""
    lines = [line for line in secret.strip().splitlines() if not line.startswith("-----")]
    try:
        key = load_der_public_key(base64.b64decode("".join(lines), validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one delivery, whose signature was checked, in its order."""
    webhook = request.webhook
    body = clean(body)
    if webhook is None:
        return Parsed([], [rejected(RejectReason.UNKNOWN_KEY, "webhook", body)])
    try:
        rows = _decode_array(body)
    except UNREADABLE as error:
        return faulty(rejected(undecodable(error), "the body is not a JSON array"))
    rest = rows[request.max_batch_events :]
    parsed = Parsed([], refused_together(RejectReason.TOO_MANY, "array", rest))
    parsed.source = Source(webhook.name, "", webhook.tenant)
    for raw in rows[: request.max_batch_events]:
        try:
            event = _event(_row(checked(raw, request.max_event_bytes)), request, webhook)
        except (Unfit, *UNREADABLE) as error:
            parsed.rejected.append(refusal(error, raw))
        else:
            parsed.events.append(event)
    return parsed


def _row(json: bytes) -> Row:
    try:
        return _decode_row(json)
    except msgspec.ValidationError:
        raise Unfit(RejectReason.MALFORMED, "an event is a JSON object") from None


def _event(row: Row, request: Request, webhook: Webhook) -> Event:
    name = _NAMES.get(normal.text(row.get("event")).lower())
    if name is None:
        raise Unfit(RejectReason.UNSUPPORTED, "event")
    email = normal.address(row.get("email"))
    if not email:
        raise Unfit(RejectReason.MISSING_FIELD, "email")
    event = Event(
        id="",
        node=normal.entry_node(webhook.tenant, email=email),
        type=kinds.EMAIL_EVENT,
        at=request.received_at,
        received_at=request.received_at,
        tenant=webhook.tenant,
        source=webhook.name,
        protocol="sendgrid",
        platform=kinds.SERVER,
        name=name,
        email=email,
        library="sendgrid",
    )
    _put_time(event, row)
    _judge(event, row, request)
    _put_mail(event, row)
    return event


def _put_time(event: Event, row: Row) -> None:
    given = row.get("timestamp")
    original = clock.moment(given)
    if (original is None and given) or not clock.put_times(event, original):
        raise Unfit(RejectReason.BAD_TIME, "timestamp")


def _judge(event: Event, row: Row, request: Request) -> None:
    """Whether a human being opened or clicked, and with what; deliveries are the servers' own business."""
    user_agent = normal.text(row.get("useragent")).strip()
    if event.name == "opened":
        put_edge(event, request.enrich("", user_agent))
        if row.get("sg_machine_open") is True:
            event.bot, event.bot_reason = MACHINE, "sg_machine_open"
        elif user_agent == _MPP_AGENT:
            event.bot, event.bot_reason = MACHINE, "apple-mpp"
        elif _GMAIL_PROXY in user_agent:
            event.bot = event.bot_reason = event.device = event.browser = event.os = ""
        elif event.bot:
            event.bot = MACHINE
    elif event.name == "clicked":
        put_edge(event, request.enrich(normal.text(row.get("ip")), user_agent))
        if event.bot:
            event.bot = SCANNER


def _put_mail(event: Event, row: Row) -> None:
    message = normal.text(row.get("sg_message_id")).partition(".")[0] or normal.text(row.get("smtp-id")).strip("<>")
    url = normal.text(row.get("url"), normal.URL_LIMIT)
    event.url = url
    event.properties = as_properties(
        {
            "message_id": message,
            "campaign": _campaign(row),
            "url": url,
            "reason": _reason(row),
            "useragent": event.bot_reason or event.browser,
            "custom": custom_of(row, _KNOWN) or None,
        }
    )
    seconds = normal.text(row.get("timestamp"))
    event.id = normal.message_id(row.get("sg_event_id")) or derived_id(
        "sendgrid", message, event.name, event.email, seconds, url
    )


def _campaign(row: Row) -> str:
    """The marketing campaign's name, else the first category."""
    for name in ("marketing_campaign_name", "singlesend_name"):
        if row.get(name):
            return normal.text(row[name])
    category = row.get("category")
    if isinstance(category, list):
        category = category[0] if category else None
    return normal.text(category)


def _reason(row: Row) -> str:
    """Why it bounced, was dropped or deferred, in the receiving server's words."""
    return normal.text(row.get("reason")) or normal.text(row.get("response"))
