"""Request bodies: from bytes that strangers sent to JSON items that every later stage can decode.

What passes here is UTF-8, has no lone surrogates and no NULs, nests at most DEPTH_LIMIT levels, and has no number that
overflows a double. That is checked once, here, so that nobody after the log needs to.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from schemas.rejections import Rejected, RejectReason

DEPTH_LIMIT: Final = 64
"""Levels of nesting. Python's decoders give up at some hundreds, depending on who calls them: far below is the same
for everybody."""
BODY_KEPT: Final = 512 << 10
"""Bytes of a refused thing that the dead letter keeps."""

_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
"""One escape of a JSON text; a surrogate pair is one. Escapes never overlap, so that ``\\\\u`` is not taken for one."""
_BOM: Final = b"\xef\xbb\xbf"
_object: Final = msgspec.json.Decoder(dict[str, object]).decode
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding hostile JSON raises."""
Properties = Raw | UnsetType
T = TypeVar("T")


def rejected(reason: RejectReason, detail: str, body: bytes | Raw = b"") -> Rejected:
    """A refusal with as much of its bytes as a dead letter keeps."""
    return Rejected(reason, detail, bytes(body)[:BODY_KEPT])


def refused_together(reason: RejectReason, detail: str, items: Sequence[bytes | Raw]) -> list[Rejected]:
    """Refusals of many items for one reason, as JSON arrays of as many as a dead letter keeps.

    One letter each would let a body of a million tiny items hold up the log.
    """
    found: list[Rejected] = []
    run: list[bytes] = []
    size = 0
    for item in map(bytes, items):
        if run and size + len(item) > BODY_KEPT - 2:
            found.append(rejected(reason, detail, b"[" + b",".join(run) + b"]"))
            run, size = [], 0
        run.append(item)
        size += len(item) + 1
    if run:
        found.append(rejected(reason, detail, b"[" + b",".join(run) + b"]"))
    return found


def clean(body: bytes) -> bytes:
    """The JSON text without byte-order mark, and without escapes that no text can hold (lone surrogates, NUL)."""
    if body.startswith(_BOM):
        body = body[3:]
    # SURPRISE: a find of one byte is memchr; the find of two is ten times slower on bodies without a backslash.
    if b"\\" in body and b"\\u" in body:
        return _ESCAPE.sub(_harmless, body)
    return body


def _harmless(escape: re.Match[bytes]) -> bytes:
    found = escape[0]
    if found[1:2] != b"u" or len(found) != 6:  # noqa: PLR2004 - another escape, or a whole surrogate pair
        return found
    code = int(found[2:].decode("ascii"), base=16)
    if code == 0:
        return b""
    return b"\\ufffd" if 0xD800 <= code <= 0xDFFF else found  # noqa: PLR2004


def depth_fault(json: bytes) -> bool:
    """Whether the JSON text nests deeper than DEPTH_LIMIT."""
    if json.count(b"{") + json.count(b"[") <= DEPTH_LIMIT:
        return False
    depth = 0
    for token in _STRUCTURE.finditer(json):
        first = token[0][0]
        if first in b"{[":
            depth += 1
            if depth > DEPTH_LIMIT:
                return True
        elif first in b"}]":
            depth -= 1
    return False


_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


def members(raw: Properties) -> tuple[Properties, dict[str, object]]:
    """An object of the client's as the raw JSON that we keep, and its members.

    Absent, null, empty and things that are no object (PHP writes ``[]`` for the empty one) become UNSET and {}.

    Raises: msgspec.DecodeError, UnicodeDecodeError: it holds what JSON can say but nobody can hold (1e999).
    """
    if raw is UNSET:
        return UNSET, _NOTHING
    try:
        decoded = _object(raw)
    except msgspec.ValidationError:
        if bytes(raw)[:1] == b"{":
            raise
        return UNSET, _NOTHING
    return (raw, decoded) if decoded else (UNSET, decoded)


_NOTHING: Final[dict[str, object]] = {}


def read_whole(read: Callable[[bytes], T], body: bytes) -> T:
    """``read(body)``; if that fails, again without the NaN and Infinity that Python's and Java's encoders write.

    Raises: one of UNREADABLE.
    """
    try:
        return read(body)
    except UNREADABLE:
        if b"NaN" not in body and b"Infinity" not in body:
            raise
        return read(_NO_NUMBER.sub(lambda found: b"null" if found[1] else found[0], body))


_NO_NUMBER: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)', re.DOTALL)


def undecodable(error: Exception) -> RejectReason:
    """Why decoding failed, by its exception."""
    if isinstance(error, UnicodeDecodeError):
        return RejectReason.NOT_UTF8
    if isinstance(error, RecursionError):
        return RejectReason.TOO_DEEP
    return RejectReason.MALFORMED


class Unfit(Exception):
    """Thrown and caught within an adapter: this item cannot become an event."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def checked(raw: bytes | Raw, max_bytes: int) -> bytes:
    """The bytes of ``raw``. Raises: Unfit if it is too large or nests too deep."""
    json = bytes(raw)
    if len(json) > max_bytes:
        raise Unfit(RejectReason.TOO_LARGE, f"more than {max_bytes} bytes")
    if depth_fault(json):
        raise Unfit(RejectReason.TOO_DEEP, f"nested more than {DEPTH_LIMIT} levels")
    return json


def refusal(error: Exception, raw: bytes | Raw) -> Rejected:
    """The dead letter of an item that raised Unfit or one of UNREADABLE."""
    if isinstance(error, Unfit):
        return rejected(error.reason, error.detail, raw)
    return rejected(undecodable(error), "it cannot be decoded", raw)
