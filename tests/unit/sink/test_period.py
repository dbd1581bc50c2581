"""When a block begins: a period after the last one; after a longer rest soon, but not before what belongs together is there."""

import pytest

from sinks.runner import GATHER_S, due_at


@pytest.mark.parametrize(
    ("first_at", "began_at", "period_s", "due"),
    [
        (100.0, 0.0, 0.5, 100.0 + GATHER_S),
        (100.2, 100.0, 0.5, 100.5),
        (100.45, 100.0, 0.5, 100.45 + GATHER_S),
        (100.0, 100.0, 0.05, 100.05),
    ],
)
def test_a_block_is_due_a_period_after_the_last_and_a_moment_after_its_first_record(first_at, began_at, period_s, due):
    assert due_at(first_at, began_at, period_s) == pytest.approx(due)
