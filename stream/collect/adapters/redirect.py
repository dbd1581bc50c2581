"""Links in emails: the click is noted, and the reader goes on to the page.

GET /r?key=...&u=...&sig=... -> 302 to ``u``, and one Event

========== ===================================================================================
parameter  meaning
========== ===================================================================================
key        write key of the source (required); the source needs a ``mail_secret``
u          where to go: an absolute http or https address (required)
message_id of the email
email      address of the recipient; absent: the reader goes on and nobody is noted
campaign   of the email
sig        what ``link_signature`` makes of the four (required: else anybody could send people anywhere in our name)
========== ===================================================================================

A honeypot is a link that readers do not see and scanners follow. It looks like any other: only its signature tells it.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from msgspec import Raw

from schemas import event as kinds
from schemas.codec import json_encoder
from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.bodies import Unfit, rejected
from stream.collect.edges import put_edge
from stream.collect.request import Parsed, Request, faulty
from stream.collect.webhooks.verification import hex_hmac, same
from stream.settings import Source

PARAMETERS_LIMIT: Final = 16
LINK: Final = "link"
HONEYPOT: Final = "honeypot"
"""Kinds of links: what their signatures begin with."""


def events_of(body: bytes, request: Request) -> Parsed:  # noqa: ARG001 - a GET has none
    """The click of one request, and where it leads. A link that we did not make is answered 400 and leads nowhere."""
    try:
        given = dict(parse_qsl(request.query, max_num_fields=PARAMETERS_LIMIT))
        source = signing_source(given, request)
        kind, target = _target(given, source)
    except ValueError:
        return faulty(rejected(RejectReason.TOO_MANY, "parameters", b""))
    except Unfit as unfit:
        return faulty(rejected(unfit.reason, unfit.detail, b""))
    email = normal.address(given.get("email"))
    clicks = [_click(given, kind, target, source, request)] if email else []
    return Parsed(clicks, [], source=source, location=target)


def link_signature(secret: str, target: str, message_id: str, email: str, campaign: str, *, kind: str = LINK) -> str:
    """Signature of a link: its sender made it, for this page, message and recipient. "" without a secret."""
    signed = f"{kind}\n{target}\n{message_id}\n{email}\n{campaign}"
    return hex_hmac(secret, signed.encode("utf-8", "replace"), "sha256")


def signing_source(given: dict[str, str], request: Request) -> Source:
    """The source whose ``mail_secret`` signs the link. Raises: Unfit."""
    source = request.sources.get(given.get("key", ""))
    if source is None:
        raise Unfit(RejectReason.UNKNOWN_KEY, "key")
    if not source.mail_secret:
        raise Unfit(RejectReason.UNSUPPORTED, "links need a mail_secret of their source, see docs/email.md")
    return source


def _target(given: dict[str, str], source: Source) -> tuple[str, str]:
    """Kind of the link, and where it leads."""
    target = given.get("u", "")
    said = [given.get(name, "") for name in ("message_id", "email", "campaign")]
    kind = next((k for k in (LINK, HONEYPOT) if _is_signed(given, source, target, said, k)), "")
    if not kind:
        raise Unfit(RejectReason.BAD_VALUE, "sig")
    if urlsplit(target).scheme not in {"http", "https"} or not target.isprintable() or " " in target:
        raise Unfit(RejectReason.BAD_VALUE, "u")
    return kind, target


def _is_signed(given: dict[str, str], source: Source, target: str, said: list[str], kind: str) -> bool:
    return same(given.get("sig", ""), link_signature(source.mail_secret, target, *said, kind=kind))


def _click(given: dict[str, str], kind: str, target: str, source: Source, request: Request) -> Event:
    email = normal.address(given.get("email"))
    edge = request.connection_edge()
    said: dict[str, str | bool] = {
        "message_id": normal.text(given.get("message_id")),
        "campaign": normal.text(given.get("campaign")),
        "url": normal.text(target, normal.URL_LIMIT),
        "gateway": edge.gateway,
        "honeypot": kind == HONEYPOT,
    }
    event = mail_event("clicked", email, said, source, request, event_id=request.new_id())
    event.gpc = request.gpc
    put_edge(event, edge)
    if kind == HONEYPOT:
        event.bot, event.bot_reason = "scanner", "honeypot"
    elif request.is_head and not event.bot:
        # People's programs ask for the page itself; who only asks whether it is there is a scanner.
        event.bot, event.bot_reason = "scanner", "head-request"
    return event


def mail_event(
    name: str, email: str, said: Mapping[str, str | bool], source: Source, request: Request, *, event_id: str
) -> Event:
    """What a signed address of an email tells: ``name`` happened to the mail to ``email``; ``said`` without what is empty."""
    return Event(
        id=event_id,
        node=normal.entry_node(source.tenant, email=email),
        type=kinds.EMAIL_EVENT,
        at=request.received_at,
        received_at=request.received_at,
        tenant=source.tenant,
        source=source.name,
        protocol="link",
        platform=kinds.SERVER,
        name=name,
        email=email,
        library="link",
        properties=Raw(json_encoder.encode({key: value for key, value in said.items() if value})),
    )
