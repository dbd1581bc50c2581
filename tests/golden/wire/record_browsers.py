"""Records anew what browser SDKs and t.js send: ``python -m tests.golden.wire.record_browsers FOLDER_WITH_NODE_MODULES``.

A real Chromium opens pages of www.example.com, which lie on this machine, and each SDK sends to a running collector through
a relay that keeps the bytes. Only after a change of an SDK's version; then compare with what the vendor announced.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.conftest import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.e2e.pages import Site
from tests.golden.wire.record import RECORDED, recording
from tests.golden.wire.relay import Relay, relaying, write_requests
from tests.support.machine import Machine

SITE, COLLECTOR = "http://www.example.com", "http://collect.example.com"
PERSON = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
PATHS = ("/pricing?utm_source=news", "/docs")
"""Pages that are visited one after the other, the first from REFERRER."""
REFERRER = "https://www.example.org/"
SETTLE_MS = 2_000
SEGMENT, RUDDERSTACK, SNOWPLOW = "@segment/analytics-next", "@rudderstack/analytics-js", "@snowplow/browser-tracker"

SEGMENT_LOADS = """async () => {
    window.client = AnalyticsBrowser.load(
        {writeKey: 'dev', cdnURL: 'COLLECTOR'},
        {integrations: {'Segment.io': {apiHost: 'collect.example.com/v1', protocol: 'http'}}},
    );
    await client.page('docs', 'Visited');
}"""
RUDDERSTACK_LOADS = """() => {
    window.client = new rudderanalytics.RudderAnalytics();
    client.load('dev', 'COLLECTOR', {configUrl: 'COLLECTOR', OPTIONS});
    client.page('docs', 'Visited');
}"""
CALLS = """async () => {
    await client.identify('u1', {email: 'Ann@Acme.com', company: {id: 'acme', name: 'Acme Inc.'}});
    await client.track('Demo Requested', {seats: 7, text: 'Größe ✓'});
    await client.group('acme', {name: 'Acme'});
}"""
SNOWPLOW_LOADS = "() => { newTracker('sp', 'COLLECTOR', {appId: 'dev', OPTIONS}); trackPageView(); }"
SNOWPLOW_CALLS = """() => {
    setUserId('u1');
    trackStructEvent({category: 'shop', action: 'add-to-basket', label: 'plan', property: 'pro', value: 7.5});
    trackSelfDescribingEvent({
        event: {schema: 'iglu:com.example/demo_requested/jsonschema/1-0-0', data: {seats: 7, text: 'Größe ✓'}},
    });
}"""
TRACKER_CALLS = """() => {
    touchline.identify('u1', {email: 'Ann@Acme.com', plan: 'pro'});
    touchline.track('Demo Requested', {seats: 7, text: 'Größe ✓'});
    touchline.group('acme', {name: 'Acme'});
}"""
SNOWPLOW_MODES = {
    "anonymous-session": "anonymousTracking: {withServerAnonymisation: true, withSessionTracking: true}",
    "anonymous": "anonymousTracking: {withServerAnonymisation: true}",
}


def script_of(node_modules: Path, package: str, names: str) -> str:
    """``names`` of an npm package as members of ``window``, built as websites build theirs."""
    source = f"import {{ {names} }} from '{package}'; Object.assign(window, {{ {names} }});"
    esbuild = node_modules / "node_modules" / ".bin" / "esbuild"
    words = [esbuild, "--bundle", "--minify", "--log-level=error"]
    return subprocess.run(words, input=source, cwd=node_modules, capture_output=True, text=True, check=True).stdout


def version_of(node_modules: Path, package: str) -> str:
    """The installed version of an npm package."""
    found: str = json.loads((node_modules / "node_modules" / package / "package.json").read_bytes())["version"]
    return found


@contextmanager
def chromium(site: Site, relay: Relay) -> Iterator[Browser]:
    """A browser to which both hosts are on this machine, and as trustworthy as if they had certificates."""
    port = site.url.rpartition(":")[2]
    rules = f"MAP www.example.com 127.0.0.1:{port},MAP collect.example.com 127.0.0.1:{relay.port}"
    trusted = f"--unsafely-treat-insecure-origin-as-secure={SITE},{COLLECTOR}"
    with sync_playwright() as playwright:
        # For the process, not for a context: what is sent when a page goes away has the process's.
        person = [f"--user-agent={PERSON}", "--accept-lang=de-AT", "--disable-blink-features=AutomationControlled"]
        arguments = [*CHROMIUM_ARGUMENTS, f"--host-resolver-rules={rules}", trusted, *person]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


def visit(browser: Browser, loads: str, calls: str) -> None:
    """Open both pages in a profile of its own; on the second one say who it is and what happens."""
    context = browser.new_context(locale="de-AT", viewport={"width": 1280, "height": 720})
    page = context.new_page()
    for path, referrer in zip(PATHS, (REFERRER, SITE + PATHS[0]), strict=True):
        page.goto(SITE + path, referer=referrer)
        _say(page, loads)
    _say(page, calls)
    page.goto("about:blank")
    page.wait_for_timeout(SETTLE_MS)
    context.close()


def _say(page: Page, words: str) -> None:
    if words:
        page.evaluate(words.replace("COLLECTOR", COLLECTOR).replace(", OPTIONS", ""))
    page.wait_for_timeout(SETTLE_MS)


def record_all(node_modules: Path, browser: Browser, site: Site, relay: Relay) -> None:
    """Every SDK in every mode."""

    def record(path: Path, script: str, loads: str, calls: str) -> None:
        site.pages["/sdk.js"] = script
        site.fallback = "<!doctype html><title>Pricing</title><script src=/sdk.js></script>"
        visit(browser, loads, calls)
        write_requests(relay, path)

    def named(package: str, option: str = "") -> Path:
        return recording(package, version_of(node_modules, package), option)

    record(named(SEGMENT), script_of(node_modules, SEGMENT, "AnalyticsBrowser"), SEGMENT_LOADS, CALLS)
    bundle = node_modules / "node_modules" / RUDDERSTACK / "dist" / "npm" / "modern" / "bundled" / "umd" / "index.js"
    record(named(RUDDERSTACK), bundle.read_text(), RUDDERSTACK_LOADS, CALLS)
    nothing_stored = RUDDERSTACK_LOADS.replace("OPTIONS", "storage: {type: 'none'}")
    record(named(RUDDERSTACK, "nothing-stored"), bundle.read_text(), nothing_stored, "")
    names = "newTracker, setUserId, trackPageView, trackStructEvent, trackSelfDescribingEvent"
    snowplow = script_of(node_modules, SNOWPLOW, names)
    record(named(SNOWPLOW), snowplow, SNOWPLOW_LOADS, SNOWPLOW_CALLS)
    for mode, options in SNOWPLOW_MODES.items():
        record(named(SNOWPLOW, mode), snowplow, SNOWPLOW_LOADS.replace("OPTIONS", options), "")
    site.fallback = f"<!doctype html><title>Pricing</title><script src={COLLECTOR}/t.js data-key=dev></script>"
    visit(browser, "", TRACKER_CALLS)
    write_requests(relay, RECORDED / "t.js.jsonl")


def main(node_modules: Path) -> None:
    """Start what is needed, record, stop."""
    with tempfile.TemporaryDirectory() as folder:
        machine, site = Machine(Path(folder) / "data"), Site()
        machine.start()
        try:
            with relaying(machine.url) as relay, chromium(site, relay) as browser:
                record_all(node_modules, browser, site, relay)
        finally:
            site.stop()
            machine.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
