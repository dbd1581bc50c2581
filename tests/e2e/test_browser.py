"""Our t.js in a real browser delivers every event once with all fields."""

import gzip
import json
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.checks import once, properties, traits
from tests.e2e.landing import Landing, Row
from tests.e2e.pages import Site

pytestmark = pytest.mark.browser

SCRIPT = Path(__file__).parents[2] / "stream" / "collect" / "t.js"
STUB = """<script>
window.touchline = window.touchline || [];
for (const name of ['page', 'identify', 'track', 'group', 'reset', 'consent'])
  touchline[name] = (...args) => touchline.push([name, ...args]);
</script>"""


def tag(landing: Landing, options: str = "") -> str:
    return f'<script src="{landing.url}/t.js" data-key="dev" {options}></script>'


def html(landing: Landing, options: str = "", body: str = "", title: str = "Start") -> str:
    return f"<!doctype html><title>{title}</title>{tag(landing, options)}<body>{body}"


def visible(events: list[Row]) -> list[Row]:
    """Without pings, which come when they come."""
    return [event for event in events if event.type != "ping"]


def test_the_tracker_is_at_most_two_kilobytes() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), 9, mtime=0)) <= 2048


@pytest.mark.node
def test_the_tracker_is_what_its_source_says(node_modules: Path, tmp_path: Path) -> None:
    command = json.loads((Path(__file__).parent / "node" / "package.json").read_text())["scripts"]["tracker"]
    built = tmp_path / "t.js"
    words = [str(SCRIPT.parent / "tracker" / "t.src.js") if w.endswith("t.src.js") else w for w in command.split()]
    words = [str(built) if word.endswith("/t.js") else word for word in words]
    subprocess.run([node_modules / "node_modules" / ".bin" / words[0], *words[1:]], check=True)
    assert built.read_text() == SCRIPT.read_text(), "run: npm --prefix tests/e2e/node run tracker"


def test_every_call_is_delivered_once_with_all_fields(landing: Landing, site: Site, page: Page) -> None:
    site.pages["/pricing"] = html(landing, title="Pricing")
    page.goto(f"{site.url}/pricing?utm_source=news", referer="https://www.example.org/")
    page.evaluate("""() => {
        touchline.identify('u1', {email: 'Ann@Acme.com', plan: 'pro'});
        touchline.track('Demo Requested', {seats: 7, text: 'Größe ✓'});
        touchline.group('acme', {name: 'Acme'});
    }""")
    found = once(visible(landing.delivered(4)), 4)
    view, identify, track, group = found["page"], found["identify"], found["trackDemo Requested"], found["group"]
    assert (view.url, view.referrer, view.title) == (
        f"{site.url}/pricing?utm_source=news",
        "https://www.example.org/",
        "Pricing",
    )
    assert (view.path, view.utm_source, view.library) == ("/pricing", "news", "t.js")
    assert properties(view) == {"screen": "1280x720"}
    everyone = {
        (r.visitor_id, r.node, r.client_session, r.protocol, r.platform, r.source, r.locale) for r in found.values()
    }
    assert everyone == {
        (view.visitor_id, f"v:{view.visitor_id}", view.client_session, "tracker", "web", "website", "de-AT")
    }
    assert view.client_session
    assert [view.user_id, identify.user_id, track.user_id] == ["", "u1", "u1"]
    assert (identify.email, group.group_id) == ("ann@acme.com", "acme")
    assert traits(identify) == {"email": "Ann@Acme.com", "plan": "pro"}
    assert properties(track) == {"seats": 7, "text": "Größe ✓"}
    assert traits(group) == {"name": "Acme"}
    assert {(r.bot, r.is_bot, r.browser, r.os) for r in found.values()} == {("headless", True, view.browser, "Linux")}
    assert all(0 <= r.arrived - r.at < 10_000 for r in found.values())
    assert {event.gpc for event in landing.logged(list(found.values()))} == {False}
    # An automated browser is a bot: it is counted, but it visits for nobody.
    assert {r.session_id for r in found.values()} == {""}


def test_the_visitor_is_the_same_on_the_next_page_and_after_one_store_is_lost(
    landing: Landing, site: Site, page: Page
) -> None:
    site.fallback = html(landing)
    page.goto(f"{site.url}/a")
    page.evaluate("() => localStorage.clear()")
    page.goto(f"{site.url}/b")
    page.context.clear_cookies()
    page.goto(f"{site.url}/c")
    # A beacon has no answer, so the next page sends again what it carried: it counts once.
    views = visible(landing.delivered(3))
    assert len(views) == 3
    assert len({row.visitor_id for row in views}) == 1
    (cookie,) = page.context.cookies()
    assert cookie["name"] == "tl_v"
    assert cookie["value"] == views[0].visitor_id


