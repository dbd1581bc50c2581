"""Minor units as people and ClickHouse read them, by hand and against the decimal library."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import LARGEST, decimal_text


@pytest.mark.parametrize(
    ("units", "currency", "text"),
    [
        (0, "EUR", "0.00"),
        (1, "EUR", "0.01"),
        (-1, "EUR", "-0.01"),
        (1999, "EUR", "19.99"),
        (-123456, "USD", "-1234.56"),
        (1000, "JPY", "1000"),
        (-7, "JPY", "-7"),
        (-5, "BHD", "-0.005"),
        (12_345, "CLF", "1.2345"),
        (10**17, "EUR", "1000000000000000.00"),
    ],
)
def test_as_text(units, currency, text):
    assert decimal_text(units, currency) == text


@given(
    st.integers(-LARGEST * 10**4, LARGEST * 10**4), st.sampled_from([("JPY", 0), ("EUR", 2), ("BHD", 3), ("CLF", 4)])
)
def test_text_is_exactly_the_amount(units, currency):
    code, places = currency
    text = decimal_text(units, code)
    assert Decimal(text) == Decimal(units).scaleb(-places)
    assert len(text.partition(".")[2]) == places
