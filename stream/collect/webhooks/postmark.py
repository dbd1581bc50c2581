"""Postmark's webhooks: one object a delivery, told apart by ``RecordType``; not signed, but sent with a secret.

The secret comes as Basic authorization (``secret = "user:password"``, written into the address at Postmark) or in a
header of your own (``header = "X-..."``).
"""

from collections.abc import Iterator
from typing import Final

from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.adapters.rows import Row
from stream.collect.bodies import Unfit
from stream.collect.request import Parsed, Request
from stream.collect.webhooks.deliveries import events_of_json, first_text, inner
from stream.collect.webhooks.mail import Mail, event_of
from stream.collect.webhooks.provider import Provider, secret_missing
from stream.collect.webhooks.replies import date_of, headers_of, reply_of
from stream.collect.webhooks.verification import Delivery, Refusal, secret_fault
from stream.settings import Webhook

_TIMES: Final = {
    "Delivery": "DeliveredAt",
    "Bounce": "BouncedAt",
    "SpamComplaint": "BouncedAt",
    "Open": "ReceivedAt",
    "Click": "ReceivedAt",
    "SubscriptionChange": "ChangedAt",
}
_NAMES: Final = {"Delivery": "delivered", "SpamComplaint": "complained", "Open": "opened", "Click": "clicked"}
_BOUNCES: Final = {
    "Transient": "deferred",
    "DnsError": "deferred",
    "HardBounce": "bounced",
    "SoftBounce": "bounced",
    "VirusNotification": "bounced",
    "BadEmailAddress": "rejected",
    "Blocked": "rejected",
    "ManuallyDeactivated": "rejected",
    "DMARCPolicy": "rejected",
    "Unconfirmed": "rejected",
    "SpamNotification": "complained",
    "SpamComplaint": "complained",
    "Unsubscribe": "unsubscribed",
    "Subscribe": "subscribed",
}


def verify(delivery: Delivery, webhook: Webhook) -> Refusal | None:
    """Whether it carries the secret."""
    return secret_fault(delivery, webhook)


def events_of(body: bytes, request: Request) -> Parsed:
    """The event of one delivery."""
    return events_of_json(body, request, _read, replies=_is_reply)


def _is_reply(row: Row) -> bool:
    return row.get("RecordType", "Inbound") == "Inbound" and "FromFull" in row


def _read(row: Row, request: Request) -> Iterator[Event]:
    if _is_reply(row):
        yield _reply(row, request)
        return
    kind = normal.text(row.get("RecordType"))
    name = _name(kind, row)
    if not name:
        return
    bounce = normal.identifier(row.get("ID"))  # 0: it has none
    yield event_of(
        Mail(
            name=name,
            kind=normal.text(row.get("Type")) if kind == "Bounce" else "",
            recipients=(row.get("Recipient") or row.get("Email"),),
            at=row.get(_TIMES[kind]),
            # Numbers, which other senders may use as ids, too.
            id=f"postmark-{bounce}" if bounce else "",
            message=normal.text(row.get("MessageID")),
            campaign=first_text(row.get("Tag")),
            url=normal.text(row.get("OriginalLink"), normal.URL_LIMIT),
            reason=first_text(row.get("Details"), row.get("Description"), row.get("Type")),
            user_agent=row.get("UserAgent"),
            address=inner(row, "Geo").get("IP"),
            custom=inner(row, "Metadata"),
        ),
        request,
    )


def _name(kind: str, row: Row) -> str:
    """Our name of the event; "" if it only repeats another one. Raises: Unfit."""
    if kind == "SubscriptionChange":
        if row.get("SuppressSending") is False:
            return "subscribed"
        # Suppressed after a bounce or complaint, which was reported as such: nobody unsubscribed.
        return "unsubscribed" if row.get("SuppressionReason") not in {"HardBounce", "SpamComplaint"} else ""
    name = _BOUNCES.get(normal.text(row.get("Type"))) if kind == "Bounce" else _NAMES.get(kind)
    if name is None:
        raise Unfit(RejectReason.UNSUPPORTED, "Type" if kind == "Bounce" else "RecordType")
    return name


def _reply(row: Row, request: Request) -> Event:
    headers = headers_of(row.get("Headers"))
    message = normal.text(row.get("MessageID"))
    mail = Mail(
        name="replied",
        recipients=(inner(row, "FromFull").get("Email") or row.get("From"),),
        at=date_of(normal.text(row.get("Date"))),
        id=f"postmark-{message}" if message else "",
        message=headers.get("in-reply-to", ""),
        campaign=first_text(row.get("MailboxHash")),
    )
    return reply_of(mail, headers, request)


PROVIDER: Final = Provider(
    name="postmark",
    title="Postmark: email events and replies",
    verify=verify,
    events_of=events_of,
    fault_of=secret_missing,
)
