"""Links in emails: who may make them, and what is noted of a click."""

import hmac
from urllib.parse import urlencode

import msgspec
import pytest

from schemas.rejections import RejectReason
from stream.collect.adapters.redirect import events_of
from stream.collect.request import Edge, Request
from stream.settings import Source

SECRET = "a-long-secret"
SOURCE = Source("mail", "mail-key", mail_secret=SECRET)
PAGE = "https://www.acme.com/pricing?utm_campaign=spring&x=1#plans"
GIVEN = {"key": "mail-key", "u": PAGE, "message_id": "m1", "email": "ann@acme.com", "campaign": "spring"}


def signed(kind="link", **changes):
    given = GIVEN | changes
    text = "\n".join((kind, *(given[name] for name in ("u", "message_id", "email", "campaign"))))
    return given | {"sig": hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()}


def parsed(given, **request):
    return events_of(b"", Request(received_at=5, sources={"mail-key": SOURCE, "bare": Source("x", "bare")},
                                  query=urlencode(given), **request))  # fmt: skip


def test_a_signed_link_notes_the_click_and_leads_to_its_page():
    found = parsed(signed())
    (click,) = found.events
    assert found.location == PAGE
    assert (click.node, click.type, click.name, click.email, click.at) == (
        "default/e:ann@acme.com", "email", "clicked", "ann@acme.com", 5,
    )  # fmt: skip
    assert msgspec.json.decode(click.properties) == {"message_id": "m1", "campaign": "spring", "url": PAGE}
    assert click.bot == ""


def test_without_a_recipient_the_reader_is_sent_on_and_nobody_is_noted():
    found = parsed(signed(email=""))
    assert (found.location, found.events) == (PAGE, [])


def test_a_head_request_is_a_scanners():
    (click,) = parsed(signed(), is_head=True).events
    assert (click.bot, click.bot_reason) == ("scanner", "head-request")


def test_a_click_on_a_honeypot_is_a_scanners_and_the_link_does_not_show_what_it_is():
    found = parsed(signed("honeypot"))
    (click,) = found.events
    assert (click.bot, click.bot_reason) == ("scanner", "honeypot")
    assert msgspec.json.decode(click.properties)["honeypot"] is True
    assert found.location == PAGE
    assert signed("honeypot").keys() == signed().keys()
    assert [event.bot_reason for event in parsed(signed("honeypot"), is_head=True).events] == ["honeypot"]


def test_the_network_of_a_mail_gateway_is_noted_and_proves_nothing():
    (click,) = parsed(signed(), enrich=lambda _address, _agent: Edge(gateway="mimecast.com")).events
    assert msgspec.json.decode(click.properties)["gateway"] == "mimecast.com"
    assert click.bot == ""


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (GIVEN, RejectReason.BAD_VALUE),
        (signed("unsubscribe"), RejectReason.BAD_VALUE),
        (signed() | {"u": "https://evil.example/"}, RejectReason.BAD_VALUE),
        (signed() | {"email": "eve@acme.com"}, RejectReason.BAD_VALUE),
        (signed() | {"key": "nobody"}, RejectReason.UNKNOWN_KEY),
        (signed() | {"key": "bare"}, RejectReason.UNSUPPORTED),
        (signed(u="javascript:alert(1)"), RejectReason.BAD_VALUE),
        (signed(u="https://acme.com/\r\nSet-Cookie: a=b"), RejectReason.BAD_VALUE),
        (signed(u=""), RejectReason.BAD_VALUE),
    ],
)
def test_a_link_that_we_did_not_make_leads_nowhere_and_leaves_no_trace(given, reason):
    found = parsed(given)
    assert found.fault is not None
    assert (found.fault.reason, found.location, found.events, found.rejected) == (reason, "", [], [])
