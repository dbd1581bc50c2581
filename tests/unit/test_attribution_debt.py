"""What the ledger is behind with: booked once, one conversion at a time, and whole at every moment. 100.00 EUR each."""

from decimal import Decimal

import msgspec
import pytest

from schemas.messages import Owing
from schemas.rules import AlertRule, Rules
from stream.core.attribution import debt, ledger
from tests.support.account_log import (
    ACCOUNT,
    DAY,
    START,
    AccountLog,
    cancel,
    conversion,
    convert,
    put,
    touch,
    withdraw,
)

HOUR = 3_600_000
SEARCH = touch("t1", START, "Organic Search")
WEBINAR = touch("t2", START + DAY, "Events")
EMAIL = touch("t3", START + 2 * DAY, "Email")
WON = conversion("c1", START + 3 * DAY)
SOLD = conversion("c2", START + 4 * DAY)


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch):
    monkeypatch.setattr(ledger, "AT_ONCE", -1)


def linear(rows):
    return [(r.conversion_id, r.channel, r.amount, r.reason, r.recorded_at) for r in rows if r.model == "linear"]


def first_rows(log):
    """Play what the account tells itself until it begins to book."""
    while "ledger" not in (rows := log.record(log.waiting.pop(0))):
        pass
    return rows["ledger"]


def kinds(log):
    return {name.partition("\0")[0] for name in log.state.encoded}


def three_touches():
    """Booked: each has a third."""
    log = AccountLog()
    log.record(put(SEARCH), put(WEBINAR), put(EMAIL), convert(WON))
    log.catch_up()
    return log


def test_a_large_conversion_is_booked_by_a_message_of_the_accounts_own():
    log = AccountLog()
    assert "ledger" not in log.record(put(SEARCH), put(EMAIL), convert(WON))
    assert [(type(m), m.to) for m in log.waiting] == [(Owing, ACCOUNT)]
    log.catch_up()
    assert log.credits("linear") == {"Organic Search": ("0.5", "50"), "Email": ("0.5", "50")}
    assert "d" not in kinds(log)


def test_what_several_records_change_is_booked_once_with_the_first_cause_of_the_first_reason():
    log = three_touches()
    log.record(put(touch("t2", WEBINAR.at, "Paid Search"), at=START + 5 * DAY, reason="changed"))
    log.record(withdraw(SEARCH, at=START + 6 * DAY, reason="moved"))
    log.record(withdraw(EMAIL, at=START + 7 * DAY, reason="moved"))
    assert len(log.waiting) == 1
    before = len(log.rows["ledger"])
    log.catch_up()
    said = START + 6 * DAY
    assert linear(log.rows["ledger"][before:]) == [
        ("c1", "Organic Search", "-33.34", "touch_moved", said),
        ("c1", "Events", "-33.33", "touch_moved", said),
        ("c1", "Paid Search", "100.00", "touch_moved", said),
        ("c1", "Email", "-33.33", "touch_moved", said),
    ]


def test_what_is_booked_stays_whole_until_the_new_shares_are():
    log = three_touches()
    log.record(withdraw(SEARCH))
    assert log.credits("linear")["Organic Search"] == ("0.333333334", "33.34")
    assert set(log.totals().values()) == {(Decimal(1), Decimal(100))}
    log.catch_up()
    assert log.credits("linear") == {"Events": ("0.5", "50"), "Email": ("0.5", "50")}


def test_a_touch_that_leaves_and_comes_back_changes_nothing():
    log = three_touches()
    before = len(log.rows["ledger"])
    log.record(withdraw(SEARCH))
    log.record(put(SEARCH))
    log.catch_up()
    assert len(log.rows["ledger"]) == before
    assert "d" not in kinds(log)


