"""Every model against vectors worked out by hand from docs/attribution.md."""

from fractions import Fraction
from typing import NamedTuple

import pytest

from schemas.money import split
from schemas.rules import MODELS
from stream.core.attribution import models

HOUR = 3_600_000
WEEK = 7 * 24 * HOUR


def shares(weights):
    return [Fraction(w, sum(weights)) for w in weights]


def percent(*parts):
    return [Fraction(str(p)) / 100 for p in parts]


class Touched(NamedTuple):
    at: int
    channel: str


def by_rule(model, channels, ages=None):
    touches = [Touched(-age, channel) for age, channel in zip(ages or [0] * len(channels), channels, strict=True)]
    return shares(models.weights(model, touches, 0, WEEK))


def test_first_gives_all_to_the_first_touch():
    assert by_rule("first", ["Email", "Direct", "Paid Search"]) == [1, 0, 0]


def test_last_gives_all_to_the_last_touch_even_if_it_is_direct():
    assert by_rule("last", ["Email", "Paid Search", "Direct"]) == [0, 0, 1]


def test_last_non_direct_passes_over_direct_at_the_end():
    assert by_rule("last_non_direct", ["Email", "Paid Search", "Direct", "Direct"]) == [0, 1, 0, 0]


def test_last_non_direct_of_direct_touches_only_is_the_last():
    assert by_rule("last_non_direct", ["Direct", "Direct"]) == [0, 1]


def test_linear_shares_evenly():
    assert by_rule("linear", ["a", "b", "c", "d"]) == percent(25, 25, 25, 25)


def test_time_decay_halves_with_every_half_life():
    # 21, 14, 7 and 0 days before: 1 : 2 : 4 : 8.
    assert by_rule("time_decay", "abcd", [3 * WEEK, 2 * WEEK, WEEK, 0]) == [Fraction(n, 15) for n in (1, 2, 4, 8)]


def test_time_decay_is_the_same_however_long_ago_the_whole_journey_was():
    near = by_rule("time_decay", "abc", [WEEK, 5 * HOUR, 0])
    far = by_rule("time_decay", "abc", [11 * WEEK, 10 * WEEK + 5 * HOUR, 10 * WEEK])
    assert near == far


def test_time_decay_between_half_lives_is_the_power_of_two():
    old, new = by_rule("time_decay", "ab", [WEEK // 2, 0])
    # 1 / (1 + sqrt 2) = sqrt 2 - 1
    assert float(old) == pytest.approx(2**0.5 - 1, abs=1e-9)
    assert old + new == 1


def test_time_decay_forgets_what_is_hundreds_of_half_lives_old():
    assert by_rule("time_decay", "ab", [10_000 * WEEK, 0]) == [0, 1]


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, [100]), (2, [50, 50]), (3, [40, 20, 40]), (4, [40, 10, 10, 40]), (6, [40, 5, 5, 5, 5, 40])],
)
def test_u_shaped_is_40_20_40(n, expected):
    assert by_rule("u_shaped", ["x"] * n) == percent(*expected)


@pytest.mark.parametrize(("n", "expected"), [(1, [100]), (2, [25, 75]), (3, [20, 20, 60]), (4, [20, 10, 10, 60])])
def test_j_shaped_favours_the_last_touch(n, expected):
    assert shares(models.j_shaped(n)) == percent(*expected)
    assert shares(models.inverse_j_shaped(n)) == percent(*reversed(expected))


def test_w_shaped_is_30_30_30_and_10_over_the_rest():
    assert shares(models.w_shaped(5, [0, 2, 4])) == percent(30, 5, 30, 5, 30)


def test_full_path_is_four_times_22_and_a_half_and_10_over_the_rest():
    assert shares(models.full_path(6, [0, 1, 3, 5])) == percent(22.5, 22.5, 5, 22.5, 5, 22.5)


def test_a_touch_with_two_milestones_gets_both_shares():
    assert shares(models.w_shaped(3, [0, 0, 2])) == percent(60, 10, 30)


def test_a_missing_milestone_is_dropped_and_the_rest_scaled_up():
    # 30 : 10 : 30
    assert shares(models.w_shaped(3, [0, None, 2])) == [Fraction(3, 7), Fraction(1, 7), Fraction(3, 7)]


def test_without_a_rest_its_share_is_dropped():
    assert shares(models.w_shaped(2, [0, 0, 1])) == [Fraction(2, 3), Fraction(1, 3)]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 100])
def test_credits_sum_to_exactly_one_in_every_model(model, n):
    touches = [Touched(i * HOUR, "Direct" if i % 3 else "Email") for i in range(n)]
    weights = models.weights(model, touches, n * HOUR, WEEK)
    assert sum(split(10**9, weights)) == 10**9
    assert sum(split(9_999, weights)) == 9_999


def test_the_cent_that_is_left_over_goes_to_the_earliest_touch():
    assert split(10_000, models.weights("linear", "abc", [2, 1, 0], WEEK)) == (3_334, 3_333, 3_333)
    assert split(-10_000, models.weights("linear", "abc", [2, 1, 0], WEEK)) == (-3_334, -3_333, -3_333)
