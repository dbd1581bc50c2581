"""The same laws on ClickHouse's own engine: its tokens, its reads, crashes at every kind of moment."""

import random
from typing import Any

import pytest

from sinks.clickhouse.client import ClickHouse
from sinks.clickhouse.ledger import answer
from sinks.exactly_once import Operation
from sinks.operations import Insert, ReadBlock, ReadClaims, ReadLast, ReadNewest, ReadVerdict
from sinks.ranges import Place
from tests.simulation.sink.world import FakeClickHouse, Sink, World, log_of


class Both:
    """Asks the engine and the fake, so that each vouches for the other."""

    def __init__(self, real: ClickHouse) -> None:
        self.real = real
        self.fake = FakeClickHouse()
        self.questions: set[type] = set()

    def insert(self, op: Insert) -> None:
        self.real.insert(op.table, op.rows, op.token)
        self.fake.insert(op)

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
    log = log_of(3, [0, 1, 2, 1, 2, 3, 4, 5, 4, 5, 6])
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
        assert rows == [(3 * 7 * 2, 3 * 7 * 2)]
    assert both.questions >= {ReadClaims, ReadLast, ReadVerdict}
