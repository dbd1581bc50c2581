"""Rows that ClickHouse does not take for what they say: which of a block they are, and what becomes of them.

Pure. They are found by letting the server read halves of the block without inserting them (``Try``), so looking for them
changes nothing, and whoever is interrupted may begin again. Each becomes a dead letter; the others are the block then.
"""

import base64
from collections.abc import Callable, Generator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from schemas.codec import json_encoder
from schemas.facts import EARLIER, TABLES, DeadLetterRow
from schemas.rejections import RejectReason
from schemas.topics import ACCOUNT_FACTS
from sinks.operations import Outcome, Refused, Try
from sinks.ranges import Origin

MOST_REFUSED: Final = 100
"""Of a table in one block. If it is more, the rows are not what is wrong: say, the table is of another version."""


class Row(NamedTuple):
    """One line of a table's block, with its number there."""

    number: int
    line: bytes


class RefusedRow(NamedTuple):
    """A row that the server does not take, and what it says."""

    row: Row
    error: str


Search = Generator[Try, Outcome, list[RefusedRow]]


def rows_of(block: bytes) -> list[Row]:
    """The rows of a table's block."""
    return [Row(number, line) for number, line in enumerate(block.split(b"\n")[:-1])]


def lines_of(rows: Sequence[Row]) -> bytes:
    """A block of some rows."""
    return b"".join(row.line + b"\n" for row in rows)


def search(table: str, rows: Sequence[Row]) -> Search:
    """Those of ``rows`` that are refused, in their order; none if the server does not say now, or refuses too many."""
    found: list[RefusedRow] = []
    waiting = [rows]
    while waiting:
        some = waiting.pop()
        outcome = yield Try(table, lines_of(some))
        if outcome is False:
            return []
        if not isinstance(outcome, Refused):
            continue
        if len(some) > 1:
            middle = len(some) // 2
            waiting += [some[middle:], some[:middle]]
            continue
        found.append(RefusedRow(some[0], outcome.error))
        if len(found) > MOST_REFUSED:
            return []
    return found


def answered(searching: Search, outcome_of: Callable[[Try], Outcome]) -> list[RefusedRow]:
    """The result of a search, each of its questions answered by ``outcome_of``."""
    try:
        question = next(searching)
        while True:
            question = searching.send(outcome_of(question))
    except StopIteration as done:
        result: list[RefusedRow] = done.value
        return result


def without(rows: Sequence[Row], refused: Sequence[RefusedRow]) -> list[Row]:
    """The rows that are left."""
    numbers = {found.row.number for found in refused}
    return [row for row in rows if row.number not in numbers]


def letter_of(table: str, refused: RefusedRow, origins: Sequence[Origin]) -> bytes:
    """The dead letter of a refused row, as a line for its table. ``origins`` are those of the table's whole block."""
    ends = list(accumulate(origin.rows for origin in origins))
    index = next(i for i, end in enumerate(ends) if refused.row.number < end)
    origin = origins[index]
    # A record may have a table's rows in several pieces.
    first = next(i for i, other in enumerate(origins) if (other.place, other.offset) == (origin.place, origin.offset))
    number = refused.row.number - (ends[first] - origins[first].rows)
    address = f"{origin.place.topic}/{origin.place.partition}/{origin.offset}/{table}/{number}"
    # Beside the letters of whole records (``sinks.ranges``): negative offsets, and numbers from 2 on.
    which = list(TABLES).index(EARLIER.get(table, table)) * 2 + (origin.place.topic == ACCOUNT_FACTS)
    row = DeadLetterRow(
        "default", address, origin.at, "sink", RejectReason.REFUSED.value, f"{table}: {refused.error}",
        base64.b64encode(refused.row.line).decode(), address, "", False, "",
        origin.place.partition, -1 - origin.offset, 2 + number * 2 * len(TABLES) + which,
    )  # fmt: skip
    return json_encoder.encode(row) + b"\n"
