"""Times as senders write them."""

import pytest

from stream.collect.clock import moment


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1783050220450", 1_783_050_220_450),  # as a basic ISO time it would be 1783-05-02, 04:50
        ("1701011234567", 1_701_011_234_567),
        ("1795219200000", 1_795_219_200_000),
        ("1783050220", 1_783_050_220_000),
        ("1700000000.123", 1_700_000_000_123),
        ("1521233195.375656", 1_521_233_195_375),
        ("1783050220450.5", 1_783_050_220_450),
    ],
)
def test_digits_are_an_epoch_time_even_where_they_read_as_a_date_long_ago(text, ms):
    assert moment(text) == ms


@pytest.mark.parametrize(
    "text",
    ["17000.5", "1700000000.", ".5", "1700000000,5", "-1700000000.5", "1700000000.5s", "1" * 10 + "." + "1" * 40],
)
def test_other_numbers_as_text_are_no_times(text):
    assert moment(text) is None


def test_a_basic_iso_date_is_a_date():
    assert moment("20260502") == 1_777_680_000_000


def test_a_real_date_long_ago_stays_one():
    assert moment("1783-05-02T04:50:00Z") == -5_890_648_200_000
