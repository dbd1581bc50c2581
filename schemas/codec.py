"""How shapes become bytes: NDJSON on topics, MessagePack in state. One encoder of each kind for the process."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

T = TypeVar("T")

json_encoder = msgspec.json.Encoder()
state_encoder = msgspec.msgpack.Encoder()
_object = msgspec.json.Decoder(dict[str, object]).decode


def line_of(item: object) -> bytes:
    """``item`` as one line of NDJSON.

    SURPRISE: raw JSON is kept as its sender wrote it, and may have line breaks between its tokens (never within a text,
    where JSON does not allow them). One of those in a frame would end the event, and begin another of the sender's making.

    >>> line_of({"properties": msgspec.Raw(b'{\\n"plan": "a\\\\nb"}')})
    b'{"properties":{ "plan": "a\\\\nb"}}'
    """
    encoded = json_encoder.encode(item)
    if b"\n" in encoded or b"\r" in encoded:
        return encoded.replace(b"\n", b" ").replace(b"\r", b" ")
    return encoded


def columns_of(row: msgspec.Struct) -> bytes:
    """Part of a row as JSON, without its braces: rows are put together of parts that are encoded once.

    >>> columns_of(msgspec.defstruct("Part", ["a", "b"])(1, "x"))
    b'"a":1,"b":"x"'
    """
    return json_encoder.encode(row)[1:-1]


def lines(items: Iterable[object]) -> bytes:
    """NDJSON of ``items``, one a line, no newline at the end."""
    return b"\n".join(map(line_of, items))


def properties_of(raw: msgspec.Raw | msgspec.UnsetType) -> dict[str, object]:
    """Decode an event's raw JSON object; {} if it is absent."""
    if raw is msgspec.UNSET:
        return {}
    return _object(raw)
