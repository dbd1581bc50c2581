"""What every SDK must deliver, whatever language it is written in."""

from typing import Any

import msgspec

from schemas.event import Event

PAGE = ("https://www.example.com/pricing", "https://www.example.org/", "Pricing")
"""URL, referrer and title of the page in the context."""


def properties(event: Event) -> Any:
    """Decoded."""
    return msgspec.json.decode(event.properties)


def once(events: list[Event], count: int) -> dict[str, Event]:
    """By type and name, after checking that there are as many as were sent and no id twice."""
    assert len(events) == count
    assert len({event.id for event in events}) == count
    found = {event.type + event.name: event for event in events}
    assert len(found) == count
    return found


def check_calls(events: list[Event], protocol: str, library: str) -> None:
    """One of each of Segment's and RudderStack's calls."""
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
    assert (track.url, track.referrer, track.title) == PAGE
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


def check_snowplow(events: list[Event]) -> None:
    """A page view, a structured and a self-describing event with an entity."""
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
