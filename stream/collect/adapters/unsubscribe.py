"""Unsubscribing from emails with one click (RFC 8058): signed addresses for the header ``List-Unsubscribe``.

GET  /u?key=...&email=...&sig=... -> a page that asks; nobody is unsubscribed by looking, since scanners look at everything
POST /u?key=...&email=...&sig=... with ``List-Unsubscribe=One-Click`` -> one Event ``unsubscribed``, and a page that says so

========== ===================================================================================
parameter  meaning
========== ===================================================================================
key        write key of the source (required); the source needs a ``mail_secret``
email      address of the recipient (required)
message_id of the email
campaign   of the email
sig        what ``unsubscribe_signature`` makes of the three (required: else anybody could unsubscribe anybody)
========== ===================================================================================

The POST comes from the recipient's mail program or its provider, or from the button of the page.
"""

from email import policy
from email.parser import BytesParser
from typing import Final
from urllib.parse import parse_qsl

from schemas.event import Event
from schemas.ids import derived_id
from schemas.rejections import RejectReason
from stream.collect import normal, pages
from stream.collect.adapters.redirect import PARAMETERS_LIMIT, mail_event, signing_source
from stream.collect.bodies import Unfit, rejected
from stream.collect.request import Parsed, Request, faulty
from stream.collect.webhooks.verification import hex_hmac, same
from stream.settings import Source

_FIELD: Final = "List-Unsubscribe"
_ONE_CLICK: Final = "One-Click"
_BODY_BYTES: Final = 8 << 10
"""The one field and its wrapping take some hundred."""


def ask(body: bytes, request: Request) -> Parsed:  # noqa: ARG001 - a GET has none
    """The page that asks. An address that we did not sign is answered 400."""
    try:
        address, _, _ = _signed(request)
    except Unfit as unfit:
        return faulty(rejected(unfit.reason, unfit.detail))
    return Parsed([], page=pages.unsubscribe(address, field=_FIELD, value=_ONE_CLICK))


def events_of(body: bytes, request: Request) -> Parsed:
    """The wish of one request. It comes again under the same id, so it counts once for a mail and its recipient.

    The origin of the page does not count, as a browser hides it: the signature does.
    """
    try:
        address, given, source = _signed(request)
        _check_wish(body, request.headers.get("content-type", ""))
    except Unfit as unfit:
        return faulty(rejected(unfit.reason, unfit.detail))
    return Parsed([_wish(address, given, source, request)], page=pages.unsubscribed(address))


def unsubscribe_signature(secret: str, message_id: str, email: str, campaign: str) -> str:
    """Signature of an address for unsubscribing: the sender of the mail made it, for this recipient."""
    return hex_hmac(secret, f"unsubscribe\n{message_id}\n{email}\n{campaign}".encode("utf-8", "replace"), "sha256")


def _signed(request: Request) -> tuple[str, dict[str, str], Source]:
    """The recipient, all parameters and the source. Raises: Unfit."""
    try:
        given = dict(parse_qsl(request.query, max_num_fields=PARAMETERS_LIMIT))
    except ValueError:
        raise Unfit(RejectReason.TOO_MANY, "parameters") from None
    source = signing_source(given, request)
    parts = (given.get(name, "") for name in ("message_id", "email", "campaign"))
    if not same(given.get("sig", ""), unsubscribe_signature(source.mail_secret, *parts)):
        raise Unfit(RejectReason.BAD_VALUE, "sig")
    address = normal.address(given.get("email"))
    if not address:
        raise Unfit(RejectReason.MISSING_FIELD, "email")
    return address, given, source


def _check_wish(body: bytes, content_type: str) -> None:
    if dict(_fields(body, content_type)).get(_FIELD) != _ONE_CLICK:
        raise Unfit(RejectReason.MISSING_FIELD, f"the body has to be {_FIELD}={_ONE_CLICK}")


def _fields(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """The form's fields; RFC 8058 allows both ways to write them. Raises: Unfit."""
    if len(body) > _BODY_BYTES:
        raise Unfit(RejectReason.TOO_LARGE, f"the body has more than {_BODY_BYTES} bytes")
    if not content_type.lower().startswith("multipart/"):
        try:
            return parse_qsl(body.decode("latin-1"), max_num_fields=PARAMETERS_LIMIT)
        except ValueError:
            raise Unfit(RejectReason.TOO_MANY, "fields") from None
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    form = BytesParser(policy=policy.compat32).parsebytes(head + body)
    found = []
    for part in form.walk():
        name = part.get_param("name", header="content-disposition")
        text = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(text, bytes):
            found.append((name, text.decode("latin-1").strip()))
    return found


def _wish(address: str, given: dict[str, str], source: Source, request: Request) -> Event:
    said = {name: normal.text(given.get(name)) for name in ("message_id", "campaign")}
    # What sent it is the provider's server as often as a browser: it says nothing of the recipient.
    event_id = derived_id("unsubscribe", said["message_id"], address, said["campaign"])
    return mail_event("unsubscribed", address, said | {"reason": "one-click"}, source, request, event_id=event_id)
