"""Who may ask: ``default`` (everything inside the database) and ``console`` (reads, within limits)."""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Mapping
from typing import Final

import msgspec

from stream.embedded.sql.errors import ACCESS_DENIED, AUTHENTICATION_FAILED, QueryError

DEFAULT: Final = "default"
CONSOLE: Final = "console"


class Users(msgspec.Struct, frozen=True):
    """The two users share a password; "" is none."""

    password: str = ""

    def authenticate(self, parameters: Mapping[str, str], headers: Mapping[str, str]) -> str:
        """Name of the user: from basic auth, else ClickHouse's headers, else its URL parameters.

        Raises: QueryError (AUTHENTICATION_FAILED), the same text whether the user or the password is wrong.
        """
        name, password = _credentials(parameters, headers)
        right = hmac.compare_digest(password.encode("utf-8", "replace"), self.password.encode())
        if name not in (DEFAULT, CONSOLE) or not right:
            raise QueryError(
                AUTHENTICATION_FAILED,
                f"{name[:64]}: Authentication failed: password is incorrect, or there is no user with such name.",
            )
        return name


def _credentials(parameters: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise QueryError(AUTHENTICATION_FAILED, "Invalid HTTP basic authentication.") from None
    elif scheme:
        raise QueryError(AUTHENTICATION_FAILED, f"Authentication scheme {scheme[:16]} is not supported.")
    elif "X-ClickHouse-User" in headers:
        name, password = headers["X-ClickHouse-User"], headers.get("X-ClickHouse-Key", "")
    else:
        name, password = parameters.get("user", ""), parameters.get("password", "")
    return name or DEFAULT, password


def refuse_foreign_pages(headers: Mapping[str, str], *, bound_to_loopback: bool) -> None:
    """Raise QueryError for a request that a page of another site made in somebody's browser.

    On loopback there is usually no password, and any page that a person visits can post to 127.0.0.1. ``Origin`` gives
    it away; where the page has its name resolve to 127.0.0.1, ``Host`` does.
    """
    host = headers.get("Host", "")
    origin = headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise QueryError(ACCESS_DENIED, "Requests of web pages of other origins are refused.")
    if bound_to_loopback and host and not _is_local(host):
        raise QueryError(ACCESS_DENIED, "This server is bound to loopback and answers to an address or localhost only.")


def _is_local(host: str) -> bool:
    name = host[1 : host.index("]")] if host.startswith("[") and "]" in host else host.rpartition(":")[0] or host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
