"""Exactly once: the order of effects that makes every row arrive once, whatever crashes and whoever else writes.

Generators that yield what is to be done (``sinks.operations``) and are told how it went; they can be abandoned at any
yield, and the next owner's ``recover`` puts right what was left undone. What the rows of ``sink_ledger`` mean:

``claim``        I own this partition from now on, with a higher epoch than anybody before.
``block``        the intent: these ranges become one block, its tokens are ``sink/owner/seq/table``.
``go``, ``void`` the verdict on a block: its data may be inserted, or never will be. One per block; the first one holds.
``start``        all before this is done; go on here. After a recovery, at hand-over and when idle.

Data is inserted only after ``go``, and only the writer says ``go``, having seen no newer claim after its intent. Whoever
claims looks at the intents afterwards, and turns down those without a verdict. docs/design/exactly-once.md has the proof.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import count
from typing import Any, TypeVar

import msgspec

from schemas.codec import lines
from schemas.errors import Retryable
from schemas.facts import DEAD_LETTERS_TABLE
from sinks.operations import (
    LEDGER,
    Commit,
    Entry,
    Insert,
    Operation,
    Outcome,
    Pause,
    Prune,
    ReadBlock,
    ReadClaims,
    ReadLast,
    ReadNewest,
    ReadRange,
    ReadVerdict,
    Refused,
)
from sinks.ranges import Block, Origin, Part, Place, Position, Range, block_of, recut
from sinks.refusal import RefusedRow, Row, letter_of, lines_of, rows_of, search, without

T = TypeVar("T")
Operations = Generator[Operation, Any, T]

LONGEST_PAUSE_S = 10.0
KEPT_S = 7 * 86_400
"""Rows of the ledger: as long as facts stay in their topics, and far longer than tokens are remembered."""


class ClaimLostError(Retryable):
    """Somebody else has claimed a partition since, or turned our block down: recover and go on."""


class Owner(msgspec.Struct):
    """Who writes: a new name for each recovery, so that under one name each block is done before the next begins."""

    sink: str
    name: str
    epoch: int = 0
    """Of the newest claim."""
    seq: int = 0

    def entry(self, kind: str, cut: Range) -> Entry:
        """A row of the ledger."""
        return Entry(
            self.sink, cut.place.topic, cut.place.partition, kind, self.epoch, self.name, self.seq,
            cut.first, cut.next, cut.marks_before, cut.marks_after,
        )  # fmt: skip


def write_block(owner: Owner, block: Block) -> Operations[None]:
    """Intent, verdict, data, commit.

    Raises: ClaimLostError if somebody else claimed one of the partitions: then the data is theirs to write.
    """
    owner.seq += 1
    places = [cut.place for cut in block.ranges]
    yield from _book(owner, [owner.entry("block", cut) for cut in block.ranges], f"{owner.name}/{owner.seq}")
    yield from _check_claim(owner, places)
    if (yield from _propose(owner, owner.name, owner.seq, "go")) != "go":
        raise ClaimLostError("another sink turned the block down")
    yield from _insert_tables(owner, owner.name, owner.seq, block, places)
    yield Commit({cut.place: cut.next for cut in block.ranges})


def hand_over(owner: Owner, positions: dict[Place, Position]) -> Operations[None]:
    """Note that everything before ``positions`` is done, so that whoever comes next need not look."""
    owner.seq += 1
    entries = [owner.entry("start", _standstill(place, position)) for place, position in sorted(positions.items())]
    yield from _book(owner, entries, f"{owner.name}/{owner.seq}")


def recover(owner: Owner, places: Iterable[Place]) -> Operations[dict[Place, Position]]:
    """Claim ``places``, complete or turn down what the last owners left, and say where to read on.

    ``owner`` is a fresh one. A place that was never read starts at offset 0.
    """
    wanted = sorted(places)
    yield from _claim(owner, wanted)
    last: dict[Place, Entry] = yield ReadLast(owner.sink, wanted)
    positions = {place: Position(0, {}) for place in wanted} | {p: entry.position for p, entry in last.items()}
    for name, seq in sorted({(entry.owner, entry.seq) for entry in last.values() if entry.kind == "block"}):
        verdict: str | None = yield ReadVerdict(owner.sink, name, seq)
        if verdict is None:
            verdict = yield from _propose(owner, name, seq, "void")
        if verdict == "go":
            yield from _complete(owner, name, seq, wanted)
        else:
            positions |= {p: e.before for p, e in last.items() if (e.owner, e.seq) == (name, seq)}
    yield from hand_over(owner, positions)
    return positions


def prune(owner: Owner, age_s: int = KEPT_S) -> Operations[None]:
    """Forget what is done and superseded. What a recovery asks for stays, however old (``sinks.clickhouse.ledger``)."""
    yield Prune(owner.sink, age_s)


def _claim(owner: Owner, places: Sequence[Place]) -> Operations[None]:
    while True:
        claims: dict[Place, tuple[int, str]] = yield ReadClaims(owner.sink, places)
        owner.epoch = 1 + max((epoch for epoch, _ in claims.values()), default=owner.epoch)
        owner.seq += 1
        entries = [owner.entry("claim", _standstill(place, Position(0, {}))) for place in places]
        yield from _book(owner, entries, f"{owner.name}/{owner.seq}")
        try:
            yield from _check_claim(owner, places)
        except ClaimLostError:
            # Two sinks took the same number at the same time. If we are still the owner, the next number wins.
            yield Pause(0.1)
        else:
            return


def _propose(owner: Owner, name: str, seq: int, proposal: str) -> Operations[str]:
    """Propose a verdict on block ``seq`` of ``name``, and return the one that holds.

    All proposals on a block have one token, so ClickHouse keeps the first and drops the others.
    """
    entry = Entry(owner.sink, "", 0, proposal, 0, name, seq, 0, 0, {}, {})
    yield from _book(owner, [entry], f"{name}/{seq}/verdict")
    verdict: str = yield ReadVerdict(owner.sink, name, seq)
    return verdict


def _check_claim(owner: Owner, places: Sequence[Place]) -> Operations[None]:
    claims: dict[Place, tuple[int, str]] = yield ReadClaims(owner.sink, places)
    lost = [place for place, claim in claims.items() if claim > (owner.epoch, owner.name)]
    if lost:
        raise ClaimLostError(f"{len(lost)} partitions, e.g. {lost[0]}, were claimed by another sink")


def _complete(owner: Owner, name: str, seq: int, claimed: Sequence[Place]) -> Operations[None]:
    """Insert block ``seq`` of ``name`` again, byte for byte, unless something shows that it is done."""
    newest: int = yield ReadNewest(owner.sink, name)
    if newest > seq:
        return  # its writer went on to the next block
    entries: list[Entry] = yield ReadBlock(owner.sink, name, seq)
    last: dict[Place, Entry] = yield ReadLast(owner.sink, [entry.place for entry in entries])
    if any((entry.owner, entry.seq) != (name, seq) for entry in last.values()):
        return  # whoever goes on in one of its partitions has completed it before
    parts: list[Part] = []
    for entry in sorted(entries, key=lambda entry: entry.place):
        records = yield ReadRange(entry.place, entry.first_offset, entry.next_offset)
        parts.append(recut(entry.range, records))
    yield from _check_claim(owner, claimed)  # reading may have taken long
    yield from _insert_tables(owner, name, seq, block_of(parts), claimed)


def _insert_tables(owner: Owner, writer: str, seq: int, block: Block, places: Sequence[Place]) -> Operations[None]:
    """Insert ``writer``'s block under its tokens, again and again while ``owner`` has its claim to ``places``."""
    for table, rows in block.tables.items():
        whole = Insert(table, rows, f"{owner.sink}/{writer}/{seq}/{table}")
        yield from _insert(owner, whole, block.origins[table], places)


