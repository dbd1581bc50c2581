"""Whatever crashes, whoever else writes: each row once."""

from base64 import b64decode
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import DEAD_LETTERS_TABLE as LETTERS
from schemas.facts import DeadLetterRow
from sinks.operations import LEDGER, Insert
from sinks.ranges import Place
from sinks.refusal import MOST_REFUSED
from tests.simulation.sink.world import FakeClickHouse, Log, Sink, World, log_of

FRAMES = [0, 1, 2, 2, 3, 1, 2, 3, 4, 5, 5, 6]
"""Outputs of frames 1 to 3 and 5 were sent again."""


REFUSED = (2, 5)
"""Frames with rows that ClickHouse does not take."""


def rows(database: FakeClickHouse) -> dict[str, Counter[bytes]]:
    """What is in the tables; of dead letters, the table and row that they are of."""
    found = {table: Counter(lines) for table, lines in database.lines.items() if table not in (LEDGER, LETTERS)}
    letters = [msgspec.json.decode(line, type=DeadLetterRow) for line in database.lines.get(LETTERS, [])]
    addresses = {(letter._p, letter._o, letter._i) for letter in letters}
    assert len(addresses) == len(letters), "v_audit_duplicates would count them"
    bodies = Counter(letter.detail.split(":")[0].encode() + b64decode(letter.body) for letter in letters)
    return found | ({LETTERS: bodies} if letters else {})


def expected(log: Log) -> dict[str, Counter[bytes]]:
    once: dict[str, set[bytes]] = {"events": set(), "email": set(), LETTERS: set()}
    for records in log.values():
        for record in records:
            lines = record.value.splitlines()[1:]
            for table, some in (("events", lines[:2]), ("email", lines[2:])):
                for line in some:
                    refused = b'"_i":-' in line
                    once[LETTERS if refused else table].add(table.encode() + line if refused else line)
    return {table: Counter(lines) for table, lines in once.items() if lines}


@pytest.mark.parametrize("refused", [(), REFUSED])
def test_crash_at_every_effect_before_and_after_it_writes_each_row_once(refused) -> None:
    log = log_of(2, FRAMES, refused=refused)
    crashes = 0
    for at in range(500):
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


@pytest.mark.parametrize("refused", [(), REFUSED])
def test_zombie_waking_at_every_effect_writes_nothing_twice(refused) -> None:
    log = log_of(2, FRAMES, refused=refused)
    for asleep_from in range(300 if refused else 120):
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
    refused=st.sets(st.integers(0, 6), max_size=3),
)
def test_sinks_that_fight_over_partitions_write_each_row_once(moves, cuts, frames, refused) -> None:
    log = log_of(4, [*range(3), *frames], refused=refused)
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
    test_crash_at_every_effect_before_and_after_it_writes_each_row_once(())
    test_zombie_waking_at_every_effect_writes_nothing_twice(())
    test_sinks_that_fight_over_partitions_write_each_row_once()


def test_rows_that_are_taken_after_all_are_there_once_at_most_and_never_nowhere() -> None:
    """Somebody changes the table while a sink looks for the rows that it refuses, and the sink dies."""
    log = log_of(2, FRAMES, refused=REFUSED)
    moved = 0
    for at in range(500):
        database = FakeClickHouse()
        world = World(log, database)
        sink = Sink(log, "a", sorted(log), [3, 1, 4])
        alive = all(world.turn(sink) for _ in range(at))
        sink.crash()
        database.lenient = True
        world.drain(Sink(log, "b", sorted(log), [2, 5]))
        found = rows(database)
        letters = found.pop(LETTERS, Counter())
        assert all(times == 1 for counted in (*found.values(), letters) for times in counted.values())
        there = {table: set(lines) for table, lines in found.items()}
        for table in ("events", "email"):
            named = {body.removeprefix(table.encode()) for body in letters if body.startswith(table.encode())}
            want = {
                line.removeprefix(table.encode()) for line in expected(log)[LETTERS] if line.startswith(table.encode())
            }
            assert there[table] | named == set(expected(log)[table]) | want
        moved += bool(letters)
        if not alive:
            break
    assert moved > 50


def test_a_block_with_too_many_refused_rows_is_the_tables_fault_and_waits_for_it() -> None:
    log = log_of(1, [*range(MOST_REFUSED + 1)], ("events",), refused=range(MOST_REFUSED + 1))
    database = FakeClickHouse()
    world = World(log, database)
    sink = Sink(log, "a", sorted(log), [len(log[Place("stitch-facts", 0)])])
    for _ in range(2000):
        assert world.turn(sink)
    assert rows(database) == {}
    database.lenient = True
    world.drain(sink)
    found = rows(database)  # what had been found refused by then is a dead letter
    assert found["events"].total() + found.get(LETTERS, Counter()).total() == 2 * (MOST_REFUSED + 1)


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
