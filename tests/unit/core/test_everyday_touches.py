"""What is in C of the account stage: sums and powers as Python has them, nothing left in memory, failures told."""

import random
from math import log2

import msgspec
import pytest

from schemas.codec import json_encoder, state_encoder
from schemas.facts import AlertRow, EngagementRow
from schemas.ids import derived_id
from schemas.messages import Touch, TouchPut
from schemas.rules import AlertRule, Rules
from stream.core import compiled
from stream.core.account import frame_step
from stream.core.engagement import LOG2_MILLI, PersonTally, entry_unit, log2_score, pack, unpack
from stream.core.everyday_touches import first, left_to_python, take_in_c
from stream.core.frames import line_ends
from stream.core.half_life import GROWTH
from stream.core.intent import in_milli
from stream.core.journey import Header
from stream.core.state import MemoryState, asking
from stream.core.step import Step
from tests.support.everyday import blocks, needs_c
from tests.support.everyday_touches_fuzz import (
    RULES,
    SCENES,
    START,
    broken,
    byte_by_byte,
    copy_of,
    effects_of,
    fuzz,
    in_c,
    in_python,
    step_with,
)

DAY = 86_400_000
PERSON = "default/e:ann@home.example"
"""Journey of a person: no alerts, so scores may be anything."""


def put(touch_id, at, points, **fields):
    said = Touch(touch_id, at, "session", "Email", PERSON, "default/v:1", points=points, last_at=at, **fields)
    return json_encoder.encode(TouchPut(PERSON, START, "e1", "new", said))


def after(scores, message, rules):
    """What C makes of a message to a person with these sums of entries: the sum and the row. None if it leaves it."""
    state = MemoryState()
    half_life = round(rules.score_half_life_days * DAY)
    state.put(
        "h\0" + PERSON,
        Header(entries=9, newest_at=-(1 << 60), touches=9, people=1, score=pack(scores), half_life_ms=half_life),
    )
    state.put(f"p\0{PERSON}\0ann@home.example", PersonTally(9, 9, pack(scores)))
    step = Step(state, rules, partition=0, partitions=1, offset=1, at=START)
    if list(take_in_c(step, message)):
        assert effects_of(step)[1] == []
        return None
    tally = state.get(f"p\0{PERSON}\0ann@home.example", PersonTally)
    header = state.get("h\0" + PERSON, Header)
    assert header.score == tally.score == pack(unpack(tally.score)), "in the one form"
    (row,) = step.rows["engagement"]
    return unpack(tally.score), msgspec.json.decode(row, type=EngagementRow)


@needs_c
@pytest.mark.parametrize("days", [0.01, 0.3, 1, 7, 14, 90, 198])
def test_sums_and_logarithms_are_those_of_python(days):
    rules, rng = Rules(score_half_life_days=days), random.Random(days)
    half_life = round(days * DAY)
    for _ in range(300):
        at = rng.choice([rng.randrange(4_102_444_800_001), -5, 1 << 55, rng.randrange(3 * half_life), half_life])
        worth = entry_unit(at, half_life)
        points = rng.choice([-1, 1, 999, -(1 << 30) + 1, rng.randrange(1, 1 << 30)])
        bits = rng.choice([1, 31, 32, 33, 63, 64, 65, 200, 400])
        near = rng.getrandbits(bits) << max(0, worth.bit_length() - rng.randrange(1, bits + 60))
        scores = rng.choice(
            [0, near, -near, -points * worth, points * worth, (1 << bits) * worth, -(worth << 64) + 1 * worth]
        )

        total = scores + points * worth
        found = after(scores, put("t1", at, points), rules)

        if total and log2_score(total) < 1:
            assert found is None, "such scores are of 1970, and JSON might write them otherwise"
            continue
        assert found is not None
        stored, row = found
        assert stored == total
        assert row.log2_score == log2_score(total)
        assert row.sign == (total > 0) - (total < 0)


@needs_c
def test_sums_of_many_digits_are_left_to_python():
    rules = Rules(score_half_life_days=1)
    state = MemoryState()
    lines = [put(f"t{number}", number * 800 * DAY, 1001) for number in range(4)]
    left = []
    for offset, line in enumerate(lines):
        step = Step(state, rules, partition=0, partitions=1, offset=offset, at=START)

        def way(step, frame, offset=offset):
            for account, own in take_in_c(step, frame):
                left.append(offset)
                yield account, own

        frame_step(step, line, first=way)

    assert left == [0, 2, 3], "each half-life takes a bit, and there are 992"
    expected = sum(1001 * entry_unit(number * 800 * DAY, DAY) for number in range(4))
    assert unpack(state.get("h\0" + PERSON, Header).score) == expected