def _insert(owner: Owner, whole: Insert, origins: Sequence[Origin], places: Sequence[Place]) -> Operations[None]:
    """Insert one table's rows; those that the server refuses for what they say become dead letters.

    The dead letters come first and have tokens of their own. What is left takes the place of the whole, under its token:
    whichever of the two gets in, by whomever, is the only one.
    """
    table, rows = whole.table, whole.rows
    left: list[Row] = []
    for pause_s in _pauses():
        outcome: Outcome = yield Insert(table, rows, whole.token)
        if outcome is True:
            return
        refused: list[RefusedRow] = []
        if isinstance(outcome, Refused) and table != DEAD_LETTERS_TABLE:
            left = left or rows_of(rows)
            refused = yield from search(table, left)
        if not refused:
            yield Pause(pause_s)
        # After a while the tokens of a block leave the server's memory; only the owner may try again.
        yield from _check_claim(owner, places)
        if refused:
            yield from _set_aside(owner, whole, refused, origins, places)
            left = without(left, refused)
            if not left:
                return
            rows = lines_of(left)


def _set_aside(
    owner: Owner, whole: Insert, refused: Sequence[RefusedRow], origins: Sequence[Origin], places: Sequence[Place]
) -> Operations[None]:
    """A dead letter for each refused row. Each has its own token, so whoever finds others later adds those only."""
    for found in refused:
        letter = letter_of(whole.table, found, origins)
        token = f"{whole.token}/refused/{found.row.number}"
        yield from _insert(owner, Insert(DEAD_LETTERS_TABLE, letter, token), (), places)


def _book(owner: Owner, entries: Sequence[Entry], token: str) -> Operations[None]:
    rows = lines(entries) + b"\n"
    for pause_s in _pauses():
        if (yield Insert(LEDGER, rows, f"{owner.sink}/{token}")) is True:
            return
        yield Pause(pause_s)


def _standstill(place: Place, position: Position) -> Range:
    return Range(place, position.next, position.next, position.marks, position.marks)


def _pauses() -> Iterator[float]:
    """Seconds between attempts: 0.1, 0.2, 0.4, ... up to the longest, for ever."""
    return (min(LONGEST_PAUSE_S, 0.1 * 2 ** min(attempt, 20)) for attempt in count())
