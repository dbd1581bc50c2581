"""Laws of the account stage: its numbers are a pure function of the final set, and right after every record.

Every touch and conversion has a history of contents and withdrawals; messages about one thing keep their order (each
leaf speaks first in, first out), everything else is shuffled and cut into records at will.
"""

from collections import defaultdict
from contextlib import contextmanager, nullcontext
from math import exp2

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.ids import derived_id
from schemas.messages import Profile
from schemas.rules import AlertRule, Rules
from stream.core.attribution import debt, ledger
from stream.core.intent import alert_id
from tests.support import account_oracle as oracle
from tests.support.account_log import (
    ACCOUNT,
    DAY,
    START,
    AccountLog,
    LiveState,
    cancel,
    conversion,
    convert,
    put,
    touch,
    withdraw,
)

SLOT = DAY // 4
RULES = Rules(
    version="laws",
    time_decay_half_life_days=0.25,
    score_half_life_days=0.25,
    lookback_days=2,
    lookback_days_by_stage={"won": 4, "signup": 0},
    alerts=(AlertRule("hot", 10.0, 0.5), AlertRule("warm", 4.0, 0.25)),
)
EUROPEAN = {"currency": "EUR"}


@st.composite
def touch_histories(draw):
    """Contents of one touch in order; None is a withdrawal."""
    at = START + draw(st.integers(0, 28)) * SLOT
    content = st.builds(
        lambda channel, source, person, points, eligible: touch(
            f"t{at}{name}", at, channel, utm_source=source, person=person, points=points, eligible=eligible
        ),
        st.sampled_from(["Direct", "Email", "Paid Search"]),
        st.sampled_from(["", "news"]),
        st.sampled_from(["default/e:ann@acme.com", "default/v:1", ""]),
        st.sampled_from([0, 1000, 2500, 4000, 5000, 10_000, -3000]),
        st.sampled_from([True, True, True, False]),
    )
    name = draw(st.integers(0, 10_000))
    return [(at, said, "touch") for said in draw(contents(content))]


@st.composite
def contents(draw, content):
    """What is said of one thing, in order: something, something else, the same again, or None: it is withdrawn."""
    said = [draw(content)]
    for _ in range(draw(st.integers(0, 3))):
        said.append(draw(st.one_of(content, st.none(), st.sampled_from(said))))
    return said


@st.composite
def conversion_histories(draw):
    at = START + draw(st.integers(0, 30)) * SLOT
    name = f"c{draw(st.integers(0, 10_000))}"
    content = st.builds(
        lambda stage, amount, opportunity: conversion(name, at, amount, stage=stage, opportunity=opportunity),
        st.sampled_from(["won", "signup", "lead"]),
        st.sampled_from([0, 1, 9_999, 10_000, -500]),
        st.sampled_from(["", "o1"]),
    )
    return [(at, said, "conversion") for said in draw(contents(content))]


def unique(histories):
    seen = {}
    for history in histories:
        seen.setdefault(history[0][1].id, history)
    return list(seen.values())


@st.composite
def plays(draw):
    """Histories, and two ways to tell them: each a list of records of messages."""
    histories = unique(draw(st.lists(touch_histories(), max_size=9)))
    histories += unique(draw(st.lists(conversion_histories(), max_size=3)))
    return histories, draw(told(histories)), draw(told(histories))


@st.composite
def told(draw, histories):
    turns = draw(st.permutations([i for i, history in enumerate(histories) for _ in history]))
    position = defaultdict(int)
    records, record = [], []
    for moment, i in enumerate(turns):
        history = histories[i]
        step = history[position[i]]
        first = history[0][1]
        position[i] += 1
        reason = draw(st.sampled_from(["new", "changed", "moved"]))
        message = _message(step, first, START + moment, reason)
        record += [message] * draw(st.sampled_from([1, 1, 1, 2]))
        if draw(st.booleans()):
            records.append(record)
            record = []
    return [*records, record] if record else records


def _message(step, first, at, reason):
    _, content, kind = step
    if kind == "touch":
        return put(content, at=at, reason=reason) if content else withdraw(first, at=at, reason=reason)
    return convert(content, at=at, reason=reason) if content else cancel(first, at=at, reason=reason)


