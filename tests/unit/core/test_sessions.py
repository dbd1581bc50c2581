"""Session boundaries, one law each, through the whole step."""

import pytest

from schemas.ids import derived_id
from schemas.rules import Rules
from tests.support.events import DAY, GAP, MINUTE, T0, hit, page, track
from tests.support.stitch import Stage

ADS = "https://www.acme.com/?utm_source=google&utm_medium=cpc&utm_campaign=a"


def sessions(*frames, rules=None):
    stage = Stage(rules=rules)
    for frame in frames:
        stage.put(frame if isinstance(frame, list) else [frame])
    stage.run()
    return sorted(stage.table("sessions").values(), key=lambda s: s["started_at"])


def spans(*frames, **options):
    return [(s["started_at"] - T0, s["ended_at"] - T0) for s in sessions(*frames, **options)]


def test_a_gap_of_exactly_30_minutes_stays_in_the_session():
    assert spans(page("a", 0), page("b", GAP)) == [(0, GAP)]


def test_one_millisecond_more_begins_a_new_one():
    assert spans(page("a", 0), page("b", GAP + 1)) == [(0, 0), (GAP + 1, GAP + 1)]


def test_the_gap_is_a_rule():
    assert len(spans(page("a", 0), page("b", 60_001), rules=Rules(session_gap_s=60))) == 2


def test_a_late_event_bridges_two_sessions_and_the_older_id_stays():
    found = sessions(page("a", 0), page("c", 2 * GAP), page("b", GAP))
    assert [(s["started_at"] - T0, s["ended_at"] - T0, s["page_views"]) for s in found] == [(0, 2 * GAP, 3)]
    assert found[0]["session_id"] == derived_id("default", "ann", str(T0), "a")


def test_a_late_event_before_the_first_begins_the_session_earlier_under_its_own_id():
    found = sessions(page("b", GAP), page("a", 0))
    assert [s["session_id"] for s in found] == [derived_id("default", "ann", str(T0), "a")]


def test_a_late_event_far_from_others_is_a_session_of_its_own():
    assert spans(page("b", 5 * GAP), page("a", 0)) == [(0, 0), (5 * GAP, 5 * GAP)]


def test_a_session_ends_after_24_hours_even_without_a_gap():
    marks = list(range(0, DAY + GAP + 1, GAP))
    assert spans([page(f"{at}", at) for at in marks]) == [(0, DAY), (DAY + GAP, DAY + GAP)]


def test_a_new_campaign_splits_and_the_same_one_does_not():
    other = ADS.replace("=a", "=b")
    found = sessions([page("1", 0, url=ADS), page("2", MINUTE, url=ADS), page("3", 2 * MINUTE, url=other)])
    assert [(s["utm_campaign"], s["page_views"]) for s in found] == [("a", 2), ("b", 1)]


def test_a_new_click_id_splits():
    urls = ["https://www.acme.com/?gclid=1", "https://www.acme.com/?gclid=1", "https://www.acme.com/?gclid=2"]
    assert len(sessions([page(str(i), i * MINUTE, url=url) for i, url in enumerate(urls)])) == 2


@pytest.mark.parametrize(
    ("click", "referrer", "first"),
    [
        ("fbclid", "https://l.instagram.com/", "instagram"),
        ("igsh", "https://www.facebook.com/", "facebook"),
        ("igshid", "https://www.threads.net/", "threads"),
        ("epik", "https://www.facebook.com/", "facebook"),
    ],
)
def test_a_link_of_a_network_opened_again_without_referrer_goes_on(click, referrer, first):
    url = f"https://www.acme.com/?{click}=Ab1"
    found = sessions([page("1", 0, url=url, referrer=referrer), page("2", MINUTE, url=url)])
    assert [(s["utm_source"], s["channel"], s["page_views"]) for s in found] == [(first, "Organic Social", 2)]
    found = sessions(page("2", MINUTE, url=url), page("1", 0, url=url, referrer=referrer))
    assert [(s["utm_source"], s["page_views"]) for s in found] == [(first, 2)]