def test_a_touch_that_leaves_after_its_conversion_did_is_taken_back_with_it():
    """The conversion is gone when the touch goes, so nothing says any more that the touch is in its window."""
    log = three_touches()
    log.record(cancel(WON, reason="moved"))
    log.record(withdraw(SEARCH, reason="moved"), withdraw(WEBINAR, reason="moved"))
    log.record(withdraw(EMAIL, reason="moved"))
    log.catch_up()
    assert log.sums() == {}
    assert {r.reason for r in log.rows["ledger"]} == {"new_conversion", "conversion_moved"}
    assert "d" not in kinds(log)


def test_a_touch_that_comes_in_the_record_in_which_the_last_conversion_goes_had_no_share_of_it():
    """Hypothesis found it: with the conversion gone, nothing in the record looked at its touches."""
    log = AccountLog()
    log.record(convert(WON))
    log.catch_up()
    assert log.credits("linear") == {"Unattributed": ("1", "100")}
    log.record(cancel(WON), put(EMAIL))
    log.catch_up()
    assert log.sums() == {}


def test_one_model_is_paid_at_a_time_and_the_other_conversion_sees_what_came_meanwhile():
    log = AccountLog()
    log.record(put(SEARCH), convert(WON), convert(SOLD))
    assert [(r.conversion_id, r.model) for r in first_rows(log)] == [("c1", "first")]
    log.record(put(EMAIL, reason="late"))
    assert len(log.waiting) == 1
    log.catch_up()
    # What c1 is being brought to was there when it began; the touch that came meanwhile is the next reason to restate it.
    assert [row[:3] for row in linear(log.rows["ledger"])] == [
        ("c1", "Organic Search", "100.00"),
        ("c2", "Organic Search", "50.00"),
        ("c2", "Email", "50.00"),
        ("c1", "Organic Search", "-50.00"),
        ("c1", "Email", "50.00"),
    ]
    for sold in ("c1", "c2"):
        assert log.credits("linear", sold) == {"Organic Search": ("0.5", "50"), "Email": ("0.5", "50")}
    assert "d" not in kinds(log)


def test_small_models_are_paid_together(monkeypatch):
    monkeypatch.setattr(ledger, "AT_ONCE", 3)
    log = AccountLog()
    log.record(put(SEARCH), put(WEBINAR), put(EMAIL), convert(WON), convert(SOLD))
    models = []
    while log.waiting:
        rows = log.record(log.waiting.pop(0)).get("ledger", [])
        models += [[(r.conversion_id, r.model) for r in rows]] if rows else []
    all_three = ["linear"] * 3, ["time_decay"] * 3, ["u_shaped"] * 3
    assert models == [
        [(sold, model) for model in part]
        for sold in ("c1", "c2")
        for part in (["first", "last", "last_non_direct"], *all_three)
    ]


def test_a_conversion_that_leaves_and_comes_back_as_it_was_keeps_its_terms():
    """It came back without the terms of the rows that it still had, and the next change could not take them back."""
    log = three_touches()
    before = len(log.rows["ledger"])
    log.record(cancel(WON))
    log.record(convert(WON))
    log.catch_up()
    assert len(log.rows["ledger"]) == before
    log.record(withdraw(SEARCH))
    log.catch_up()
    assert log.credits("linear") == {"Events": ("0.5", "50"), "Email": ("0.5", "50")}
    assert "d" not in kinds(log)


def test_nothing_is_paid_while_changes_keep_coming():
    log = three_touches()
    log.record(withdraw(SEARCH))
    for _ in range(2):
        for _ in range(debt.CALM):
            assert "ledger" not in log.record(log.waiting.pop(0))
        log.record(put(SEARCH))
        log.record(withdraw(SEARCH))
    assert len(log.waiting) == 1
    for _ in range(debt.CALM):
        assert "ledger" not in log.record(log.waiting.pop(0))
    assert "ledger" in log.record(log.waiting.pop(0))


def test_an_account_that_is_never_calm_pays_all_the_same(monkeypatch):
    monkeypatch.setattr(debt, "PATIENCE", 10)
    log = three_touches()
    log.record(withdraw(SEARCH))
    for number in range(10):
        assert "ledger" not in log.record(log.waiting.pop(0))
        log.record(put(touch(f"more{number}", START + number, "Events")))
    assert "ledger" in log.record(log.waiting.pop(0))


