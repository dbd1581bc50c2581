"""The vendors' own browser SDKs, unmodified in a real browser, deliver every event once with all fields."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.checks import once, properties, traits
from tests.e2e.landing import Landing, Row
from tests.e2e.pages import Site

pytestmark = [pytest.mark.browser, pytest.mark.node]

PERSON = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
"""A user agent of people: a headless browser's own is a bot's, which visits for nobody."""
SCRIPT = "/sdk.js"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a profile of its own, of a browser that says that it is somebody's."""
    context = browser.new_context(locale="de-AT", user_agent=PERSON)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def serve(site: Site, script: str) -> None:
    """A site each page of which has the script."""
    site.pages[SCRIPT] = script
    site.fallback = f"<!doctype html><title>Start</title><script src={SCRIPT}></script>"


def bundled(node_modules: Path, names: str, package: str) -> str:
    """A script with an npm package's ``names`` as members of ``window``, built as websites build theirs."""
    source = f"import {{ {names} }} from '{package}'; Object.assign(window, {{ {names} }});"
    esbuild = node_modules / "node_modules" / ".bin" / "esbuild"
    words = [esbuild, "--bundle", "--minify", "--log-level=error"]
    run = subprocess.run(words, input=source, cwd=node_modules, capture_output=True, text=True, check=True)
    return run.stdout


def test_segments(landing: Landing, site: Site, page: Page, node_modules: Path) -> None:
    serve(site, bundled(node_modules, "AnalyticsBrowser", "@segment/analytics-next"))
    page.goto(f"{site.url}/?utm_source=news")
    page.evaluate(
        """async ([url, host]) => {
            const client = AnalyticsBrowser.load(
                {writeKey: 'dev', cdnURL: url},
                {integrations: {'Segment.io': {apiHost: host + '/v1', protocol: 'http'}}},
            );
            await client.page('docs', 'Install');
            await client.identify('u1', {email: 'ann@acme.com'});
            await client.track('Demo Requested', {seats: 7});
            await client.group('acme', {name: 'Acme'});
        }""",
        [landing.url, landing.url.removeprefix("http://")],
    )
    found = once(landing.delivered(4), 4)
    assert {e.protocol + e.platform for e in found.values()} == {"segmentweb"}
    assert len({e.visitor_id for e in found.values()}) == 1
    assert properties(found["trackDemo Requested"]) == {"seats": 7}
    assert (found["identify"].user_id, found["identify"].email) == ("u1", "ann@acme.com")
    assert found["group"].group_id == "acme"
    assert found["pageInstall"].url == f"{site.url}/?utm_source=news"
    assert found["pageInstall"].utm_source == "news"


def test_rudderstacks(landing: Landing, site: Site, page: Page, node_modules: Path) -> None:
    package = node_modules / "node_modules" / "@rudderstack" / "analytics-js"
    serve(site, (package / "dist" / "npm" / "modern" / "bundled" / "umd" / "index.js").read_text())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}/?utm_source=news", referer="https://www.example.org/")
    page.evaluate(
        """url => {
            const client = new rudderanalytics.RudderAnalytics();
            client.load('dev', url, {configUrl: url});
            client.page('docs', 'Install');
            client.identify('u1', {email: 'ann@acme.com', company: {id: 'acme', name: 'Acme Inc.'}});
            client.track('Demo Requested', {seats: 7, text: 'Größe ✓'});
            client.group('acme', {name: 'Acme'});
        }""",
        landing.url,
    )
    rows = landing.delivered(4)
    found = once(rows, 4)
    view, identify, track, group = found["pageInstall"], found["identify"], found["trackDemo Requested"], found["group"]
    assert {(r.protocol, r.platform, r.library, r.locale) for r in rows} == {
        ("rudderstack", "web", "RudderLabs JavaScript SDK", "de-AT")
    }
    assert {(r.node, r.visitor_id, r.browser, r.os, r.bot) for r in rows} == {
        (f"v:{view.visitor_id}", view.visitor_id, "Chrome", "Windows", "")
    }
    assert view.visitor_id
    assert (view.url, view.path, view.title, view.utm_source) == (
        f"{site.url}/?utm_source=news", "/", "Start", "news",
    )  # fmt: skip
    assert (identify.user_id, identify.email, identify.group_id) == ("u1", "ann@acme.com", "acme")
    assert traits(identify)["company"] == {"id": "acme", "name": "Acme Inc."}
    assert (track.user_id, properties(track)) == ("u1", {"seats": 7, "text": "Größe ✓"})
    assert (group.group_id, traits(group)) == ("acme", {"name": "Acme"})
    check_one_visit_of_ann(rows)
    assert {url for url in asked if not url.startswith((site.url, landing.url))} == set()


