"""A log, a ClickHouse with tokens, and sinks that take turns, crash, lie dormant and come back."""

from collections.abc import Collection, Generator
from typing import Any

import msgspec

from schemas.address import address
from schemas.codec import json_encoder
from sinks.exactly_once import ClaimLostError, Operation, Owner, prune, recover, write_block
from sinks.operations import (
    LEDGER,
    Commit,
    Entry,
    Insert,
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
    Try,
)
from sinks.ranges import Part, Place, Position, Record, block_of

Log = dict[Place, list[Record]]


def fact(partition: int, frame: int, tables: tuple[str, ...], *, refused: bool = False) -> bytes:
    """The record of one input frame with two rows for each table. ``refused``: the last row of each is, for its ``_i``."""
    numbers = (0, -1) if refused else (0, 1)
    blocks = {
        table: b"".join(
            json_encoder.encode({"tenant": "t", "_p": partition, "_o": frame, "_i": i}) + b"\n" for i in numbers
        )
        for table in tables
    }
    return json_encoder.encode([(t, 2, len(b)) for t, b in blocks.items()]) + b"\n" + b"".join(blocks.values())


def log_of(
    partitions: int,
    frames: list[int],
    tables: tuple[str, ...] = ("events", "email"),
    refused: Collection[int] = (),
) -> Log:
    """A log whose every partition holds the outputs of ``frames``: numbers that repeat are outputs sent again.

    Of the frames in ``refused`` some rows are not taken by ClickHouse.
    """
    return {
        Place("stitch-facts", p): [
            Record(offset, fact(p, frame, tables, refused=frame in refused), address("events", p, frame, 0))
            for offset, frame in enumerate(frames)
        ]
        for p in range(partitions)
    }


class FakeClickHouse:
    """Tables as lists of lines; a token is taken once per table."""

    def __init__(self) -> None:
        self.lines: dict[str, list[bytes]] = {}
        self.tokens: dict[tuple[str, str], bytes] = {}
        self.lenient = False
        """Once true, rows are taken that were refused before: somebody changed the table."""

    def attempt(self, op: Insert | Try) -> Outcome:
        if not self.lenient and b'"_i":-' in op.rows:
            return Refused("CANNOT_PARSE_NUMBER (72) in _i")
        if isinstance(op, Insert):
            self.insert(op)
        return True

    def insert(self, op: Insert) -> None:
        known = self.tokens.get((op.table, op.token))
        if known is None:
            self.tokens[op.table, op.token] = op.rows
            self.lines.setdefault(op.table, []).extend(op.rows.splitlines())
        else:
            # Verdicts differ under one token: the first one holds. Data must not.
            assert op.table == LEDGER or self.lenient or known == op.rows, "one token, one block"

    @property
    def ledger(self) -> list[Entry]:
        return [msgspec.json.decode(line, type=Entry) for line in self.lines.get(LEDGER, [])]

    def prune(self, _op: Prune) -> None:
        """As if all rows were old."""
        ledger = self.ledger
        states = {e.place: e for e in sorted(ledger, key=_age) if e.kind in ("start", "block")}
        claims = {e.place: (e.epoch, e.owner) for e in sorted(ledger, key=_age) if e.kind == "claim"}
        kept = {(e.owner, e.seq) for e in states.values()}
        for owner in {e.owner for e in states.values()}:
            kept.add((owner, max(e.seq for e in ledger if e.kind in ("start", "block") and e.owner == owner)))
        self.lines[LEDGER] = [
            line
            for line, e in zip(self.lines.get(LEDGER, []), ledger, strict=True)
            if ((e.epoch, e.owner) in claims.values() if e.kind == "claim" else (e.owner, e.seq) in kept)
        ]

    def answer(self, op: Operation) -> Any:
        ledger = self.ledger
        match op:
            case ReadClaims(_, places):
                claims = [e for e in ledger if e.kind == "claim" and e.place in places]
                return {e.place: (e.epoch, e.owner) for e in sorted(claims, key=lambda e: (e.epoch, e.owner))}
            case ReadLast(_, places):
                states = [e for e in ledger if e.kind in ("start", "block") and e.place in places]
                return {e.place: e for e in sorted(states, key=lambda e: (e.epoch, e.owner, e.seq))}
            case ReadBlock(_, owner, seq):
                return [e for e in ledger if (e.kind, e.owner, e.seq) == ("block", owner, seq)]
            case ReadVerdict(_, owner, seq):
                verdicts = {e.kind for e in ledger if e.kind in ("go", "void") and (e.owner, e.seq) == (owner, seq)}
                return "void" if "void" in verdicts else next(iter(verdicts), None)
            case ReadNewest(_, owner):
                return max((e.seq for e in ledger if e.kind in ("start", "block") and e.owner == owner), default=0)
        raise AssertionError(op)


def _age(entry: Entry) -> tuple[int, str, int]:
    return entry.epoch, entry.owner, entry.seq


class Sink:
    """One process that believes the given places are its own."""

    def __init__(self, log: Log, name: str, places: list[Place], cuts: list[int]) -> None:
        self.log = log
        self.name = name
        self.places = places
        self.cuts = cuts
        self.lives = 0
        self.operations = self._run()
        self.reply: Any = None

    def crash(self) -> None:
        """Forget everything but which places are ours."""
        self.operations.close()
        self.operations = self._run()
        self.reply = None

    def next_operation(self) -> Operation | None:
        """The next effect, None if there is nothing to do."""
        try:
            return self.operations.send(self.reply)
        except StopIteration:
            return None
        except ClaimLostError:
            self.crash()
            return Pause(0)

    def _run(self) -> Generator[Operation, Any, None]:
        self.lives += 1
        owner = Owner("sink", f"{self.name}-{self.lives}")
        positions = yield from recover(owner, self.places)
        turn = 0
        while any(position.next < len(self.log[place]) for place, position in positions.items()):
            parts = [self._cut(place, position, turn) for place, position in sorted(positions.items())]
            turn += 1
            block = block_of(parts)
            if block.ranges:
                yield from write_block(owner, block)
                yield from prune(owner, age_s=-1)
                positions = {part.place: part.position for part in parts}

    def _cut(self, place: Place, position: Position, turn: int) -> Part:
        part = Part(place, position)
        size = self.cuts[(turn + place.partition) % len(self.cuts)]
        for record in self.log[place][position.next : position.next + size]:
            part.add(record)
        return part


class World:
    """Carries out what sinks want. ``fault``: "" works, "lost" is not done, "unknown" is done but nobody hears of it."""

    def __init__(self, log: Log, database: Any) -> None:
        self.log = log
        self.database = database

    def turn(self, sink: Sink, fault: str = "") -> bool:
        """Let ``sink`` have one effect. False if it has nothing to do."""
        op = sink.next_operation()
        sink.reply = None if op is None else self._perform(op, fault)
        return op is not None

    def _perform(self, op: Operation, fault: str) -> Any:
        match op:
            case Insert() | Try():
                outcome = fault != "lost" and self.database.attempt(op)
                return False if fault else outcome
            case ReadRange(place, first, following):
                return self.log[place][first:following]
            case Prune():
                return None if fault == "lost" else self.database.prune(op)
            case Pause() | Commit():
                return None
        return self.database.answer(op)

    def drain(self, sink: Sink, limit: int = 5_000) -> None:
        """Let ``sink`` finish in peace."""
        for _ in range(limit):
            if not self.turn(sink):
                return
        raise AssertionError("the sink does not come to an end")