def test_a_conversion_that_goes_while_it_is_paid_is_taken_back_afterwards():
    log = AccountLog()
    log.record(put(SEARCH), convert(WON))
    first_rows(log)
    log.record(cancel(WON))
    log.catch_up()
    assert log.sums() == {}
    assert [row[2:4] for row in linear(log.rows["ledger"])] == [
        ("100.00", "new_conversion"),
        ("-100.00", "conversion_withdrawn"),
    ]
    assert "d" not in kinds(log)


def test_new_rules_while_it_is_paid_hold_from_its_next_change_on():
    log = AccountLog()
    log.record(put(SEARCH), convert(WON))
    first_rows(log)
    log.control(Rules(version="newer", models=("linear",)))
    log.catch_up()
    assert log.credits("u_shaped") == {"Organic Search": ("1", "100")}
    log.record(put(EMAIL))
    log.catch_up()
    shown = {name[3:5] + name[9:10]: sums for name, sums in log.sums().items()}
    half = Decimal("0.5"), Decimal(50)
    assert shown == {("linear", "newer", "Organic Search"): half, ("linear", "newer", "Email"): half}


def test_a_conversion_that_came_and_went_before_its_turn_is_never_booked():
    log = AccountLog()
    log.record(put(SEARCH), convert(WON))
    log.record(cancel(WON))
    log.catch_up()
    assert log.rows["ledger"] == []
    assert "d" not in kinds(log)


def test_new_rules_before_its_turn_take_back_what_was_booked_under_the_old_ones():
    log = three_touches()
    log.record(withdraw(SEARCH))
    log.control(Rules(version="newer", models=("first",)))
    log.catch_up()
    shown = {name[3:5] + name[9:10]: sums for name, sums in log.sums().items()}
    assert shown == {("first", "newer", "Events"): (Decimal(1), Decimal(100))}


def test_what_was_booked_under_a_longer_lookback_before_its_turn_is_taken_back_when_its_touch_goes():
    """The touch is further away than the rules of the time look, before and after; but it has a share."""
    rules = Rules(version="short", models=("linear",), lookback_days=1, lookback_days_by_stage={})
    log = AccountLog(rules)
    log.record(put(SEARCH), put(EMAIL), convert(WON))
    log.control(msgspec.structs.replace(rules, version="long", lookback_days=30))
    log.catch_up()
    assert log.credits("linear") == {"Organic Search": ("0.5", "50"), "Email": ("0.5", "50")}
    log.control(rules)
    log.record(withdraw(SEARCH))
    log.catch_up()
    assert log.credits("linear") == {"Email": ("1", "100")}
    log.record(cancel(WON))
    log.catch_up()
    assert log.sums() == {}


def test_many_changes_lie_on_pages_of_their_own(monkeypatch):
    monkeypatch.setattr(debt, "_PAGE", 2)
    log = three_touches()
    log.record(withdraw(SEARCH), withdraw(WEBINAR), withdraw(EMAIL))
    assert len([name for name in log.state.encoded if name.startswith(f"d\0{ACCOUNT}\0j\0")]) == 2
    log.catch_up()
    assert log.credits("linear") == {"Unattributed": ("1", "100")}
    assert "d" not in kinds(log)


def test_a_small_journey_is_booked_at_once(monkeypatch):
    monkeypatch.setattr(ledger, "AT_ONCE", 2)
    log = AccountLog()
    assert "ledger" in log.record(put(SEARCH), put(EMAIL), convert(WON))
    assert "ledger" not in log.record(put(WEBINAR))
    assert len(log.waiting) == 1


