"""Clients' clocks: timestamps of every spelling to milliseconds, and the correction of a clock that is wrong.

>>> moment("2026-01-02T03:04:05.678Z"), moment("2026-01-02T04:04:05.678901+01:00"), moment("Friday")
(1767323045678, 1767323045678, None)
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
DAY_MS: Final = 86_400_000
EARLIEST: Final = 946_684_800_000
"""2000-01-01: nothing that we can attribute happened before; what claims so has a broken clock and says nothing."""
_MS_FROM: Final = 100_000_000_000
"""Numbers from here on are ms (as seconds it would be the year 5138), smaller ones seconds."""
_FARTHEST: Final = 1e15
"""Numbers beyond (the year 33658 in ms) are no times."""
_LONGEST: Final = 40
"""Characters of an ISO-8601 time with all its parts."""


class Times(msgspec.Struct, frozen=True, gc=False):
    """When it happened (ms), as far as the clocks tell."""

    at: int
    original_at: int
    sent_at: int
    suspect: bool


def moment(value: object) -> int | None:
    """Milliseconds since 1970 UTC of an ISO-8601 text (no zone: UTC) or of an epoch number in s or ms; None: neither."""
    if isinstance(value, str):
        try:
            return _iso_ms(value)
        except (ValueError, OverflowError):
            return _unusual(value.strip())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _epoch_ms(value)
    return None


def _iso_ms(text: str) -> int:
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return (parsed - _EPOCH) // _MILLISECOND


def _unusual(text: str) -> int | None:
    """Epoch numbers as text, lower-case zones, leap seconds."""
    if text.isascii() and text.isdigit() and len(text) in (10, 13):
        return _epoch_ms(int(text))
    try:
        return _iso_ms(text.upper().replace(":60", ":59", 1) if len(text) <= _LONGEST else "")
    except (ValueError, OverflowError):
        return None


def _epoch_ms(number: float) -> int | None:
    if not -_FARTHEST < number < _FARTHEST:  # also NaN and the infinities
        return None
    return int(number) if abs(number) >= _MS_FROM else int(number * 1000)


def corrected(original: int | None, sent: int | None, received: int) -> Times | None:
    """What time it really was: ``received - (sent - original)``, never in the future; None: hopeless, before EARLIEST.

    Args:
        original: the client's time of the event (ms); None: it gave none, so the time of receipt counts.
        sent: the client's time of sending by the same clock; None: unknown, so ``original`` is taken as it is.
        received: our time (ms).
    Source: DOMAIN 1.1, clock skew.
    """
    if original is None:
        return Times(received, 0, sent or 0, suspect=False)
    skew = 0 if sent is None else received - sent
    at = original + skew
    if at < EARLIEST:
        return None
    suspect = not -DAY_MS <= skew <= DAY_MS or at > received + DAY_MS
    return Times(min(at, received), original, sent or 0, suspect)
