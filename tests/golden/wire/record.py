"""Records anew what the unmodified SDKs send: ``python -m tests.golden.wire.record FOLDER_WITH_NODE_MODULES``.

Only after a change of an SDK's version or of what is sent; then compare the difference with what the vendor announced.
"""

import json
import re
import shutil
import subprocess
import sys
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import posthog
import rudderstack.analytics.client
import segment.analytics.client
from snowplow_tracker import (
    Emitter,
    PagePing,
    PageView,
    SelfDescribing,
    SelfDescribingJson,
    StructuredEvent,
    Subject,
    Tracker,
)

from tests.golden.wire.capture import capturing

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
CALLS = json.loads((HERE / "calls.json").read_bytes())
NODE_SDKS = {
    "segment": "@segment/analytics-node",
    "rudderstack": "@rudderstack/rudder-sdk-node",
    "snowplow": "@snowplow/node-tracker",
    "posthog": "posthog-node",
}
WEB_PAGE = SelfDescribingJson("iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0", {"id": "page-1"})
LINK_CLICK = "iglu:com.snowplowanalytics.snowplow/link_click/jsonschema/1-0-1"
SUBMIT_FORM = "iglu:com.snowplowanalytics.snowplow/submit_form/jsonschema/1-0-0"


def recording(package: str, version: str, option: str = "") -> Path:
    """Where the requests of an SDK are kept."""
    name = package.removeprefix("@").replace("/", "-")
    return RECORDED / f"{name}-{version}{'-' + option if option else ''}.jsonl"


def record_calls(package: str, client_of: Any) -> None:
    """The calls of ``calls.json`` by a Python SDK."""
    with capturing(recording(package, metadata.version(package))) as server:
        client = client_of("dev", host=server.url)
        for number, call in enumerate(CALLS, 1):
            given = {re.sub("[A-Z]", lambda big: "_" + big[0].lower(), name): call[name] for name in call}
            when = datetime.fromisoformat(f"2026-03-01T10:00:{number:02}+00:00")
            getattr(client, given.pop("call"))(**given, timestamp=when, message_id=f"call-{number}")
        client.shutdown()


def record_snowplow(method: Any, base64: bool) -> None:
    """Snowplow's Python tracker."""
    option = f"{method}-{'base64' if base64 else 'plain'}"
    path = recording("snowplow-tracker", metadata.version("snowplow-tracker"), option)
    with capturing(path) as server:
        emitter = Emitter("127.0.0.1", protocol="http", port=server.server_address[1], method=method, batch_size=10)
        subject = Subject().set_platform("web").set_user_id("u1").set_domain_user_id("dom-1")
        subject.set_network_user_id("net-1").set_lang("de-AT").set_ip_address("203.0.113.9")
        tracker = Tracker("ns", [emitter], subject=subject, app_id="dev", encode_base64=base64)
        url = "https://www.example.com/pricing"
        tracker.track(PageView(url, "Pricing", "https://www.example.org/", context=[WEB_PAGE]))
        tracker.track(
            PagePing(
                url, "Pricing", "https://www.example.org/", min_x=1, max_x=10, min_y=2, max_y=700, context=[WEB_PAGE]
            )
        )
        tracker.track(StructuredEvent("shop", "add-to-basket", "plan", "pro", 7.5))
        link = {"targetUrl": "https://www.example.com/docs?a=>>>???", "elementId": "docs"}
        tracker.track(SelfDescribing(SelfDescribingJson(LINK_CLICK, link), context=[WEB_PAGE]))
        form = {"formId": "demo", "formClasses": ["big"], "elements": [{"name": "company", "value": "Größe ✓"}]}
        tracker.track(SelfDescribing(SelfDescribingJson(SUBMIT_FORM, form)))
        tracker.flush()


def record_posthog(gzip: bool) -> None:
    """PostHog's Python SDK."""
    with capturing(recording("posthog", metadata.version("posthog"), "gzip" if gzip else "plain")) as server:
        client = posthog.Posthog("dev", host=server.url, gzip=gzip)

        def given(number: int) -> Any:
            return {"timestamp": datetime.fromisoformat(f"2026-03-01T10:00:{number:02}+00:00"), "uuid": _uuid(number)}

        acme = {"company": "acme", "team": "red"}
        told = {"seats": 7, "$set": {"email": "Ann@Acme.com"}}
        client.capture("Demo Requested", distinct_id="u1", properties=told, groups=acme, **given(1))
        page = {
            "$current_url": "https://www.example.com/pricing?utm_source=news",
            "$referrer": "https://www.example.org/",
        }
        anonymous = {"$process_person_profile": False, "$ip": "203.0.113.9"}
        client.capture("$pageview", distinct_id="v1", properties=page | anonymous, **given(2))
        client.set(distinct_id="u1", properties={"email": "Ann@Acme.com", "plan": "pro"}, **given(3))
        client.alias("v1", "u1", **given(4))
        client.group_identify("company", "acme", {"name": "Acme"}, **given(5))
        client.capture("Nobody's", **given(6))
        client.shutdown()


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def record_node(node_modules: Path) -> None:
    """The SDKs of Node.js; the script lies beside them while it runs, so that imports resolve."""
    script = shutil.copy(HERE / "speak.mjs", node_modules)
    for sdk, package in NODE_SDKS.items():
        version = json.loads((node_modules / "node_modules" / package / "package.json").read_bytes())["version"]
        with capturing(recording(package, version)) as server:
            subprocess.run(["node", script, sdk, server.url, HERE / "calls.json"], check=True, timeout=60)


if __name__ == "__main__":
    record_calls("segment-analytics-python", segment.analytics.client.Client)
    record_calls("rudder-sdk-python", rudderstack.analytics.client.Client)
    for how in ("get", "post"):
        for encoded in (False, True):
            record_snowplow(how, encoded)
    record_posthog(gzip=False)
    record_posthog(gzip=True)
    record_node(Path(sys.argv[1]))
