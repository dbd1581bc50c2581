"""Cells as programs and countries write them."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.cli.importing.values import BadCell, day, moment, number, parts

UTC = ZoneInfo("UTC")
VIENNA = ZoneInfo("Europe/Vienna")


@pytest.mark.parametrize(
    ("text", "decimal", "found"),
    [
        ("12", ".", "12"), ("12.50", ".", "12.50"), ("1,234.50", ".", "1234.50"), ("1,234,567", ".", "1234567"),
        ("-1,234.50", ".", "-1234.50"), ("(1,234.50)", ".", "-1234.50"), ("+7", ".", "7"), ("1e3", ".", "1e3"),
        ("$1,234.50", ".", "1234.50"), ("USD 1,234.50", ".", "1234.50"), ("1234.50 EUR", ".", "1234.50"),
        ("12,50", ",", "12.50"), ("1.234,50", ",", "1234.50"), ("1.234", ",", "1234"), ("1 234,50 €", ",", "1234.50"),
        ("1\u202f234,50", ",", "1234.50"), ("1'234.50", ".", "1234.50"), ("\u22125", ".", "-5"),
    ],
)  # fmt: skip
def test_numbers(text, decimal, found):
    assert number(text, decimal) == found


@pytest.mark.parametrize(
    ("text", "decimal"),
    [("12,50", "."), ("1.234.567", "."), ("12.50", ","), ("1,2345.0", "."), ("a lot", "."), ("", "."), ("--5", ","),
     ("1,23,456", "."), ("NaN", "."), ("0x10", "."), ("(5", "."), ("5)", ".")],
)  # fmt: skip
def test_what_could_be_read_two_ways_or_none_is_refused(text, decimal):
    with pytest.raises(BadCell):
        number(text, decimal)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_a_number_is_the_same_in_every_countrys_spelling(amount):
    american = f"{amount:,}"
    german = american.translate(str.maketrans(",.", ".,"))
    assert number(american, ".") == number(german, ",") == f"{amount}"


@pytest.mark.parametrize(
    ("text", "formats", "zone", "found"),
    [
        ("2026-01-31", (), VIENNA, "2026-01-31"),
        ("20260131", (), VIENNA, "2026-01-31"),
        ("2026-01-31T09:00:00Z", (), VIENNA, "2026-01-31T09:00:00.000Z"),
        ("2026-01-31T09:00:00.123+0100", (), UTC, "2026-01-31T08:00:00.123Z"),
        ("2026-01-31 09:00", (), VIENNA, "2026-01-31T08:00:00.000Z"),
        ("2026-07-31 09:00", (), VIENNA, "2026-07-31T07:00:00.000Z"),
        ("1/31/2026", ("%m/%d/%Y",), VIENNA, "2026-01-31"),
        ("1/31/2026 9:05 PM", ("%m/%d/%Y", "%m/%d/%Y %I:%M %p"), UTC, "2026-01-31T21:05:00.000Z"),
        ("1767261600", (), UTC, "1767261600"),
        ("1767261600000", (), UTC, "1767261600000"),
        ("1767261600.123", (), UTC, "1767261600.123"),
    ],
)
def test_times(text, formats, zone, found):
    assert moment(text, formats, zone) == found


@pytest.mark.parametrize("text", ["soon", "31.01.2026", "13/13/2026", ""])
def test_a_time_of_no_known_spelling_is_refused(text):
    with pytest.raises(BadCell, match="--date-format"):
        moment(text, ("%m/%d/%Y",), UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [("2026-01-31", "2026-01-31"), ("2026-01-31 00:00", "2026-01-31"), ("31.01.2026 00:00", "2026-01-31")],
)
def test_a_day_is_the_day_that_is_written(text, found):
    assert day(text, ("%d.%m.%Y %H:%M",), VIENNA) == found


def test_lists():
    assert parts(" a ;b;; c;", ";") == ["a", "b", "c"]
