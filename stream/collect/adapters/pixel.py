"""The pixel: page views without JavaScript, and opens of emails that no provider reports.

GET /px.gif?key=dev&... -> one Event

========== ===================================================================================
parameter  meaning
========== ===================================================================================
key        write key of the source (required)
type       page (default), track or open
visitor    id of the visitor; absent (and no user or email): a new one each time
user       id of the user
email      address; for ``open`` the recipient (required there)
name       of the event (required for track) or page
url        of the page; absent: the Referer header
referrer   what led to the page
title      of the page
id         makes repeats count once; absent: every request counts
message_id of the email, for ``open``
campaign   of the email, for ``open``
sig        for ``open``, if the source has an ``mail_secret``: what ``open_signature`` makes of the three
========== ===================================================================================
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

from msgspec import UNSET, Raw

from schemas import event as kinds
from schemas.codec import json_encoder
from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.bodies import Properties, Unfit, rejected
from stream.collect.edges import put_edge
from stream.collect.request import Parsed, Request
from stream.collect.webhooks.verification import hex_hmac, same

OPEN: Final = "open"
_TYPES: Final = {"": kinds.PAGE, kinds.PAGE: kinds.PAGE, kinds.TRACK: kinds.TRACK, OPEN: kinds.EMAIL_EVENT}
_PARAMETERS_LIMIT: Final = 64


def events_of(body: bytes, request: Request) -> Parsed:  # noqa: ARG001 - a GET has none
    """The event of one request."""
    query = request.query.encode("utf-8", "replace")
    try:
        given = dict(parse_qsl(request.query, max_num_fields=_PARAMETERS_LIMIT))
    except ValueError:
        return Parsed([], [rejected(RejectReason.TOO_MANY, "parameters", query)])
    source = request.sources.get(given.get("key", ""))
    if source is None:
        return Parsed([], [rejected(RejectReason.UNKNOWN_KEY, "key", query)])
    if len(query) > request.max_event_bytes:
        return Parsed([], [rejected(RejectReason.TOO_LARGE, "query", query)], source=source)
    try:
        if given.get("type") == OPEN and source.mail_secret:
            _check_signature(given, source.mail_secret)
        event = _event(given, request)
        event.tenant, event.source = source.tenant, source.name
        _enter(event, request)
    except Unfit as unfit:
        return Parsed([], [rejected(unfit.reason, unfit.detail, query)], source=source)
    return Parsed([event], [], source=source)


def _event(given: dict[str, str], request: Request) -> Event:
    kind = _TYPES.get(given.get("type", ""))
    if kind is None:
        raise Unfit(RejectReason.UNSUPPORTED, "type")
    page = kind != kinds.EMAIL_EVENT
    text = _reader(given)
    event = Event(
        id=normal.message_id(given.get("id")) or request.new_id(),
        node="",
        type=kind,
        at=request.received_at,
        received_at=request.received_at,
        protocol="pixel",
        platform=kinds.WEB if page else kinds.SERVER,
        name=text("name", normal.NAME_LIMIT) if page else "opened",
        visitor=normal.identifier(given.get("visitor")) if page else "",
        user=normal.identifier(given.get("user")),
        email=normal.address(given.get("email")),
        url=text("url", normal.URL_LIMIT) or _referer(request) if page else "",
        referrer=text("referrer", normal.URL_LIMIT),
        title=text("title", normal.TEXT_LIMIT),
        gpc=request.gpc,
        library="pixel",
        properties=UNSET if page else _mail(given),
    )
    put_edge(event, request.connection_edge())
    if not page:
        _judge_open(event, request.headers.get("user-agent", ""))
    return event


def open_signature(secret: str, message_id: str, email: str, campaign: str) -> str:
    """Signature of an email's open: its sender made the link, for this message and this recipient.

    >>> open_signature("s", "m1", "ann@acme.com", "")[:8], open_signature("", "m1", "ann@acme.com", "")
    ('05ca98d9', '')
    """
    return hex_hmac(secret, f"{message_id}\n{email}\n{campaign}".encode("utf-8", "replace"), "sha256")


def _check_signature(given: dict[str, str], secret: str) -> None:
    parts = (given.get(name, "") for name in ("message_id", "email", "campaign"))
    if not same(given.get("sig", ""), open_signature(secret, *parts)):
        raise Unfit(RejectReason.BAD_VALUE, "sig")


def _reader(given: dict[str, str]) -> Callable[[str, int], str]:
    return lambda name, limit: normal.text(given.get(name), limit)


def _referer(request: Request) -> str:
    """Of an image it is the page that shows it."""
    return normal.text(request.headers.get("referer"), normal.URL_LIMIT)


def _mail(given: dict[str, str]) -> Properties:
    names = ("message_id", "campaign")
    return Raw(json_encoder.encode({name: text for name in names if (text := normal.text(given.get(name)))}))


def _judge_open(event: Event, user_agent: str) -> None:
    """Apple Mail fetches every image ahead as exactly ``Mozilla/5.0``; Gmail's proxy fetches when somebody reads."""
    if user_agent.strip() == "Mozilla/5.0":
        event.bot, event.bot_reason = "machine", "apple-mpp"
    elif "GoogleImageProxy" in user_agent:
        event.bot = event.bot_reason = event.country = event.region = event.city = event.company = ""


def _enter(event: Event, request: Request) -> None:
    if event.type == kinds.TRACK and not event.name:
        raise Unfit(RejectReason.MISSING_FIELD, "name")
    if event.type == kinds.EMAIL_EVENT:
        if not event.email:
            raise Unfit(RejectReason.MISSING_FIELD, "email")
        event.user = ""
    elif not event.visitor and not event.user and not event.email:
        # Nothing of the connection may identify anybody, not even hashed: each such page view is its own visitor.
        event.visitor = request.new_id()
    event.node = normal.entry_node(event.tenant, event.visitor, event.user, event.email)
