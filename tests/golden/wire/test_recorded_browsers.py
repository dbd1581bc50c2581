"""What unmodified browser SDKs and t.js sent, as recorded (``record_browsers.py``), becomes what the pages did.

The pages: ``PATHS`` from ``REFERRER``; on the second one Ann (u1) of acme signs in and asks for a demo. All expected values
are from there. Ids and times, which the SDKs make themselves, are checked by rule.
"""

import json
from typing import Any

import pytest

from stream.collect.adapters import segment, snowplow, tracker
from stream.collect.request import Adapter
from tests.golden.wire.record import RECORDED, recording
from tests.golden.wire.record_browsers import (
    PATHS,
    PERSON,
    REFERRER,
    RUDDERSTACK,
    SEGMENT,
    SITE,
    SNOWPLOW,
    SNOWPLOW_MODES,
)
from tests.golden.wire.test_recorded import NODE_LOCK, recorded, replayed

VERSIONS: dict[str, str] = json.loads(NODE_LOCK.read_bytes())["dependencies"]
VIEWS = [(SITE + PATHS[0], REFERRER, "Pricing"), (SITE + PATHS[1], SITE + PATHS[0], "Pricing")]
DEMO = {"seats": 7, "text": "Größe ✓"}


def name_of(package: str, option: str = "") -> str:
    return recording(package, VERSIONS[package], option).stem


def views_and_rest(name: str, adapter: Adapter) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """The page views in their order, and the other events by type and name, all from one person's browser."""
    # A page that goes away sends again what it has no answer to; the id is the same.
    sent = {event["event_id"]: event for event in replayed(name, adapter)}
    events = sorted(sent.values(), key=lambda event: int(event["occurred_at"]))
    assert {(e["source"], e.get("platform", "web"), e["locale"]) for e in events} == {("website", "web", "de-AT")}
    assert not any("bot" in event for event in events)
    assert all(0 <= event["received_at"] - event["occurred_at"] < 60_000 for event in events)
    views = [event for event in events if event["type"] == "page"]
    rest = {e["type"] + e.get("name", ""): e for e in events if e["type"] not in {"page", "ping"}}
    return views, rest


def places(views: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(view["url"], view["referrer"], view["title"]) for view in views]


def of_one_visitor(*events: dict[str, Any]) -> None:
    assert len({event["visitor_id"] for event in events}) == 1
    assert {event["node"] for event in events} == {f"default/v:{events[0]['visitor_id']}"}


@pytest.mark.parametrize("package", [SEGMENT, RUDDERSTACK])
def test_calls_of_the_page_are_the_visitors_and_anns(package: str) -> None:
    views, rest = views_and_rest(name_of(package), segment.events_of)
    assert (places(views), {view["name"] for view in views}) == (VIEWS, {"Visited"})
    identify, track, group = rest["identify"], rest["trackDemo Requested"], rest["group"]
    of_one_visitor(*views, identify, track, group)
    assert len(rest) == 3
    assert (identify["user_id"], identify["email"], identify["group_id"]) == ("u1", "ann@acme.com", "acme")
    assert identify["traits"] == {"email": "Ann@Acme.com", "company": {"id": "acme", "name": "Acme Inc."}}
    assert (track["user_id"], track["properties"]) == ("u1", DEMO)
    assert (group["user_id"], group["group_id"], group["traits"]) == ("u1", "acme", {"name": "Acme"})


def test_rudderstacks_pages_without_storage_are_views_of_nobody_known() -> None:
    views, rest = views_and_rest(name_of(RUDDERSTACK, "nothing-stored"), segment.events_of)
    assert (places(views), rest) == (VIEWS, {})
    # Nothing is stored between the pages, so each is a visitor of its own.
    assert len({view["visitor_id"] for view in views}) == 2
    assert not any("user_id" in view for view in views)


def test_snowplows_events_are_the_visitors_and_anns() -> None:
    views, rest = views_and_rest(name_of(SNOWPLOW), snowplow.events_of)
    assert places(views) == VIEWS
    basket, demo = rest["trackadd-to-basket"], rest["trackdemo_requested"]
    of_one_visitor(*views, basket, demo)
    assert (basket["user_id"], demo["user_id"]) == ("u1", "u1")
    said = {name: basket["properties"][name] for name in ("category", "action", "label", "property", "value")}
    assert said == {"category": "shop", "action": "add-to-basket", "label": "plan", "property": "pro", "value": 7.5}
    assert {name: demo["properties"][name] for name in DEMO} == DEMO


@pytest.mark.parametrize(("mode", "visitors"), list(zip(SNOWPLOW_MODES, (1, 2), strict=True)))
def test_snowplows_anonymous_views_are_visits_of_nobodys(mode: str, visitors: int) -> None:
    views, rest = views_and_rest(name_of(SNOWPLOW, mode), snowplow.events_of)
    assert (places(views), rest) == (VIEWS, {})
    assert len({view["visitor_id"] for view in views}) == visitors
    assert not any("user_id" in view or "email" in view for view in views)


def test_our_trackers_events_are_the_visitors_and_anns() -> None:
    views, rest = views_and_rest("t.js", tracker.events_of)
    assert places(views) == VIEWS
    identify, track, group = rest["identify"], rest["trackDemo Requested"], rest["group"]
    of_one_visitor(*views, identify, track, group)
    assert {view["properties"]["screen"] for view in views} == {"1280x720"}
    assert (identify["user_id"], identify["email"], identify["traits"]) == (
        "u1", "ann@acme.com", {"email": "Ann@Acme.com", "plan": "pro"},
    )  # fmt: skip
    assert (track["user_id"], track["properties"]) == ("u1", DEMO)
    assert (group["group_id"], group["traits"]) == ("acme", {"name": "Acme"})


def test_every_recording_is_of_a_persons_browser_in_order_of_receipt() -> None:
    names = [name_of(package) for package in (SEGMENT, RUDDERSTACK, SNOWPLOW)] + ["t.js"]
    for name in names:
        sent = recorded(name)
        assert {one["headers"]["user-agent"] for one in sent} == {PERSON}
        assert [one["received_at"] for one in sent] == sorted(one["received_at"] for one in sent)
    assert (RECORDED / "t.js.jsonl").exists()