@pytest.mark.parametrize(
    ("url", "referrer"),
    [
        # Another click, a search that found the link, and what is no click's own id.
        ("https://www.acme.com/?fbclid=2", "https://l.instagram.com/"),
        ("https://www.acme.com/?fbclid=1", "https://www.google.com/"),
        ("https://www.acme.com/?fbclid=1&utm_campaign=a", ""),
    ],
)
def test_what_else_says_another_source_splits_beside_a_networks_click_id(url, referrer):
    first = page("1", 0, url="https://www.acme.com/?fbclid=1")
    assert len(sessions([first, page("2", MINUTE, url=url, referrer=referrer)])) == 2


def test_a_click_id_that_is_no_clicks_own_does_not_make_two_sources_one():
    urls = [f"https://www.acme.com/?utm_source={name}&utm_medium=cpc&gad_source=1" for name in ("google", "youtube")]
    assert len(sessions([page(str(i), i * MINUTE, url=url) for i, url in enumerate(urls)])) == 2


@pytest.mark.parametrize("referrer", ["", "https://www.acme.com/a", "https://www.paypal.com/"])
def test_direct_internal_and_excluded_referrers_never_split(referrer):
    found = sessions([page("1", 0, url=ADS), page("2", MINUTE, referrer=referrer)])
    assert [(s["channel"], s["page_views"]) for s in found] == [("Paid Search", 2)]


@pytest.mark.parametrize("referrer", ["https://www.acme.com/a", "https://www.paypal.com/"])
def test_a_landing_from_an_own_or_excluded_page_is_direct(referrer):
    assert [s["channel"] for s in sessions(page("1", 0, referrer=referrer))] == ["Direct"]


def test_midnight_does_not_split():
    midnight = 1_790_035_200_000 - T0
    assert len(sessions([page("a", midnight - 1), page("b", midnight + 1)])) == 1


def test_a_ping_extends_a_session_but_opens_none():
    assert sessions(hit("ping", "p", 0, engaged_ms=5000)) == []
    found = sessions([page("a", 0), hit("ping", "p", 20 * MINUTE, engaged_ms=15_000), page("b", 45 * MINUTE)])
    assert [(s["ended_at"] - T0, s["engaged_ms"], s["events"], s["page_views"]) for s in found] == [
        (45 * MINUTE, 15_000, 2, 2)
    ]


@pytest.mark.parametrize("fields", [{"bot": "crawler"}, {"platform": "server"}])
def test_bots_and_servers_open_no_session_but_their_events_are_kept(fields):
    stage = Stage()
    stage.put([page("a", 0, **fields)])
    stage.run()
    assert stage.table("sessions") == stage.table("touches") == {}
    assert list(stage.table("events")) == ["a"]


@pytest.mark.parametrize(
    ("events", "engaged"),
    [
        ([page("a", 0)], False),
        ([page("a", 0), page("b", 1)], True),
        ([page("a", 0), track("b", 10_000, "Clicked")], False),
        ([page("a", 0), track("b", 10_001, "Clicked")], True),
        ([page("a", 0), track("b", 1, "Signed Up")], True),
        ([page("a", 0), hit("ping", "b", 1, engaged_ms=10_001)], True),
    ],
)
def test_engaged_means_two_views_or_more_than_ten_seconds_or_a_key_event(events, engaged):
    assert [s["engaged"] for s in sessions(events)] == [engaged]


def test_landing_and_exit_are_the_first_and_last_page():
    found = sessions([page("b", MINUTE, path="/b"), page("a", 0, path="/a"), track("c", 2 * MINUTE, "Clicked")])
    assert (found[0]["landing_url"], found[0]["exit_url"]) == ("https://www.acme.com/a", "https://www.acme.com/b")


def test_a_visitor_with_many_old_sessions_still_appends():
    frames = [page(f"{n}", n * (GAP + 1)) for n in range(50)]
    assert len(sessions(*frames, page("last", 49 * (GAP + 1) + 1))) == 50


def test_a_session_row_comes_once_per_frame():
    stage = Stage()
    stage.put([page(f"{n}", n) for n in range(20)])
    stage.run()
    assert len(stage.rows["sessions"]) == 1
    assert len(stage.table("touches")) == 1


@pytest.mark.parametrize("variant", range(8))
def test_what_a_replaced_hit_leaves_is_the_newest_visit_again(variant):
    late, early = hit("ping", "b", GAP + 1, engaged_ms=1), page("b", 0, path=f"/{variant}")
    one, other = spans(page("a", 0), late, early), spans(page("a", 0), early, late)

    # A page view at the same moment is the same visit; a ping beyond the gap is none.
    assert one == other == [(0, 0)]
