"""Minor units as people and ClickHouse read them, by hand and against the decimal library."""

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import LARGEST, decimal_text, split


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


@given(
    st.integers(-(10**12), 10**12),
    st.one_of(
        st.lists(st.integers(0, 10**6), min_size=1, max_size=30),
        st.lists(st.sampled_from([0, 1, 2, 7]), min_size=1, max_size=60),
        st.lists(st.sampled_from([1, 1.0, 0.5, 3]), min_size=1, max_size=60),
    ).filter(any),
)
def test_a_split_is_the_largest_remainders(total, weights):
    """By the rule, with fractions: everybody's whole part, and one more to the largest remainders, the earliest first."""
    shares = [abs(total) * Fraction(weight) / sum(map(Fraction, weights)) for weight in weights]
    parts = [floor(share) for share in shares]
    by_remainder = sorted(range(len(weights)), key=lambda i: (parts[i] - shares[i], i))
    for i in by_remainder[: abs(total) - sum(parts)]:
        parts[i] += 1
    assert split(total, weights) == tuple(part if total >= 0 else -part for part in parts)
