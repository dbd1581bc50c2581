"""Unmodified Node.js SDKs deliver every event once with all fields."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.checks import check_calls, check_posthog, check_snowplow
from tests.e2e.conftest import NODE
from tests.e2e.landing import Landing

pytestmark = pytest.mark.node


def send(node_modules: Path, *arguments: str) -> None:
    """Run the script beside the installed SDKs."""
    script = shutil.copy(NODE / "send.mjs", node_modules)
    run = subprocess.run(["node", script, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr


def test_segments_sdk_delivers_once(landing: Landing, node_modules: Path) -> None:
    send(node_modules, "segment", landing.url)
    check_calls(landing.delivered(7), "segment", "@segment/analytics-node")


@pytest.mark.parametrize("encoding", ["gzip", "plain"])
def test_rudderstacks_sdk_delivers_once(landing: Landing, node_modules: Path, encoding: str) -> None:
    send(node_modules, "rudderstack", landing.url, encoding)
    # SURPRISE: this SDK, too, gives the name of the one that it comes from.
    check_calls(landing.delivered(7), "segment", "analytics-node")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("encoding", ["base64", "plain"])
def test_snowplows_sdk_delivers_once(landing: Landing, node_modules: Path, method: str, encoding: str) -> None:
    send(node_modules, "snowplow", landing.url, f"{method}-{encoding}")
    check_snowplow(landing.delivered(3))


def test_posthogs_sdk_delivers_once(landing: Landing, node_modules: Path) -> None:
    send(node_modules, "posthog", landing.url, "device-of-node")
    check_posthog(landing.delivered(3), "posthog-node", "device-of-node")
