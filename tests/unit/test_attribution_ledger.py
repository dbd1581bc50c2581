"""The ledger's rows: what is booked, why, and what is left alone. Amounts are 100.00 EUR unless said otherwise."""

from decimal import Decimal

import pytest

from schemas.rules import MODELS, Rules
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

SEARCH = touch("t1", START, "Organic Search")
WEBINAR = touch("t2", START + DAY, "Events")
EMAIL = touch("t3", START + 2 * DAY, "Email", utm_campaign="spring")
WON = conversion("c1", START + 3 * DAY)
OTHER = "default/a:globex"


def booked(rows, model="linear"):
    return [(r.channel, r.credit, r.amount, r.reason) for r in rows.get("ledger", []) if r.model == model]


def test_a_touch_that_comes_again_at_another_time_is_credited_at_that_time():
    moved, never = AccountLog(), AccountLog()
    for log, first in ((moved, SEARCH), (never, touch("t1", START + DAY, "Organic Search"))):
        log.record(put(first), convert(WON))
    moved.record(withdraw(SEARCH), put(touch("t1", START + DAY, "Organic Search")))
    assert moved.sums() == never.sums()


def test_late_touches_restate_and_never_add_to_the_total():
    """The stale-credit defect: 100, then 200, then 250 where old shares are only ever overwritten. Here always 100."""
    log = AccountLog()
    log.record(put(EMAIL))
    log.record(convert(WON))
    assert log.credits("linear") == {"Email": ("1", "100")}
    log.record(put(SEARCH, reason="late"))
    assert log.credits("linear") == {"Organic Search": ("0.5", "50"), "Email": ("0.5", "50")}
    log.record(put(WEBINAR, reason="late"))
    assert log.credits("linear") == {
        "Organic Search": ("0.333333334", "33.34"),
        "Events": ("0.333333333", "33.33"),
        "Email": ("0.333333333", "33.33"),
    }
    assert {amount for _, amount in log.totals().values()} == {Decimal(100)}
    trail = [(r.channel, r.amount, r.reason) for r in log.rows["ledger"] if r.model == "linear"]
    assert trail == [
        ("Email", "100.00", "new_conversion"),
        ("Email", "-50.00", "late_touch"),
        ("Organic Search", "50.00", "late_touch"),
        ("Organic Search", "-16.66", "late_touch"),
        ("Email", "-16.67", "late_touch"),
        ("Events", "33.33", "late_touch"),
    ]


def test_every_model_of_the_rules_is_booked():
    log = AccountLog()
    rows = log.record(put(SEARCH), put(EMAIL), convert(WON))
    assert {r.model for r in rows["ledger"]} == set(MODELS)
    assert log.credits("first") == {"Organic Search": ("1", "100")}
    assert log.credits("last") == {"Email": ("1", "100")}
    assert log.credits("u_shaped") == {"Organic Search": ("0.5", "50"), "Email": ("0.5", "50")}


def test_a_booking_of_many_touches_is_several_rows():
    """A row has to fit into a record of the log: with the longest campaigns 250 shares are less than 1 MB."""
    log = AccountLog()
    touches = [put(touch(f"t{i:03}", START + i, "Email")) for i in range(600)]
    rows = log.record(*touches, convert(WON))["bookings"]
    assert [len(row.touch_ids) for row in rows if row.model == "linear"] == [250, 250, 100]
    assert len({r.touch_id for r in log.rows["ledger"] if r.model == "linear"}) == 600
    assert log.totals()["c1", "linear"] == (1, 100)


def test_a_row_tells_where_it_comes_from():
    log = AccountLog()
    log.record(put(EMAIL))
    row = log.record(convert(WON, at=START + 9 * DAY))["ledger"][0]
    assert (row.tenant, row.account_id, row.conversion_id, row.stage) == ("default", "acme", "c1", "won")
    assert (row.touch_id, row.channel, row.utm_campaign) == ("t3", "Email", "spring")
    assert (row.touch_at, row.conversion_at, row.recorded_at) == (EMAIL.at, WON.at, START + 9 * DAY)
    assert (row.credit, row.amount, row.currency) == ("1.000000000", "100.00", "EUR")
    assert (row.cause_event_id, row.model_version) == ("cause-c1", "default")


def test_a_conversion_without_touches_is_unattributed_until_one_comes():
    log = AccountLog()
    log.record(convert(WON))
    assert log.credits("linear") == {"Unattributed": ("1", "100")}
    log.record(put(EMAIL))
    assert log.credits("linear") == {"Email": ("1", "100")}


def test_a_touch_at_the_moment_of_the_conversion_counts_and_one_after_it_never():
    log = AccountLog()
    log.record(convert(WON))
    rows = log.record(put(touch("t9", WON.at + 1, "Paid Search")))
    assert "ledger" not in rows
    log.record(put(touch("t8", WON.at, "Email")))
    assert log.credits("last") == {"Email": ("1", "100")}


