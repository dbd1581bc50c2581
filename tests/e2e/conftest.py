"""Fixtures of the end-to-end tests: where events land, Node.js with the SDKs, a browser, a folder of pages."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.landing import Landing
from tests.e2e.pages import Site

NODE = Path(__file__).parent / "node"
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing(what: str) -> None:
    """Skip with the reason; in CI a missing tool must not hide a broken SDK."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} must be there in CI")
    pytest.skip(f"no {what}")


@pytest.fixture(scope="session")
def started_landing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landing]:
    landing = Landing(tmp_path_factory.mktemp("landing"))
    yield landing
    landing.stop()


@pytest.fixture
def landing(started_landing: Landing) -> Landing:
    """The running machine; what earlier tests left behind was read."""
    started_landing.delivered(0)
    return started_landing


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Folder with the SDKs of package-lock.json, installed once for each content of that file."""
    if not shutil.which("npm") or not shutil.which("node"):
        missing("Node.js with npm")
    lock = (NODE / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "touchline"
    folder = cache / f"node-{sha256(lock).hexdigest()[:12]}"
    if not (folder / "installed").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NODE / name, folder)
        run = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False
        )
        if run.returncode:
            missing(f"npm packages ({run.stderr[-300:]})")
        (folder / "installed").touch()
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium. Closed after the module: while it runs, no test with an event loop of its own can."""
    if not Path(CHROMIUM).exists():
        missing(f"Chromium at {CHROMIUM}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of its own: no cookies, nothing stored."""
    context = browser.new_context(locale="de-AT", viewport={"width": 1280, "height": 720})
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def site() -> Iterator[Site]:
    """An empty website on loopback."""
    site = Site()
    yield site
    site.stop()
