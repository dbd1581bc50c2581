"""Mandrill's webhooks: a form whose field ``mandrill_events`` is an array; the signature covers address and form.

HMAC-SHA1 over the public address as Mandrill has it (``url``), then each field's name and value, sorted by name.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl

from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.adapters.rows import Row
from stream.collect.bodies import Unfit
from stream.collect.request import Parsed, Request
from stream.collect.webhooks.deliveries import events_of_json, first_text, inner, listed, useless
from stream.collect.webhooks.mail import Mail, event_of
from stream.collect.webhooks.provider import Provider, secret_or_url_missing
from stream.collect.webhooks.replies import headers_of, reply_of
from stream.collect.webhooks.verification import Delivery, Refusal, base64_hmac, same
from stream.settings import Webhook

SIGNATURE_HEADER: Final = "x-mandrill-signature"
FIELD: Final = "mandrill_events"
_FIELDS_LIMIT: Final = 16
_NAMES: Final = {
    "send": "sent",
    "delivered": "delivered",
    "deferral": "deferred",
    "hard_bounce": "bounced",
    "soft_bounce": "bounced",
    "reject": "rejected",
    "open": "opened",
    "click": "clicked",
    "spam": "complained",
    "unsub": "unsubscribed",
}


def verify(delivery: Delivery, webhook: Webhook) -> Refusal | None:
    """Whether Mandrill signed this form for this address. It signs no time, so a repeat is known by its ids only."""
    fields = _form(delivery.body)
    if fields is None or not webhook.url:
        return Refusal.SIGNATURE
    content = webhook.url + "".join(name + value for name, value in sorted(fields.items()))
    expected = base64_hmac(webhook.secret, content.encode("utf-8", "surrogatepass"), "sha1")
    return None if same(delivery.headers.get(SIGNATURE_HEADER) or "", expected) else Refusal.SIGNATURE


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one delivery, in its order."""
    fields = _form(body)
    if fields is None or FIELD not in fields:
        return useless(request, RejectReason.MISSING_FIELD, FIELD, body)
    return events_of_json(fields[FIELD].encode("utf-8", "replace"), request, _read, replies=_is_reply)


def _form(body: bytes) -> dict[str, str] | None:
    """The fields of a form; None if it is none."""
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS_LIMIT))
    except ValueError:  # also UnicodeDecodeError
        return None


def _is_reply(row: Row) -> bool:
    return row.get("event") == "inbound"


def _read(row: Row, request: Request) -> Iterator[Event]:
    message = inner(row, "msg")
    if _is_reply(row):
        yield _reply(row, message, request)
        return
    kind = normal.text(row.get("event"))
    name = _NAMES.get(kind)
    if name is None:
        raise Unfit(RejectReason.UNSUPPORTED, "event")
    yield event_of(
        Mail(
            name=name,
            kind=kind if name == "bounced" else "",
            recipients=(message.get("email"),),
            at=row.get("ts"),
            # SURPRISE: not the event's id but the message's; so the event's is derived.
            message=first_text(row.get("_id"), message.get("_id")),
            campaign=first_text(*listed(message, "tags")[:1]),
            url=normal.text(row.get("url"), normal.URL_LIMIT),
            reason=first_text(
                message.get("diag"), message.get("bounce_description"), inner(row, "reject").get("reason")
            ),
            user_agent=row.get("user_agent"),
            address=row.get("ip"),
            custom=inner(message, "metadata"),
        ),
        request,
    )


def _reply(row: Row, message: Row, request: Request) -> Event:
    headers = headers_of(message.get("headers"))
    mail = Mail(
        name="replied",
        recipients=(message.get("from_email"),),
        at=row.get("ts"),
        id=normal.text(headers.get("message-id")),
        message=headers.get("in-reply-to", ""),
    )
    return reply_of(mail, headers, request)


PROVIDER: Final = Provider(
    name="mandrill",
    title="Mandrill: email events and replies",
    verify=verify,
    events_of=events_of,
    fault_of=secret_or_url_missing,
    content_type="application/x-www-form-urlencoded",
    head=True,
)