@pytest.mark.parametrize(("stage", "days"), [("won", 365), ("lead", 180)])
def test_the_lookback_is_that_of_the_stage_and_closed_on_the_left(stage, days):
    log = AccountLog()
    late = conversion("c1", START + days * DAY, stage=stage)
    log.record(put(touch("t0", START - 1, "Paid Search")), put(SEARCH), convert(late))
    assert log.credits("linear") == {"Organic Search": ("1", "100")}


def test_a_lookback_of_zero_days_is_unlimited():
    log = AccountLog(Rules(lookback_days=0, lookback_days_by_stage={}))
    log.record(put(touch("t0", 0, "Email")), convert(WON))
    assert log.credits("linear") == {"Email": ("1", "100")}


def test_an_amount_change_books_the_difference_of_the_amounts_only():
    log = AccountLog()
    log.record(put(SEARCH), put(EMAIL), convert(WON))
    rows = log.record(convert(conversion("c1", WON.at, 12_001)))
    assert booked(rows) == [
        ("Organic Search", "0.000000000", "10.01", "amount_change"),
        ("Email", "0.000000000", "10.00", "amount_change"),
    ]


def test_a_currency_change_takes_back_the_old_currency_whole():
    log = AccountLog()
    log.record(put(EMAIL), convert(WON))
    rows = log.record(convert(conversion("c1", WON.at, 10_000, currency="JPY")))
    linear = [(r.currency, r.credit, r.amount) for r in rows["ledger"] if r.model == "linear"]
    assert linear == [("EUR", "-1.000000000", "-100.00"), ("JPY", "1.000000000", "10000")]


def test_a_withdrawn_conversion_nets_to_nothing():
    log = AccountLog()
    log.record(put(SEARCH), put(EMAIL), convert(WON))
    rows = log.record(cancel(WON))
    assert log.sums() == {}
    assert {r.reason for r in rows["ledger"]} == {"conversion_withdrawn"}
    (row,) = log.latest("conversions").values()
    assert row.deleted


def test_a_refund_is_a_conversion_with_a_negative_amount():
    log = AccountLog()
    log.record(put(SEARCH), put(WEBINAR), put(EMAIL), convert(conversion("c1", WON.at, -10_000)))
    assert [amount for _, amount in log.credits("linear").values()] == ["-33.34", "-33.33", "-33.33"]


def test_a_touch_that_moves_takes_its_credit_to_the_other_account():
    log = AccountLog()
    log.record(put(SEARCH), put(EMAIL), convert(WON))
    log.record(convert(conversion("c2", WON.at), OTHER))
    left = log.record(withdraw(SEARCH, reason="moved"))
    came = log.record(put(SEARCH, OTHER, reason="moved"))
    assert {r.reason for r in left["ledger"] + came["ledger"]} == {"touch_moved"}
    assert log.credits("linear", "c1") == {"Email": ("1", "100")}
    assert log.credits("linear", "c2") == {"Organic Search": ("1", "100")}


def test_a_conversion_that_moves_is_booked_on_the_new_account_only():
    log = AccountLog()
    log.record(put(EMAIL), convert(WON))
    rows = log.record(cancel(WON, reason="moved"), convert(WON, OTHER, reason="moved"))
    assert {r.reason for r in rows["ledger"]} == {"conversion_moved"}
    assert {name[0] for name in log.sums()} == {"globex"}
    assert {(r.account_id, r.deleted) for r in log.latest("conversions").values()} == {
        ("acme", True),
        ("globex", False),
    }


def test_a_touch_whose_channel_changes_is_taken_back_and_given_anew():
    log = AccountLog()
    log.record(put(EMAIL), convert(WON))
    rows = log.record(put(touch("t3", EMAIL.at, "Paid Search")))
    assert booked(rows) == [
        ("Email", "-1.000000000", "-100.00", "touch_changed"),
        ("Paid Search", "1.000000000", "100.00", "touch_changed"),
    ]


def test_more_points_or_another_person_of_a_touch_book_nothing():
    log = AccountLog()
    log.record(put(EMAIL), convert(WON))
    rows = log.record(put(touch("t3", EMAIL.at, utm_campaign="spring", points=9000, person="default/v:2")))
    assert "ledger" not in rows


def test_what_only_scores_is_no_touch_to_attribution_or_to_the_counts():
    log = AccountLog()
    log.record(put(SEARCH), convert(WON))
    complaint = touch("t5", START + DAY, "Email", points=-20_000, eligible=False, person="default/e:bob@acme.com")
    rows = log.record(put(complaint))
    assert "ledger" not in rows
    (account,) = rows["accounts"]
    assert (account.touches, account.people, account.last_touch_at) == (1, 1, START)
    assert account.log2_score == -1e308
    assert [(r.person_id, r.touches, r.sign) for r in rows["engagement"]] == [("bob@acme.com", 0, -1)]
    assert log.credits("linear") == {"Organic Search": ("1", "100")}


