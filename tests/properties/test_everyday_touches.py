"""Everyday touches have the same effects whether C takes them or Python: rows, messages and records, to the byte."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.codec import lines
from schemas.messages import (
    Conversion,
    ConversionPut,
    ConversionWithdrawn,
    Profile,
    RulesChanged,
    Touch,
    TouchPut,
    TouchWithdrawn,
)
from schemas.rules import AlertRule, Rules
from stream.core.account import control_step, frame_step, rules_of
from stream.core.everyday_touches import left_to_python, take_in_c
from stream.core.journey import Header, StoredTouch
from stream.core.state import MemoryState, key
from stream.core.step import Step
from stream.stages import store as store_module
from stream.stages.store import PartitionStore
from tests.support.everyday import needs_c

DAY = 86_400_000
START = 1_790_000_000_000
ACCOUNTS = ("default/a:acme", "default/a:acme", "default/d:bolt.example", "other/d:söme.example", "default/e:ann@home.example",
            'default/a:quo"ted', "default/u:7")  # fmt: skip
PEOPLE = (
    "default/e:ann@acme.example",
    "default/e:ann@acme.example",
    "default/u:ann@acme.example",
    "default/v:1",
    "",
    "default/u:bø",
)
RULES = (
    Rules(),
    Rules(score_half_life_days=0.3, alerts=(AlertRule("hot", 6.0, 0.5), AlertRule("warm", 2.5, 0.2))),
    Rules(score_half_life_days=180, alerts=()),
    Rules(score_half_life_days=250, alerts=(AlertRule("hot", 6.0),)),
    Rules(alerts=(AlertRule("hot", 6.0, 1.0), AlertRule("hot", 9.0))),
    Rules(alerts=(AlertRule("cold", -1.0),)),
)
"""Long half-lives, rules of one name and thresholds below zero are Python's alone."""


def touch(rng, at, calm):
    """A touch of an account; of those that are not ``calm`` some are old or odd."""
    number, odd = rng.randrange(4), rng.randrange(15 if not calm else 400)
    when = at + (rng.choice([-1, -DAY, -40 * DAY, 7, 3_600_000, -(1 << 61) + 1 - at]) if odd < 3 else 0)
    points = rng.choice([100] * 15 + [500, 1000, 4000, 0] if calm else [1000, 5000, 0, -3000, 12_000])
    return Touch(
        f"t{number}", when, rng.choice(["session", "session", "form"]),
        "Pa\\id" if odd == 4 else rng.choice(["Direct", "Direct", "Direct", "Email"]),
        rng.choice(PEOPLE[:3] if calm and odd > 20 else PEOPLE), "default/v:1",
        utm_source=rng.choice(["", "", "", "news"]), session_id="s" * number,
        points=1 << 40 if odd == 5 else -300 if odd == 6 else points,
        last_at=when + rng.randrange(3), eligible=odd != 7,
    )  # fmt: skip


def message(rng, at, calm):
    account = ACCOUNTS[rng.randrange(rng.choice([1, 3, 5]) if calm else 7)]
    kind = rng.choice(["put"] * (200 if calm else 9) + ["gone", "deal", "no deal", "profile", "nothing"])
    if kind == "put":
        return TouchPut(account, at, "e1", "new", touch(rng, at, calm))
    if kind == "gone":
        return TouchWithdrawn(account, at, "e1", "moved", f"t{rng.randrange(4)}", at)
    if kind == "deal":
        deal = Conversion("c1", at - rng.choice([0, DAY]), "won", PEOPLE[0], "default/o:1", 100, "EUR")
        return ConversionPut(account, at, "e1", "new", deal)
    if kind == "no deal":
        return ConversionWithdrawn(account, at, "e1", "new", "c1", at)
    if kind == "profile":
        names = rng.choice(["", "Acme", "Ac/më", 'A "c" me'])
        return Profile(account, at, "e1", "", names, "acme.example", names, names, names, at)
    return TouchPut(account, at, "e1")


