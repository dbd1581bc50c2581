"""Bad data as a value: why an event or a whole body was refused, and the bytes it was, for the dead letters."""

import base64
from enum import StrEnum

import msgspec


class RejectReason(StrEnum):
    """Why something could not become an event. The text after the name is what the sender can do about it."""

    MALFORMED = "malformed"
    """Not JSON, or not the shape that the protocol says."""
    NOT_UTF8 = "not_utf8"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    """More events in the batch than the limit; the first ones were taken."""
    TOO_DEEP = "too_deep"
    UNKNOWN_KEY = "unknown_key"
    MISSING_FIELD = "missing_field"
    BAD_VALUE = "bad_value"
    BAD_TIME = "bad_time"
    UNSUPPORTED = "unsupported"
    REFUSED = "refused"
    """A row that ClickHouse does not take: the tables lack it."""
    BUG = "bug"
    """Our own code failed on it: please report it with the dead letter."""


LOST_ENVELOPE = b"null"
"""For ``Rejected.envelope``: there was one, too large to be kept with every item."""


class Rejected(msgspec.Struct, frozen=True):
    """One refusal. ``detail`` names the field and never repeats personal data."""

    reason: RejectReason
    detail: str
    body: bytes = b""
    envelope: bytes = b""
    """JSON object with what the request said of all its items (time of sending, context), if ``body`` is some of them."""


class DeadLetter(msgspec.Struct, omit_defaults=True):
    """What the ``dead-letters`` topic carries, one a record. ``body`` is base64 so that any bytes survive."""

    id: str
    received_at: int
    reason: str
    detail: str
    body: str
    tenant: str = "default"
    source: str = ""
    address: str = ""
    """``topic/partition/offset/line`` for what was refused after the log, "" at the edge."""
    path: str = ""
    """The collector's endpoint that it was sent to, "" after the log."""
    gpc: bool = False
    """Whether the browser that sent it asked not to be sold or shared (Sec-GPC)."""
    envelope: str = ""
    """Base64 of ``Rejected.envelope``."""


def dead_letter(
    rejected: Rejected,
    *,
    letter_id: str,
    received_at: int,
    tenant: str,
    source: str,
    address: str = "",
    path: str = "",
    gpc: bool = False,
) -> DeadLetter:
    """The dead letter of a refusal."""
    body = base64.b64encode(rejected.body).decode("ascii")
    reason, detail = rejected.reason.value, rejected.detail
    envelope = base64.b64encode(rejected.envelope).decode("ascii")
    return DeadLetter(letter_id, received_at, reason, detail, body, tenant, source, address, path, gpc, envelope)
