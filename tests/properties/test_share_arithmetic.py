"""C's arithmetic of shares is Python's, to the last digit, up to the bounds of 64 bits and beyond."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import money
from stream.core import compiled
from stream.core.attribution.arithmetic import fixed_texts, split, time_decay, time_decay_in_python
from stream.core.half_life import PACKED_GROWTH
from tests.support.everyday import needs_c

pytestmark = needs_c
DAY = 86_400_000
ANY = st.integers(-(2**65), 2**65)
AMOUNTS = st.one_of(st.integers(-(10**12), 10**12), st.sampled_from([0, 10**9, 2**63 - 1, -(2**63), 2**63, 2**64]), ANY)
FEW = st.sampled_from([0, 1, 2, 7])
WEIGHTS = st.one_of(FEW, st.integers(0, 2**31), st.integers(0, 2**63), st.sampled_from([2**63 - 1, 2**64]))
AGES = st.one_of(st.integers(0, 90 * DAY), st.integers(-DAY, 400 * DAY), ANY)
HALF_LIVES = st.one_of(st.integers(1, 30 * DAY), st.sampled_from([1, 7 * DAY, 2**34 - 1, 2**34]))


@given(
    AMOUNTS, st.one_of(st.lists(FEW, min_size=1, max_size=80), st.lists(WEIGHTS, min_size=1, max_size=80)).filter(any)
)
@example(2**63 - 1, [2**63 - 1] * 80)
@example(-(2**63), [1, 1])
@example(1, [2**64 - 1, 1])
def test_a_split(total, weights):
    assert split(total, tuple(weights)) == money.split(total, weights)


@pytest.mark.parametrize("weights", [(), (0,), (0, 0), (-1, 1), (1, -1)])
def test_what_cannot_be_split_is_refused(weights):
    assert compiled.native.split(5, weights) is None
    if not any(weight > 0 for weight in weights):
        with pytest.raises((ValueError, IndexError)):
            split(5, weights)


def test_other_numbers_are_left_to_python():
    assert compiled.native.split(3, (0.5, 1.0)) is None
    assert split(3, (0.5, 1.0)) == (1, 2)


@given(st.lists(AGES, min_size=1, max_size=60), HALF_LIVES)
@example([0, 33 * 7 * DAY], 7 * DAY)
@example([0, 32 * 7 * DAY], 7 * DAY)
@example([0, 32 * 7 * DAY + 1], 7 * DAY)
@example([2**61 - 1, 0], 7 * DAY)
def test_time_decay(ages, half_life):
    assert time_decay(tuple(ages), half_life) == time_decay_in_python(ages, half_life)


def test_what_is_usual_is_done_in_c():
    decay = compiled.native.Decay(half_life_ms=7 * DAY, growth=PACKED_GROWTH)

    assert decay.weights((7 * DAY, 0)) == (2**30, 2**31)
    assert decay.weights((2**70,)) is None
    assert compiled.native.split(100, (1, 1, 1)) == (34, 33, 33)
    assert compiled.native.fixed_texts((-5, 12345), 2) == ["-0.05", "123.45"]


@given(st.lists(AMOUNTS, max_size=40), st.sampled_from([0, 2, 3, 4, 9, 18, 19]))
@example([0, -1, 10**18, -(10**18)], 18)
def test_texts(numbers, places):
    assert fixed_texts(numbers, places) == [money.fixed_text(number, places) for number in numbers]
    assert fixed_texts(tuple(numbers), places) == fixed_texts(numbers, places)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda c: c.split(1, [1]),
        lambda c: c.split(1),
        lambda c: c.fixed_texts(5, 2),
        lambda c: c.fixed_texts((), "2"),
        lambda c: c.Decay(half_life_ms=0, growth=PACKED_GROWTH),
        lambda c: c.Decay(half_life_ms=1, growth=()),
        lambda c: c.Decay(half_life_ms=1, growth=(b"", b"", b"")),
        lambda c: c.Decay(half_life_ms=1, growth=PACKED_GROWTH).weights([1]),
    ],
)
def test_what_is_no_such_thing_is_told(wrong):
    with pytest.raises((TypeError, ValueError)):
        wrong(compiled.native)
