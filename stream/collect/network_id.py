"""Snowplow's network user id: the collector's own cookie ``sp``, unless the tracker asks for anonymity."""

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final
from uuid import UUID, uuid4

from aiohttp import web

NAME: Final = "sp"
_AGE_S: Final = 365 * 86_400


def of(headers: Mapping[str, str]) -> str:
    """The browser's id from its cookie, or a new one; "" if it must stay anonymous."""
    if "SP-Anonymous" in headers:
        return ""
    return _kept(headers.get("Cookie", "")) or str(uuid4())


def _kept(cookie: str) -> str:
    """The cookie's value if it is one of ours: anything else could be a way to take somebody else's id."""
    try:
        return str(UUID(SimpleCookie(cookie)[NAME].value))
    except (CookieError, KeyError, ValueError):
        return ""


def give(response: web.Response, value: str) -> None:
    """Set or renew the cookie."""
    response.set_cookie(NAME, value, max_age=_AGE_S, path="/", secure=True, httponly=True, samesite="None")