def test_what_is_booked_already_waits_sooner_than_what_is_new(monkeypatch):
    """A new conversion is booked once, whatever comes; what is restated may be restated with every further part of a move."""
    monkeypatch.setattr(ledger, "AT_ONCE", 1000)
    monkeypatch.setattr(ledger, "AGAIN_AT_ONCE", 1)
    log = AccountLog()
    assert "ledger" in log.record(put(SEARCH), put(WEBINAR), put(EMAIL), convert(WON))
    before = len(log.rows["ledger"])
    log.record(withdraw(SEARCH, reason="moved"))
    log.record(withdraw(WEBINAR, reason="moved"))
    log.record(withdraw(EMAIL, reason="moved"))
    assert len(log.waiting) == 1
    log.catch_up()
    assert [row[1:3] for row in linear(log.rows["ledger"][before:])] == [
        ("Organic Search", "-33.34"),
        ("Events", "-33.33"),
        ("Email", "-33.33"),
        ("Unattributed", "100.00"),
    ]


def test_a_small_journey_is_restated_at_once(monkeypatch):
    monkeypatch.setattr(ledger, "AT_ONCE", 1000)
    monkeypatch.setattr(ledger, "AGAIN_AT_ONCE", 2)
    log = AccountLog()
    log.record(put(SEARCH), convert(WON))
    assert "ledger" in log.record(put(EMAIL))
    assert log.waiting == []


def test_alerts_wait_for_the_end_of_a_move():
    """Half of a move that comes and goes fires nothing; what holds in the end fires once, and as of then."""
    log = AccountLog(Rules(alerts=(AlertRule("hot", 30.0, 0.5),), score_half_life_days=7))
    log.record(put(SEARCH), put(EMAIL), convert(WON))
    log.catch_up()
    demo = touch("demo", START + HOUR, "Email", type="form", points=30_000)
    trial = touch("trial", START + 2 * HOUR, "Email", type="form", points=30_000)
    log.record(put(demo))
    log.record(withdraw(demo))
    log.record(put(trial, at=START + 9 * HOUR))
    assert "alerts" not in log.rows
    while log.waiting:
        log.record(msgspec.structs.replace(log.waiting.pop(0), at=START + 10 * HOUR))
    (row,) = log.rows["alerts"]
    assert (row.fired_at, row.withdrawn_at) == (START + 10 * HOUR, 0)
    assert b'"trial"' in bytes(row.evidence)
    assert b'"demo"' not in bytes(row.evidence)


def test_a_touch_in_order_rings_at_once_while_the_ledger_is_behind():
    log = AccountLog(Rules(alerts=(AlertRule("hot", 30.0, 0.5),), score_half_life_days=7))
    log.record(put(SEARCH), convert(WON))
    demo = touch("demo", START + 5 * DAY, "Email", type="form", points=30_000)
    log.record(put(demo))
    assert len(log.waiting) == 1
    assert [alert.rule for alert in log.alerts] == ["hot"]


def test_a_hot_account_stays_silent_on_a_day_that_came_while_its_ledger_was_behind():
    log = AccountLog(Rules(alerts=(AlertRule("hot", 30.0, 0.5),), score_half_life_days=7))
    log.record(put(touch("demo", START, "Email", type="form", points=40_000)))
    log.record(put(touch("last", START + 2 * DAY, "Email", points=1_000)), convert(WON))
    log.record(put(touch("late", START + DAY, "Events", points=30_000)))
    log.catch_up()
    assert [row.fired_at for row in log.latest("alerts").values() if not row.withdrawn_at] == [START]


@pytest.mark.parametrize(("name", "number"), [("CALM", 6), ("PATIENCE", 3)])
def test_the_message_before_it_pays_reads_what_will_be_booked_and_changes_nothing(monkeypatch, name, number):
    monkeypatch.setattr(debt, name, number)
    read = []
    log = three_touches()
    log.record(withdraw(SEARCH))
    monkeypatch.setattr(ledger, "_read_ahead", lambda journey, _: read.append(journey.account))
    for message in range(1, number + 1):
        assert "ledger" not in log.record(log.waiting.pop(0))
        assert len(read) == (message == number)
    assert "ledger" in log.record(log.waiting.pop(0))
