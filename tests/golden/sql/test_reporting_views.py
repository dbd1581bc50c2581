"""Money in the currency of reports. Every expected value here was worked out by hand from rates and amounts."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sinks.clickhouse.client import ClickHouse
from tests.support.fact_rows import put
from tests.support.shares import book

T0 = 1_790_000_000_000
"""2026-09-21 14:13:20 UTC."""
DAY = 86_400_000
D = Decimal


def rate(database: ClickHouse, base: str, quote: str, day: str, text: str, **more: Any) -> None:
    put(database, "fx_rates", {"base": base, "quote": quote, "day": day, "rate": text, "recorded_at": T0} | more)


def rules(database: ClickHouse, currency: str = "EUR", places: int = 2, max_age: int = 31, at: int = 0) -> None:
    row = {"currency": currency, "decimal_places": places, "fx_max_age_days": max_age, "recorded_at": at}
    put(database, "reporting", *[row] * 4)


def booking(conversion: str, touch: str, channel: str, credit: str, amount: str, **more: Any) -> dict[str, Any]:
    return {
        "conversion_id": conversion, "account_id": "acme", "stage": "won", "model": "linear", "currency": "USD",
        "conversion_at": T0, "touch_id": touch, "touch_at": T0 - DAY, "channel": channel, "credit": credit,
        "amount": amount, "recorded_at": T0,
    } | more  # fmt: skip


THREE = [
    booking("c1", "t1", "Email", "0.333333334", "33.34"),
    booking("c1", "t2", "Direct", "0.333333333", "33.33"),
    booking("c1", "t3", "Paid Search", "0.333333333", "33.33"),
]
"""100 USD over three touches."""
CHANNELS = (
    "SELECT channel, amount, currency, reporting_amount, reporting_currency, unconverted FROM {} ORDER BY channel"
)


def test_parts_sum_to_the_converted_value_by_largest_remainder(database: ClickHouse) -> None:
    rules(database)
    rate(database, "USD", "EUR", "2026-09-21", "0.9")
    book(database, *THREE)
    # 100 USD are 90 EUR; the parts are 30.006, 29.997 and 29.997: down to 30.00, 29.99, 29.99, and the two missing cents
    # go to the two greatest remainders.
    assert database.rows(CHANNELS.format("v_attribution_reporting")) == [
        ("Direct", D("33.33"), "USD", D("30.00"), "EUR", D(0)),
        ("Email", D("33.34"), "USD", D("30.00"), "EUR", D(0)),
        ("Paid Search", D("33.33"), "USD", D("30.00"), "EUR", D(0)),
    ]


def test_ties_go_to_the_earliest_touch(database: ClickHouse) -> None:
    rules(database, "JPY", 0)
    rate(database, "USD", "JPY", "2026-09-21", "150.5")
    book(
        database,
        booking("c1", "t1", "Later", "0.5", "1", touch_at=T0 - 5),
        booking("c1", "t2", "Earlier", "0.5", "1", touch_at=T0 - 9),
    )  # fmt: skip
    # 2 USD are 301 JPY; each part is 150.5.
    rows = database.rows("SELECT channel, reporting_amount FROM v_attribution_reporting ORDER BY channel")
    assert rows == [("Earlier", D(151)), ("Later", D(150))]


def test_a_negative_value_is_split_like_a_positive_one(database: ClickHouse) -> None:
    rules(database)
    rate(database, "USD", "EUR", "2026-09-21", "0.9")
    book(database, *({**b, "amount": "-" + b["amount"]} for b in THREE))
    rows = database.rows("SELECT channel, reporting_amount FROM v_attribution_reporting ORDER BY channel")
    assert rows == [("Direct", D("-30.00")), ("Email", D("-30.00")), ("Paid Search", D("-30.00"))]


def test_bookings_in_the_currency_of_reports_are_exact(database: ClickHouse) -> None:
    rules(database)
    rate(database, "USD", "EUR", "2026-09-18", "0.9")
    book(database, *THREE)
    rows = database.rows(
        "SELECT touch_id, amount, currency, rate, rate_day, reporting_amount FROM v_ledger_reporting ORDER BY touch_id"
    )
    friday = date(2026, 9, 18)
    assert rows == [
        ("t1", D("33.34"), "USD", D("0.9"), friday, D("30.006")),
        ("t2", D("33.33"), "USD", D("0.9"), friday, D("29.997")),
        ("t3", D("33.33"), "USD", D("0.9"), friday, D("29.997")),
    ]
    assert database.rows("SELECT sum(reporting_amount) FROM v_ledger_reporting") == [(D(90),)]


def test_a_touch_that_was_withdrawn_leaves_no_cent_behind(database: ClickHouse) -> None:
    rules(database)
    rate(database, "USD", "EUR", "2026-09-21", "0.8777")
    book(database, *THREE)
    away = {"credit": "-0.333333333", "amount": "-33.33", "recorded_at": T0 + DAY}
    book(
        database, THREE[1] | away, THREE[2] | away,
        THREE[0] | {"credit": "0.666666666", "amount": "66.66", "recorded_at": T0 + DAY},
    )  # fmt: skip
    rows = database.rows("SELECT channel, conversions, reporting_amount FROM v_attribution_reporting")
    assert rows == [("Email", D(1), D("87.77"))]


@pytest.mark.parametrize(
    ("days", "max_age", "found"),
    [(["2026-09-22"], 31, None), (["2026-08-20"], 31, None), (["2026-08-21"], 31, D("50.00")), (["2020-01-01"], 0, D("50.00")),
     (["2026-09-19", "2026-09-20", "2026-09-22"], 31, D("50.00"))],
)  # fmt: skip
def test_a_rate_holds_until_a_newer_one_but_not_longer_than_its_age(
    database: ClickHouse, days: list[str], max_age: int, found: Decimal | None
) -> None:
    rules(database, max_age=max_age)
    for day in days:
        rate(database, "USD", "EUR", day, "0.5" if day in ("2026-09-20", *days[:1]) else "0.7")
    book(database, *THREE)
    totals = "SELECT sumOrNull(reporting_amount), sum(unconverted) FROM v_attribution_reporting"
    assert database.rows(totals) == [(found, D(0) if found else D(100))]


def test_missing_rates_are_visible_and_never_zero(database: ClickHouse) -> None:
    rules(database)
    book(database, *THREE)
    won = {"account_id": "acme", "stage": "won", "occurred_at": T0, "version": 1}
    put(
        database, "conversions", won | {"conversion_id": "c1", "amount": "100", "currency": "USD"},
        won | {"conversion_id": "c2", "amount": "7", "currency": "EUR"},
        won | {"conversion_id": "c3", "amount": "0", "currency": ""},
        won | {"conversion_id": "c4", "amount": "3", "currency": ""},
    )  # fmt: skip
    rows = database.rows("SELECT channel, reporting_amount, unconverted FROM v_attribution_reporting ORDER BY channel")
    assert rows == [("Direct", None, D("33.33")), ("Email", None, D("33.34")), ("Paid Search", None, D("33.33"))]
    assert database.rows("SELECT DISTINCT reporting_amount, rate_day FROM v_ledger_reporting") == [(None, None)]
    rows = database.rows("SELECT conversion_id, reporting_amount FROM v_conversions_reporting ORDER BY conversion_id")
    assert rows == [("c1", None), ("c2", D(7)), ("c3", D(0)), ("c4", None)]
    rows = database.rows("SELECT currency, what, day, rows, amount FROM v_fx_missing ORDER BY currency")
    day = date(2026, 9, 21)
    assert rows == [("", "conversions", day, 1, D(3)), ("USD", "conversions", day, 1, D(100))]


def test_without_rules_nothing_is_converted(database: ClickHouse) -> None:
    book(database, *THREE)
    rows = database.rows("SELECT DISTINCT reporting_currency, reporting_amount FROM v_attribution_reporting")
    assert rows == [("", None)]
    assert database.rows("SELECT * FROM v_reporting") == []


def test_a_corrected_rate_restates_and_as_of_shows_what_was_reported(database: ClickHouse) -> None:
    rules(database)
    book(database, *THREE)
    rate(database, "USD", "EUR", "2026-09-21", "0.9", recorded_at=T0 + DAY)
    rate(database, "USD", "EUR", "2026-09-21", "0.8", recorded_at=T0 + 2 * DAY)

    def total(view: str) -> object:
        return database.rows(f"SELECT sumOrNull(reporting_amount) FROM {view}")[0][0]

    assert total("v_attribution_reporting") == D(80)
    assert total("v_attribution_reporting_as_of(as_of = '2026-09-21 12:00:00')") is None  # nothing was booked
    assert total("v_attribution_reporting_as_of(as_of = '2026-09-22 12:00:00')") is None  # no rate was known
    assert total("v_attribution_reporting_as_of(as_of = '2026-09-22 15:00:00')") == D(90)
    assert total("v_attribution_reporting_as_of(as_of = '2026-09-24')") == D(80)


def test_a_withdrawn_rate_is_none(database: ClickHouse) -> None:
    rules(database)
    book(database, *THREE)
    rate(database, "USD", "EUR", "2026-09-21", "0.9")
    rate(database, "USD", "EUR", "2026-09-21", "0.9", deleted=True)
    assert database.rows("SELECT * FROM v_fx_rates") == []
    assert database.rows("SELECT sum(unconverted) FROM v_attribution_reporting") == [(D(100),)]


def test_the_latest_rules_name_the_currency(database: ClickHouse) -> None:
    rules(database, "USD", at=T0)
    rules(database, "BHD", 3, at=T0 + 1)
    rate(database, "USD", "BHD", "2026-09-21", "0.37675")
    book(database, *THREE)
    # 37.675 BHD: 12.560845, 12.5570775, 12.5570775
    assert database.rows(CHANNELS.format("v_attribution_reporting")) == [
        ("Direct", D("33.33"), "USD", D("12.557"), "BHD", D(0)),
        ("Email", D("33.34"), "USD", D("12.561"), "BHD", D(0)),
        ("Paid Search", D("33.33"), "USD", D("12.557"), "BHD", D(0)),
    ]


def test_costs_are_known_as_of_any_moment_and_in_the_currency_of_reports(database: ClickHouse) -> None:
    rules(database)
    rate(database, "USD", "EUR", "2026-09-01", "0.905")
    cost = {"cost_id": "k", "day": "2026-09-21", "channel": "Paid Search", "currency": "USD"}
    put(
        database, "cost_ledger", cost | {"amount": "10.00", "standing": 1, "recorded_at": T0},
        cost | {"amount": "2.34", "recorded_at": T0 + DAY, "reason": "restated"},
        cost | {"cost_id": "m", "day": "2026-07-01", "amount": "5", "standing": 1, "recorded_at": T0},
        cost | {"cost_id": "n", "day": "2026-09-22", "amount": "0", "standing": 1, "recorded_at": T0},
        cost | {"cost_id": "o", "day": "2026-09-23", "amount": "9", "standing": 1, "recorded_at": T0},
        cost | {"cost_id": "o", "day": "2026-09-23", "amount": "-9", "standing": -1, "recorded_at": T0 + DAY},
    )  # fmt: skip
    # 12.34 USD * 0.905 = 11.1677 EUR
    assert database.rows("SELECT day, amount, reporting_amount FROM v_costs_reporting ORDER BY day") == [
        (date(2026, 7, 1), D(5), None),
        (date(2026, 9, 21), D("12.34"), D("11.17")),
        (date(2026, 9, 22), D(0), D(0)),
    ]
    rows = database.rows("SELECT day, amount FROM v_costs_as_of(as_of = '2026-09-22 10:00:00') ORDER BY day")
    assert [(d.day, amount) for d, amount in rows] == [(1, D(5)), (21, D(10)), (22, D(0)), (23, D(9))]
    assert database.rows("SELECT what, day, amount FROM v_fx_missing") == [("costs", date(2026, 7, 1), D(5))]
    assert database.rows("SELECT sum(amount) FROM v_cost_ledger WHERE reason = 'restated'") == [(D("2.34"),)]