def final(histories, kind):
    return [h[-1][1] for h in histories if h[0][2] == kind and h[-1][1] is not None]


def named(sums):
    """Ledger sums with the synthetic touch under a name that the oracle knows."""
    return {
        tuple("unattributed" if part == derived_id("unattributed", name[1]) else part for part in name): value
        for name, value in sums.items()
    }


def played(records, rules=RULES):
    log = AccountLog(rules)
    for record in records:
        log.record(*record)
    return log


def facts(log):
    """The final rows without what says when and where they were written."""
    hidden = {"version", "_p", "_o", "_i", "fired_at", "withdrawn_at", "score", "evidence"}
    found = {}
    for table in ("accounts", "engagement", "conversions"):
        for name, row in log.latest(table).items():
            values = {f: getattr(row, f) for f in row.__struct_fields__ if f not in hidden}
            if not (values.get("deleted") or (values.get("touches") == 0 and not values.get("sign", 1))):
                found[table, name] = values
    for name, row in log.latest("alerts").items():
        if not row.withdrawn_at:
            found["alerts", name] = (row.rule, row.account_id, row.threshold)
    return found


@settings(max_examples=150, deadline=None)
@given(plays())
def test_any_order_and_partition_into_records_ends_in_the_same_numbers(play):
    _, one, other = play
    first, second = played(one), played(other)
    assert first.sums() == second.sums()
    assert facts(first) == facts(second)


@settings(max_examples=150, deadline=None)
@given(plays())
def test_the_ledger_sums_to_what_the_batch_computation_says(play):
    histories, records, _ = play
    log = played(records)
    assert named(log.sums()) == oracle.ledger(final(histories, "touch"), final(histories, "conversion"), RULES)


@settings(max_examples=100, deadline=None)
@given(plays())
def test_after_every_record_credits_sum_to_one_and_amounts_to_the_value(play):
    _, records, _ = play
    log = AccountLog(RULES)
    standing = {}
    for record in records:
        log.record(*record)
        for message in record:
            if hasattr(message, "conversion"):
                standing[message.conversion.id] = message.conversion.amount
            elif hasattr(message, "converted_at"):
                standing.pop(message.id, None)
        for (name, model), (credit, amount) in log.totals().items():
            assert credit == (1 if name in standing else 0), (name, model)
            assert amount * 100 == standing.get(name, 0), (name, model)
        assert {name for name, _ in log.totals()} >= set(standing)


@settings(max_examples=100, deadline=None)
@given(plays())
def test_scores_and_counts_are_those_of_the_final_set(play):
    histories, records, _ = play
    log = played(records)
    touches = final(histories, "touch")
    now = START + 40 * SLOT
    for row in log.latest("engagement").values():
        mine = [t for t in touches if t.person.partition(":")[2] == row.person_id]
        expected = float(oracle.score(mine, now, SLOT))
        shown = row.sign * exp2(row.log2_score - now / SLOT) if row.sign else 0.0
        assert shown == pytest.approx(expected, rel=1e-6)
        assert row.touches == len([t for t in mine if t.eligible])
    for row in log.latest("accounts").values():
        eligible = [t for t in touches if t.eligible]
        assert row.touches == len(eligible)
        assert row.people == len({t.person for t in eligible if t.person})
        assert row.first_touch_at == min((t.at for t in eligible), default=0)
        assert row.last_touch_at == max((t.at for t in eligible), default=0)
        expected = max(0.0, float(oracle.score(touches, now, SLOT)))
        shown = exp2(max(row.log2_score, -1e6) - now / SLOT)
        assert shown == pytest.approx(expected, rel=1e-6)


@settings(max_examples=150, deadline=None)
@given(plays())
def test_the_alerts_that_stand_are_those_of_the_final_set(play):
    histories, records, _ = play
    log = played(records)
    touches = final(histories, "touch")
    expected = {
        alert_id(ACCOUNT, "default", rule.name, day)
        for rule in RULES.alerts
        for day in oracle.alert_days(touches, rule, SLOT)
    }
    standing = {row.alert_id for row in log.latest("alerts").values() if not row.withdrawn_at}
    assert standing == expected


