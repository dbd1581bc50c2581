"""Topic settings: Kafka's names, defaults and which values are taken.

>>> resolve({"cleanup.policy": "compact"}).compacts
True
>>> mistake("retention.ms", "soon")
'retention.ms must be a whole number >= -1'
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

_DAY_MS: Final = 86_400_000
_MAX: Final = str(2**63 - 1)

DEFAULTS: Final = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "delete.retention.ms": str(_DAY_MS),
    "max.compaction.lag.ms": _MAX,
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
    "min.cleanable.dirty.ratio": "0.5",
    "min.compaction.lag.ms": "0",
    "min.insync.replicas": "1",
    "retention.bytes": "-1",
    "retention.ms": str(7 * _DAY_MS),
    "segment.bytes": str(128 << 20),
    "segment.ms": str(7 * _DAY_MS),
}

WITHOUT_EFFECT: Final = {
    "file.delete.delay.ms": "60000",
    "flush.messages": _MAX,
    "flush.ms": _MAX,
    "index.interval.bytes": "4096",
    "message.timestamp.after.max.ms": _MAX,
    "message.timestamp.before.max.ms": _MAX,
    "preallocate": "false",
    "segment.index.bytes": "10485760",
    "segment.jitter.ms": "0",
    "unclean.leader.election.enable": "false",
}
"""Taken and shown, because tools set them; on one node, with our index and our syncs, they mean nothing."""

ALL: Final = DEFAULTS | WITHOUT_EFFECT
_CHOICES: Final = {
    "cleanup.policy": re.compile(r"delete|compact|compact,\s*delete|delete,\s*compact"),
    "compression.type": re.compile("producer"),
    "message.timestamp.type": re.compile("CreateTime|LogAppendTime"),
    "preallocate": re.compile("false|true"),
    "unclean.leader.election.enable": re.compile("false|true"),
}
_LOWEST: Final = {"retention.ms": -1, "retention.bytes": -1, "min.insync.replicas": 1, "segment.bytes": 14}
_LISTS: Final = ("cleanup.policy",)


class TopicConfig(msgspec.Struct, frozen=True):
    """The settings of a topic that the broker acts on."""

    compacts: bool
    expires: bool
    append_time: bool
    retention_ms: int
    retention_bytes: int
    segment_ms: int
    segment_bytes: int
    max_message_bytes: int
    min_compaction_lag_ms: int
    tombstones_ms: int
    dirty_ratio: float


def resolve(own: Mapping[str, str]) -> TopicConfig:
    """A topic's own settings over the defaults."""
    given = {**DEFAULTS, **own}
    return TopicConfig(
        compacts="compact" in given["cleanup.policy"],
        expires="delete" in given["cleanup.policy"],
        append_time=given["message.timestamp.type"] == "LogAppendTime",
        retention_ms=int(given["retention.ms"]),
        retention_bytes=int(given["retention.bytes"]),
        segment_ms=int(given["segment.ms"]),
        segment_bytes=int(given["segment.bytes"]),
        max_message_bytes=int(given["max.message.bytes"]),
        min_compaction_lag_ms=int(given["min.compaction.lag.ms"]),
        tombstones_ms=int(given["delete.retention.ms"]),
        dirty_ratio=float(given["min.cleanable.dirty.ratio"]),
    )


def mistake(name: str, value: str | None) -> str | None:
    """What is wrong with a setting; None if nothing is."""
    if name not in ALL:
        return f"{name} is not a topic setting of this broker"
    if value is None:
        return f"{name} needs a value"
    if name in _CHOICES:
        return None if _CHOICES[name].fullmatch(value) else f"{name} cannot be {value[:50]!r} here"
    if name == "min.cleanable.dirty.ratio":
        return None if re.fullmatch(r"(0(\.\d{1,17})?|1(\.0{1,17})?)", value) else f"{name} must be from 0 to 1"
    lowest = _LOWEST.get(name, 0)
    if re.fullmatch(r"-?\d{1,19}", value) and lowest <= int(value) <= int(_MAX):
        return None
    return f"{name} must be a whole number >= {lowest}"


def mistakes(given: Mapping[str, str | None]) -> str | None:
    """The first mistake in some settings."""
    return next((text for name, value in given.items() if (text := mistake(name, value))), None)


def changed(own: Mapping[str, str], name: str, operation: int, value: str | None) -> dict[str, str | None]:
    """Settings after one incremental change: 0 set, 1 delete, 2 append to a list, 3 subtract from a list."""
    after: dict[str, str | None] = dict(own)
    if operation == 1:
        after.pop(name, None)
    elif operation == 0 or name not in _LISTS:
        after[name] = value
    else:
        items = [item.strip() for item in own.get(name, ALL[name]).split(",") if item.strip() != value]
        after[name] = ",".join([*items, value or ""] if operation == 2 else items)  # noqa: PLR2004 - append
    return after