@needs_c
@pytest.mark.parametrize("scene", SCENES)
def test_any_single_byte_may_be_wrong(scene):
    assert byte_by_byte(scene) > 300, "else it would say little"


@needs_c
def test_random_damage_does_not_show_what_python_would_not():
    taken = fuzz(3_000, 1)

    assert min(taken.values()) > 50, "else it would say little"


@needs_c
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("damage", [[], [("cut", 60_000, 0, b"")], [("put", 20_000, 0, b" ")]])
def test_nothing_is_left_in_memory(scene, damage):
    """Whether the lines are taken, or refused early or late."""
    lines = scene.next()
    lines[2] = broken(lines[2], damage)
    for _ in range(20):
        in_c(scene.state, lines)
    before = blocks()
    for _ in range(300):
        in_c(scene.state, lines)

    assert blocks() - before < 100


class Failing(MemoryState):
    """Fails at one of its accesses, counted from 0."""

    fails_at, accesses = -1, 0

    def _count(self):
        self.accesses += 1
        if self.accesses == self.fails_at + 1:
            raise KeyError("it fails")

    def get_packed(self, name, /):
        self._count()
        return super().get_packed(name)

    def put(self, name, value, /):
        self._count()
        super().put(name, value)


@needs_c
def test_a_failure_of_the_state_is_told_and_leaves_nothing():
    scene = SCENES[1]

    def run(fails_at):
        state = Failing()
        state.encoded, state.order, state.fails_at = dict(scene.state.encoded), list(scene.state.order), fails_at
        step_with(state, scene.next(), take_in_c)
        return state.accesses

    accesses = run(-1)
    assert accesses > 10
    for _ in range(20):
        for fails_at in range(accesses):
            with pytest.raises(KeyError):
                run(fails_at)
    before = blocks()
    for _ in range(100):
        for fails_at in range(accesses):
            with pytest.raises(KeyError):
                run(fails_at)

    assert blocks() - before < 100


def journeys(**changes):
    tables = tuple(b"".join(entry.to_bytes(8, "big") for entry in table) for table in GROWTH)
    usual = {
        "half_life_ms": DAY, "half_life_days": b"1.0", "growth": tables, "rules_name": b"\xa0", "alerts": (), "log2": log2,
        "blank": state_encoder.encode(Header()), "of_thousand": LOG2_MILLI,
    }  # fmt: skip
    return compiled.native.Journeys(**usual | changes)


@needs_c
@pytest.mark.parametrize(
    "changes",
    [
        {"half_life_ms": 0},
        {"half_life_ms": 1 << 34},
        {"half_life_ms": 1 << 70},
        {"growth": (b"", b"", b"")},
        {"growth": (b"\xff" * 8192,) * 3},
        {"alerts": ((b"\xa1a", 1, 1),) * 9},
        {"alerts": ((b"\xa1a", -1, 1),)},
        {"alerts": ((b"\xa1a", 1, 1 << 31),)},
        {"alerts": ((b"\xa1a", 1),)},
        {"alerts": [(b"\xa1a", 1, 1)]},
        {"rules_name": "text"},
    ],
)
def test_rules_that_c_cannot_do_with_are_refused(changes):
    assert journeys() is not None
    with pytest.raises((ValueError, TypeError, OverflowError)):
        journeys(**changes)


@needs_c
@pytest.mark.parametrize("answer", [None, "text", 10**400])
def test_a_logarithm_that_is_none_is_told(answer):
    scene = SCENES[2]
    way = journeys(half_life_ms=14 * DAY, log2=lambda _x: answer)

    with pytest.raises((TypeError, OverflowError)):
        way.frame(b"\n".join(scene.next()), scene.state.records, ",").go_on(0, 0)


@needs_c
@pytest.mark.parametrize(
    "line", [b"{}", b'{"m":"A"}', b'{"m":"A","to":"a\\"b"}', b'{"m":"A","to":"\xff"}', b'x{"m":"A","to":"a"}']
)
def test_a_record_with_a_line_that_is_not_ours_is_all_left_to_python(line):
    whole = SCENES[0].next()

    assert in_c(SCENES[0].state, [*whole, line])[1] is False
    assert in_c(SCENES[0].state, [*whole, line])[0] == in_python(SCENES[0].state, [*whole, line])
    assert compiled.native is not None
    assert journeys().frame(b"\n".join([*whole, line]), asking(MemoryState()), ",") is None


