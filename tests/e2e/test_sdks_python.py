"""Unmodified Python SDKs deliver every event once with all fields."""

import logging
from typing import Any

import msgspec
import pytest
import rudderstack.analytics.client
import segment.analytics.client
from snowplow_tracker import Emitter, PageView, SelfDescribing, SelfDescribingJson, StructuredEvent, Subject, Tracker

from schemas.event import Event
from tests.e2e.landing import Landing

CONTEXT = {
    "campaign": {"source": "news", "medium": "email", "name": "spring", "term": "t", "content": "c"},
    "page": {"url": "https://www.example.com/pricing", "referrer": "https://www.example.org/", "title": "Pricing"},
    "locale": "de-AT",
    "groupId": "acme",
    "ip": "203.0.113.9",
    "userAgent": "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
}


def properties(event: Event) -> Any:
    return msgspec.json.decode(event.properties)


def once(events: list[Event], count: int) -> dict[str, Event]:
    """By type and name, after checking that there are as many as were sent and no id twice."""
    assert len(events) == count
    assert len({event.id for event in events}) == count
    found = {event.type + event.name: event for event in events}
    assert len(found) == count
    return found


def send_all(client: Any) -> None:
    """Every call that both SDKs have."""
    client.identify("u1", {"email": "ann@acme.com", "plan": "pro"}, context=CONTEXT, anonymous_id="anon-1")
    client.track(
        "u1", "Demo Requested", {"seats": 7, "nested": {"a": [1, None]}}, context=CONTEXT, anonymous_id="anon-1"
    )
    client.page("u1", "docs", "Install", {"url": "https://www.example.com/docs"}, anonymous_id="anon-1")
    client.screen("u1", "app", "Home", {"tab": "first"}, anonymous_id="anon-1")
    client.group("u1", "acme", {"name": "Acme"}, anonymous_id="anon-1")
    client.alias("anon-0", "u1")
    client.track(anonymous_id="anon-2", event="Größe ✓", properties={"text": "naïve\u2028"})


def check_all(events: list[Event], protocol: str, library: str) -> None:
    found = once(events, 7)
    assert {e.protocol for e in events} == {protocol}
    assert {e.library for e in events} == {library}
    assert {(e.tenant, e.source) for e in events} == {("default", "website")}
    assert all(0 < e.at <= e.received_at and e.received_at - e.at < 60_000 for e in events)
    identify = found["identify"]
    assert (identify.node, identify.visitor, identify.user) == ("default/v:anon-1", "anon-1", "u1")
    assert identify.email == "ann@acme.com"
    assert msgspec.json.decode(identify.traits) == {"email": "ann@acme.com", "plan": "pro"}
    track = found["trackDemo Requested"]
    assert properties(track) == {"seats": 7, "nested": {"a": [1, None]}}
    assert (track.url, track.referrer, track.title) == tuple(CONTEXT["page"].values())  # type: ignore[attr-defined]
    utm = (track.utm_source, track.utm_medium, track.utm_campaign, track.utm_term, track.utm_content)
    assert utm == ("news", "email", "spring", "t", "c")
    assert (track.group, track.locale, track.browser, track.os, track.bot) == ("acme", "de-AT", "Chrome", "Windows", "")
    assert found["pageInstall"].url == "https://www.example.com/docs"
    assert properties(found["screenHome"])["tab"] == "first"
    assert found["group"].group == "acme"
    assert msgspec.json.decode(found["group"].traits) == {"name": "Acme"}
    assert (found["alias"].visitor, found["alias"].user) == ("anon-0", "u1")
    umlaut = found["trackGröße ✓"]
    assert (umlaut.visitor, umlaut.user, properties(umlaut)["text"]) == ("anon-2", "", "naïve\u2028")


@pytest.mark.parametrize("gzip", [False, True])
def test_segments_sdk_delivers_once(landing: Landing, gzip: bool) -> None:
    client = segment.analytics.client.Client("dev", host=landing.url, gzip=gzip)
    send_all(client)
    client.shutdown()
    check_all(landing.delivered(7), "segment", "analytics-python")


@pytest.mark.parametrize("gzip", [False, True])
def test_rudderstacks_sdk_delivers_once(landing: Landing, gzip: bool) -> None:
    client = rudderstack.analytics.client.Client("dev", host=landing.url, gzip=gzip)
    send_all(client)
    client.shutdown()
    # SURPRISE: this SDK gives its origin's name; nothing on the wire tells it from Segment's.
    check_all(landing.delivered(7), "segment", "analytics-python")


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
    events = landing.delivered(3)
    assert len(events) == len({event.id for event in events}) == 3
    assert {(e.protocol, e.source, e.platform, e.node, e.user) for e in events} == {
        ("snowplow", "website", "web", "default/v:dom-1", "u1")
    }
    assert {(e.locale, e.browser, e.os) for e in events} == {("de-AT", "Chrome", "Windows")}
    page = next(e for e in events if e.type == "page")
    assert (page.url, page.title, page.referrer) == (
        "https://www.example.com/pricing?utm_source=news", "Pricing", "https://www.example.org/",
    )  # fmt: skip
    structured = next(e for e in events if e.name == "add-to-basket")
    said = properties(structured)
    assert (said["category"], said["label"], said["property"], float(said["value"])) == ("shop", "plan", "pro", 7.5)
    described = next(e for e in events if e.name == "demo_requested")
    assert (properties(described)["seats"], properties(described)["text"]) == (7, "Größe ✓")
    assert b"acme" in bytes(described.properties)  # type: ignore[arg-type]


logging.getLogger("snowplow_tracker").setLevel(logging.WARNING)
