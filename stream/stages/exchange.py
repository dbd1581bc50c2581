"""What the stages tell each other, twice: as a replay says it, and as it lies on the log. The two must be the same.

    exchange.sent(output)                                   a replayed record says this to another partition
    exchange.found("accounts", 3, source, order, value)     and this is what partition 3 was told
    exchange.differences()                                  what only one of the two knows

Two numbers are kept of a message and side, so a hundred million of them fit into memory.
"""

from array import array
from hashlib import blake2b
from typing import Final

import msgspec

from schemas import topics
from schemas.address import offset_and_part, parse
from stream.stages.compute import Output

LOG: Final = "log"
RECOMPUTED: Final = "recomputed"
Link = tuple[str, str, int]
"""Source (``topic/partition``), and topic and partition that it tells something."""
_Told = dict[Link, "array[int]"]
"""Order and digest of each message, one after the other."""


class Untold(msgspec.Struct, frozen=True):
    """A message that only one side has. One whose content differs is there twice, once for each side."""

    side: str
    """LOG: lies there, and its source does not say it. RECOMPUTED: its source says it, and it was never applied."""
    source: str
    """Address of the frame that it comes from: ``topic/partition/offset/part``."""
    target: str
    """``topic/partition`` that it is for."""


class Exchange:
    """All messages of one replay."""

    def __init__(self) -> None:
        self._sent: _Told = {}
        self._found: _Told = {}

    @property
    def counts(self) -> tuple[int, int]:
        """Messages on the log, and messages that the replay says."""
        found, sent = (sum(map(len, side.values())) // 2 for side in (self._found, self._sent))
        return found, sent

    def sent(self, output: Output) -> None:
        """Note what a replayed record says."""
        source, order = parse(dict(output.headers)[topics.SOURCE_HEADER])
        _note(self._sent, (source, output.topic, output.partition), order, output.value)

    def found(self, topic: str, partition: int, source: str, order: int, value: bytes) -> None:
        """Note what ``topic/partition`` was told and applied; what it dropped as a repetition does not count."""
        _note(self._found, (source, topic, partition), order, value)

    def differences(self) -> list[Untold]:
        """What only one side has, by link and in order of source; empty if the stages were told what they should be."""
        different: list[Untold] = []
        for link in sorted({*self._sent, *self._found}):
            sent, found = self._sent.get(link), self._found.get(link)
            if sent != found:
                different += _differences(link, _pairs(found), _pairs(sent))
        return different


def _note(side: _Told, link: Link, order: int, value: bytes) -> None:
    told = side.get(link)
    if told is None:
        told = side[link] = array("Q")
    told.append(order)
    told.append(int.from_bytes(blake2b(value, digest_size=8).digest()))


def _pairs(told: "array[int] | None") -> set[tuple[int, int]]:
    return set() if told is None else set(zip(told[::2], told[1::2], strict=True))


def _differences(link: Link, found: set[tuple[int, int]], sent: set[tuple[int, int]]) -> list[Untold]:
    source, topic, partition = link
    named = [(order, LOG) for order, _ in found - sent] + [(order, RECOMPUTED) for order, _ in sent - found]
    different = []
    for order, side in sorted(named):
        offset, part = offset_and_part(order)
        different.append(Untold(side, f"{source}/{offset}/{part}", f"{topic}/{partition}"))
    return different