@needs_c
@pytest.mark.parametrize("frame", [b"", b"\n", b"a", b"a\n", b"\n\na\n\n", b"a" * 100 + b"\n" + b"b" * 7])
def test_line_ends_are_counted(frame):
    assert line_ends(frame) == frame.count(b"\n")
    with pytest.raises(TypeError):
        compiled.native.line_ends("text")


@needs_c
def test_empty_lines_are_none():
    scene = SCENES[0]
    lines = scene.next()

    found, taken = in_c(scene.state, [b"", lines[0], b"", *lines[1:], b""])
    assert taken
    assert found == in_c(scene.state, lines)[0]


MIDNIGHT = START - START % DAY
"""Touches at whole days and a half-life of a day: sums are equal to the last bit."""


def said(touch_id, at, points, *, told_at=0):
    touch = Touch(touch_id, at, "session", "Email", PERSON, "default/v:1", points=points, last_at=at)
    return json_encoder.encode(TouchPut("default/a:acme", told_at or at, "e1", "new", touch))


def alerts_by(way, records, rules):
    """Each record's alerts with when they fired, and what is stored in the end."""
    state, fired = MemoryState(), []
    for offset, record in enumerate(records):
        step = Step(state, rules, partition=0, partitions=1, offset=offset, at=START)
        frame_step(step, b"\n".join(record), first=way)
        rows = [msgspec.json.decode(row, type=AlertRow) for row in step.rows.get("alerts", ())]
        fired.append([(row.rule, row.fired_at, row.withdrawn_at) for row in rows])
    return fired, state.encoded


@needs_c
@pytest.mark.parametrize(
    ("records", "fired"),
    [
        # In one record up to the threshold and down again: it was reached, whatever the day ends with.
        ([[said("t0", START, 1)], [said("t1", START + 1, 13_000), said("t2", START + 2, -9000)]], [0, 1]),
        # Decayed to exactly half of the threshold it is armed again: 12 points of yesterday are 6 today.
        ([[said("t0", MIDNIGHT, 12_000)], [said("t1", MIDNIGHT + DAY, 1000)], [said("t2", MIDNIGHT + DAY + 1, 9000)]], [1, 0, 1]),
        # A bit more than half: it is not.
        ([[said("t0", MIDNIGHT, 12_002)], [said("t1", MIDNIGHT + DAY, 1000)], [said("t2", MIDNIGHT + DAY + 1, 9000)]], [1, 0, 0]),
        # What is said and taken back within a record was not said.
        ([[said("t0", START, 1000)], [said("t0", START, 30_000), said("t0", START, 1000)]], [0, 0]),
    ],
)  # fmt: skip
def test_alerts_fire_by_the_rules(records, fired):
    rules = Rules(score_half_life_days=1, alerts=(AlertRule("hot", 12.0, 0.5),))

    found, stored = alerts_by(take_in_c, records, rules)

    assert [len(alerts) for alerts in found] == fired
    assert (found, stored) == alerts_by(left_to_python, records, rules)


@needs_c
def test_an_alert_has_the_latest_time_of_its_record_whatever_comes_last():
    rules = Rules(alerts=(AlertRule("hot", 12.0, 0.5),))
    record = [said("t1", START + 1, 20_000, told_at=START + 90), said("t2", START + 2, 20_000, told_at=START + 40)]

    assert alerts_by(take_in_c, [record], rules)[0] == [[("hot", START + 90, 0)]]


@needs_c
def test_what_changed_back_within_a_record_says_nothing():
    state = copy_of(SCENES[0].state)
    before = dict(state.encoded)
    line = SCENES[0].line(5)

    step = step_with(state, [line.replace(b'"points":1000', b'"points":2000'), line], take_in_c)

    assert step.rows == {}
    assert state.encoded == before


@needs_c
def test_days_that_were_put_off_are_left_to_python():
    state = copy_of(SCENES[0].state)
    header = state.get("h\0default/a:acme", Header)
    header.alerts_from = header.newest_day
    state.put("h\0default/a:acme", header)
    step = Step(state, RULES, partition=0, partitions=1, offset=9, at=START)

    assert len(list(take_in_c(step, SCENES[0].line(6)))) == 1


