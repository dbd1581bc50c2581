"""From what a provider says of an email to our event, by the same rules for all of them.

provider's row -> Mail -> event_of -> Event of type ``email``

The event is named as in ``schemas.event.EMAIL_EVENTS`` and has in ``properties``: message_id, campaign, url, reason,
useragent (class of the reader's program: browser, or what bot it is), gateway (domain of the mail gateway that it came
from), recipients (how many, if not one), and in ``custom`` the sender's own arguments.

Whose it is: of a message with one recipient that person's. Some providers do not say which of several recipients opened
or clicked; then it is nobody's in particular: it enters by the domain (``d:``) if all have the same work domain, so that
it counts for the account, and else by a node of its own that belongs to nobody (``o:mail/...``). A recipient that is no
address may be anybody.
"""

from collections.abc import Iterable, Iterator, Sequence
from email.utils import getaddresses
from typing import Final

import msgspec

from schemas import event as kinds
from schemas import ids
from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect import clock, normal
from stream.collect.adapters.rows import Row, as_properties
from stream.collect.bodies import Unfit
from stream.collect.request import Request
from stream.collect.webhooks.readers import judge
from stream.core.identity.domains import work_domain

RECIPIENTS_LIMIT: Final = 1000
"""Providers take 50 to 1,000 in one message; more is no list of recipients."""


class Mail(msgspec.Struct, kw_only=True, frozen=True):
    """One thing that happened to one message. Values are the provider's own, not yet checked."""

    name: str
    """One of EMAIL_EVENTS."""
    kind: str = ""
    """The provider's own name where several are ``name``: two kinds in one moment are two events."""
    recipients: Sequence[object]
    """All to whom it may have happened; of a reply its sender."""
    at: object = None
    """Provider's time: ISO text or epoch; None: it says none, so the time of receipt counts."""
    id: str = ""
    """Unique for the happening and the same in repeats; "": derived from what else is known."""
    message: str = ""
    campaign: str = ""
    url: str = ""
    reason: str = ""
    user_agent: object = ""
    address: object = ""
    """IP of the reader: for the look-up only."""
    flag: str = ""
    """Why the provider itself takes it for a machine's, "" if it does not."""
    custom: Row | None = None


def events_of_mails(mails: Iterable[Mail], request: Request) -> Iterator[Event | Unfit]:
    """Each mail as an event, or why it cannot be one."""
    for mail in mails:
        try:
            yield event_of(mail, request)
        except Unfit as unfit:
            yield unfit


def event_of(mail: Mail, request: Request) -> Event:
    """The event. Raises: Unfit."""
    webhook = request.webhook
    assert webhook is not None  # an adapter of webhooks is called for none but configured ones
    people = addresses(mail.recipients)
    if not people:
        raise Unfit(RejectReason.MISSING_FIELD, "recipient")
    strangers = _strangers(mail.recipients)
    message = normal.text(mail.message).strip("<> ")
    event = Event(
        id="",
        node=_entry(webhook.tenant, people, strangers, webhook.provider, message),
        type=kinds.EMAIL_EVENT,
        at=request.received_at,
        received_at=request.received_at,
        tenant=webhook.tenant,
        source=webhook.name,
        protocol=webhook.provider,
        platform=kinds.SERVER,
        name=mail.name,
        email=people[0] if len(people) == 1 and not strangers else "",
        library=webhook.provider,
    )
    _put_time(event, mail.at)
    gateway = judge(event, request.enrich, user_agent=mail.user_agent, address=mail.address, flag=mail.flag)
    event.url = normal.text(mail.url, normal.URL_LIMIT)
    event.properties = _properties(event, mail, message, gateway, len(people) + strangers)
    event.id = normal.message_id(mail.id) or ids.derived_id(
        webhook.provider, message, mail.kind or mail.name, ",".join(people), normal.text(mail.at), event.url
    )
    return event


def addresses(given: Sequence[object]) -> list[str]:
    """The addresses among texts like ``ann@acme.com`` and ``Ann Lee <ann@acme.com>``, each once, in their order.

    >>> addresses(["Ann Lee <Ann@acme.com>", "ann@acme.com", None, "bob@acme.com"])
    ['ann@acme.com', 'bob@acme.com']
    >>> addresses(["Lee, Ann <ann@acme.com>, bob@acme.com"])
    ['ann@acme.com', 'bob@acme.com']
    """
    found = (address for one in given[:RECIPIENTS_LIMIT] for address in _addresses(one))
    return list(dict.fromkeys(found))[:RECIPIENTS_LIMIT]


def _addresses(given: object) -> list[str]:
    """Those in one text: a whole ``To`` may be one, and a name without quotes may have a comma."""
    plain = normal.address(given)
    if plain or not isinstance(given, str):
        return [plain] if plain else []
    try:
        found = getaddresses([given])
    except RecursionError:  # comments within comments, a thousand deep
        return []
    return [address for _, one in found if (address := normal.address(one))]


def _strangers(given: Sequence[object]) -> int:
    """How many are somebody of whom no address is known."""
    named = (one for one in given[:RECIPIENTS_LIMIT] if one is not None and str(one).strip())
    return sum(not _addresses(one) for one in named)


def _entry(tenant: str, people: Sequence[str], strangers: int, provider: str, message: str) -> str:
    if len(people) == 1 and not strangers:
        return normal.entry_node(tenant, email=people[0])
    domains = {work_domain(one) for one in people}
    if len(domains) == 1 and "" not in domains and not strangers:
        return ids.node(tenant, ids.DOMAIN, domains.pop())
    return normal.entry_node(tenant, opportunity="mail/" + ids.derived_id(provider, message, *people))


def _put_time(event: Event, given: object) -> None:
    original = clock.moment(given)
    if (original is None and given) or not clock.put_times(event, original):
        raise Unfit(RejectReason.BAD_TIME, "timestamp")


def _properties(event: Event, mail: Mail, message: str, gateway: str, people: int) -> msgspec.Raw:
    return as_properties(
        {
            "message_id": message,
            "campaign": normal.text(mail.campaign),
            "url": event.url,
            "reason": normal.text(mail.reason),
            "useragent": event.bot_reason or event.browser,
            "gateway": gateway or None,
            "recipients": people if people > 1 else None,
            "custom": mail.custom or None,
        }
    )
