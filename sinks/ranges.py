"""Ranges: which rows a run of records stands for. Pure; the same records and marks give the same bytes, always.

A ``Part`` takes one partition's records in offset order, drops those whose source was already applied, and keeps the
rows of the others by table, as bytes. Parts of several partitions make a ``Block``: one insert a table.

    >>> place = Place("stitch-facts", 0)
    >>> part = Part(place, Position(7, {}))
    >>> part.add(Record(7, b'[["events",1,3]]\\n{}\\n', b"events/0/3/0"))
    >>> part.add(Record(8, b'[["events",1,3]]\\n{}\\n', b"events/0/3/0"))  # the same output, sent twice
    >>> part.rows, part.range.next
    (1, 9)
"""

import base64
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from schemas import topics
from schemas.address import parse
from schemas.codec import json_encoder
from schemas.facts import DEAD_LETTERS_TABLE, EARLIER, TABLES, DeadLetterRow
from schemas.rejections import DeadLetter, RejectReason


class Place(NamedTuple):
    """One partition of one topic (name without the installation's prefix)."""

    topic: str
    partition: int


class Position(NamedTuple):
    """Where to read on, and the highest source order applied before that, by source."""

    next: int
    marks: dict[str, int]


class Record(NamedTuple):
    """One Kafka record; ``source`` is its ``topics.SOURCE_HEADER``, None if it has none; ``at`` its append time, ms."""

    offset: int
    value: bytes
    source: bytes | None
    at: int = 0


class Origin(NamedTuple):
    """A record and how many of a table's rows came from it."""

    place: Place
    offset: int
    at: int
    rows: int


class Range(msgspec.Struct, frozen=True):
    """Records ``[first, next)`` of one partition, and the marks at both ends: all that it takes to cut it again."""

    place: Place
    first: int
    next: int
    marks_before: dict[str, int]
    marks_after: dict[str, int]


class Block(msgspec.Struct, frozen=True):
    """What one flush writes: rows by table, and the ranges that they came from, in order of place."""

    ranges: tuple[Range, ...]
    tables: dict[str, bytes]
    rows: int
    origins: dict[str, list[Origin]]
    """Where each table's rows came from, in their order."""


Piece = tuple[str, int, bytes]
"""Table, number of rows, their lines."""

_index: Final = msgspec.json.Decoder(list[tuple[str, int, int]])
_letter: Final = msgspec.json.Decoder(DeadLetter)


class Part:
    """The open range of one partition."""

    __slots__ = ("_first", "_marks", "_marks_before", "bytes", "next", "origins", "pieces", "place", "rows")

    def __init__(self, place: Place, position: Position) -> None:
        self.place = place
        self.next = self._first = position.next
        self._marks_before = position.marks
        self._marks = dict(position.marks)
        self.pieces: dict[str, list[bytes]] = {}
        self.origins: dict[str, list[Origin]] = {}
        self.rows = 0
        self.bytes = 0

    def add(self, record: Record) -> None:
        """Take the next record. Offsets ascend; a hole between two of them is fine (the caller knows why it is one)."""
        assert record.offset >= self.next, "records come in offset order"
        self.next = record.offset + 1
        if self._is_applied(record.source):
            return
        for table, rows, lines in pieces_of(self.place, record):
            self.pieces.setdefault(table, []).append(lines)
            self.origins.setdefault(table, []).append(Origin(self.place, record.offset, record.at, rows))
            self.rows += rows
            self.bytes += len(lines)

    def _is_applied(self, header: bytes | None) -> bool:
        """Whether a record of this source, or a later one, was taken; if not, it is from now on."""
        if header is None:
            return False
        try:
            source, order = parse(header)
        except ValueError:
            return False  # a stranger's record: nothing says that it is a repetition
        if order <= self._marks.get(source, -1):
            return True
        self._marks[source] = order
        return False

    @property
    def range(self) -> Range:
        """What was taken so far."""
        return Range(self.place, self._first, self.next, self._marks_before, dict(self._marks))

    @property
    def start(self) -> Position:
        """Where it began."""
        return Position(self._first, self._marks_before)

    @property
    def position(self) -> Position:
        """Where the next part goes on."""
        return Position(self.next, dict(self._marks))


def block_of(parts: Iterable[Part]) -> Block:
    """The block of some parts, whatever order they are given in."""
    ordered = sorted((part for part in parts if part.range.next > part.range.first), key=lambda part: part.place)
    pieces: dict[str, list[bytes]] = {}
    origins: dict[str, list[Origin]] = {}
    for part in ordered:
        for table, lines in part.pieces.items():
            pieces.setdefault(table, []).extend(lines)
            origins.setdefault(table, []).extend(part.origins[table])
    tables = {table: b"".join(pieces[table]) for table in sorted(pieces)}
    return Block(tuple(part.range for part in ordered), tables, sum(part.rows for part in ordered), origins)


def recut(cut: Range, records: Iterable[Record]) -> Part:
    """The part that ``cut`` was written from; ``records`` may reach beyond it on both sides."""
    part = Part(cut.place, Position(cut.first, cut.marks_before))
    for record in records:
        if cut.first <= record.offset < cut.next:
            part.add(record)
    part.next = cut.next
    return part


def pieces_of(place: Place, record: Record) -> Sequence[Piece]:
    """Rows of one record, by table. A record that is not what its topic holds becomes a dead letter."""
    try:
        if place.topic == topics.DEAD_LETTERS:
            return [_letter_piece(_letter.decode(record.value), place, record)]
        return fact_pieces(record.value)
    except (ValueError, msgspec.MsgspecError) as error:
        body = base64.b64encode(record.value).decode()
        detail = f"record on {place.topic} is not one of ours: {type(error).__name__}"
        address = f"{place.topic}/{place.partition}/{record.offset}/0"
        letter = DeadLetter(
            address, record.at, RejectReason.MALFORMED.value, detail, body, source="sink", address=address
        )
        return [_letter_piece(letter, place, record)]


def fact_pieces(value: bytes) -> list[Piece]:
    """Blocks of a fact record (``schemas.facts``).

    Raises: ValueError or msgspec.MsgspecError if it is none.
    """
    at = value.index(b"\n") + 1
    pieces: list[Piece] = []
    for table, rows, size in _index.decode(value[: at - 1]):
        lines = value[at : at + size]
        known = table in TABLES or table in EARLIER
        if not known or len(lines) != size or not lines.endswith(b"\n") or lines.count(b"\n") != rows:
            raise ValueError("index and blocks differ")
        pieces.append((table, rows, lines))
        at += size
    if at != len(value):
        raise ValueError("bytes beyond the last block")
    return pieces


def _letter_piece(letter: DeadLetter, place: Place, record: Record) -> Piece:
    # The table has one address for all its rows, and two topics can hold strangers' records: negative offsets keep the
    # fact topics' apart from those of the dead letters topic.
    offset = record.offset if place.topic == topics.DEAD_LETTERS else -1 - record.offset
    number = 0 if place.topic != topics.ACCOUNT_FACTS else 1
    row = DeadLetterRow(
        letter.tenant, letter.id, letter.received_at, letter.source, letter.reason, letter.detail, letter.body,
        letter.address, letter.path, letter.gpc, letter.envelope, place.partition, offset, number,
    )  # fmt: skip
    return DEAD_LETTERS_TABLE, 1, json_encoder.encode(row) + b"\n"