def test_calls_before_the_script_loads_are_not_lost(landing: Landing, site: Site, page: Page) -> None:
    early = "<script>touchline.identify('u1'); touchline.track('Signed Up', {plan: 'pro'})</script>"
    site.pages["/"] = f"<!doctype html><title>Start</title>{STUB}{early}{tag(landing, 'async')}"
    page.goto(site.url)
    found = once(visible(landing.delivered(3)), 3)
    assert properties(found["trackSigned Up"]) == {"plan": "pro"}
    assert found["page"].user_id == "u1"


def test_single_page_apps_have_a_view_for_every_address(landing: Landing, site: Site, page: Page) -> None:
    site.fallback = html(landing)
    page.goto(f"{site.url}/one")
    go = "path => { history.pushState({}, '', path); document.title = path }"
    page.evaluate(go, "/two")
    page.wait_for_timeout(150)
    page.evaluate(go, "/two#part")  # not another page
    page.wait_for_timeout(150)
    page.evaluate("() => history.replaceState({}, '', '/three')")
    page.wait_for_timeout(150)
    page.go_back()
    page.wait_for_timeout(150)
    views = [e for e in landing.delivered(4) if e.type == "page"]
    views.sort(key=lambda e: e.at)
    assert [e.url.removeprefix(site.url) for e in views] == ["/one", "/two", "/three", "/two"]
    assert [e.referrer.removeprefix(site.url) for e in views] == ["", "/one", "/two", "/three"]
    assert views[1].title == "/two"
    assert len({e.visitor_id for e in views}) == 1


def test_with_the_hash_option_every_fragment_is_a_view(landing: Landing, site: Site, page: Page) -> None:
    site.fallback = html(landing, "data-hash")
    page.goto(f"{site.url}/#/one")
    page.evaluate("() => { location.hash = '/two' }")
    views = [e for e in landing.delivered(2) if e.type == "page"]
    assert [e.url.removeprefix(site.url) for e in sorted(views, key=lambda e: e.at)] == ["/#/one", "/#/two"]


FORM = (
    '<form id="demo" method="post" action="/thanks"><input type="email" name="e"><input name="secret"><button></form>'
)


@pytest.mark.parametrize(("option", "email"), [("data-forms", ""), ("data-forms=email", "ann@acme.com")])
def test_a_form_is_captured_and_its_address_only_if_wanted(
    landing: Landing, site: Site, page: Page, option: str, email: str
) -> None:
    site.pages["/"] = html(landing, option, FORM)
    site.pages["/thanks"] = html(landing)
    page.goto(site.url)
    page.fill("[name=e]", "ann@acme.com")
    page.fill("[name=secret]", "hush")
    page.click("button")
    page.wait_for_url("**/thanks")
    events = visible(landing.delivered(4 if email else 3))
    submitted = next(e for e in events if e.name == "Form Submitted")
    assert properties(submitted) == {"form": "demo"}
    assert {e.email for e in events} == {"", email}
    assert sum(e.type == "page" for e in events) == 2
    assert not any("hush" in repr(r) for r in events)


def test_outbound_links_and_downloads_are_captured_if_wanted(landing: Landing, site: Site, page: Page) -> None:
    links = '<a id="out" href="http://127.0.0.2:9/x">x</a><a id="file" href="/a.pdf">f</a><a id="in" href="#here">h</a>'
    hold = "<script>addEventListener('click', event => event.preventDefault())</script>"
    site.pages["/"] = html(landing, "data-links", links + hold)
    page.goto(site.url)
    for link in ("#out", "#file", "#in"):
        page.click(link)
    found = once(visible(landing.delivered(3)), 3)
    assert properties(found["trackOutbound Link Clicked"]) == {"url": "http://127.0.0.2:9/x"}
    assert properties(found["trackFile Downloaded"]) == {"url": f"{site.url}/a.pdf"}


def test_what_could_not_be_sent_is_sent_by_the_next_page(landing: Landing, site: Site, page: Page) -> None:
    site.fallback = html(landing)
    page.goto(f"{site.url}/one")
    assert len(visible(landing.delivered(1))) == 1
    page.route("**/t", lambda route: route.abort())
    page.evaluate("() => touchline.track('Signed Up')")
    page.wait_for_timeout(1_000)
    assert visible(landing.delivered(0)) == []
    page.unroute("**/t")
    page.goto(f"{site.url}/two")
    events = visible(landing.delivered(2))
    assert sorted(e.type + e.name for e in events) == ["page", "trackSigned Up"]
    assert len({e.visitor_id for e in events}) == 1


