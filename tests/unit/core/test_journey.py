"""What an account's header says of its touches when some of them go."""

import pytest

from schemas.messages import Touch, TouchPut, TouchWithdrawn
from stream.core.everyday_touches import left_to_python
from stream.core.journey import Header
from tests.support.account_log import ACCOUNT, START, AccountLog

HOUR = 3_600_000


def put(number, points=1000):
    at = START + number * HOUR
    touch = Touch(
        f"t{number}", at, "session", "Direct", "default/e:ann@acme.example", "default/v:1", points=points, last_at=at
    )
    return TouchPut(ACCOUNT, at, "e1", "new", touch)


def gone(number):
    at = START + number * HOUR
    return TouchWithdrawn(ACCOUNT, at, "e2", "moved", f"t{number}", at)


def counted(*records):
    """Entries, touches, newest, first and last touch in hours, after these records."""
    log = AccountLog(way=left_to_python)
    for record in records:
        log.record(*record)
    header = log.state.get("h\0" + ACCOUNT, Header)
    times = header.newest_at, header.first_touch_at, header.last_touch_at
    return header.entries, header.touches, *((at - START) // HOUR if at else None for at in times)


@pytest.mark.parametrize(
    ("withdrawn", "left"),
    [
        ([3], (2, 2, 2, 1, 2)),
        ([1], (2, 2, 3, 2, 3)),
        ([2], (2, 2, 3, 1, 3)),
        ([2, 3], (1, 1, 1, 1, 1)),
        ([3, 1], (1, 1, 2, 2, 2)),
        ([1, 2, 3], (0, 0, None, None, None)),
    ],
)
def test_first_last_and_newest_are_those_of_the_touches_that_are_left(withdrawn, left):
    begun = [put(1), put(2), put(3)]

    assert counted(begun, list(map(gone, withdrawn))) == left
    assert counted(begun, *([gone(number)] for number in withdrawn)) == left


def test_a_touch_that_is_left_is_no_news_when_it_is_told_again():
    assert counted([put(1), put(2)], [gone(2)], [put(1, points=3000)]) == (1, 1, 1, 1, 1)


def test_one_that_goes_while_another_comes():
    assert counted([put(2)], [gone(2), put(5)]) == (1, 1, 5, 5, 5)
    assert counted([put(2), put(4)], [put(1), gone(2)]) == (2, 2, 4, 1, 4)
    assert counted([put(2), put(4)], [gone(4), put(1)]) == (2, 2, 2, 1, 2)