@settings(max_examples=60, deadline=None)
@given(plays(), st.integers(0, 40))
def test_rules_that_change_midway_keep_every_conversion_whole(play, when):
    histories, records, _ = play
    log = AccountLog(RULES)
    changed = Rules(
        version="newer",
        models=("linear", "first"),
        lookback_days=5,
        score_half_life_days=0.5,
        alerts=(AlertRule("hot", 3.0),),
    )
    for number, record in enumerate(records):
        if number == when:
            log.control(changed)
        log.record(*record)
    standing = {c.id: c.amount for c in final(histories, "conversion")}
    by_version = defaultdict(set)
    for name in log.sums():
        by_version[name[1]].add(name[4])
    assert set(by_version) == set(standing)
    assert all(len(versions) == 1 for versions in by_version.values())
    for (name, model), (credit, amount) in log.totals().items():
        assert credit in ({0, 1} if name in standing and model not in {"linear", "first"} else {int(name in standing)})
        assert amount * 100 == (standing.get(name, 0) if credit else 0)


@settings(max_examples=60, deadline=None)
@given(plays())
def test_withdrawing_everything_leaves_nothing(play):
    histories, records, _ = play
    log = played(records)
    gone = [withdraw(t) for t in final(histories, "touch")] + [cancel(c) for c in final(histories, "conversion")]
    if gone:
        log.record(*gone)
    assert log.sums() == {}
    assert facts(log) == {}
    # What people were told of alerts outlives them: "w".
    assert {name.partition("\0")[0] for name in log.state.encoded} <= {"rules", "terms", "h", "w"}


@settings(max_examples=100, deadline=None)
@given(plays(), st.integers(0, 20))
def test_a_cache_of_live_objects_changes_nothing_and_nothing_is_changed_unsaved(play, when):
    _, records, _ = play
    plain, live = AccountLog(RULES), AccountLog(RULES, LiveState())
    for number, record in enumerate(records):
        for log in (plain, live):
            if number == when:
                log.control(Rules(version="newer", score_half_life_days=0.5, alerts=RULES.alerts[:1]))
            log.record(*record)
        assert live.state.unsaved() == []
    assert live.state.encoded == plain.state.encoded
    assert live.sums() == plain.sums()


