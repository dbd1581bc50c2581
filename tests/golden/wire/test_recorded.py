"""What unmodified SDKs sent, as recorded (``record.py``), becomes the canonical events of ``expected``, written by hand.

Ids and times are checked by rule, since SDKs make their own; everything else is compared whole.
"""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream.collect import access
from stream.collect.adapters import posthog, segment, snowplow
from stream.collect.clock import moment
from stream.collect.request import Adapter
from tests.golden.wire.record import NODE_SDKS, RECORDED, recording
from tests.unit.collect.senders import DEV, request

EXPECTED = Path(__file__).parent / "expected"
NODE_LOCK = Path(__file__).parents[2] / "e2e" / "node" / "package.json"
BY_RULE = ("event_id", "occurred_at", "received_at", "original_at", "sent_at", "clock_suspect")
CALLS = {
    # SURPRISE: RudderStack's SDKs give the name of the library that they come from.
    "segment-analytics-python-2.4.0": "analytics-python",
    "rudder-sdk-python-2.1.9": "analytics-python",
    "segment-analytics-node-3.1.0": "@segment/analytics-node",
    "rudderstack-rudder-sdk-node-3.0.13": "analytics-node",
}
SNOWPLOW = {
    "snowplow-tracker-1.1.0-get-base64": "py-1.1.0",
    "snowplow-tracker-1.1.0-get-plain": "py-1.1.0",
    "snowplow-tracker-1.1.0-post-base64": "py-1.1.0",
    "snowplow-tracker-1.1.0-post-plain": "py-1.1.0",
    "snowplow-node-tracker-4.8.0": "node-4.8.0",
}

POSTHOG = ("posthog-7.91.1-plain", "posthog-7.91.1-gzip")
SURROUNDINGS = ("$python_", "$os", "$lib", "$geoip", "$is_server")
"""How the properties begin that PostHog's SDK adds of its own."""


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECORDED / f"{name}.jsonl").read_text().splitlines()]


def expected(name: str, **common: object) -> list[dict[str, Any]]:
    lines = (EXPECTED / f"{name}.jsonl").read_text().splitlines()
    return [{"source": "website"} | common | json.loads(line) for line in lines]


def replayed(name: str, events_of: Adapter) -> list[dict[str, Any]]:
    """The events of a recording in the order of their own times, as they are on the log."""
    found = []
    for sent in recorded(name):
        authorization = sent["headers"].get("authorization", "")
        given = request(
            sent["path"],
            source=DEV if access.write_key(authorization) == DEV.key else None,
            query=sent["query"],
            received_at=sent["received_at"],
            headers={**sent["headers"], "user-agent": "library"},
        )
        parsed = events_of(sent["body"].encode(), given)
        assert (parsed.fault, parsed.rejected) == (None, [])
        found += parsed.events
    return [json.loads(msgspec.json.encode(event)) for event in found]


def without_ids_and_times(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in event.items() if name not in BY_RULE} for event in events]


@pytest.mark.parametrize("sdk", CALLS)
def test_every_call_of_every_sdk_becomes_the_same_event(sdk: str) -> None:
    events = sorted(replayed(sdk, segment.events_of), key=lambda event: int(event["event_id"].removeprefix("call-")))
    assert [event["event_id"] for event in events] == [f"call-{n}" for n in range(1, len(events) + 1)]
    wanted = expected("calls", protocol="segment", library=CALLS[sdk])
    for event, one in zip(without_ids_and_times(events), wanted, strict=True):
        assert event == one


@pytest.mark.parametrize("sdk", CALLS)
def test_the_time_that_the_caller_gave_is_shifted_by_the_way_at_most(sdk: str) -> None:
    for event in replayed(sdk, segment.events_of):
        second = int(event["event_id"].removeprefix("call-"))
        given = moment(f"2026-03-01T10:00:{second:02}Z")
        assert event["original_at"] == given
        # RudderStack's Node.js SDK says both times, so the caller's is taken as it is.
        way = 0 if sdk.startswith("rudderstack") else event["received_at"] - event["sent_at"]
        assert event["occurred_at"] == given + way


@pytest.mark.parametrize("sdk", SNOWPLOW)
def test_every_event_of_every_snowplow_tracker_becomes_the_same_event(sdk: str) -> None:
    common = {
        "node": "default/v:dom-1", "visitor_id": "dom-1", "user_id": "u1", "protocol": "snowplow", "locale": "de-AT",
        "city": "203.0.113.9", "browser": "library", "library": SNOWPLOW[sdk],
    }  # fmt: skip
    events = replayed(sdk, snowplow.events_of)
    order = [one["type"] + one.get("name", "") for one in expected("snowplow")]
    events.sort(key=lambda event: order.index(event["type"] + event.get("name", "")))
    for event, one in zip(without_ids_and_times(events), expected("snowplow", **common), strict=True):
        assert event == one


def put_said(event: dict[str, Any]) -> None:
    """Leave in the properties only what was said of the event itself."""
    said = {key: value for key, value in event.pop("properties").items() if not key.startswith(SURROUNDINGS)}
    event.update({"properties": said} if said else {})


@pytest.mark.parametrize("sdk", POSTHOG)
def test_every_event_of_posthogs_sdk_becomes_ours(sdk: str) -> None:
    events = sorted(replayed(sdk, posthog.events_of), key=lambda event: event["event_id"])
    assert [int(event["event_id"][-12:]) for event in events] == [1, 2, 3, 4, 5, 6]
    for event in events:
        assert event["original_at"] == moment(f"2026-03-01T10:00:{int(event['event_id'][-12:]):02}Z")
        assert event["occurred_at"] == event["original_at"] + event["received_at"] - event["sent_at"]
        put_said(event)
    assert "visitor_id" in events[5], "a person of its own, since the SDK was not told whose it is"
    assert events[5]["node"] == f"default/v:{events[5].pop('visitor_id')}"
    del events[5]["node"]
    wanted = expected("posthog", protocol="posthog", library="posthog-python")
    for event, one in zip(without_ids_and_times(events), wanted, strict=True):
        assert event == one


def test_every_event_of_posthogs_node_sdk_becomes_ours() -> None:
    events = replayed("posthog-node-5.70.0", posthog.events_of)
    assert len({event["event_id"] for event in events}) == len(events)
    for event in events:
        assert event["occurred_at"] == event["original_at"] + event["received_at"] - event["sent_at"]
        put_said(event)
    wanted = expected("posthog-node", protocol="posthog", library="posthog-node")
    order = [one["type"] for one in wanted]
    events.sort(key=lambda event: order.index(event["type"]))
    for event, one in zip(without_ids_and_times(events), wanted, strict=True):
        assert event == one


@pytest.mark.parametrize("package", ["segment-analytics-python", "rudder-sdk-python", "snowplow-tracker", "posthog"])
def test_the_recordings_are_of_the_installed_python_sdks(package: str) -> None:
    assert list(RECORDED.glob(f"{recording(package, metadata.version(package)).stem}*"))


@pytest.mark.parametrize("package", NODE_SDKS.values())
def test_the_recordings_are_of_the_pinned_node_sdks(package: str) -> None:
    version = json.loads(NODE_LOCK.read_bytes())["dependencies"][package]
    assert recording(package, version).exists()
