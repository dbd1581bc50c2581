"""``GET /t.js``: the browser tracker, compressed once, with an ETag so that a revisit costs no bytes."""

import gzip
import hashlib
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Final

from aiohttp import web

_CACHE: Final = "public, max-age=3600, stale-while-revalidate=86400"
"""An hour, so that a new version reaches all pages the same day."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def script(name: str) -> Handler:
    """The handler that serves the package's file ``name``."""
    plain = (resources.files("stream.collect") / name).read_bytes()
    packed = gzip.compress(plain, 9, mtime=0)
    etag = hashlib.sha256(plain).hexdigest()[:16]

    async def serve(request: web.Request) -> web.StreamResponse:
        headers = {
            "Content-Type": "text/javascript; charset=utf-8",
            "Cache-Control": _CACHE,
            "ETag": f'"{etag}"',
            "Vary": "Accept-Encoding",
            # Pages load it with `crossorigin`, to see its errors.
            "Access-Control-Allow-Origin": "*",
        }
        if any(known.value in {etag, "*"} for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=packed, headers=headers | {"Content-Encoding": "gzip"})
        return web.Response(body=plain, headers=headers)

    return serve
