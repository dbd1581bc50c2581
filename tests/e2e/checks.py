"""What every SDK must deliver, whatever language it is written in."""

from typing import Any

import msgspec

from tests.e2e.landing import Row

PAGE = ("https://www.example.com/pricing", "/pricing", "https://www.example.org/", "Pricing")
"""URL, path, referrer and title of the page in the context."""
UTM = ("news", "email", "spring", "t", "c")
APART_MS = 1234
"""Between the times that the test gives the ``identify`` and the ``track`` call."""


def properties(row: Row) -> Any:
    """Decoded."""
    return msgspec.json.decode(row.properties)


def traits(row: Row) -> Any:
    """Decoded."""
    return msgspec.json.decode(row.traits)


def utm(row: Row) -> tuple[str, str, str, str, str]:
    return row.utm_source, row.utm_medium, row.utm_campaign, row.utm_term, row.utm_content


def once(rows: list[Row], count: int) -> dict[str, Row]:
    """By type and name, after checking that there are as many as were sent and no id twice."""
    assert sorted(row.type + row.name for row in rows) == sorted({row.type + row.name for row in rows})
    assert len(rows) == count
    assert len({row.event_id for row in rows}) == count
    assert "" not in {row.event_id for row in rows}
    return {row.type + row.name: row for row in rows}


def check_calls(rows: list[Row], protocol: str, library: str) -> None:
    """One of each of Segment's and RudderStack's calls."""
    found = once(rows, 7)
    assert {(r.tenant, r.source, r.protocol, r.library) for r in rows} == {("default", "website", protocol, library)}
    assert all(0 < r.at <= r.arrived and r.arrived - r.at < 120_000 for r in rows)
    assert not any(r.clock_suspect or r.is_bot or r.bot or r.bot_reason for r in rows)
    identify, track = found["identify"], found["trackDemo Requested"]
    assert track.at - identify.at == APART_MS
    for row in (identify, track):
        assert (row.node, row.visitor_id, row.user_id, row.group_id) == ("v:anon-1", "anon-1", "u1", "acme")
        assert (row.url, row.path, row.referrer, row.title) == PAGE
        assert utm(row) == UTM
        assert (row.channel, row.locale) == ("Email", "de-AT")
        assert (row.device, row.browser, row.os) == ("desktop", "Chrome", "Windows")
    assert identify.email == "ann@acme.com"
    assert traits(identify) == {"email": "ann@acme.com", "plan": "pro"}
    assert (properties(track), traits(track)) == ({"seats": 7, "nested": {"a": [1, None]}}, {})
    install, screen = found["pageInstall"], found["screenHome"]
    assert (install.url, install.path, install.platform) == ("https://www.example.com/docs", "/docs", "web")
    assert (properties(screen)["tab"], screen.platform) == ("first", "app")
    assert (found["group"].group_id, traits(found["group"])) == ("acme", {"name": "Acme"})
    assert (found["alias"].visitor_id, found["alias"].user_id) == ("anon-0", "u1")
    umlaut = found["trackGröße ✓"]
    assert (umlaut.visitor_id, umlaut.user_id, properties(umlaut)["text"]) == ("anon-2", "", "naïve\u2028")
    check_whose(found)


def check_whose(found: dict[str, Row]) -> None:
    """Everybody's session, person and account, whatever the event itself said of them."""
    known = [row for name, row in found.items() if name != "trackGröße ✓"]
    assert {row.person_id for row in known} == {"ann@acme.com"}
    assert {row.account_id for row in known} == {"acme"}
    assert (found["trackGröße ✓"].person_id, found["trackGröße ✓"].account_id) == ("anon-2", "")
    visit = [row for row in known if row.visitor_id == "anon-1" and row.platform in {"web", "app"}]
    assert {"identify", "track", "page", "screen"} <= {row.type for row in visit}
    assert len({row.session_id for row in visit}) == 1
    assert "" not in {row.session_id for row in visit}
    assert {row.session_id for row in found.values() if row.platform == "server"} <= {""}


def check_snowplow(rows: list[Row]) -> None:
    """A page view, a structured and a self-describing event with an entity."""
    assert len(rows) == len({row.event_id for row in rows}) == 3
    assert {(r.protocol, r.source, r.platform, r.node, r.visitor_id, r.user_id) for r in rows} == {
        ("snowplow", "website", "web", "v:dom-1", "dom-1", "u1")
    }
    assert {(r.locale, r.device, r.browser, r.os, r.bot) for r in rows} == {
        ("de-AT", "desktop", "Chrome", "Windows", "")
    }
    assert {(r.person_id, r.account_id) for r in rows} == {("ann@acme.com", "acme")}
    # Not one for all: requests sent one by one may overtake the page view, whose campaign begins a session.
    assert "" not in {r.session_id for r in rows}
    assert all(0 < r.at <= r.arrived and r.arrived - r.at < 60_000 for r in rows)
    page = next(r for r in rows if r.type == "page")
    assert (page.url, page.path, page.title, page.referrer, page.utm_source) == (
        "https://www.example.com/pricing?utm_source=news", "/pricing", "Pricing", "https://www.example.org/", "news",
    )  # fmt: skip
    structured = next(r for r in rows if r.name == "add-to-basket")
    said = properties(structured)
    assert (said["category"], said["label"], said["property"], float(said["value"])) == ("shop", "plan", "pro", 7.5)
    described = next(r for r in rows if r.name == "demo_requested")
    assert (properties(described)["seats"], properties(described)["text"]) == (7, "Größe ✓")
    (entity,) = (e for e in properties(described)["contexts"] if "com.example/account" in e["schema"])
    assert entity["data"] == {"id": "acme"}


def check_posthog(rows: list[Row], library: str, device: str) -> None:
    """What a user did, a page of a device that nobody was named for, and whose the device is."""
    assert len(rows) == len({row.event_id for row in rows}) == 3
    found = {row.type: row for row in rows}
    assert {(r.protocol, r.library, r.person_id, r.account_id) for r in rows} == {
        ("posthog", library, "ann@acme.com", "acme")
    }
    track, page, alias = found["track"], found["page"], found["alias"]
    assert (track.name, track.node, track.group_id, properties(track)["text"]) == (
        "Plan Changed", "u:u1", "acme", "Größe ✓",
    )  # fmt: skip
    assert (page.path, page.utm_source, page.node) == ("/pricing", "news", f"v:{device}")
    assert page.session_id
    assert (alias.visitor_id, alias.user_id) == (device, "u1")
