"""Requests as a website's SDK sends them, for the figures that go through HTTP."""

from collections.abc import Sequence

import msgspec

from bench.http_load import post

_AUTHORIZATION = ("Authorization: Basic ZGV2Og==",)
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
_PATHS = ("/", "/pricing", "/docs/start", "/blog/one", "/blog/two", "/customers/globex")


def page(id_: str, visitor: int) -> dict[str, object]:
    """A page view."""
    path = _PATHS[visitor % len(_PATHS)]
    return _call("page", id_, visitor, path) | {"name": "Page", "properties": {"path": path, "title": "Acme"}}


def identify(id_: str, visitor: int, domain: str, *, name: str = "ann") -> dict[str, object]:
    """The visitor is ``name``@``domain``."""
    traits = {"email": f"{name}@{domain}", "name": name.title()}
    return _call("identify", id_, visitor, "/") | {"userId": f"user-{visitor}", "traits": traits}


def demo_request(id_: str, visitor: int) -> dict[str, object]:
    """30 points at once: takes an account over the default alert rule's threshold."""
    return _call("track", id_, visitor, "/demo") | {"event": "Demo Requested", "properties": {"seats": 40}}


def single(call: dict[str, object]) -> bytes:
    """As a request of its own."""
    return post(f"/v1/{call['type']}", msgspec.json.encode(call), _AUTHORIZATION)


def batch(calls: Sequence[dict[str, object]]) -> bytes:
    """As one request."""
    return post("/v1/batch", msgspec.json.encode({"batch": calls}), _AUTHORIZATION)


def _call(kind: str, id_: str, visitor: int, path: str) -> dict[str, object]:
    context = {
        "library": {"name": "analytics.js", "version": "2.1.0"},
        "page": {"url": f"https://www.acme.example{path}", "referrer": "https://www.google.com/", "path": path},
        "userAgent": _AGENT,
    }
    return {
        "type": kind,
        "messageId": id_,
        "anonymousId": f"{visitor:08x}-aaaa-4bbb-8ccc-0123456789ab",
        "context": context,
    }
