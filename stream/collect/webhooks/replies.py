"""Incoming mails: who replied, when, and whether a person did or an out-of-office program.

Only sender, time and the id of the message that is answered are kept; never subject or text.
"""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from schemas.event import Event
from stream.collect import normal
from stream.collect.request import Request
from stream.collect.webhooks.mail import Mail, event_of
from stream.collect.webhooks.readers import MACHINE

_AUTOMATIC: Final = frozenset({"bulk", "junk", "auto_reply", "list"})


def headers_of(pairs: object) -> dict[str, str]:
    """Headers by lower-case name, from a list of {name, value}, of [name, value], or from an object; the first counts.

    >>> headers_of([{"Name": "Date", "Value": "x"}]), headers_of({"Date": ["x", "y"]}), headers_of(5)
    ({'date': 'x'}, {'date': 'x'}, {})
    """
    found: dict[str, str] = {}
    for name, value in _pairs(pairs):
        if isinstance(name, str):
            first = value[0] if isinstance(value, list) and value else value
            found.setdefault(name.lower(), normal.text(first))
    return found


def _pairs(given: object) -> list[tuple[object, object]]:
    if isinstance(given, Mapping):
        return list(given.items())
    pairs: list[tuple[object, object]] = []
    for item in given if isinstance(given, list) else []:
        if isinstance(item, dict):
            lowered = {str(name).lower(): value for name, value in item.items()}
            pairs.append((lowered.get("name"), lowered.get("value")))
        elif isinstance(item, list) and len(item) == 2:  # noqa: PLR2004 - a pair
            pairs.append((item[0], item[1]))
    return pairs


def reply_of(mail: Mail, headers: Mapping[str, str], request: Request) -> Event:
    """The event of a reply; a program's is marked. Raises: Unfit."""
    event = event_of(mail, request)
    if is_automatic(headers):
        event.bot, event.bot_reason = MACHINE, "auto-reply"
    return event


def is_automatic(headers: Mapping[str, str]) -> bool:
    """Whether a program answered (RFC 3834, and what older programs write).

    >>> is_automatic({"auto-submitted": "auto-replied"}), is_automatic({"auto-submitted": "no"}), is_automatic({})
    (True, False, False)
    """
    submitted = headers.get("auto-submitted", "no").strip().lower()
    if not submitted.startswith("no"):
        return True
    if headers.get("x-autoreply") or headers.get("x-autorespond"):
        return True
    return headers.get("precedence", "").strip().lower() in _AUTOMATIC


def date_of(text: str) -> str:
    """A mail's ``Date`` as ISO 8601; "" if it is none, so that the time of receipt counts.

    >>> date_of("Fri, 02 Jan 2026 04:04:05 +0100"), date_of("yesterday")
    ('2026-01-02T03:04:05+00:00', '')
    """
    try:
        parsed = parsedate_to_datetime(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
