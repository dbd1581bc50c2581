"""Amazon SES: event publishing and feedback notifications, which come as SNS messages (``sns``).

SES does not say which recipient of a message opened or clicked, so those of several recipients are nobody's in
particular (``mail``); what it says of single ones (deliveries, bounces, complaints) is an event of each.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Raw

from schemas.event import Event
from schemas.ids import derived_id
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.adapters.rows import Row
from stream.collect.bodies import Unfit, clean
from stream.collect.request import Parsed, Request
from stream.collect.webhooks import sns
from stream.collect.webhooks.deliveries import events_of_rows, first_text, inner, listed, sender, useless
from stream.collect.webhooks.mail import Mail, addresses, events_of_mails
from stream.collect.webhooks.provider import Provider
from stream.collect.webhooks.replies import headers_of, reply_of
from stream.settings import Webhook

_GREETING: Final = "Successfully validated SNS topic"
"""What SES publishes once when a topic is set: not an event."""
_NAMES: Final = {
    "Send": "sent",
    "Delivery": "delivered",
    "DeliveryDelay": "deferred",
    "Bounce": "bounced",
    "Reject": "rejected",
    "Rendering Failure": "rejected",
    "Open": "opened",
    "Click": "clicked",
    "Complaint": "complained",
}
_DETAILS: Final = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}
_PEOPLE: Final = {
    "Delivery": "recipients",
    "DeliveryDelay": "delayedRecipients",
    "Bounce": "bouncedRecipients",
    "Complaint": "complainedRecipients",
}
_UNSAID: Final = frozenset({"Open", "Click"})
"""Whose they are is not said where a message has several recipients."""
_RECEIVED: Final = "Received"
_NO_COMPLAINT: Final = "not-spam"
"""Feedback by which a mailbox takes back that a mail was spam: nobody complained."""


def events_of(body: bytes, request: Request) -> Parsed:
    """What one SNS message amounts to: events, or a subscription that is to be confirmed."""
    envelope = sns.envelope_of(body)
    if envelope is None:
        return useless(request, RejectReason.MALFORMED, "the body is not an SNS message", body)
    if envelope.type == sns.SUBSCRIPTION:
        if not sns.is_amazons(envelope.subscribe_url):
            return useless(request, RejectReason.BAD_VALUE, "SubscribeURL", body)
        return Parsed([], [], source=sender(request), visit=envelope.subscribe_url)
    if envelope.type != sns.NOTIFICATION or envelope.message.startswith(_GREETING):
        return Parsed([], [], source=sender(request), ignored=1)
    message = clean(envelope.message.encode("utf-8", "replace"))

    def read(row: Row, request: Request) -> Iterable[Event | Unfit]:
        return _read(row, request, envelope)

    return events_of_rows([Raw(message)], request, read, replies=_is_reply)


def _kind(row: Row) -> str:
    return first_text(row.get("eventType"), row.get("notificationType"))


def _is_reply(row: Row) -> bool:
    return _kind(row) == _RECEIVED


def _read(row: Row, request: Request, envelope: sns.Envelope) -> Iterator[Event | Unfit]:
    kind = _kind(row)
    if kind == _RECEIVED:
        yield _reply(row, request, envelope)
        return
    details = inner(row, _DETAILS.get(kind, kind.lower()))
    name = _subscription(details) if kind == "Subscription" else _NAMES.get(kind)
    if name is None:
        raise Unfit(RejectReason.UNSUPPORTED, "eventType")
    if kind == "Complaint" and details.get("complaintFeedbackType") == _NO_COMPLAINT:
        return
    everybody = listed(inner(row, "mail"), "destination")
    told = listed(details, _PEOPLE[kind]) if kind in _PEOPLE else everybody
    apart: Sequence[Sequence[object]] = [everybody] if kind in _UNSAID else [[one] for one in told]
    if not apart:
        raise Unfit(RejectReason.MISSING_FIELD, "recipient")
    yield from events_of_mails((_mail(row, name, people, details, envelope) for people in apart), request)


def _mail(row: Row, name: str, people: Sequence[object], details: Row, envelope: sns.Envelope) -> Mail:
    mail = inner(row, "mail")
    tags = inner(mail, "tags")
    told = [one if isinstance(one, dict) else {"emailAddress": one} for one in people]
    recipients = [one.get("emailAddress") for one in told]
    return Mail(
        name=name,
        recipients=recipients,
        at=first_text(details.get("timestamp"), mail.get("timestamp") if name == "sent" else "", envelope.timestamp),
        # The same in repeats, and the same for all recipients.
        id=derived_id("ses", envelope.message_id, *addresses(recipients)),
        message=normal.text(mail.get("messageId")),
        campaign=first_text(*listed(tags, "campaign")[:1]),
        url=normal.text(details.get("link"), normal.URL_LIMIT),
        reason=_reason(details, told[0] if len(told) == 1 else {}),
        user_agent=details.get("userAgent"),
        address=details.get("ipAddress"),
        custom={key: value for key, value in tags.items() if not key.startswith("ses:")},
    )


def _reason(details: Row, person: Row) -> str:
    found = (
        first_text(person.get("diagnosticCode")),
        first_text(details.get("bounceType")),
        first_text(details.get("bounceSubType")),
        first_text(details.get("complaintFeedbackType"), details.get("delayType"), details.get("reason")),
        first_text(details.get("errorMessage")),
    )
    return ", ".join(filter(None, found))


def _subscription(details: Row) -> str:
    """Whether somebody left lists or came back."""
    new, old = inner(details, "newTopicPreferences"), inner(details, "oldTopicPreferences")
    if new.get("unsubscribeAll") is True:
        return "unsubscribed"
    before = _choices(old)
    left = [topic for topic, choice in _choices(new).items() if choice == "OptOut" and before.get(topic) != "OptOut"]
    return "unsubscribed" if left else "subscribed"


def _choices(preferences: Row) -> dict[str, str]:
    statuses = [one for one in listed(preferences, "topicSubscriptionStatus") if isinstance(one, dict)]
    return {normal.text(one.get("topicName")): normal.text(one.get("subscriptionStatus")) for one in statuses}


def _reply(row: Row, request: Request, envelope: sns.Envelope) -> Event:
    mail = inner(row, "mail")
    headers = headers_of(mail.get("headers"))
    reply = Mail(
        name="replied",
        recipients=(first_text(*listed(inner(mail, "commonHeaders"), "from")[:1], mail.get("source")),),
        at=first_text(mail.get("timestamp"), envelope.timestamp),
        id=derived_id("ses", envelope.message_id),
        message=headers.get("in-reply-to", ""),
    )
    return reply_of(reply, headers, request)


def _fault_of(webhook: Webhook) -> str:
    return "" if webhook.topics else 'topics is empty: name the ARN of your SNS topic ("arn:aws:sns:...")'


PROVIDER: Final = Provider(
    name="ses",
    title="Amazon SES over SNS: email events and replies",
    verify=sns.verify,
    events_of=events_of,
    fault_of=_fault_of,
    certificate_url=sns.certificate_url,
)
