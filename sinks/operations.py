"""What the sink does to the world, as values: ``sinks.exactly_once`` yields them, ``sinks.executor`` carries them out.

Reads are repeated until they succeed. An insert is tried once and answers how it went.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from sinks.ranges import Place, Position, Range

LEDGER: Final = "sink_ledger"


class Entry(msgspec.Struct, frozen=True):
    """One row of ``sink_ledger``: a claim, a start, one partition's share of a block, or the verdict on a block."""

    sink: str
    topic: str
    partition: int
    kind: str
    epoch: int
    owner: str
    seq: int
    first_offset: int
    next_offset: int
    marks_before: dict[str, int]
    marks_after: dict[str, int]

    @property
    def place(self) -> Place:
        """Its partition."""
        return Place(self.topic, self.partition)

    @property
    def position(self) -> Position:
        """Where reading goes on after it."""
        return Position(self.next_offset, self.marks_after)

    @property
    def before(self) -> Position:
        """Where reading goes on if it never happened."""
        return Position(self.first_offset, self.marks_before)

    @property
    def range(self) -> Range:
        """What it is about."""
        return Range(self.place, self.first_offset, self.next_offset, self.marks_before, self.marks_after)


class Refused(msgspec.Struct, frozen=True):
    """The server does not take some row for what it says, and took none of them. ``error`` repeats nothing of the rows."""

    error: str


Outcome = bool | Refused
"""Of an insert: True if it is done; False if that is unknown, and the same is to be tried again."""


class Insert(msgspec.Struct, frozen=True):
    """Answers an Outcome."""

    table: str
    rows: bytes
    token: str


class Try(msgspec.Struct, frozen=True):
    """Answers the Outcome that inserting ``rows`` would have, and inserts nothing."""

    table: str
    rows: bytes


class Pause(msgspec.Struct, frozen=True):
    """Wait."""

    pause_s: float


class ReadClaims(msgspec.Struct, frozen=True):
    """Answers the highest ``(epoch, owner)`` that claimed each place, for those that were ever claimed."""

    sink: str
    places: Sequence[Place]


class ReadLast(msgspec.Struct, frozen=True):
    """Answers the start or block with the highest ``(epoch, owner, seq)`` of each place, for those that have one."""

    sink: str
    places: Sequence[Place]


class ReadBlock(msgspec.Struct, frozen=True):
    """Answers all entries of one block, one a partition."""

    sink: str
    owner: str
    seq: int


class ReadVerdict(msgspec.Struct, frozen=True):
    """Answers ``go`` or ``void`` for one block, or None; ``void`` if both were ever written."""

    sink: str
    owner: str
    seq: int


class ReadNewest(msgspec.Struct, frozen=True):
    """Answers the highest ``seq`` of a start or block under one owner's name, 0 if there is none."""

    sink: str
    owner: str


class ReadRange(msgspec.Struct, frozen=True):
    """Answers the records ``[first, next)`` of the log; what it no longer has is missing (and reported)."""

    place: Place
    first: int
    next: int


class Prune(msgspec.Struct, frozen=True):
    """Remove the ledger's rows that are older than ``age_s`` and that no recovery can ask for. Nothing depends on it."""

    sink: str
    age_s: int


class Commit(msgspec.Struct, frozen=True):
    """Tell Kafka how far we are, for those who watch the lag. Nothing depends on it."""

    offsets: dict[Place, int]


Operation = (
    Insert | Try | Pause | ReadClaims | ReadLast | ReadBlock | ReadVerdict | ReadNewest | ReadRange | Prune | Commit
)
