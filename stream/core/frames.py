"""Frames of canonical lines by the node that each line names first: events by who did them, touches by their account."""

from collections.abc import Callable
from typing import Final

import msgspec

from schemas.codec import line_of
from schemas.event import NODE_FIRST, Event
from schemas.messages import Account
from stream.core.compiled import WHY_NOT, native

Line = tuple[int, bytes]
"""A line's number in the frame, and the line, as the canonical encoder writes it."""
decode: Final = msgspec.json.Decoder(Event).decode
"""An event from its line."""
decode_message: Final[Callable[[bytes], Account]] = msgspec.json.Decoder(Account).decode
"""What an account is told, from its line."""
_TAG_FIRST: Final = b'{"m":"'
_THEN_TO: Final = b'","to":"'


def line_ends(frame: bytes) -> int:
    """How many line ends a frame has. Of a frame of a megabyte Python's ``count`` takes as long as a checksum."""
    return frame.count(b"\n") if WHY_NOT else native.line_ends(frame)


def by_node(frame: bytes) -> dict[str, list[Line]]:
    """An event frame's lines by their node, in the order in which nodes first appear. Empty lines are none."""
    return _grouped(frame, lambda line: len(NODE_FIRST) if line.startswith(NODE_FIRST) else -1, _of_event)


def by_account(frame: bytes) -> dict[str, list[Line]]:
    """The same of what accounts are told, by account."""
    return _grouped(frame, _account_begins, _of_message)


def _grouped(
    frame: bytes, begins: Callable[[bytes], int], canonical: Callable[[bytes], tuple[bytes, bytes]]
) -> dict[str, list[Line]]:
    groups: dict[str, list[Line]] = {}
    for number, text in enumerate(frame.split(b"\n")):
        if not text:
            continue
        begin = begins(text)
        name, line = text[begin : text.find(b'"', begin)], text
        if begin < 0 or not text.endswith(b"}") or b"\\" in name:
            name, line = canonical(text)
        groups.setdefault(name.decode(errors="replace"), []).append((number, line))
    return groups


def _account_begins(line: bytes) -> int:
    """Where a line names its account; -1 if it does not look as our encoder writes it."""
    end = line.find(b'"', len(_TAG_FIRST))
    return end + len(_THEN_TO) if line.startswith(_TAG_FIRST) and line.startswith(_THEN_TO, end) else -1


def _of_event(line: bytes) -> tuple[bytes, bytes]:
    """Node and line of what does not look as our encoder writes it; a line that is no event stays as it is."""
    try:
        event = decode(line)
        return event.node.encode(), line_of(event)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError):
        return b"", line


def _of_message(line: bytes) -> tuple[bytes, bytes]:
    try:
        return decode_message(line).to.encode(), line
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return b"", line