def test_without_consent_nothing_is_stored_and_nobody_is_named(landing: Landing, site: Site, page: Page) -> None:
    site.fallback = html(landing, "data-consent=required")
    page.goto(f"{site.url}/one")
    page.evaluate("() => touchline.identify('u1', {email: 'ann@acme.com'})")
    (view,) = landing.delivered(1)
    assert (view.type, view.user_id, view.email, view.client_session, view.locale) == ("page", "", "", "", "")
    assert landing.logged([view])[0].consent == {"analytics": False}
    assert page.context.cookies() == []
    assert page.evaluate("() => [localStorage.length, sessionStorage.length]") == [0, 0]
    page.evaluate("() => touchline.consent({analytics: true})")
    found = once(visible(landing.delivered(2)), 2)
    assert (found["identify"].email, found["identify"].visitor_id) == ("ann@acme.com", view.visitor_id)
    assert landing.logged([found["trackConsent Updated"]])[0].consent == {"analytics": True}
    assert [cookie["value"] for cookie in page.context.cookies()] == [view.visitor_id]
    page.evaluate("() => touchline.consent({analytics: false})")
    (refusal,) = visible(landing.delivered(1))
    assert (landing.logged([refusal])[0].consent, refusal.user_id) == ({"analytics": False}, "")
    assert refusal.visitor_id != view.visitor_id
    assert page.context.cookies() == []
    assert page.evaluate("() => Object.keys(localStorage)") == ["tl.c"]


@pytest.mark.parametrize("said", ["{analytics: 'denied'}", "{analytics: 1}", "false"])
def test_what_is_no_plain_yes_is_a_refusal(landing: Landing, site: Site, page: Page, said: str) -> None:
    site.fallback = html(landing)
    page.goto(f"{site.url}/one")
    page.evaluate("() => touchline.identify('u1')")
    landing.delivered(2)
    page.evaluate(f"() => touchline.consent({said})")
    (refusal,) = visible(landing.delivered(1))
    assert not (landing.logged([refusal])[0].consent or {}).get("analytics")
    assert (landing.logged([refusal])[0].consent is None, refusal.user_id) == (False, "")
    assert page.context.cookies() == []
    assert page.evaluate("() => Object.keys(localStorage)") == ["tl.c"]


def test_with_gpc_nothing_outlives_the_tab(landing: Landing, site: Site, page: Page) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    site.fallback = html(landing)
    page.goto(f"{site.url}/one")
    page.goto(f"{site.url}/two")
    events = visible(landing.delivered(2))
    assert {e.gpc for e in landing.logged(events)} == {True}
    assert len({e.visitor_id for e in events}) == 1
    assert page.context.cookies() == []
    assert page.evaluate("() => localStorage.length") == 0


def test_do_not_track_silences_the_tracker_by_option_only(landing: Landing, site: Site, page: Page) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'doNotTrack', {value: '1'})")
    site.pages["/"] = html(landing)
    site.pages["/dnt"] = html(landing, "data-dnt")
    page.goto(f"{site.url}/dnt")
    page.wait_for_timeout(700)
    page.goto(site.url)
    (event,) = visible(landing.delivered(1))
    assert event.url == f"{site.url}/"


def test_reset_begins_a_new_visitor_without_user(landing: Landing, site: Site, page: Page) -> None:
    site.pages["/"] = html(landing)
    page.goto(site.url)
    page.evaluate("() => { touchline.identify('u1'); touchline.reset(); touchline.track('After') }")
    found = once(visible(landing.delivered(3)), 3)
    assert found["trackAfter"].user_id == ""
    assert found["trackAfter"].visitor_id != found["page"].visitor_id


def test_another_user_on_the_same_device_is_another_visitor(landing: Landing, site: Site, page: Page) -> None:
    site.pages["/"] = html(landing)
    page.goto(site.url)
    page.evaluate("() => { touchline.identify('u1'); touchline.identify('u1'); touchline.identify('u2') }")
    events = [e for e in landing.delivered(4) if e.type == "identify"]
    visitors = [e.visitor_id for e in sorted(events, key=lambda e: e.user_id)]
    assert visitors[0] == visitors[1] != visitors[2]


def test_engaged_time_is_what_was_visible_before_leaving(landing: Landing, site: Site, page: Page) -> None:
    site.fallback = html(landing)
    page.goto(f"{site.url}/one")
    page.mouse.move(5, 5)
    page.wait_for_timeout(2_000)
    page.goto("about:blank")
    (ping,) = (e for e in landing.delivered(2) if e.type == "ping")
    assert 1_500 <= ping.engaged_ms <= 10_000
    assert ping.url == f"{site.url}/one"
