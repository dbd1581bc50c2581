"""Whatever crashes, whoever else writes: each row once."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.operations import LEDGER, Insert
from sinks.ranges import Place
from tests.simulation.sink.world import FakeClickHouse, Log, Sink, World, log_of

FRAMES = [0, 1, 2, 2, 3, 1, 2, 3, 4, 5, 5, 6]
"""Outputs of frames 1 to 3 and 5 were sent again."""


def rows(database: FakeClickHouse) -> dict[str, Counter[bytes]]:
    return {table: Counter(lines) for table, lines in database.lines.items() if table != LEDGER}


def expected(log: Log) -> dict[str, Counter[bytes]]:
    once: dict[str, set[bytes]] = {"events": set(), "email": set()}
    for records in log.values():
        for record in records:
            lines = record.value.splitlines()[1:]
            once["events"] |= set(lines[:2])
            once["email"] |= set(lines[2:])
    return {table: Counter(lines) for table, lines in once.items()}


def test_crash_at_every_effect_before_and_after_it_writes_each_row_once() -> None:
    log = log_of(2, FRAMES)
    crashes = 0
    for at in range(200):
        for fault in ("lost", "unknown", ""):
            database = FakeClickHouse()
            world = World(log, database)
            sink = Sink(log, "a", sorted(log), [3, 1, 4])
            alive = all(world.turn(sink) for _ in range(at)) and world.turn(sink, fault)
            crashes += alive
            sink.crash()
            world.drain(Sink(log, "b", sorted(log), [2, 5]))
            assert rows(database) == expected(log)
        if not alive:
            break
    assert crashes > 100


def test_zombie_waking_at_every_effect_writes_nothing_twice() -> None:
    log = log_of(2, FRAMES)
    for asleep_from in range(120):
        database = FakeClickHouse()
        world = World(log, database)
        zombie = Sink(log, "a", sorted(log), [3, 1, 4])
        alive = all(world.turn(zombie) for _ in range(asleep_from))
        new = Sink(log, "b", [Place("stitch-facts", 0)], [2, 5])
        for _ in range(asleep_from % 17):
            world.turn(new)
        for _ in range(25):
            world.turn(zombie)
        zombie.operations.close()
        world.drain(new)
        world.drain(Sink(log, "c", sorted(log), [4]))
        assert rows(database) == expected(log)
        if not alive:
            break


MOVES = st.tuples(
    st.integers(0, 2), st.sampled_from(["run", "run", "run", "lost", "unknown", "crash", "assign"]), st.integers(0, 15)
)


@settings(max_examples=150, deadline=None)
@given(
    moves=st.lists(MOVES, max_size=60),
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    frames=st.lists(st.integers(0, 6), max_size=12),
)
def test_sinks_that_fight_over_partitions_write_each_row_once(moves, cuts, frames) -> None:
    log = log_of(4, [*range(3), *frames])
    log = {place: _never_back(records) for place, records in log.items()}
    database = FakeClickHouse()
    world = World(log, database)
    sinks = [Sink(log, name, sorted(log), cuts) for name in "abc"]
    for who, move, amount in moves:
        if move == "crash":
            sinks[who].crash()
        elif move == "assign":
            sinks[who].places = [place for place in sorted(log) if amount >> place.partition & 1] or sorted(log)
            sinks[who].crash()
        else:
            for _ in range(amount):
                world.turn(sinks[who], "" if move == "run" else move)
    for sink in sinks:
        sink.operations.close()
    world.drain(Sink(log, "z", sorted(log), [3]))
    assert rows(database) == expected(log)


def _never_back(records):
    """A stage sends its outputs again from some frame on, in order; it never leaves one out."""
    sent = -1
    kept = []
    for record in records:
        frame = int(record.source.split(b"/")[2])
        if frame <= sent + 1:
            kept.append(record._replace(offset=len(kept)))
            sent = max(sent, frame)
    return kept


@pytest.mark.parametrize("kind", ["claim", "verdict", "intent"])
def test_the_simulation_notices_when_a_safeguard_is_missing(kind, monkeypatch) -> None:
    """The laws above are worth something: without any one of the safeguards some schedule writes a row twice."""
    import sinks.exactly_once as subject

    def nothing(*_args):
        return
        yield

    def always(*_args):
        return "go"
        yield

    if kind == "claim":
        monkeypatch.setattr(subject, "_check_claim", nothing)
    elif kind == "verdict":
        monkeypatch.setattr(subject, "_propose", always)
    else:
        monkeypatch.setattr(subject, "_complete", nothing)
    with pytest.raises(AssertionError):
        _all_laws()


def _all_laws() -> None:
    test_crash_at_every_effect_before_and_after_it_writes_each_row_once()
    test_zombie_waking_at_every_effect_writes_nothing_twice()
    test_sinks_that_fight_over_partitions_write_each_row_once()


def test_retry_of_an_insert_is_the_same_bytes_under_the_same_token() -> None:
    log = log_of(1, FRAMES)
    sink = Sink(log, "a", sorted(log), [12])
    database = FakeClickHouse()
    world = World(log, database)
    seen: dict[str, list[Insert]] = {}
    while (op := sink.next_operation()) is not None:
        fault = ""
        if isinstance(op, Insert):
            attempts = seen.setdefault(op.token, [])
            attempts.append(op)
            fault = "unknown" if len(attempts) < 3 else ""
        sink.reply = world._perform(op, fault)
    assert all(len(attempts) == 3 and len(set(map(repr, attempts))) == 1 for attempts in seen.values())
    assert rows(database) == expected(log)
