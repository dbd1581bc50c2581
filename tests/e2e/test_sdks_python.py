"""Unmodified Python SDKs deliver every event once with all fields."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import posthog
import pytest
import rudderstack.analytics.client
import segment.analytics.client
from snowplow_tracker import Emitter, PageView, SelfDescribing, SelfDescribingJson, StructuredEvent, Subject, Tracker

from tests.e2e.checks import APART_MS, check_calls, check_posthog, check_snowplow
from tests.e2e.landing import Landing

CONTEXT = {
    "campaign": {"source": "news", "medium": "email", "name": "spring", "term": "t", "content": "c"},
    "page": {"url": "https://www.example.com/pricing", "referrer": "https://www.example.org/", "title": "Pricing"},
    "locale": "de-AT",
    "groupId": "acme",
    "ip": "203.0.113.9",
    "userAgent": "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
}


def send_all(client: Any) -> None:
    """Every call that both SDKs have."""
    then = datetime.now(UTC) - timedelta(minutes=1)
    later = then + timedelta(milliseconds=APART_MS)
    known = {"context": CONTEXT, "anonymous_id": "anon-1"}
    client.identify("u1", {"email": "ann@acme.com", "plan": "pro"}, timestamp=then, **known)
    client.track("u1", "Demo Requested", {"seats": 7, "nested": {"a": [1, None]}}, timestamp=later, **known)
    client.page("u1", "docs", "Install", {"url": "https://www.example.com/docs"}, anonymous_id="anon-1")
    client.screen("u1", "app", "Home", {"tab": "first"}, anonymous_id="anon-1")
    client.group("u1", "acme", {"name": "Acme"}, anonymous_id="anon-1")
    client.alias("anon-0", "u1")
    client.track(anonymous_id="anon-2", event="Größe ✓", properties={"text": "naïve\u2028"})


@pytest.mark.parametrize("gzip", [False, True])
def test_segments_sdk_delivers_once(landing: Landing, gzip: bool) -> None:
    client = segment.analytics.client.Client("dev", host=landing.url, gzip=gzip)
    send_all(client)
    client.shutdown()
    check_calls(landing.delivered(7), "segment", "analytics-python")


@pytest.mark.parametrize("gzip", [False, True])
def test_rudderstacks_sdk_delivers_once(landing: Landing, gzip: bool) -> None:
    client = rudderstack.analytics.client.Client("dev", host=landing.url, gzip=gzip)
    send_all(client)
    client.shutdown()
    # SURPRISE: this SDK gives its origin's name; nothing on the wire tells it from Segment's.
    check_calls(landing.delivered(7), "segment", "analytics-python")


def test_emails_by_way_of_segments_sdk_are_emails_of_the_recipients_account(landing: Landing) -> None:
    client = segment.analytics.client.Client("dev", host=landing.url)
    sent = {"email_id": "mail-1", "campaign_name": "spring", "link_url": "https://www.example.com/pricing"}
    known = {"anonymous_id": "of-the-provider", "context": {"traits": {"email": "ann@acme.com"}}}
    client.track("u1", "Email Link Clicked", sent, message_id="mail-click", **known)
    client.track("u1", "Email Opened", sent, message_id="mail-open", **known)
    client.shutdown()
    rows = landing.delivered(2)
    assert {(r.type, r.name, r.node, r.visitor_id, r.person_id, r.account_id) for r in rows} == {
        ("email", "clicked", "u:u1", "", "ann@acme.com", "acme"),
        ("email", "opened", "u:u1", "", "ann@acme.com", "acme"),
    }
    mails = landing.machine.rows(
        "SELECT recipient, campaign, event FROM v_email WHERE message_id = 'mail-1' ORDER BY event"
    )
    assert [(m["recipient"], m["campaign"], m["event"]) for m in mails] == [
        ("ann@acme.com", "spring", "clicked"),
        ("ann@acme.com", "spring", "opened"),
    ]
    touches = landing.machine.rows("SELECT type, account_id, channel FROM v_touches WHERE event_id = 'mail-click'")
    assert [(t["type"], t["account_id"], t["channel"]) for t in touches] == [("email_click", "acme", "Email")]


@pytest.mark.parametrize("gzip", [False, True])
def test_posthogs_sdk_delivers_once(landing: Landing, gzip: bool) -> None:
    client = posthog.Posthog("dev", host=landing.url, gzip=gzip)
    device = f"device-{gzip}"
    told = {"seats": 7, "text": "Größe ✓", "$set": {"email": "ann@acme.com"}}
    client.capture("Plan Changed", distinct_id="u1", properties=told, groups={"company": "acme"})
    page = {"$process_person_profile": False, "$current_url": "https://www.example.com/pricing?utm_source=news"}
    client.capture("$pageview", distinct_id=device, properties=page)
    client.alias(device, "u1")
    client.shutdown()
    check_posthog(landing.delivered(3), "posthog-python", device)


def test_what_posthogs_sdk_sets_once_names_the_person(landing: Landing) -> None:
    client = posthog.Posthog("dev", host=landing.url)
    client.set_once(distinct_id="u-once", properties={"email": "once@acme.com"})
    client.shutdown()
    (row,) = landing.delivered(1)
    assert (row.type, row.node, row.email, row.person_id) == ("identify", "u:u-once", "once@acme.com", "once@acme.com")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("base64", [False, True])
def test_snowplows_sdk_delivers_once(landing: Landing, method: Any, base64: bool) -> None:
    emitter = Emitter("127.0.0.1", protocol="http", port=landing.port, method=method, batch_size=2)
    subject = Subject().set_platform("web").set_user_id("u1").set_domain_user_id("dom-1").set_lang("de-AT")
    subject.set_ip_address("203.0.113.9").set_useragent(CONTEXT["userAgent"])
    tracker = Tracker("ns", [emitter], subject=subject, app_id="dev", encode_base64=base64)
    tracker.track(PageView("https://www.example.com/pricing?utm_source=news", "Pricing", "https://www.example.org/"))
    tracker.track(StructuredEvent("shop", "add-to-basket", "plan", "pro", 7.5))
    schema = "iglu:com.example/demo_requested/jsonschema/1-0-0"
    entity = SelfDescribingJson("iglu:com.example/account/jsonschema/1-0-0", {"id": "acme"})
    tracker.track(SelfDescribing(SelfDescribingJson(schema, {"seats": 7, "text": "Größe ✓"}), context=[entity]))
    tracker.flush()
    check_snowplow(landing.delivered(3))


logging.getLogger("snowplow_tracker").setLevel(logging.WARNING)