@contextmanager
def everything_is_large(*, when_new: bool = True):
    """Every restatement waits; what is booked for the first time does so ``when_new``."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ledger, "AT_ONCE", -1 if when_new else 1000)
        patched.setattr(ledger, "AGAIN_AT_ONCE", -1)
        patched.setattr(debt, "_PAGE", 2)
        patched.setattr(debt, "CALM", 1)
        yield


def behind(records, turns, log):
    """The ledger is behind; of what the account tells itself as much comes as ``turns`` say. Yields after each record."""
    for number, record in enumerate(records):
        log.record(*record)
        for _ in range(turns[number % len(turns)]):
            if log.waiting:
                log.record(log.waiting.pop(0))
        yield
    log.catch_up()
    yield


TURNS = st.lists(st.sampled_from([0, 0, 1, 3, 100]), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(plays(), TURNS, st.booleans())
def test_a_ledger_that_is_behind_ends_in_the_same_numbers_and_is_whole_meanwhile(play, turns, when_new):
    histories, records, _ = play
    log = AccountLog(RULES)
    with everything_is_large(when_new=when_new):
        for _ in behind(records, turns, log):
            assert {credit for credit, _ in log.totals().values()} <= {0, 1}
    assert log.waiting == []
    assert named(log.sums()) == oracle.ledger(final(histories, "touch"), final(histories, "conversion"), RULES)
    assert facts(log) == facts(played(records))
    assert "d" not in {name.partition("\0")[0] for name in log.state.encoded}


FIRST, SECOND = touch("t1", START, "Email"), touch("t2", START + SLOT, "Paid Search")
SOLD = conversion("c1", START + 2 * SLOT, 10_000, stage="won")
MOVES = {
    "first comes": put(FIRST), "first goes": withdraw(FIRST), "second comes": put(SECOND), "second goes": withdraw(SECOND),
    "sold": convert(SOLD), "taken back": cancel(SOLD),
}  # fmt: skip


@settings(max_examples=500, deadline=None)
@example([("sold", 100), ("taken back", 0), ("sold", 100), ("first comes", 0)])
@given(st.lists(st.tuples(st.sampled_from(list(MOVES)), st.sampled_from([0, 1, 100])), max_size=12))
def test_what_leaves_and_comes_back_as_it_was_while_the_ledger_is_behind_is_as_if_it_had_stayed(moves):
    """Few things, so that the same ones leave and return again and again, whatever is booked by then."""
    log = AccountLog(RULES)
    there = dict.fromkeys(("first", "second", "sold"), False)
    with everything_is_large():
        for move, turns in moves:
            log.record(MOVES[move])
            there[move.split()[0].replace("taken", "sold")] = move.endswith(("comes", "sold"))
            for _ in range(turns):
                if log.waiting:
                    log.record(log.waiting.pop(0))
        log.catch_up()
    touches = [t for t, name in ((FIRST, "first"), (SECOND, "second")) if there[name]]
    assert named(log.sums()) == oracle.ledger(touches, [SOLD] if there["sold"] else [], RULES)


SHORT, LONG = (
    Rules(version=name, models=("linear", "first"), lookback_days=days, lookback_days_by_stage={})
    for name, days in (("short", 1), ("long", 3))
)
FAR, NEAR = touch("t1", START, "Email"), touch("t2", START + DAY, "Paid Search")
DONE = conversion("c1", START + 2 * DAY, 10_000)
TURNED = {
    "far comes": put(FAR), "far goes": withdraw(FAR), "near comes": put(NEAR), "near goes": withdraw(NEAR),
    "done": convert(DONE), "undone": cancel(DONE), "short": SHORT, "long": LONG,
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@example([("far comes", 0), ("done", 0), ("long", 100), ("short", 0), ("far goes", 0)], True)
@given(st.lists(st.tuples(st.sampled_from(list(TURNED)), st.sampled_from([0, 1, 100])), max_size=14), st.booleans())
def test_what_is_booked_is_always_the_allocation_under_the_rules_that_its_rows_name(moves, large):
    """One touch that only the longer lookback reaches; a conversion is booked under either, at once or in its turn."""
    log = AccountLog(SHORT)
    there = {}
    with everything_is_large() if large else nullcontext():
        for move, turns in moves:
            what = TURNED[move]
            if isinstance(what, Rules):
                log.control(what)
            else:
                log.record(what)
                there[move.split()[0].removeprefix("un")] = move.endswith((" comes", "done")) and move != "undone"
            for _ in range(turns):
                if log.waiting:
                    log.record(log.waiting.pop(0))
        log.catch_up()
    shown = named(log.sums())
    if not there.get("done"):
        assert shown == {}
        return
    (version,) = {name[4] for name in shown}
    touches = [t for t, name in ((FAR, "far"), (NEAR, "near")) if there.get(name)]
    assert shown == oracle.ledger(touches, [DONE], {"short": SHORT, "long": LONG}[version])


@settings(max_examples=100, deadline=None)
@given(plays(), TURNS, st.integers(0, 20))
def test_a_ledger_that_is_behind_keeps_to_new_rules_and_changes_nothing_unsaved(play, turns, when):
    histories, records, _ = play
    plain, live = AccountLog(RULES), AccountLog(RULES, LiveState())
    with everything_is_large():
        for number, _ in enumerate(zip(*(behind(records, turns, log) for log in (plain, live)), strict=True)):
            if number == when:
                for log in (plain, live):
                    log.control(Rules(version="newer", models=("linear", "first"), lookback_days=5))
            assert live.state.unsaved() == []
    assert live.state.encoded == plain.state.encoded
    standing = {c.id: c.amount for c in final(histories, "conversion")}
    for (name, _), (credit, amount) in plain.totals().items():
        assert amount * 100 == (standing.get(name, 0) if credit else 0)
    assert {name[1] for name in plain.sums()} == set(standing)
    assert plain.sums() == live.sums()


@settings(max_examples=50, deadline=None)
@given(st.permutations([(1, "Old"), (2, "Acme"), (3, "Acme Inc")]))
def test_the_latest_profile_counts_in_whatever_order_they_come(order):
    log = AccountLog()
    for at, name in order:
        log.record(Profile(ACCOUNT, START, "", "", name, "acme.com", "open", "", "", at))
    (row,) = log.latest("accounts").values()
    assert (row.name, row.stage, row.deleted) == ("Acme Inc", "open", False)