def check_one_visit_of_ann(rows: list[Row]) -> None:
    assert {(row.person_id, row.account_id) for row in rows} == {("ann@acme.com", "acme")}
    assert len({row.session_id for row in rows}) == 1
    assert rows[0].session_id


SNOWPLOW = "newTracker, setUserId, trackPageView, trackStructEvent, trackSelfDescribingEvent"


def test_snowplows(landing: Landing, site: Site, page: Page, node_modules: Path) -> None:
    serve(site, bundled(node_modules, SNOWPLOW, "@snowplow/browser-tracker"))
    page.goto(f"{site.url}/?utm_source=news", referer="https://www.example.org/")
    page.evaluate(
        """url => {
            newTracker('sp', url, {appId: 'dev'});
            setUserId('u1');
            trackPageView();
            trackStructEvent({category: 'shop', action: 'add-to-basket', label: 'plan', property: 'pro', value: 7.5});
            trackSelfDescribingEvent({
                event: {schema: 'iglu:com.example/demo_requested/jsonschema/1-0-0', data: {seats: 7, text: 'Größe ✓'}},
            });
        }""",
        landing.url,
    )
    rows = landing.delivered(3)
    found = once(rows, 3)
    view, basket, demo = found["page"], found["trackadd-to-basket"], found["trackdemo_requested"]
    assert {(r.protocol, r.platform, r.library, r.locale, r.user_id) for r in rows} == {
        ("snowplow", "web", "js-4.10.1", "de-AT", "u1")
    }
    assert {(r.node, r.visitor_id, r.browser, r.os, r.bot) for r in rows} == {
        (f"v:{view.visitor_id}", view.visitor_id, "Chrome", "Windows", "")
    }
    assert view.visitor_id
    assert (view.url, view.title, view.utm_source) == (f"{site.url}/?utm_source=news", "Start", "news")
    said = properties(basket)
    assert (said["category"], said["label"], said["property"], said["value"]) == ("shop", "plan", "pro", 7.5)
    assert (properties(demo)["seats"], properties(demo)["text"]) == (7, "Größe ✓")
    check_one_visit_of_ann(rows)


@pytest.mark.parametrize(
    "mode_and_visits",
    [
        ("{withServerAnonymisation: true, withSessionTracking: true}", 1),
        ("{withSessionTracking: true}", 1),
        ("{withServerAnonymisation: true}", 2),
    ],
)
def test_snowplows_anonymous_visits_count_and_are_nobodys(
    landing: Landing, site: Site, page: Page, node_modules: Path, mode_and_visits: tuple[str, int]
) -> None:
    mode, visits = mode_and_visits
    serve(site, bundled(node_modules, SNOWPLOW, "@snowplow/browser-tracker"))
    start = (
        "url => { newTracker('sp', url, {appId: 'dev', anonymousTracking: MODE}); setUserId('u1'); trackPageView(); }"
    )
    page.goto(f"{site.url}/before")
    page.evaluate(start.replace("MODE", "false"), landing.url)
    (known,) = landing.delivered(1)
    assert (known.user_id, known.account_id) == ("u1", "acme")
    for path in ("/one", "/two"):
        page.goto(f"{site.url}{path}")
        page.evaluate(start.replace("MODE", mode), landing.url)
        page.wait_for_timeout(500)
    rows = landing.delivered(2)
    assert sorted(row.path for row in rows) == ["/one", "/two"]
    assert {(r.type, r.user_id, r.email, r.account_id, r.bot) for r in rows} == {("page", "", "", "", "")}
    assert all(r.visitor_id and r.node == f"v:{r.visitor_id}" and r.person_id == r.visitor_id for r in rows)
    assert len({r.visitor_id for r in rows}) == len({r.session_id for r in rows}) == visits
    assert {"", known.session_id}.isdisjoint(r.session_id for r in rows)
    assert {known.visitor_id, *(cookie["value"] for cookie in page.context.cookies())}.isdisjoint(
        r.visitor_id for r in rows
    )
