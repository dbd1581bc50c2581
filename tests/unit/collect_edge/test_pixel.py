"""Page views and email opens by image."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejections import RejectReason
from stream.collect.adapters.pixel import events_of
from tests.unit.collect_edge.requests import ENRICHER, NOW, properties, relaxed, request


def test_a_page_view_without_script_takes_the_page_from_the_referer() -> None:
    parsed = events_of(b"", request(query="key=dev", headers={"referer": "https://www.example.com/a?utm_source=x"}))
    (event,) = parsed.events
    assert (event.type, event.url, event.platform) == ("page", "https://www.example.com/a?utm_source=x", "web")
    assert (event.id, event.visitor, event.at) == ("fresh-1", "fresh-2", NOW)
    assert event.node == "default/v:fresh-2"


def test_known_visitors_stay_who_they_are() -> None:
    query = urlencode(
        {"key": "dev", "type": "track", "name": "Demo Requested", "visitor": "v1", "user": "u1", "id": "1a"}
    )
    (event,) = events_of(b"", request(query=query)).events
    assert (event.type, event.name, event.node, event.user, event.id) == (
        "track", "Demo Requested", "default/v:v1", "u1", "1a",
    )  # fmt: skip


def test_an_open_is_an_email_event_of_the_recipient() -> None:
    query = urlencode({"key": "dev", "type": "open", "email": "Ann@acme.com", "message_id": "m1", "campaign": "spring"})
    (event,) = events_of(b"", request(query=query)).events
    assert (event.type, event.name, event.node, event.platform) == (
        "email",
        "opened",
        "default/e:ann@acme.com",
        "server",
    )
    assert properties(event) == {"message_id": "m1", "campaign": "spring"}


@pytest.mark.parametrize(
    ("agent", "bot"),
    [
        ("Mozilla/5.0", "machine"),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", ""),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
            "",
        ),
        ("curl/8.5.0", "tool"),
    ],
)
def test_an_open_by_a_machine_is_marked(agent: str, bot: str) -> None:
    asked = request(query="key=dev&type=open&email=a@acme.com", headers={"user-agent": agent}, enrich=ENRICHER.edge)
    assert events_of(b"", asked).events[0].bot == bot


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", RejectReason.UNKNOWN_KEY),
        ("key=nope", RejectReason.UNKNOWN_KEY),
        ("key=dev&type=ping", RejectReason.UNSUPPORTED),
        ("key=dev&type=track", RejectReason.MISSING_FIELD),
        ("key=dev&type=open", RejectReason.MISSING_FIELD),
        ("&".join(["a=1"] * 100), RejectReason.TOO_MANY),
        ("key=dev&title=" + "x" * 40_000, RejectReason.TOO_LARGE),
    ],
)
def test_what_means_nothing_is_refused_with_its_query(query: str, reason: RejectReason) -> None:
    parsed = events_of(b"", request(query=query))
    assert [(r.reason, r.body) for r in parsed.rejected] == [(reason, query.encode())]


@relaxed
@given(st.text(max_size=100))
def test_no_query_makes_it_fail(query: str) -> None:
    for prefix in ("", "key=dev&", "key=dev&type=open&email="):
        parsed = events_of(b"", request(query=prefix + query))
        assert len(parsed.events) + len(parsed.rejected) == 1
