"""Codec of Kafka's wire types, compiled from one line of text per message.

A schema lists ``name:type`` fields. Types: ``i1 i2 i4 i8 bool``, ``s`` (nullable string), ``b`` (nullable bytes, decoded
without a copy) and ``[...]`` (nullable array of a type or of a struct). ``=N`` gives the value of an integer that the
version at hand does not carry; ``@3+`` and ``@1-4`` say which versions carry a field. Requests decode to named tuples
with *every* field, responses are plain tuples with *every* field: handlers never look at versions.

    >>> decode = decoder("topic:s timeout:i4=-1@2+", 0, flexible=False)
    >>> decode(memoryview(b"\\x00\\x01t"), 0)[0]
    M(topic='t', timeout=-1)
    >>> encoded("throttle:i4@1+ error:i2", 0, (0, 3), flexible=False)
    b'\\x00\\x03'
"""

import re
import struct
from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

Decode = Callable[[memoryview, int], tuple[Any, int]]
Encode = Callable[[list[bytes], Any], None]

INT16: Final = struct.Struct(">h")
INT32: Final = struct.Struct(">i")
_CODES: Final = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "bool": "?"}
_TOKEN: Final = re.compile(r"(?:(\w+):)?(?:(\w+)(?:=(-?\d+))?|(\[)|(\]))(?:@(\d+)(?:(\+)|-(\d+))?)?")
_NO_LIMIT: Final = 1 << 15


class Malformed(ValueError):
    """The bytes are not the message they claim to be."""


class Field(NamedTuple):
    """One parsed field; ``kind`` is a type name or ``[``, then ``inner`` holds the item's fields."""

    name: str
    kind: str
    absent: int | None
    first: int
    last: int
    inner: tuple["Field", ...]

    def carried(self, version: int) -> bool:
        """Whether messages of ``version`` carry it."""
        return self.first <= version <= self.last


@cache
def fields(text: str) -> tuple[Field, ...]:
    """The fields of a schema. Raises: ValueError, a mistake in the table."""
    return tuple(_fields(list(_TOKEN.finditer(text))))


def _fields(tokens: list[re.Match[str]]) -> list[Field]:
    found: list[Field] = []
    while tokens:
        token = tokens.pop(0)
        name, kind, absent, opens, closes = token.group(1, 2, 3, 4, 5)
        if closes:
            found.append(Field("]", "]", None, *_versions(token), ()))
            return found
        if not opens:
            default = int(absent or 0) if kind in _CODES else None
            found.append(Field(name or "", kind, default, *_versions(token), ()))
            continue
        inner = _fields(tokens)
        end = inner.pop()
        found.append(Field(name or "", "[", None, end.first, end.last, tuple(inner)))
    return found


def _versions(token: re.Match[str]) -> tuple[int, int]:
    first, open_end, last = token.group(6, 7, 8)
    if first is None:
        return 0, _NO_LIMIT
    return int(first), _NO_LIMIT if open_end else int(last or first)


@cache
def decoder(text: str, version: int, *, flexible: bool) -> Decode:
    """The decoder of a message: ``(buffer, position) -> (named tuple, next position)``.

    Raises (the decoder): Malformed, struct.error or UnicodeDecodeError, whatever the bytes.
    """
    return _decode_struct(fields(text), version, flexible)


def encoded(text: str, version: int, value: Sequence[Any], *, flexible: bool) -> bytes:
    """A message as bytes; ``value`` holds all fields of the schema, in order."""
    out: list[bytes] = []
    encoder(text, version, flexible=flexible)(out, value)
    return b"".join(out)


@cache
def encoder(text: str, version: int, *, flexible: bool) -> Encode:
    """The encoder of a message: appends chunks to a list."""
    return _encode_struct(fields(text), version, flexible)


# -- lengths ----------------------------------------------------------------------------------------------------------