def history(rng):
    """Records of messages, most of which come in the order of time, within a few days. Seldom long ago, or decades on."""
    calm = rng.random() < 0.8
    at, records = START + rng.choice([0] * 8 + [-START, 20 * 365 * DAY]), []
    for _ in range(rng.randint(3, 25)):
        record = []
        for _ in range(rng.choice([1, 1, 2, 4, 5 if calm else 30])):
            at += rng.choice([0, 1, 60_000, 9 * 3_600_000 if rng.random() < 0.3 else 7])
            record.append(message(rng, at, calm))
        records.append(record)
    return records


class Played:
    """A partition by one way: what it stores, and what its last step said."""

    def __init__(self, way):
        self.way, self.state, self.offset = way, MemoryState(), 0

    def step(self, rules, record):
        step = Step(self.state, rules_of(self.state), partition=3, partitions=4, offset=self.offset, at=START)
        self.offset += 1
        if rules:
            control_step(step, [RulesChanged(rules)])
        frame_step(step, lines(record), first=self.way)
        return [(table, list(rows)) for table, rows in step.rows.items()], step.sends, step.refused, step.counts


@needs_c
@settings(max_examples=600, deadline=None)
@given(st.integers(0, (1 << 64) - 1))
def test_c_and_python_have_the_same_effects(seed):
    rng = random.Random(seed)  # evenly: what is rare has to be, or C would take next to nothing
    records = history(rng)
    rules = rng.choice([*RULES[:2] * 5, *RULES])
    others, when = rng.choice([None] * 9 + [*RULES]), rng.randint(1, 9)
    left = []

    def in_c(step, frame):
        for account, own in take_in_c(step, frame):
            left.append(account)
            yield account, own

    one, other = Played(in_c), Played(left_to_python)
    for number, record in enumerate(records):
        changed = rules if number == 0 else others if number == when else None
        assert one.step(changed, record) == other.step(changed, record)
        assert one.state.encoded == other.state.encoded


@needs_c
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, (1 << 64) - 1))
def test_what_c_finds_at_hand_in_the_partitions_store_is_what_the_store_would_say(tmp_path, seed):
    """Whatever is saved, forgotten, scanned or undone between two records."""
    rng = random.Random(seed)
    one, other = Played(take_in_c), Played(left_to_python)
    with pytest.MonkeyPatch.context() as patch:
        for name, bound in {
            "_LARGE": 1,
            "_CACHED_OBJECTS": rng.choice([3, 20]),
            "_CACHED_BYTES": rng.choice([300, 3000]),
        }.items():
            patch.setattr(store_module, name, bound)
        store = one.state = PartitionStore(tmp_path / str(seed))
        saved, watched = {}, rng.choice([(), ACCOUNTS[:1], ACCOUNTS[1:4]])
        for record in history(rng):
            assert one.step(None, record) == other.step(None, record)
            for account in watched:
                assert store.scan(key("t", account, ""), StoredTouch) == other.state.scan(
                    key("t", account, ""), StoredTouch
                )
                assert store.get(key("h", account), Header) == other.state.get(key("h", account), Header)
            what = rng.choice(["nothing"] * 4 + ["savepoint", "save", "undo"])
            if what == "undo":
                store.rollback()
                other.state = MemoryState()
                for name, packed in saved.items():
                    other.state.put(name, packed)
            elif what != "nothing":
                store.savepoint()
                if what == "save":
                    store.commit(store.seal())
                saved = dict(other.state.encoded)
        store.commit(store.seal())
        assert {name: store.get_packed(name) for name in other.state.encoded} == other.state.encoded
        store.close()


@needs_c
def test_c_takes_what_is_everyday():
    """Of 40 records of one account those near the threshold are left."""
    played, left = Played(None), []

    def in_c(step, frame):
        for account, own in take_in_c(step, frame):
            left.append(step.offset)
            yield account, own

    played.way = in_c
    for number in range(40):
        at = START + number * 3_600_000
        touch = Touch(f"t{number}", at, "session", "Direct", PEOPLE[0], "default/v:1", points=1000, last_at=at)
        again = [TouchPut("default/a:acme", at, "e1", "new", touch)] * 2
        rows, _, _, _ = played.step(None, again)
        assert [table for table, _ in rows] == ["engagement", "accounts"] + ["alerts"] * (number == 30)

    assert left == [29, 30], "30 points are the threshold, and since each decays the 31st reaches it"
