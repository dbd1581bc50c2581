"""Laws of every adapter of this package, on any input: it never raises, and loses nothing without saying so."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import json_encoder, properties_of
from schemas.event import EVENT_TYPES, Event
from stream.collect.adapters import posthog, segment, segment_mail, snowplow
from tests.unit.collect.senders import RECEIVED_AT, request

NASTY = st.sampled_from(
    [
        "",
        "null",
        "undefined",
        "\x00",
        "\ud800",
        "a@b.co",
        "9999-12-31",
        "0000-01-01",
        "2026-01-01T00:00:00Z",
        "1e999",
        "x" * 300,
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | NASTY
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
SEGMENT_KEYS = [
    "type", "event", "name", "userId", "anonymousId", "groupId", "previousId", "messageId", "timestamp", "sentAt",
    "originalTimestamp", "context", "properties", "traits", "channel",
]  # fmt: skip
CONTEXT_KEYS = [
    "campaign",
    "page",
    "ip",
    "userAgent",
    "groupId",
    "traits",
    "externalIds",
    "consent",
    "library",
    "sessionId",
]
KINDS = st.sampled_from(["track", "page", "screen", "identify", "group", "alias"])
CONTEXTS = st.dictionaries(st.sampled_from(CONTEXT_KEYS), VALUES)
CALLS = st.builds(
    lambda kind, user, rest, context: {"type": kind, "userId": user, **rest, "context": context},
    KINDS,
    SCALARS,
    st.dictionaries(st.sampled_from(SEGMENT_KEYS), VALUES),
    CONTEXTS | VALUES,
)
SNOWPLOW_KEYS = [
    "eid", "p", "aid", "dtm", "stm", "ttm", "uid", "duid", "tnuid", "nuid", "url", "page", "refr", "ue_px", "ue_pr", "cx",
    "co", "se_ca", "se_ac", "se_va", "ip", "ua", "lang", "tr_tt",
]  # fmt: skip
PAYLOADS = st.builds(
    lambda e, rest: {"e": e, "aid": "dev", "duid": "d", **rest},
    st.sampled_from(["pv", "pp", "se", "ue", "tr", "ti", "xx"]),
    st.dictionaries(st.sampled_from(SNOWPLOW_KEYS), VALUES),
)
MAIL_KEYS = ["email_id", "campaign_name", "campaign_id", "link_url", "reason", "recipient", "email", "list_id"]
MAILS = st.builds(
    lambda name, properties, context: {"type": "track", "event": name, "properties": properties, "context": context},
    st.sampled_from(sorted(segment_mail.MAIL_NAMES)),
    st.dictionaries(st.sampled_from(MAIL_KEYS), VALUES),
    st.dictionaries(st.sampled_from(CONTEXT_KEYS), VALUES),
)
POSTHOG_KEYS = [
    "$set", "$set_once", "$group_set", "$group_type", "$group_key", "$groups", "$device_id", "$anon_distinct_id", "alias",
    "distinct_id", "$process_person_profile", "$current_url", "$referrer", "$ip", "$lib", "$raw_user_agent", "$session_id",
    "utm_source", "title",
]  # fmt: skip
CAPTURED = st.builds(
    lambda event, known, properties, rest: {"event": event, "distinct_id": known, "properties": properties} | rest,
    st.sampled_from(["$pageview", "$screen", "$identify", "$set", "$create_alias", "$groupidentify", "Demo"]) | SCALARS,
    SCALARS,
    st.dictionaries(st.sampled_from(POSTHOG_KEYS), VALUES | st.just("company")) | VALUES,
    st.dictionaries(st.sampled_from(["timestamp", "sent_at", "uuid", "$set"]), VALUES),
)
decode_event = msgspec.json.Decoder(Event).decode


def sound(parsed) -> None:
    """Whatever comes out can be written, read again, and worked with."""
    for event in parsed.events:
        line = json_encoder.encode(event)
        assert b"\n" not in line
        read = decode_event(line)
        assert read.node
        assert "\x00" not in read.node
        assert read.type in EVENT_TYPES
        assert 946_684_800_000 <= read.at <= RECEIVED_AT
        properties_of(read.properties)
        properties_of(read.traits)


@pytest.mark.parametrize("adapter", [segment, snowplow, posthog])
@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_taken_or_refused(adapter, body):
    sound(adapter.events_of(body, request("/v1/batch")))
    sound(adapter.events_of(body, request("/v1/t")))


@given(st.text())
def test_any_query_is_taken_or_refused(query):
    parsed = snowplow.events_of(b"", request("/i", query=query))
    sound(parsed)
    assert len(parsed.events) + len(parsed.rejected) == 1


@settings(max_examples=120)
@given(st.lists(CALLS | VALUES, max_size=6), CONTEXTS | VALUES, SCALARS)
def test_every_call_of_a_batch_is_an_event_or_a_refusal(calls, context, sent_at):
    body = json.dumps({"batch": calls, "context": context, "sentAt": sent_at}).encode()
    parsed = segment.events_of(body, request())
    sound(parsed)
    assert parsed.fault is None
    assert len(parsed.events) + len(parsed.rejected) == len(calls)


@settings(max_examples=120)
@given(st.lists(PAYLOADS | VALUES, max_size=6))
def test_every_payload_is_an_event_or_a_refusal(payloads):
    parsed = snowplow.events_of(json.dumps({"schema": "s", "data": payloads}).encode(), request())
    sound(parsed)
    assert parsed.fault is None
    assert len(parsed.events) + len(parsed.rejected) == len(payloads)


@settings(max_examples=120)
@given(st.lists(MAILS, max_size=6), SCALARS)
def test_every_call_about_a_mail_is_an_event_or_a_refusal(calls, user):
    calls = [call | {"userId": user} for call in calls]
    parsed = segment.events_of(json.dumps({"batch": calls}).encode(), request())
    sound(parsed)
    assert len(parsed.events) + len(parsed.rejected) == len(calls)


@settings(max_examples=120)
@given(st.lists(CAPTURED | VALUES, max_size=6))
def test_every_captured_event_is_an_event_a_refusal_or_ignored(items):
    parsed = posthog.events_of(json.dumps({"api_key": "dev", "batch": items}).encode(), request("/batch/"))
    sound(parsed)
    assert parsed.fault is None
    assert len(parsed.events) + len(parsed.rejected) + parsed.ignored == len(items)


@given(st.data())
def test_a_batch_damaged_anywhere_is_taken_or_refused(data):
    whole = json.dumps(
        {"batch": [{"type": "track", "event": "E", "userId": "u", "properties": {"a": [1]}}] * 3}
    ).encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    sound(segment.events_of(whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + 1 :], request()))
    sound(segment.events_of(whole[:at], request()))
