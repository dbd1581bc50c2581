"""What t.js sends, as the adapter reads it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejections import RejectReason
from stream.collect.adapters.tracker import events_of
from tests.unit.collect_edge.requests import ENRICHER, NOW, properties, relaxed, request

PAGE = {
    "id": "e1", "type": "page", "at": NOW - 5_000, "visitor": "k9x.123", "session": "s1", "user": "", "group": "",
    "url": "https://www.example.com/pricing?utm_source=news", "referrer": "https://www.example.org/", "title": "Pricing",
}  # fmt: skip


def body(*events: Any, **envelope: Any) -> bytes:
    return json.dumps({"key": "dev", "sentAt": NOW - 1_000, "events": events, **envelope}).encode()


def test_a_page_view_keeps_all_its_fields() -> None:
    parsed = events_of(body(PAGE, locale="de-AT", screen=[1920, 1080], gpc=False, webdriver=False), request("/t"))
    (event,) = parsed.events
    assert (event.id, event.node, event.type, event.visitor) == ("e1", "default/v:k9x.123", "page", "k9x.123")
    assert (event.tenant, event.source, event.protocol, event.platform) == ("default", "website", "tracker", "web")
    assert (event.url, event.referrer, event.title) == (PAGE["url"], PAGE["referrer"], "Pricing")
    assert (event.client_session, event.locale, event.library) == ("s1", "de-AT", "t.js")
    assert properties(event) == {"screen": "1920x1080"}
    assert parsed.rejected == []


def test_a_wrong_clock_is_corrected_by_the_time_of_sending() -> None:
    # The browser's clock is an hour slow; it sent 4 s after the event.
    slow = {**PAGE, "at": NOW - 3_604_000}
    (event,) = events_of(body(slow, sentAt=NOW - 3_600_000), request("/t")).events
    assert (event.at, event.original_at, event.sent_at) == (NOW - 4_000, NOW - 3_604_000, NOW - 3_600_000)


def test_identify_carries_user_traits_and_address() -> None:
    call = {**PAGE, "type": "identify", "user": "u1", "traits": {"email": "Ann@Acme.com", "plan": "pro"}}
    (event,) = events_of(body(call), request("/t")).events
    assert (event.user, event.email, event.node) == ("u1", "ann@acme.com", "default/v:k9x.123")
    assert json.loads(bytes(event.traits)) == {"email": "Ann@Acme.com", "plan": "pro"}  # type: ignore[arg-type]


def test_the_address_among_an_accounts_traits_is_nobodys() -> None:
    call = {**PAGE, "type": "group", "group": "acme", "traits": {"email": "office@acme.com"}}
    (event,) = events_of(body(call), request("/t")).events
    assert (event.group, event.email) == ("acme", "")


@pytest.mark.parametrize(
    ("engaged", "counted"), [(15_000, 15_000), (15_000.7, 15_000), (-5, 0), (10**9, 120_000), ("x", 0), (None, 0)]
)
def test_a_ping_counts_plausible_engaged_time_only(engaged: object, counted: int) -> None:
    (event,) = events_of(body({**PAGE, "type": "ping", "engaged": engaged}), request("/t")).events
    assert (event.type, event.engaged_ms) == ("ping", counted)


def test_only_pings_carry_engaged_time() -> None:
    (event,) = events_of(body({**PAGE, "engaged": 9_000}), request("/t")).events
    assert event.engaged_ms == 0


@pytest.mark.parametrize(
    ("said", "consent"),
    [
        (None, None),
        ({}, {}),
        ({"analytics": True, "ads": False}, {"analytics": True, "ads": False}),
        ({"analytics": False, "ads": "denied"}, {"analytics": False, "ads": False}),
        ({"analytics": "denied"}, {"analytics": False}),
        ({"analytics": 0}, {"analytics": False}),
        ({"analytics": None}, {"analytics": False}),
        (False, {}),
        ("no", {}),
    ],
)
def test_a_refusal_stays_one_whatever_it_is_written_as(said: object, consent: object) -> None:
    (event,) = events_of(body({**PAGE, "consent": said}), request("/t")).events
    assert event.consent == consent


@pytest.mark.parametrize("headers", [{}, {"sec-gpc": "1"}])
def test_gpc_comes_from_the_script_or_the_header(headers: dict[str, str]) -> None:
    (event,) = events_of(body(PAGE, gpc=not headers), request("/t", headers=headers)).events
    assert event.gpc


def test_a_browser_that_says_it_is_driven_is_a_bot() -> None:
    agent = {
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
    }
    enrich = ENRICHER.edge
    (event,) = events_of(body(PAGE, webdriver=True), request("/t", headers=agent, enrich=enrich)).events
    assert (event.bot, event.bot_reason, event.browser) == ("headless", "webdriver", "Chrome")
    (event,) = events_of(body(PAGE), request("/t", headers=agent, enrich=enrich)).events
    assert event.bot == ""


def test_the_screen_joins_the_page_views_own_properties() -> None:
    (event,) = events_of(body({**PAGE, "properties": {"plan": "pro"}}, screen=[800, 600]), request("/t")).events
    assert properties(event) == {"plan": "pro", "screen": "800x600"}
    (event,) = events_of(body({**PAGE, "properties": {"screen": "own"}}, screen=[800, 600]), request("/t")).events
    assert properties(event) == {"screen": "own"}


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"type": "alias"}, RejectReason.UNSUPPORTED, "type"),
        ({"type": None}, RejectReason.UNSUPPORTED, "type"),
        ({"type": "track", "name": ""}, RejectReason.MISSING_FIELD, "name"),
        ({"type": "group"}, RejectReason.MISSING_FIELD, "group"),
        ({"visitor": None}, RejectReason.MISSING_FIELD, "visitor"),
        ({"at": "Friday"}, RejectReason.BAD_TIME, "at"),
    ],
)
def test_a_bad_event_costs_its_neighbours_nothing(change: dict[str, object], reason: RejectReason, detail: str) -> None:
    bad = {**PAGE, "id": "bad", **change}
    parsed = events_of(body(PAGE, bad, {**PAGE, "id": "e2"}), request("/t"))
    assert [event.id for event in parsed.events] == ["e1", "e2"]
    (refused,) = parsed.rejected
    assert (refused.reason, refused.detail, json.loads(refused.body)) == (reason, detail, bad)


def test_an_unknown_key_keeps_the_bytes() -> None:
    parsed = events_of(body(PAGE, key="other"), request("/t"))
    assert (parsed.events, [r.reason for r in parsed.rejected]) == ([], [RejectReason.UNKNOWN_KEY])
    assert json.loads(parsed.rejected[0].body) == [PAGE]


def test_the_overflow_of_a_batch_is_refused() -> None:
    parsed = events_of(body(PAGE, {**PAGE, "id": "e2"}), request("/t", max_batch_events=1))
    assert ([e.id for e in parsed.events], [r.reason for r in parsed.rejected]) == (["e1"], [RejectReason.TOO_MANY])


@pytest.mark.parametrize(
    "junk", [b"", b"{", b"[]", b"null", b'{"key":"dev"}', b'{"events":5}', b"\xff\xfe", b"[" * 10_000]
)
def test_what_is_no_batch_is_a_fault(junk: bytes) -> None:
    parsed = events_of(junk, request("/t"))
    assert parsed.fault is not None or parsed.events == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@relaxed
@given(
    st.dictionaries(st.sampled_from(sorted([*PAGE, "properties", "traits", "consent", "engaged", "name"])), JSON), JSON
)
def test_every_item_is_taken_or_refused_whatever_it_holds(change: dict[str, object], screen: object) -> None:
    parsed = events_of(body({**PAGE, **change}, "x", screen=screen, locale=screen), request("/t"))
    assert len(parsed.events) + len(parsed.rejected) == 2
    assert all(event.node and event.id and 0 < event.at <= NOW for event in parsed.events)


@relaxed
@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(junk: bytes) -> None:
    events_of(junk, request("/t"))
    events_of(body(PAGE)[: len(junk)] + junk, request("/t"))
