"""The same laws on ClickHouse's own engine: its tokens, its reads, crashes at every kind of moment."""

import random
from typing import Any

import pytest

from schemas.codec import lines
from sinks.clickhouse.client import ClickHouse, RefusedError
from sinks.clickhouse.ledger import answer, prune
from sinks.exactly_once import Operation
from sinks.executor import _carry_out
from sinks.operations import (
    LEDGER,
    Entry,
    Insert,
    Outcome,
    Prune,
    ReadBlock,
    ReadClaims,
    ReadLast,
    ReadNewest,
    ReadVerdict,
    Refused,
    Try,
)
from sinks.ranges import Place
from tests.simulation.sink.world import FakeClickHouse, Sink, World, log_of


class Both:
    """Asks the engine and the fake, so that each vouches for the other."""

    def __init__(self, real: ClickHouse) -> None:
        self.real = real
        self.fake = FakeClickHouse()
        self.questions: set[type] = set()

    def attempt(self, op: Insert | Try) -> Outcome:
        try:
            _carry_out(self.real, op)
            said: Outcome = True
        except RefusedError as error:
            said = Refused(str(error))
        assert said == self.fake.attempt(op)
        return said

    def prune(self, op: Prune) -> None:
        prune(self.real, op.sink, op.age_s)
        self.fake.prune(op)
        assert self.real.rows(f"SELECT count() FROM {LEDGER}") == [(len(self.fake.ledger),)]

    def answer(self, op: Operation) -> Any:
        assert isinstance(op, ReadClaims | ReadLast | ReadBlock | ReadVerdict | ReadNewest)
        said, expected = answer(self.real, op), self.fake.answer(op)
        if isinstance(op, ReadBlock):
            said, expected = sorted(said, key=repr), sorted(expected, key=repr)
        assert said == expected
        self.questions.add(type(op))
        return said


@pytest.mark.parametrize("seed", range(6))
def test_fighting_and_crashing_sinks_write_each_row_once(database: ClickHouse, seed: int) -> None:
    chance = random.Random(seed)
    log = log_of(3, [0, 1, 2, 1, 2, 3, 4, 5, 4, 5, 6], refused=(2, 5))
    both = Both(database)
    world = World(log, both)
    sinks = [Sink(log, f"{name}{seed}", sorted(log), [2, 1, 3]) for name in "ab"]
    for _ in range(25):
        sink = chance.choice(sinks)
        for _ in range(chance.randrange(12)):
            world.turn(sink, chance.choice(["", "", "", "", "lost", "unknown"]))
        if chance.random() < 0.3:
            sink.places = chance.choice([sorted(log), [Place("stitch-facts", 0)], [Place("stitch-facts", 1)]])
            sink.crash()
    world.drain(Sink(log, f"z{seed}", sorted(log), [4]))
    for table in ("events", "email"):
        rows = database.rows(f"SELECT count(), uniqExact(_p, _o, _i) FROM {table}")
        assert rows == [(3 * (7 * 2 - 2), 3 * (7 * 2 - 2))]
    letters = database.rows("SELECT count(), uniqExact(_p, _o, _i), uniqExact(address) FROM dead_letters")
    assert letters == [(3 * 2 * 2,) * 3]
    assert {reason for (reason,) in database.rows("SELECT reason FROM v_dead_letters")} == {"refused"}
    assert both.questions >= {ReadClaims, ReadLast, ReadVerdict}


def test_a_block_whose_owner_went_on_is_still_known_as_done_when_old_rows_are_gone(database: ClickHouse) -> None:
    """Its tokens may be forgotten by then: taken for unfinished, it would be written again."""

    def book(kind: str, partition: int, owner: str, epoch: int, seq: int) -> None:
        place = [] if kind == "go" else ["stitch-facts"]
        entry = Entry("pruned", *(place or [""]), partition, kind, epoch, owner, seq, 0, 1, {}, {})
        database.insert(LEDGER, lines([entry]) + b"\n", f"{owner}/{seq}/{kind}/{partition}")

    for partition in (0, 1):
        book("block", partition, "first", 1, 1)
    book("go", 0, "first", 0, 1)
    book("block", 1, "first", 1, 2)
    book("go", 0, "first", 0, 2)
    book("start", 1, "second", 2, 1)
    book("start", 1, "second", 2, 5)
    prune(database, "pruned", -1)
    rest = database.rows(
        f"SELECT toString(kind), partition, owner, seq FROM {LEDGER} WHERE sink = 'pruned' ORDER BY ALL"
    )
    assert rest == [
        ("block", 0, "first", 1), ("block", 1, "first", 1), ("block", 1, "first", 2),
        ("go", 0, "first", 1), ("go", 0, "first", 2), ("start", 1, "second", 5),
    ]  # fmt: skip
    assert answer(database, ReadNewest("pruned", "first")) == 2