def test_equal_content_books_and_writes_nothing():
    log = AccountLog()
    log.record(put(EMAIL), convert(WON))
    assert log.record(put(EMAIL), convert(WON)) == {}


def test_what_comes_and_goes_within_a_record_books_nothing():
    log = AccountLog()
    log.record(put(EMAIL), convert(WON))
    assert log.record(put(SEARCH), withdraw(SEARCH)) == {}
    assert log.record(cancel(WON), convert(WON)) == {}


def test_a_withdrawal_of_something_unknown_is_counted_and_changes_nothing():
    log = AccountLog()
    log.record(put(EMAIL), convert(WON))
    assert log.record(withdraw(SEARCH), cancel(conversion("c7", START))) == {}
    assert log.last.counts == {"unknown_withdrawals": 2}


def test_a_touch_withdrawn_gives_its_credit_back():
    log = AccountLog()
    log.record(put(SEARCH), put(EMAIL), convert(WON))
    rows = log.record(withdraw(SEARCH, reason="bot"))
    assert booked(rows) == [
        ("Organic Search", "-0.500000000", "-50.00", "touch_withdrawn"),
        ("Email", "0.500000000", "50.00", "touch_withdrawn"),
    ]


def test_of_several_reasons_the_first_in_the_documented_order_is_written():
    log = AccountLog()
    log.record(put(EMAIL), convert(WON))
    rows = log.record(put(SEARCH), withdraw(EMAIL), convert(conversion("c1", WON.at, 500)))
    assert {r.reason for r in rows["ledger"]} == {"amount_change"}
    rows = log.record(withdraw(SEARCH), put(WEBINAR))
    assert {(r.reason, r.cause_event_id) for r in rows["ledger"]} == {("touch_withdrawn", "cause-t1")}


def test_two_conversions_share_a_late_touch_and_a_third_before_it_is_left_alone():
    log = AccountLog()
    early = conversion("c0", START + DAY // 2)
    log.record(put(SEARCH), convert(early), convert(WON), convert(conversion("c2", WON.at + DAY)))
    rows = log.record(put(WEBINAR, reason="late"))
    assert {r.conversion_id for r in rows["ledger"]} == {"c1", "c2"}


def test_new_rules_restate_a_conversion_when_it_is_next_touched_and_not_before():
    log = AccountLog(Rules(version="a", models=("linear",)))
    log.record(put(SEARCH), put(EMAIL), convert(WON))
    log.control(Rules(version="b", models=("first",)))
    assert "ledger" not in log.record(put(touch("t9", WON.at + DAY)))
    rows = log.record(put(WEBINAR))["ledger"]
    assert [(r.model, r.model_version, r.channel, r.amount) for r in rows] == [
        ("linear", "a", "Organic Search", "-50.00"),
        ("linear", "a", "Email", "-50.00"),
        ("first", "b", "Organic Search", "100.00"),
    ]


def test_the_largest_amounts_are_split_to_the_last_unit():
    log = AccountLog()
    largest = conversion("c1", WON.at, 10**17)
    log.record(put(SEARCH), put(WEBINAR), put(EMAIL), convert(largest))
    assert {amount for _, amount in log.totals().values()} == {Decimal(10**15)}


def test_the_stage_is_that_of_the_latest_opportunity_else_the_latest_conversion_else_the_profile():
    from schemas.messages import Profile

    def stage():
        return next(iter(log.latest("accounts").values())).stage

    log = AccountLog()
    log.record(Profile(ACCOUNT, START, "", "", "Acme", "acme.com", "customer", "", "", START))
    assert stage() == "customer"
    deal = conversion("c1", START, stage="open", opportunity="o1")
    log.record(convert(conversion("c2", START + DAY, stage="lead")))
    assert stage() == "lead"
    log.record(convert(deal))
    assert stage() == "open"
    for n in range(6):
        log.record(convert(conversion(f"c{n + 3}", START + n * DAY, stage="order")))
    assert stage() == "open"
    log.record(cancel(deal))
    assert stage() == "order"


def test_a_domain_account_is_called_by_its_domain_until_it_has_a_name():
    from schemas.messages import Profile

    log = AccountLog()
    domain = "default/d:acme.com"
    log.record(put(EMAIL, domain))
    (row,) = log.latest("accounts").values()
    assert (row.account_id, row.name, row.domain) == ("acme.com", "acme.com", "acme.com")
    log.record(Profile(domain, START, "", "", "Acme Inc", "", "", "", "", START))
    (row,) = log.latest("accounts").values()
    assert (row.name, row.domain) == ("Acme Inc", "acme.com")


def test_an_account_that_loses_everything_is_deleted():
    log = AccountLog()
    log.record(put(EMAIL), convert(WON))
    log.record(withdraw(EMAIL), cancel(WON))
    (row,) = log.latest("accounts").values()
    assert (row.deleted, row.touches, row.people) == (True, 0, 0)
