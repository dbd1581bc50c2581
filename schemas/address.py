"""Addresses: where a record came from, so that whoever reads it twice can tell.

A derived record carries ``topic/partition/offset/part`` of the input frame that it was computed from in the header
``topics.SOURCE_HEADER``. All records of one frame for one target partition go out in ascending order of part, so a reader
that keeps the highest ``order`` it has applied per ``source`` drops every repetition and nothing else.

A bundle is what several records told a partition, in one. Its header names the address and the bytes of each part, so
that it does not matter how a worker that does it again bundles.

    >>> parse(address("events", 3, 1234, 0))
    ('events/3', 80871424)
    >>> order(1234, 0)
    80871424
    >>> parts(bundle([(b"events/3/1234/0", 10), (b"events/1/7/0", 20)]), 31)
    [('events/3', 80871424, 10), ('events/1', 458752, 20)]
"""

from collections.abc import Iterable
from typing import Final

_PART_BITS: Final = 16
MAX_PARTS: Final = 1 << _PART_BITS
"""Records that one input frame may become for one target partition."""
_BOUND: Final = 1 << 63
"""Marks are stored in 64 bits."""


def address(topic: str, partition: int, offset: int, part: int) -> bytes:
    """The header's value."""
    return f"{topic}/{partition}/{offset}/{part}".encode()


def order(offset: int, part: int) -> int:
    """What a reader compares: grows with the input offset, then with the part."""
    return offset << _PART_BITS | part


def offset_and_part(position: int) -> tuple[int, int]:
    """What ``order`` was made of."""
    return position >> _PART_BITS, position & (MAX_PARTS - 1)


def parse(header: bytes) -> tuple[str, int]:
    """``(source, order)`` of a header's value; the source is ``topic/partition``.

    Raises: ValueError if it is not an address (the record is not ours).
    """
    topic, partition, offset, part = header.decode().rsplit("/", 3)
    position = order(int(offset), int(part))
    if not 0 <= position < _BOUND:
        raise ValueError("no such offset")
    return f"{topic}/{int(partition)}", position


def bundle(parts_: Iterable[tuple[bytes, int]]) -> bytes:
    """The header's value of a bundle of parts with these addresses and bytes. They lie in it in this order, a byte apart."""
    return b",".join(b"%b:%d" % part for part in parts_)


def parts(header: bytes, size: int) -> list[tuple[str, int, int]]:
    """``(source, order, bytes)`` of what is in a record of ``size`` bytes: one of a plain record, several of a bundle.

    Raises: ValueError if it is none of ours.
    """
    if b":" not in header:
        return [(*parse(header), size)]
    found = []
    for part in header.split(b","):
        where, _, length = part.rpartition(b":")
        found.append((*parse(where), int(length)))
    if min(length for *_, length in found) < 0 or sum(length + 1 for *_, length in found) != size + 1:
        raise ValueError("the parts are not the whole")
    return found
