"""Clients' clocks: timestamps of every spelling to milliseconds, and the correction of a clock that is wrong.

>>> moment("2026-01-02T03:04:05.678Z"), moment("2026-01-02T04:04:05.678901+01:00"), moment("Friday")
(1767323045678, 1767323045678, None)
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.event import Event

_parse: Final = datetime.fromisoformat
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
_EPOCH_TEXT: Final = re.compile(r"[0-9]{10}([0-9]{3})?(\.[0-9]+)?")
"""Seconds or ms; with fewer digits it would be a date."""


def moment(value: object) -> int | None:
    """Milliseconds since 1970 UTC of an ISO-8601 text (no zone: UTC) or of an epoch number in s or ms; None: neither."""
    if isinstance(value, str):
        try:
            parsed = _parse(value)
            found = ((parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND
        except (ValueError, OverflowError):
            return _unusual(value.strip())
        # SURPRISE: 1783050220450 is also a basic ISO time: 2 May 1783, separated by a 2 from 04:50.
        return _unusual(value) if found < EARLIEST and _EPOCH_TEXT.fullmatch(value) else found
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _epoch_ms(value)
    return None


def text_of(at: int) -> str:
    """``at`` (ms) in ISO 8601 with milliseconds, UTC: what ``moment`` reads.

    Raises: ValueError, OverflowError or OSError if no calendar has it.

    >>> text_of(1_790_000_000_000)
    '2026-09-21T14:13:20.000Z'
    """
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _unusual(text: str) -> int | None:
    """Epoch numbers as text, lower-case zones, leap seconds."""
    if len(text) <= _LONGEST and _EPOCH_TEXT.fullmatch(text):
        return _epoch_ms(float(text))
    common = text.upper().replace(":60", ":59", 1)
    return moment(common) if common != text and len(text) <= _LONGEST else None


def _epoch_ms(number: float) -> int | None:
    if not -_FARTHEST < number < _FARTHEST:  # also NaN and the infinities
        return None
    return int(number) if abs(number) >= _MS_FROM else int(number * 1000)


def put_times(event: Event, original: int | None) -> bool:
    """Date the event: ``received - (sent - original)``, never in the future, by ``received_at`` and ``sent_at`` (0: unknown).

    Args:
        event: gets ``at``, ``original_at`` and ``clock_suspect``.
        original: the client's time of the event (ms), by the same clock as ``sent_at``; without ``sent_at`` it is taken
            as it is; None: the client gave none, so the time of receipt counts.
    Returns: False if the result is before EARLIEST, which is no time that we can work with.
    Source: Segment's HTTP API, clock skew.
    """
    received = event.received_at
    if original is None:
        event.at = received
        return True
    sent = event.sent_at
    skew = received - sent if sent else 0
    at = original + skew
    event.original_at = original
    event.clock_suspect = not -DAY_MS <= skew <= DAY_MS or at > received + DAY_MS
    event.at = min(received, at)
    return at >= EARLIEST
