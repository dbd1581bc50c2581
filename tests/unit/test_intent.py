"""Threshold alerts: once per warming-up, quiet for backfills, withdrawn with their touches."""

import pytest

from schemas.rules import AlertRule, Rules
from stream.core.intent import alert_id
from tests.support.account_log import ACCOUNT, DAY, START, AccountLog, put, touch, withdraw

HOUR = 3_600_000
RULES = Rules(alerts=(AlertRule("hot", 30.0, 0.5),), score_half_life_days=7)
DEMO = touch("t1", START + 10 * HOUR, "Email", type="form", points=30_000)


def standing(log):
    return [r for r in log.latest("alerts").values() if not r.withdrawn_at]


def visit(name, at, points=1.0, **fields):
    return touch(name, at, points=round(points * 1000), **fields)


def test_a_score_that_reaches_the_threshold_exactly_fires():
    log = AccountLog(RULES)
    log.record(put(DEMO, at=DEMO.at + 1000))
    (row,) = standing(log)
    assert row.alert_id == alert_id(ACCOUNT, "default", "hot", DEMO.at // DAY)
    assert (row.rule, row.rule_version, row.account_id) == ("hot", "default", "acme")
    assert (row.fired_at, row.score, row.threshold) == (DEMO.at + 1000, 30.0, 30.0)


def test_a_score_just_below_does_not_fire():
    log = AccountLog(RULES)
    log.record(put(visit("t1", START, 29.999)))
    assert standing(log) == []


def test_a_later_touch_of_the_day_does_not_decay_an_alert_away():
    log = AccountLog(RULES)
    log.record(put(DEMO))
    log.record(put(visit("t2", DEMO.at + 12 * HOUR, 0.001)))
    assert len(standing(log)) == 1
    again = AccountLog(RULES)
    again.record(put(DEMO), put(visit("t2", DEMO.at + 12 * HOUR, 0.001)))
    assert len(standing(again)) == 1


def test_the_alert_carries_its_evidence():
    log = AccountLog(RULES)
    log.record(put(visit("t0", START - 7 * DAY, 8)))
    log.record(put(visit("t2", START + HOUR, 3)), put(DEMO, at=DEMO.at + 5))
    (alert,) = log.alerts
    assert (alert.account_id, alert.account_name, alert.fired_at, alert.withdrawn_at) == (
        "acme",
        "acme",
        DEMO.at + 5,
        0,
    )
    assert [(t.touch_id, t.points, t.type) for t in alert.evidence.touches] == [
        ("t1", 30.0, "form"),
        ("t2", 3.0, "session"),
    ]
    assert alert.evidence.touches[0].person_id == "ann@acme.com"
    assert alert.evidence.score_before == 4.0
    # Ages of 178 and 9 hours at a half-life of 168.
    assert alert.score == pytest.approx(8 * 2 ** (-178 / 168) + 3 * 2 ** (-9 / 168) + 30, abs=0.001)


def test_a_hot_account_rings_once_until_it_has_cooled_down():
    log = AccountLog(RULES)
    log.record(put(DEMO))
    log.record(put(visit("t2", DEMO.at + DAY, 30)))
    assert len(standing(log)) == 1


@pytest.mark.parametrize(("points", "alerts"), [(30.0, 2), (30.002, 1)])
def test_it_is_armed_again_when_it_has_decayed_to_the_share_and_not_above(points, alerts):
    # A half-life later 30 points are 15, exactly half of the threshold.
    log = AccountLog(RULES)
    log.record(put(visit("t1", START, points)))
    log.record(put(visit("t2", START + 7 * DAY, 30)))
    assert len(standing(log)) == alerts


def test_withdrawing_the_touches_withdraws_the_alert_and_tells():
    log = AccountLog(RULES)
    log.record(put(DEMO))
    log.record(withdraw(DEMO, at=DEMO.at + HOUR, reason="bot"))
    (row,) = log.latest("alerts").values()
    assert row.withdrawn_at == DEMO.at + HOUR
    assert [a.withdrawn_at for a in log.alerts] == [0, DEMO.at + HOUR]
    assert len({a.alert_id for a in log.alerts}) == 1


def test_an_alert_that_comes_back_has_the_same_id():
    log = AccountLog(RULES)
    log.record(put(DEMO))
    log.record(withdraw(DEMO))
    log.record(put(DEMO))
    assert len(log.latest("alerts")) == len(standing(log)) == 1


def test_who_heard_that_an_alert_is_withdrawn_hears_that_it_stands_again_however_old_it_is():
    log = AccountLog(RULES)
    log.record(put(DEMO))
    for day in (1, 2, 3):
        log.record(withdraw(DEMO, at=DEMO.at + day * DAY))
        log.record(put(DEMO, at=DEMO.at + day * DAY + HOUR))
    assert [a.withdrawn_at for a in log.alerts] == [
        0, DEMO.at + DAY, 0, DEMO.at + 2 * DAY, 0, DEMO.at + 3 * DAY, 0,
    ]  # fmt: skip
    assert {a.alert_id for a in log.alerts} == {row.alert_id for row in standing(log)}
    assert log.alerts[-1].fired_at == DEMO.at + 3 * DAY + HOUR


def test_an_alert_on_another_day_is_not_told_for_what_was_told_before():
    log = AccountLog(RULES)
    log.record(put(DEMO))
    log.record(withdraw(DEMO))
    log.record(put(visit("t2", DEMO.at + DAY, 30), at=DEMO.at + 3 * DAY))
    assert len(standing(log)) == 1
    assert len(log.alerts) == 2


def test_a_backfill_is_booked_and_sent_to_nobody():
    log = AccountLog(RULES)
    log.record(put(DEMO, at=DEMO.at + HOUR + 1))
    assert len(standing(log)) == 1
    assert log.alerts == []
    log.record(withdraw(DEMO, at=DEMO.at + HOUR + 2))
    assert log.alerts == []
    log.record(put(DEMO, at=DEMO.at + HOUR + 3))
    assert log.alerts == []


def test_a_long_session_is_fresh_as_long_as_it_goes_on():
    log = AccountLog(RULES)
    session = visit("t1", START, 31, last_at=START + 3 * HOUR)
    log.record(put(session, at=START + 3 * HOUR + 5))
    assert len(log.alerts) == 1


def test_a_late_touch_moves_the_alert_to_the_day_when_the_threshold_was_reached():
    log = AccountLog(RULES)
    log.record(put(visit("t1", START, 20)))
    log.record(put(visit("t2", START + DAY, 20)))
    (before,) = standing(log)
    log.record(put(visit("t0", START + HOUR, 15), at=START + 2 * DAY))
    (after,) = standing(log)
    assert before.alert_id == alert_id(ACCOUNT, "default", "hot", START // DAY + 1)
    assert after.alert_id == alert_id(ACCOUNT, "default", "hot", START // DAY)


def test_touches_of_one_moment_count_together():
    log = AccountLog(RULES)
    log.record(put(visit("a", START + HOUR, 35)), put(visit("b", START + HOUR, -10)))
    assert standing(log) == []


def test_a_dip_below_zero_does_not_hide_the_peak_of_the_day():
    log = AccountLog(RULES)
    log.record(put(DEMO), put(visit("t2", DEMO.at + HOUR, -25)))
    assert len(standing(log)) == 1


def test_a_new_rule_is_applied_to_an_account_at_its_next_message():
    log = AccountLog(RULES)
    log.record(put(visit("t1", START, 20)))
    log.control(Rules(version="2", alerts=(AlertRule("warm", 15.0),), score_half_life_days=7))
    log.record(put(visit("t2", START + 30 * DAY, 1)))
    (row,) = standing(log)
    assert (row.rule, row.rule_version) == ("warm", "2")
    assert row.alert_id == alert_id(ACCOUNT, "default", "warm", START // DAY)
    assert log.alerts == []
