"""Normal forms that every adapter uses: ids, addresses, texts, the entry node.

>>> identifier(" user-1 "), identifier("undefined"), identifier(42), address("Ann@Acme.COM")
('user-1', '', '42', 'ann@acme.com')
>>> entry_node("default", visitor="3f2a", email="ann@acme.com")
'default/v:3f2a'
"""

import re
from functools import lru_cache
from typing import Final

from schemas import ids

ID_LIMIT: Final = 256
"""Characters of an id; longer ones are tokens or bugs, never somebody."""
MESSAGE_ID_LIMIT: Final = 128
NAME_LIMIT: Final = 256
TEXT_LIMIT: Final = 1024
URL_LIMIT: Final = 10_000
"""Snowplow's limit."""
ADDRESS_LIMIT: Final = 254

_LARGEST_NUMBER: Final = 10**40
_BLOCKED: Final = frozenset({
    "anonymous", "guest", "distinctid", "distinct_id", "id", "not_authenticated", "email", "undefined", "true", "false",
    "null", "none", "nan", "[object object]", "-1", "n/a", "na", "unknown", "(not set)", "{}", "[]",
})  # fmt: skip
"""Lower-case; what client bugs send in place of an id. Also: nothing but zeros and hyphens."""


def identifier(value: object) -> str:
    """The id in normal form, "" if it names nobody: absent, blocked, too long, not text or an integer."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _identifier(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _identifier(str(value)) if abs(value) < _LARGEST_NUMBER else ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return _identifier(str(int(value)))
    return ""


@lru_cache(maxsize=1 << 15)
def _identifier(text: str) -> str:
    text = printable(text).strip()
    bare = text.strip("\"'` ").lower()
    if not bare.strip("0-") or bare in _BLOCKED or len(text) > ID_LIMIT:
        return ""
    return text


def message_id(value: object, fresh: str = "") -> str:
    """The client's event id; ``fresh`` if it sent none. One that is too long is hashed, so that its retries stay one."""
    if isinstance(value, str) and 0 < len(value) <= MESSAGE_ID_LIMIT and value.isprintable():
        return value.strip() or fresh
    text = printable(value).strip() if isinstance(value, str) else identifier(value)
    if len(text) > MESSAGE_ID_LIMIT:
        return ids.derived_id(text)
    return text or fresh


@lru_cache(maxsize=1 << 14)
def _address(text: str) -> str:
    text = text.strip().lower().removeprefix("mailto:").strip().rstrip(".")
    local, at, host = text.rpartition("@")
    if not at or not local or "." not in host.strip(".") or len(text) > ADDRESS_LIMIT:
        return ""
    if not text.isprintable() or any(c in ' <>,;"' for c in text) or "@" in local:
        return ""
    if host.isascii():
        return text if host[0] != "." else ""
    try:
        return f"{local}@{host.encode('idna').decode('ascii')}"
    except UnicodeError:
        return ""


def address(value: object) -> str:
    """The email address in lower case, its host in punycode; "" if it is not one."""
    return _address(value) if isinstance(value, str) and "@" in value else ""


def printable(value: str) -> str:
    """Without control characters and lone surrogates; line breaks and tabs become blanks."""
    if value.isprintable():
        return value
    return _CONTROLS.sub("", _BREAKS.sub(" ", value))


_BREAKS: Final = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]")
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def text(value: object, limit: int = TEXT_LIMIT) -> str:
    """A text for a column: printable, at most ``limit`` characters; "" for anything that is not text or a number."""
    if value is None:
        return ""
    if isinstance(value, str):
        return (value if value.isprintable() else printable(value))[:limit]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (
            str(value)[:limit] if abs(value) < _LARGEST_NUMBER else ""
        )  # SURPRISE: str() of a 5000-digit integer raises
    return ""


def unnamed(tenant: str, source: str, visit: str) -> str:
    """The visitor of an event that names nobody: a repeat has the same, and nobody's own id is like it.

    ``visit`` is what its events have in common: the id of a client's session, or that of the one event.
    """
    return ids.derived_id("unnamed", tenant, source, visit)


def entry_node(
    tenant: str,
    visitor: str = "",
    user: str = "",
    email: str = "",
    *,
    account: str = "",
    opportunity: str = "",
    activity: str = "",
) -> str:
    """The node that an event enters by: the most specific one known; "" if there is none.

    Visitor first, since its sessions need all its events in one partition; then user, email, opportunity, activity, account.
    """
    if visitor:
        return f"{tenant}/v:{visitor}"
    if user:
        return f"{tenant}/u:{user}"
    if email:
        return f"{tenant}/e:{email}"
    if opportunity:
        return ids.node(tenant, ids.OPPORTUNITY, opportunity)
    if activity:
        return ids.node(tenant, ids.ACTIVITY, activity)
    return ids.node(tenant, ids.ACCOUNT, account) if account else ""
