"""A frame of canonical events, one a line, by the node that each names first."""

from typing import Final

import msgspec

from schemas.codec import line_of
from schemas.event import NODE_FIRST, Event

Line = tuple[int, bytes]
"""A line's number in the frame, and the line, as the canonical encoder writes it."""
decode: Final = msgspec.json.Decoder(Event).decode
"""An event from its line."""


def by_node(frame: bytes) -> dict[str, list[Line]]:
    """Lines by their node, in the order in which nodes first appear. Empty lines are none."""
    groups: dict[str, list[Line]] = {}
    begin = len(NODE_FIRST)
    for number, text in enumerate(frame.split(b"\n")):
        if not text:
            continue
        name, line = text[begin : text.find(b'"', begin)], text
        if not text.startswith(NODE_FIRST) or not text.endswith(b"}") or b"\\" in name:
            name, line = _canonical(text)
        groups.setdefault(name.decode(errors="replace"), []).append((number, line))
    return groups


def _canonical(line: bytes) -> tuple[bytes, bytes]:
    """Node and line of what does not look as our encoder writes it; a line that is no event stays as it is."""
    try:
        event = decode(line)
        return event.node.encode(), line_of(event)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError):
        return b"", line