def _read_varint(buf: memoryview, pos: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 35:  # noqa: PLR2004 - five bytes of seven bits
        if pos >= len(buf):
            raise Malformed("a length overruns the frame")
        byte = buf[pos]
        value |= (byte & 0x7F) << shift
        pos += 1
        if byte < 0x80:  # noqa: PLR2004 - no continuation bit
            return value, pos
        shift += 7
    raise Malformed("a length is longer than five bytes")


def varint(value: int) -> bytes:
    """Unsigned variable-length integer."""
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits each
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _length_reader(width: struct.Struct, flexible: bool) -> Decode:
    def compact(buf: memoryview, pos: int) -> tuple[int, int]:
        size, pos = _read_varint(buf, pos)
        return size - 1, pos

    def fixed(buf: memoryview, pos: int) -> tuple[int, int]:
        return width.unpack_from(buf, pos)[0], pos + width.size

    reader = compact if flexible else fixed

    def checked(buf: memoryview, pos: int) -> tuple[int, int]:
        size, pos = reader(buf, pos)
        if size > len(buf) - pos:  # an item takes a byte at least, so this holds for arrays too
            raise Malformed("a length overruns the frame")
        return size, pos

    return checked


def _length_writer(width: struct.Struct, flexible: bool) -> Callable[[int], bytes]:
    return (lambda size: varint(size + 1)) if flexible else width.pack


def skip_tags(buf: memoryview, pos: int) -> int:
    """Position after the tagged fields; none of them means anything to us."""
    count, pos = _read_varint(buf, pos)
    for _ in range(count):
        _, pos = _read_varint(buf, pos)
        size, pos = _read_varint(buf, pos)
        pos += size
    if pos > len(buf):
        raise Malformed("tagged fields overrun the frame")
    return pos


# -- decoders ---------------------------------------------------------------------------------------------------------


def _decode_struct(parsed: tuple[Field, ...], version: int, flexible: bool) -> Decode:
    create: Any = namedtuple  # noqa: PYI024 - the fields come from the table, which a type checker cannot see
    make = create("M", [field.name for field in parsed])._make
    steps = _decode_steps(parsed, version, flexible)

    def decode(buf: memoryview, pos: int) -> tuple[Any, int]:
        values: list[Any] = []
        for take, run in steps:
            if run is None:
                value, pos = take(buf, pos)
                values.append(value)
            else:
                values += run.unpack_from(buf, pos)
                pos += run.size
        return make(values), (skip_tags(buf, pos) if flexible else pos)

    return decode


def _decode_steps(parsed: tuple[Field, ...], version: int, flexible: bool) -> list[tuple[Decode, struct.Struct | None]]:
    """One step per field, neighbouring integers in one ``struct`` call."""
    steps: list[tuple[Decode, struct.Struct | None]] = []
    for field in parsed:
        if not field.carried(version):
            steps.append((_constant(field.absent), None))
        elif field.kind in _CODES:
            run = struct.Struct(">" + _CODES[field.kind])
            if steps and steps[-1][1] is not None:
                run = struct.Struct(steps.pop()[1].format + _CODES[field.kind])  # type: ignore[union-attr]
            steps.append((_constant(None), run))
        else:
            steps.append((_decode_one(field, version, flexible), None))
    return steps


def _constant(value: int | None) -> Decode:
    return lambda _, pos: (value, pos)


def _decode_one(field: Field, version: int, flexible: bool) -> Decode:
    if field.kind == "s":
        return _decode_string(_length_reader(INT16, flexible))
    if field.kind == "b":
        return _decode_bytes(_length_reader(INT32, flexible))
    if field.kind == "[":
        return _decode_array(_decode_item(field, version, flexible), _length_reader(INT32, flexible))
    width = struct.Struct(">" + _CODES[field.kind])
    return lambda buf, pos: (width.unpack_from(buf, pos)[0], pos + width.size)


def _decode_item(field: Field, version: int, flexible: bool) -> Decode:
    if field.inner[0].name:
        return _decode_struct(field.inner, version, flexible)
    return _decode_one(field.inner[0], version, flexible)


def _decode_string(length: Decode) -> Decode:
    def decode(buf: memoryview, pos: int) -> tuple[str | None, int]:
        size, pos = length(buf, pos)
        if size < 0:
            return None, pos
        return str(buf[pos : pos + size], "utf-8"), pos + size

    return decode


def _decode_bytes(length: Decode) -> Decode:
    def decode(buf: memoryview, pos: int) -> tuple[memoryview | None, int]:
        size, pos = length(buf, pos)
        if size < 0:
            return None, pos
        return buf[pos : pos + size], pos + size

    return decode


def _decode_array(item: Decode, length: Decode) -> Decode:
    def decode(buf: memoryview, pos: int) -> tuple[list[Any] | None, int]:
        count, pos = length(buf, pos)
        if count < 0:
            return None, pos
        items = []
        for _ in range(count):
            value, pos = item(buf, pos)
            items.append(value)
        return items, pos

    return decode


# -- encoders ---------------------------------------------------------------------------------------------------------


def _encode_struct(parsed: tuple[Field, ...], version: int, flexible: bool) -> Encode:
    steps = [
        (place, _encode_one(field, version, flexible)) for place, field in enumerate(parsed) if field.carried(version)
    ]
    width = len(parsed)

    def encode(out: list[bytes], value: Sequence[Any]) -> None:
        if len(value) != width:
            raise ValueError(f"{len(value)} values for {[field.name for field in parsed]}")
        for place, put in steps:
            put(out, value[place])
        if flexible:
            out.append(b"\0")

    return encode


def _encode_one(field: Field, version: int, flexible: bool) -> Encode:
    if field.kind == "s":
        return _encode_string(_length_writer(INT16, flexible))
    if field.kind == "b":
        return _encode_bytes(_length_writer(INT32, flexible))
    if field.kind == "[":
        item = (
            _encode_struct(field.inner, version, flexible)
            if field.inner[0].name
            else _encode_one(field.inner[0], version, flexible)
        )
        return _encode_array(item, _length_writer(INT32, flexible))
    pack = struct.Struct(">" + _CODES[field.kind]).pack
    return lambda out, value: out.append(pack(value))


def _encode_string(length: Callable[[int], bytes]) -> Encode:
    def encode(out: list[bytes], value: str | None) -> None:
        if value is None:
            out.append(length(-1))
        else:
            raw = value.encode()
            out.append(length(len(raw)))
            out.append(raw)

    return encode


def _encode_bytes(length: Callable[[int], bytes]) -> Encode:
    def encode(out: list[bytes], value: bytes | None) -> None:
        if value is None:
            out.append(length(-1))
        else:
            out.append(length(len(value)))
            out.append(value)

    return encode


def _encode_array(item: Encode, length: Callable[[int], bytes]) -> Encode:
    def encode(out: list[bytes], value: Sequence[Any] | None) -> None:
        if value is None:
            out.append(length(-1))
            return
        out.append(length(len(value)))
        for each in value:
            item(out, each)

    return encode
