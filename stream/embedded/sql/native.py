r"""The Native format as newer clients ask for it with ``client_protocol_version`` (clickhouse-go, thus Grafana).

The engine writes revision 0. From revision 54454 on, a block begins with its info and each column's type is followed by
a byte that says whether its serialization is a special one. To add that byte, one has to know where columns end.

    >>> reframed(b"\x01\x01\x01a\x05UInt8\x07")
    b'\x01\x00\x02\xff\xff\xff\xff\x00\x01\x01\x01a\x05UInt8\x00\x07'
"""

import struct
from collections.abc import Iterator
from typing import Final

from stream.embedded.sql.errors import NOT_IMPLEMENTED, QueryError

FIRST_REVISION: Final = 54454
"""Older revisions are answered with revision 0, which their clients know how to tell (clickhouse-connect does)."""

# Field 1: not the overflow block of an aggregation; field 2: no bucket (-1); end.
_BLOCK_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_PLAIN: Final = b"\x00"

_WIDTH: Final = {
    "Bool": 1, "Nothing": 1, "Int8": 1, "UInt8": 1, "Enum8": 1, "Int16": 2, "UInt16": 2, "Enum16": 2, "Date": 2,
    "BFloat16": 2, "Int32": 4, "UInt32": 4, "Float32": 4, "Date32": 4, "DateTime": 4, "IPv4": 4, "Time": 4, "Int64": 8,
    "UInt64": 8, "Float64": 8, "DateTime64": 8, "Time64": 8, "Int128": 16, "UInt128": 16, "UUID": 16, "IPv6": 16,
    "Int256": 32, "UInt256": 32,
}  # fmt: skip
_DECIMAL_WIDTHS: Final = ((9, 4), (18, 8), (38, 16), (76, 32))
_SPELLED_OUT: Final = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Tuple(Float64, Float64))",
    "LineString": "Array(Tuple(Float64, Float64))",
    "Polygon": "Array(Array(Tuple(Float64, Float64)))",
}


def reframed(body: bytes) -> bytes:
    """Native blocks of revision 0 as blocks of FIRST_REVISION.

    Raises: QueryError for columns whose length cannot be told (JSON, Dynamic, Variant, aggregate states).
    """
    return b"".join(_pieces(body))


def _pieces(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        start = at
        columns, at = _varint(body, at)
        rows, at = _varint(body, at)
        yield _BLOCK_INFO
        yield body[start:at]
        for _ in range(columns):
            start = at
            _, at = _text(body, at)
            kind, at = _text(body, at)
            yield body[start:at]
            yield _PLAIN
            start = at
            if rows:
                at = _end(kind, body, _prefix_end(kind, at), rows)
            yield body[start:at]


def _end(kind: str, body: bytes, at: int, rows: int) -> int:
    """Where ``rows`` values of a type end that begin at ``at``."""
    name, arguments = _parts(kind)
    if rows == 0 or (width := _width(name, arguments)):
        return at + rows * (width if rows else 0)
    if name == "String":
        return _strings_end(body, at, rows)
    if name == "LowCardinality":
        return _low_cardinality_end(arguments[0], body, at)
    if name == "Nullable":
        return _end(arguments[0], body, at + rows, rows)
    if name == "Array":
        (total,) = struct.unpack_from("<Q", body, at + 8 * (rows - 1))
        return _end(arguments[0], body, at + 8 * rows, total)
    for inner in arguments:  # Tuple: one element after the other
        at = _end(inner, body, at, rows)
    return at


def _width(name: str, arguments: list[str]) -> int:
    """Bytes of a value; 0 if values differ in length."""
    if name == "FixedString":
        return int(arguments[0])
    if name == "Decimal":
        return next(width for digits, width in _DECIMAL_WIDTHS if int(arguments[0]) <= digits)
    return _WIDTH.get(name, 0)


def _prefix_end(kind: str, at: int) -> int:
    """Each LowCardinality, however deep, puts 8 bytes before the column's values."""
    name, arguments = _parts(kind)
    if name == "LowCardinality":
        return at + 8
    if name in ("Array", "Nullable", "Tuple"):
        for inner in arguments:
            at = _prefix_end(inner, at)
    return at


def _low_cardinality_end(kind: str, body: bytes, at: int) -> int:
    """Flags, dictionary, indexes whose width the flags give. Null is the dictionary's first entry, not a mask."""
    flags, keys = struct.unpack_from("<QQ", body, at)
    name, arguments = _parts(kind)
    at = _end(arguments[0] if name == "Nullable" else kind, body, at + 16, keys)
    (rows,) = struct.unpack_from("<Q", body, at)
    return int(at + 8 + rows * (1 << (flags & 0xFF)))


def _strings_end(body: bytes, at: int, rows: int) -> int:
    for _ in range(rows):
        size = body[at]
        at += 1
        if size & 0x80:
            size, at = _varint(body, at - 1)
        at += size
    return at


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004
            return value, at
        shift += 7


def _text(body: bytes, at: int) -> tuple[str, int]:
    size, at = _varint(body, at)
    return body[at : at + size].decode("utf-8", "surrogateescape"), at + size


def _parts(kind: str) -> tuple[str, list[str]]:
    """``Map(String, Array(UInt8))`` -> its name and arguments, with types that are others in disguise spelled out."""
    kind = _SPELLED_OUT.get(kind, kind)
    name, _, rest = kind.partition("(")
    arguments = [_unnamed(part) if name == "Tuple" else part for part in _split(rest[:-1])]
    if name == "Map":
        return "Array", [f"Tuple({', '.join(arguments)})"]
    if name == "Nested":
        return "Array", [f"Tuple({', '.join(arguments)})"]
    if name == "SimpleAggregateFunction":
        return _parts(arguments[-1])
    if name.startswith("Interval"):
        return "Int64", []
    if name not in _WIDTH and name not in (
        "String",
        "FixedString",
        "Decimal",
        "LowCardinality",
        "Nullable",
        "Array",
        "Tuple",
    ):
        raise QueryError(NOT_IMPLEMENTED, f"Type {name} cannot be sent in this version of Native; cast it to String")
    return name, arguments


def _split(text: str) -> list[str]:
    """Arguments between commas that are not inside brackets or quotes."""
    parts, depth, quote, held, escaped = [], 0, "", "", False
    for sign in text:
        if quote:
            escaped, quote = (sign == "\\" and not escaped), ("" if sign == quote and not escaped else quote)
        elif sign in "'`":
            quote = sign
        elif sign == "," and depth == 0:
            parts.append(held.strip())
            held = ""
            continue
        depth += 0 if quote else {"(": 1, ")": -1}.get(sign, 0)
        held += sign
    return [*parts, held.strip()] if held.strip() else parts


def _unnamed(argument: str) -> str:
    """``a UInt8`` -> ``UInt8``; a type has no blank outside its brackets."""
    quote, depth = "", 0
    for i, sign in enumerate(argument):
        if sign == "`":
            quote = "" if quote else sign
        depth += 0 if quote else {"(": 1, ")": -1}.get(sign, 0)
        if sign == " " and not quote and depth == 0:
            return argument[i + 1 :]
    return argument
