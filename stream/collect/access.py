"""Who sends: write keys from the Authorization header, the connection's address, the origin of the page."""

import base64
import binascii
from collections.abc import Mapping
from functools import lru_cache

from aiohttp import web

from stream.settings import Source


@lru_cache(maxsize=1024)
def write_key(authorization: str) -> str:
    """The key of ``Basic base64(key:)``, with or without the colon, or of ``Bearer key``; "" if there is none.

    >>> write_key("Basic ZGV2Og=="), write_key("Basic ZGV2"), write_key("Bearer dev"), write_key("Digest x")
    ('dev', 'dev', 'dev', '')
    """
    scheme, _, credentials = authorization.partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "bearer":
        return credentials
    return basic_credentials(authorization).partition(":")[0]


def basic_credentials(authorization: str) -> str:
    """``user:password`` of a Basic authorization; "" if it is none.

    >>> basic_credentials("Basic dXNlcjpzZWNyZXQ="), basic_credentials("Bearer x")
    ('user:secret', '')
    """
    scheme, _, credentials = authorization.partition(" ")
    credentials = credentials.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials + "=" * (-len(credentials) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def source_of(headers: Mapping[str, str], sources: Mapping[str, Source]) -> Source | None:
    """The source of the Authorization header's key."""
    authorization = headers.get("Authorization")
    return sources.get(write_key(authorization)) if authorization is not None else None


def address_of(request: web.BaseRequest, *, trust_forwarded: bool) -> str:
    """The visitor's IP. Behind a proxy that we trust it is the last of X-Forwarded-For, which that proxy wrote itself."""
    if trust_forwarded:
        forwarded = request.headers.get("X-Forwarded-For")
        if forwarded:
            return forwarded.rpartition(",")[2].strip()
    return request.remote or ""


def may_send(source: Source | None, origin: str | None) -> bool:
    """Whether a page of this origin may use the source's key. Servers send no Origin."""
    return origin is None or source is None or "*" in source.origins or origin in source.origins
