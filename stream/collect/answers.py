"""HTTP answers: success in each protocol's own words, errors as JSON, and the CORS headers that browsers' SDKs need."""

from typing import Final

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from schemas.errors import Retryable
from schemas.rejections import Rejected
from stream.collect import pages
from stream.collect.endpoints import Answer

PIXEL: Final = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
"""A transparent GIF of 1 x 1."""
_BODIES: Final[dict[Answer, tuple[bytes, str]]] = {
    "json": (b'{"success": true}', "application/json"),
    "ok": (b"ok", "text/plain"),
    "gif": (PIXEL, "image/gif"),
}
_USUAL_HEADERS: Final = "authorization, content-type, content-encoding, x-retry-count, sp-anonymous, anonymousid"
_PREFLIGHT_S: Final = "3600"


def success(answer: Answer, origin: str | None) -> web.Response:
    """All is on the log."""
    body, content_type = _BODIES[answer]
    headers = CIMultiDict({"Content-Type": content_type})
    if answer == "gif":
        headers["Cache-Control"] = "no-store"
    if origin is not None:
        allow(headers, origin)
    return web.Response(body=body, headers=headers)


def sent_on(location: str) -> web.Response:
    """302; asked for again each time, or repeated clicks would not be seen."""
    return web.Response(status=302, headers={"Location": location, "Cache-Control": "no-store"})


def page(html: str) -> web.Response:
    """HTML for people."""
    return web.Response(body=html.encode(), headers=pages.HEADERS)


def allow(headers: CIMultiDict[str], origin: str) -> None:
    """Let the page of ``origin`` read the answer, cookies included (so its name must be echoed, never ``*``)."""
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Allow-Credentials"] = "true"
    headers["Vary"] = "Origin"


def preflight(request: web.Request) -> web.Response:
    """OPTIONS of any ingest path.

    All headers that are asked for are allowed: none of them lets anybody in, and SDKs add their own with every release
    (RudderStack's ``SentAt``, ``RSA-*``), whose events the browser would hold back.
    """
    response = web.Response(status=204)
    origin = request.headers.get("Origin")
    if origin is not None:
        allow(response.headers, origin)
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
        asked = request.headers.get("Access-Control-Request-Headers", _USUAL_HEADERS)
        response.headers["Access-Control-Allow-Headers"] = asked
        response.headers["Access-Control-Max-Age"] = _PREFLIGHT_S
    return response


def error(status: int, reason: str, detail: str, origin: str | None = None) -> web.Response:
    """``{"error": {"reason", "detail"}}``."""
    body = msgspec.json.encode({"success": False, "error": {"reason": reason, "detail": detail}})
    response = web.Response(status=status, body=body, content_type="application/json")
    if origin is not None:
        allow(response.headers, origin)
    return response


def bad_request(fault: Rejected, origin: str | None = None) -> web.Response:
    """400: the body is useless as a whole."""
    return error(400, fault.reason.value, fault.detail, origin)


def come_again(refused: Retryable, origin: str | None = None) -> web.Response:
    """503 with Retry-After."""
    response = error(503, "unavailable", str(refused), origin)
    response.headers["Retry-After"] = str(max(1, round(refused.retry_after_s)))
    return response