@needs_c
def test_a_score_that_does_not_change_is_not_written_anew():
    """Not even into its one form: a touch without points says nothing of it."""
    state = copy_of(SCENES[0].state)
    header = state.get("h\0default/a:acme", Header)
    shift = int.from_bytes(header.score[:4], "little") - 1
    header.score = shift.to_bytes(4, "little") + (unpack(header.score) >> shift).to_bytes(9, "little", signed=True)
    state.put("h\0default/a:acme", header)
    line = SCENES[0].line(6).replace(b'"points":1000,', b"")

    assert in_c(state, [line]) == (in_python(state, [line]), True)


@needs_c
def test_it_is_not_entered_twice():
    scene, raised = SCENES[0], []

    def again(name):
        with pytest.raises(RuntimeError, match="called by what it called"):
            taken.go_on(0, 0)
        raised.append(name)
        return scene.state.get_packed(name)

    taken = way_of(scene).frame(b"\n".join(scene.next()), scene.state.records._replace(get=again), ",")
    assert taken.go_on(0, 0)[-1] is None
    assert raised


def way_of(scene):
    rules = [
        (state_encoder.encode(a.name), in_milli(a.threshold), in_milli(a.threshold * a.rearm_share))
        for a in RULES.alerts
    ]
    known = scene.state.get("h\0" + scene.account, Header)
    return journeys(
        half_life_ms=known.half_life_ms, rules_name=state_encoder.encode(known.alert_rules), alerts=tuple(rules)
    )


@needs_c
def test_a_touch_without_its_optional_members_is_what_python_takes_it_for():
    """C has the defaults of ``Touch`` in its code."""
    state = SCENES[0].state
    line = b'{"m":"A","to":"default/a:acme","at":7,"touch":{"id":"new","at":%d,"type":"t","channel":"c","person":"","node":"n"}}'
    line = line % (START + 10**7)

    found, taken = in_c(state, [line])
    assert taken
    assert found == in_python(state, [line])


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        (b'{"m":"A","to":"default/a:acme","at":7,"to":"default/a:other"}', ["it names two accounts"]),
        (b" ", []),
        (b"\r", []),
        (b"{}", ["Object missing required field `m`"]),
    ],
)
def test_what_stages_never_write_is_refused_without_a_loss_for_others(line, refused):
    lines = SCENES[0].next()
    step = step_with(copy_of(SCENES[0].state), [lines[0], line, *lines[1:]], first)
    plain = step_with(copy_of(SCENES[0].state), lines, first)

    assert [(number, rejected.detail.partition(" `type")[0], rejected.body) for number, rejected in step.refused] == [
        (1, detail, line) for detail in refused
    ]
    assert effects_of(step)[:3] == effects_of(plain)[:3]


@needs_c
@pytest.mark.parametrize("threshold", [1e306, 1e300, 2_000_001.0])
def test_a_threshold_that_nobody_reaches_is_no_reason_to_fail(threshold):
    rules = Rules(alerts=(AlertRule("never", threshold),))
    step = Step(MemoryState(), rules, partition=0, partitions=1, offset=1, at=START)
    frame_step(step, put("t1", START, 1000))

    assert len(step.rows["engagement"]) == 1, "a person's journey has no alerts"


@needs_c
@pytest.mark.parametrize("order", [(0.0, -0.0), (-0.0, 0.0)])
def test_rules_have_their_names_whatever_was_asked_before(order):
    for share in order:
        alerts = (AlertRule("a", 30.0, share),)
        state = MemoryState()
        step = Step(state, Rules(alerts=alerts), partition=0, partitions=1, offset=1, at=START)
        frame_step(step, SCENES[0].line(0))
        name = derived_id("alerts", state_encoder.encode(alerts).hex())
        assert state.get("h\0default/a:acme", Header).alert_rules == name


@needs_c
def test_an_alert_rule_of_another_kind_is_left_to_python():
    for rules in (
        Rules(score_half_life_days=199),
        Rules(alerts=(AlertRule("a"), AlertRule("a"))),
        Rules(alerts=(AlertRule("a", -1.0),)),
    ):
        step = Step(copy_of(SCENES[0].state), rules, partition=0, partitions=1, offset=9, at=START)
        assert len(list(take_in_c(step, SCENES[0].next()[0]))) == 1
        assert effects_of(step)[1] == []
