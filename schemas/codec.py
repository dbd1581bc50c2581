"""How shapes become bytes: NDJSON on topics, MessagePack in state. One encoder of each kind for the process."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

T = TypeVar("T")

json_encoder = msgspec.json.Encoder()
state_encoder = msgspec.msgpack.Encoder()


def lines(items: Iterable[object]) -> bytes:
    """NDJSON of ``items``, one a line, no newline at the end."""
    return b"\n".join(map(json_encoder.encode, items))


def properties_of(raw: msgspec.Raw | msgspec.UnsetType) -> dict[str, object]:
    """Decode an event's raw JSON object; {} if it is absent."""
    if raw is msgspec.UNSET:
        return {}
    decoded: dict[str, object] = msgspec.json.decode(raw, type=dict)
    return decoded
