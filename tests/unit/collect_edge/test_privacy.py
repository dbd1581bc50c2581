"""Who refused analytics is counted and nothing more; an id that the rules block is nobody's."""

import msgspec
import pytest
from msgspec import Raw

from schemas.event import Event
from stream.collect.privacy import respect, without_blocked

REFUSALS = [
    {"analytics": False}, {}, {"marketing": True}, {"Analytics": False, "Advertising": True}, {"C0001": True},
    {"C0001": True, "C0002": False}, {"Analytics": True, "C0002": False},
]  # fmt: skip


def seen(**fields) -> Event:
    said = {
        "visitor": "anon-1",
        "user": "u1",
        "email": "ann@acme.com",
        "group": "acme",
        "client_session": "s-77",
        "url": "https://example.com/pricing?utm_source=news&gclid=G77&email=ann@acme.com#ann",
        "referrer": "https://example.org/?q=ann",
        "region": "Styria",
        "city": "Graz",
        "country": "AT",
        "company": "acme.com",
        "locale": "de-AT",
        "browser": "Chrome",
        "traits": Raw(b'{"email": "ann@acme.com"}'),
        "properties": Raw(b'{"coupon": "ann"}'),
        "protocol": "segment",
    }
    return Event(id="m1", node="default/v:anon-1", type="page", at=5, received_at=5, **said | fields)


@pytest.mark.parametrize("consent", REFUSALS)
def test_without_analytics_consent_only_the_count_is_kept(consent):
    event = seen(consent=consent)
    respect([event])
    assert (event.url, event.referrer) == ("https://example.com/pricing?utm_source=news", "https://example.org/")
    assert (event.type, event.at, event.country, event.browser, event.consent) == ("page", 5, "AT", "Chrome", consent)
    assert event.node == f"default/v:{event.visitor}"
    text = msgspec.json.encode(event)
    for told in (b"ann", b"anon", b"acme", b"u1", b"s-77", b"G77", b"Graz", b"Styria", b"de-AT"):
        assert told not in text


@pytest.mark.parametrize(
    "consent",
    [
        None,
        {"analytics": True},
        {"Analytics": True, "Advertising": False},
        {"C0001": True, "C0002": True, "C0004": False},
        {"c0002": True},
    ],
)
def test_with_consent_or_without_word_of_it_nothing_is_taken(consent):
    event = seen(consent=consent)
    respect([event])
    assert event == seen(consent=consent)


def test_a_source_says_what_its_consent_manager_calls_analytics():
    given = {"cookies-2": True, "measure": True, "analytics": False, "ads": False}
    event = seen(consent=given)
    respect([event], ("Cookies-2", "measure"))
    assert event == seen(consent=given)
    for refusal in ({"cookies-2": True, "measure": False}, {"analytics": True}, {}):
        event = seen(consent=refusal)
        respect([event], ("cookies-2", "measure"))
        assert event.user == ""


def test_a_repeat_of_a_refusers_event_is_one_event_and_two_events_are_not_linked():
    first, again, other = seen(consent={}), seen(consent={}), seen(consent={})
    other.id = "m2"
    respect([first, again, other])
    assert first.node == again.node != other.node


def test_the_trackers_visitor_lives_no_longer_than_the_page_and_is_kept():
    event = seen(consent={}, protocol="tracker")
    respect([event])
    assert (event.node, event.user) == ("default/v:anon-1", "")


def test_a_campaign_counts_whatever_the_case_of_its_parameters():
    event = seen(
        consent={"analytics": False}, url="https://example.com/?UTM_Source=news&Email=ann@acme.com&utm_medium=cpc"
    )
    respect([event])
    assert event.url == "https://example.com/?UTM_Source=news&utm_medium=cpc"


@pytest.mark.parametrize("url", ["http://[", "http://[?a", "?", "#", "x?utm_source=a&b#c", "//?utm_medium=1"])
def test_strange_addresses_are_no_obstacle(url):
    event = seen(consent={}, url=url)
    respect([event])
    assert "#" not in event.url


def test_gpc_means_no_company_by_address():
    event = seen(gpc=True)
    respect([event])
    assert event == seen(gpc=True, company="")


@pytest.mark.parametrize(
    ("blocked", "node"),
    [
        ({"anon-1"}, "default/u:u1"),
        ({"anon-1", "u1"}, "default/e:ann@acme.com"),
        ({"u1"}, "default/v:anon-1"),
        ({"acme"}, "default/v:anon-1"),
    ],
)
def test_a_blocked_id_is_nobodys(blocked, node):
    kept, rejected = without_blocked([seen()], frozenset(blocked))
    assert (kept[0].node, rejected) == (node, [])
    assert blocked.isdisjoint((kept[0].visitor, kept[0].user, kept[0].email, kept[0].group))


def test_who_has_blocked_ids_only_is_refused_with_the_event_and_costs_no_neighbour():
    other = seen(visitor="anon-2")
    other.node = "default/v:anon-2"
    kept, (refused,) = without_blocked([seen(), other], frozenset({"anon-1", "u1", "ann@acme.com"}))
    assert [event.visitor for event in kept] == ["anon-2"]
    assert (refused.reason, b"anon-1" in refused.body) == ("missing_field", True)


def test_a_blocked_account_is_refused():
    event = Event(
        id="m1", node="default/a:test", type="crm.account", at=5, received_at=5, group="test", platform="server"
    )
    kept, rejected = without_blocked([event], frozenset({"test"}))
    assert (kept, len(rejected)) == ([], 1)
