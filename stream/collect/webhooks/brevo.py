"""Brevo's webhooks: one object a delivery, or an array of them; not signed, but sent with a secret.

The secret comes as Basic authorization (``secret = "user:password"``), in a header (``header = "X-..."``), or as
``?token=`` in the address.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from schemas.event import Event
from schemas.ids import derived_id
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.adapters.rows import Row
from stream.collect.bodies import UNREADABLE, Unfit, clean
from stream.collect.request import Parsed, Request
from stream.collect.webhooks.deliveries import events_of_json, events_of_rows, first_text, inner, listed
from stream.collect.webhooks.mail import Mail, addresses, events_of_mails
from stream.collect.webhooks.provider import Provider, secret_missing
from stream.collect.webhooks.replies import date_of, headers_of, reply_of
from stream.collect.webhooks.verification import Delivery, Refusal, secret_fault
from stream.settings import Webhook

PARAMETER: Final = "token"
_NAMES: Final = {
    "request": "sent",
    "delivered": "delivered",
    "deferred": "deferred",
    "hard_bounce": "bounced",
    "soft_bounce": "bounced",
    "invalid_email": "bounced",
    "blocked": "rejected",
    "error": "rejected",
    "opened": "opened",
    "unique_opened": "opened",
    "proxy_open": "opened",
    "unique_proxy_open": "opened",
    "click": "clicked",
    "spam": "complained",
    "complaint": "complained",
    "unsubscribe": "unsubscribed",
    "unsubscribed": "unsubscribed",
    "list_addition": "subscribed",
}


_UNSAID: Final = frozenset({"opened", "clicked"})
"""Whose they are is not said where there is a list of addresses; the rest is of each."""
_MERGED: Final = frozenset({"bounced", "rejected"})
"""Names for several of Brevo's, which may come in one second."""


class _Inbound(msgspec.Struct):
    items: list[Raw]
    event: Raw | UnsetType = UNSET


_decode_inbound: Final = msgspec.json.Decoder(_Inbound).decode


def verify(delivery: Delivery, webhook: Webhook) -> Refusal | None:
    """Whether it carries the secret."""
    return secret_fault(delivery, webhook, parameter=PARAMETER)


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one delivery, in its order."""
    try:
        replies = _decode_inbound(clean(body))
    except UNREADABLE:
        return events_of_json(body, request, _read)
    if replies.event is not UNSET:
        return events_of_json(body, request, _read)
    return events_of_rows(replies.items, request, _read_reply, replies=lambda _row: True)


def _read(row: Row, request: Request) -> Iterable[Event | Unfit]:
    kind = normal.text(row.get("event")).lower()
    name = _NAMES.get(kind)
    if name is None:
        raise Unfit(RejectReason.UNSUPPORTED, "event")
    people = listed(row, "email")
    if not people:
        raise Unfit(RejectReason.MISSING_FIELD, "recipient")
    apart = [people] if name in _UNSAID else [[one] for one in people]
    return events_of_mails((_mail(row, kind, name, some) for some in apart), request)


def _mail(row: Row, kind: str, name: str, people: Sequence[object]) -> Mail:
    is_proxy = kind.endswith("proxy_open")
    what = "proxy" if is_proxy else kind if name in _MERGED else name
    # Campaigns spell it otherwise than single mails.
    url = normal.text(first_text(row.get("link"), row.get("URL")), normal.URL_LIMIT)
    return Mail(
        name=name,
        recipients=people,
        # The other times are in the zone of the account's settings.
        at=row.get("ts_epoch"),
        id=_id(row, what, people, url),
        message=normal.text(row.get("message-id")),
        campaign=first_text(row.get("campaign name"), *listed(row, "tags")[:1], row.get("tag")),
        url=url,
        reason=first_text(row.get("reason")),
        user_agent=row.get("user_agent"),
        address=row.get("ip"),
        flag="brevo-proxy-open" if is_proxy else "",
        custom=_custom(row),
    )


def _id(row: Row, what: str, people: Sequence[object], url: str) -> str:
    """Brevo has no ids of events. An open that is also reported as the first one is one open."""
    when = first_text(row.get("ts_epoch"), row.get("ts_event"), row.get("ts"), row.get("date"))
    names = (first_text(row.get("message-id"), row.get("camp_id")), what, ",".join(addresses(people)), when)
    return derived_id("brevo", *names, url)


def _custom(row: Row) -> Row:
    given = row.get("X-Mailin-custom")
    return {"X-Mailin-custom": normal.text(given)} if given else {}


def _read_reply(row: Row, request: Request) -> Iterator[Event]:
    headers = headers_of(row.get("Headers"))
    mail = Mail(
        name="replied",
        recipients=(inner(row, "From").get("Address"),),
        at=date_of(first_text(row.get("SentAtDate"), headers.get("date"))),
        id=first_text(*listed(row, "Uuid")[:1], row.get("MessageId")),
        message=first_text(row.get("InReplyTo"), headers.get("in-reply-to")),
    )
    yield reply_of(mail, headers, request)


PROVIDER: Final = Provider(
    name="brevo",
    title="Brevo: email events and replies",
    verify=verify,
    events_of=events_of,
    fault_of=secret_missing,
)
