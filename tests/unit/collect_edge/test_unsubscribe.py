"""One-click unsubscribe: only a POST that says so, to an address that we signed, unsubscribes anybody."""

import base64
import hashlib
import hmac
import re
from html.parser import HTMLParser
from urllib.parse import urlencode

import msgspec
import pytest

from schemas.rejections import RejectReason
from stream.collect import pages
from stream.collect.adapters.unsubscribe import ask, events_of
from stream.collect.request import Edge, Request
from stream.settings import Source
from tests.support.stitch import Stage

SECRET = "a-long-secret"
SOURCE = Source("mail", "mail-key", mail_secret=SECRET, origins=("https://www.acme.com",))
GIVEN = {"key": "mail-key", "message_id": "m1", "email": "ann@acme.com", "campaign": "spring"}
ONE_CLICK = b"List-Unsubscribe=One-Click"
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
    "multipart/form-data; boundary=x",
)


def signed(**changes):
    given = GIVEN | changes
    text = "\n".join(("unsubscribe", *(given[name] for name in ("message_id", "email", "campaign"))))
    return given | {"sig": hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()}


def request(given, content_type="application/x-www-form-urlencoded", **more):
    sources = {"mail-key": SOURCE, "bare": Source("x", "bare")}
    return Request(
        **({"received_at": 5} | more), sources=sources, query=urlencode(given), headers={"content-type": content_type}
    )


def posted(given, body=ONE_CLICK, content_type="application/x-www-form-urlencoded", **more):
    return events_of(body, request(given, content_type, **more))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(ONE_CLICK, "application/x-www-form-urlencoded"), (ONE_CLICK, ""), (ONE_CLICK + b"&x=1", "text/plain"), MULTIPART],
)
def test_a_one_click_post_is_the_recipients_wish(body, content_type):
    found = posted(signed(), body, content_type)
    (wish,) = found.events
    assert (wish.node, wish.type, wish.name, wish.email, wish.at, wish.protocol, wish.source) == (
        "default/e:ann@acme.com", "email", "unsubscribed", "ann@acme.com", 5, "link", "mail",
    )  # fmt: skip
    assert msgspec.json.decode(wish.properties) == {"message_id": "m1", "campaign": "spring", "reason": "one-click"}
    assert "ann@acme.com" in found.page


def test_the_providers_server_that_posts_for_its_user_is_no_bot():
    (wish,) = posted(signed(), enrich=lambda _address, _agent: Edge(bot="tool", bot_reason="curl")).events
    assert wish.bot == ""


def test_looking_at_the_page_unsubscribes_nobody():
    for is_head in (False, True):
        found = ask(b"", request(signed(), is_head=is_head))
        assert (found.events, found.rejected, found.fault) == ([], [], None)
        assert "ann@acme.com" in found.page


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", ""),
        (b"List-Unsubscribe=one-click", ""),
        (b"list-unsubscribe=One-Click", ""),
        (b'{"List-Unsubscribe": "One-Click"}', "application/json"),
        (b"\xff\x00=&=", ""),
        (ONE_CLICK, "multipart/form-data"),
        (ONE_CLICK, "multipart/form-data; boundary=x"),
        (MULTIPART[0], "multipart/form-data; boundary=y"),
    ],
)
def test_a_post_that_does_not_say_so_unsubscribes_nobody(body, content_type):
    found = posted(signed(), body, content_type)
    assert found.fault is not None
    assert (found.fault.reason, found.events) == (RejectReason.MISSING_FIELD, [])
    assert found.fault.body == b""


@pytest.mark.parametrize("body", [b"x" * 10_000, b"&".join(b"a=1" for _ in range(40))])
def test_a_body_that_is_too_much_is_refused(body):
    found = posted(signed(), body + b"&" + ONE_CLICK)
    assert found.fault is not None
    assert found.fault.reason in {RejectReason.TOO_LARGE, RejectReason.TOO_MANY}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (GIVEN, RejectReason.BAD_VALUE),
        (signed() | {"email": "eve@acme.com"}, RejectReason.BAD_VALUE),
        (signed() | {"message_id": "m2"}, RejectReason.BAD_VALUE),
        (signed() | {"key": "nobody"}, RejectReason.UNKNOWN_KEY),
        (signed() | {"key": "bare"}, RejectReason.UNSUPPORTED),
        (signed(email=""), RejectReason.MISSING_FIELD),
        (signed() | {f"x{i}": "1" for i in range(20)}, RejectReason.TOO_MANY),
    ],
)
def test_an_address_that_we_did_not_sign_is_refused_by_both(given, reason):
    for found in (ask(b"", request(given)), posted(given)):
        assert found.fault is not None
        assert (found.fault.reason, found.events, found.page) == (reason, [], "")


def test_a_signature_of_a_link_or_a_pixel_unsubscribes_nobody():
    for kind in ("link\n", "honeypot\n", ""):
        text = f"{kind}m1\nann@acme.com\nspring".encode()
        found = posted(GIVEN | {"sig": hmac.new(SECRET.encode(), text, "sha256").hexdigest()})
        assert found.fault is not None


def test_a_wish_counts_once_however_often_it_is_sent_and_again_for_another_mail():
    stage = Stage()
    for received_at in (9, 5, 7):
        stage.put(posted(signed(), received_at=received_at).events)
    stage.run()
    (touch,) = stage.touches["default/d:acme.com"].values()
    assert (touch.type, touch.points, touch.eligible, touch.at) == ("email_unsubscribe", -10_000, False, 5)
    assert [row["event"] for row in stage.mails()] == ["unsubscribed"]
    stage.put(posted(signed(message_id="m2")).events)
    stage.run()
    assert len(stage.touches["default/d:acme.com"]) == 2


class Read(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_asks_with_one_button_that_posts_to_where_it_is():
    tags = Read(ask(b"", request(signed())).page).tags
    (form,) = [given for tag, given in tags if tag == "form"]
    assert form == {"method": "post"}  # no action: its own address, signature included
    (field,) = [given for tag, given in tags if tag == "input"]
    assert (field["name"], field["value"]) == ("List-Unsubscribe", "One-Click")
    assert [tag for tag, _ in tags if tag in ("button", "a", "script", "img", "link")] == ["button"]


def test_pages_carry_nothing_of_the_address_but_its_text():
    html = pages.unsubscribe('"><script>alert(1)</script>@acme.com', field="f", value="v")
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_policy_allows_the_pages_own_style_and_nothing_else():
    html = pages.unsubscribed("ann@acme.com")
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.strip().split(" ", 1) for part in pages.HEADERS["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
