"""When a frame is kept open: while it fills, for a moment at most, and not again soon once that was for nothing."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.collect.pace import HELD_S, REST_S, Pace

TICK_S = 0.02
LEAST = 20
"""1,000 events a second for 20 ms."""
FLOWS = st.lists(st.one_of(st.integers(0, 60), st.just(0), st.integers(LEAST, 2000)), max_size=400)
AGES = st.floats(0, 1)


def ticks(flow: list[int], tick_s: float = TICK_S) -> Iterator[tuple[float, Pace]]:
    """The time and the pace after each tick of ``flow``, its events by tick."""
    pace = Pace(tick_s)
    for number, got in enumerate(flow, 1):
        pace.got += got
        pace.tick(number * tick_s)
        yield number * tick_s, pace


def filling(flow: list[int], tick_s: float = TICK_S) -> list[bool]:
    return [pace.filling for _, pace in ticks(flow, tick_s)]


def test_a_frame_is_kept_open_from_the_flow_on_until_it_dries_up():
    assert filling([LEAST - 1, LEAST, 500, LEAST, LEAST - 1]) == [False, True, True, True, False]


@pytest.mark.parametrize(("tick_s", "flow", "fills"), [(0.1, 99, False), (0.1, 100, True), (0.0, 0, False)])
def test_the_flow_is_a_thousand_a_second_whatever_the_tick(tick_s, flow, fills):
    assert filling([flow, flow], tick_s) == [fills, fills]


def test_once_a_frame_was_kept_open_for_nothing_none_is_for_two_seconds():
    rest = round(REST_S / TICK_S)
    assert rest == 100
    flow = [500, 0] + [500] * (rest + 10)
    assert filling(flow) == [True, False] + [False] * (rest - 1) + [True] * 11


@given(FLOWS)
def test_below_the_flow_a_frame_goes_at_its_first_tick(flow):
    for now, pace in ticks([got % LEAST for got in flow]):
        assert not pace.stays_open(now - TICK_S, now, unsafe=False)


@given(FLOWS, AGES, st.booleans())
def test_no_frame_stays_open_once_it_is_old(flow, age, unsafe):
    for now, pace in ticks(flow):
        assert not pace.stays_open(now - HELD_S - age - 1e-6, now, unsafe=unsafe)


@given(FLOWS, AGES)
def test_a_frame_whose_flow_has_dried_up_goes_at_that_tick(flow, age):
    for got, (now, pace) in zip(flow, ticks(flow), strict=True):
        if got < LEAST:
            assert not pace.stays_open(now - age, now, unsafe=False)


@given(FLOWS)
def test_frames_are_kept_open_for_nothing_once_in_two_seconds_at_most(flow):
    seen = filling(flow)
    in_vain = [at for at in range(1, len(seen)) if seen[at - 1] and not seen[at]]
    assert all(later - sooner > REST_S / TICK_S for sooner, later in pairwise(in_vain))


@given(FLOWS)
def test_the_one_before_it_keeps_a_frame_open_whatever_the_flow(flow):
    for now, pace in ticks(flow):
        assert pace.stays_open(now - HELD_S / 2, now, unsafe=True)
