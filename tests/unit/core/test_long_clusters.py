"""A visitor who never pauses: however long it goes on, a hit costs the same, and late ones still find their place."""

import pytest

from tests.support.events import MINUTE, T0, page
from tests.support.stitch import Stage

HITS = 1500
"""A page a minute for 25 hours: 180 kB of hits."""
RECORD = "x\x00default/v:ann"


def played(minutes):
    """A stage that got these pages in frames of 50."""
    stage = Stage()
    events = [page(f"{n:05d}", n * MINUTE) for n in minutes]
    for begin in range(0, len(events), 50):
        stage.put(events[begin : begin + 50])
    stage.run()
    return stage


def size(stage):
    return max(len(state.encoded.get(RECORD, b"")) for state in stage.states)


def test_the_record_of_a_visitor_without_pauses_stays_bounded():
    # Hashes of 256 ids are 2 kB, entries that fill no sheet 1.4, hits before they become a chunk 16.
    assert size(played(range(HITS))) < 21_000


def test_sessions_of_a_visitor_without_pauses_end_after_24_hours():
    found = sorted(played(range(HITS)).table("sessions").values(), key=lambda s: s["started_at"])
    assert [(s["started_at"] - T0, s["page_views"]) for s in found] == [(0, 1441), (1441 * MINUTE, 59)]


@pytest.mark.parametrize("late", [[0], [700], [1441], [3, 1498], list(range(100, 200))])
def test_late_hits_of_a_long_cluster_give_what_their_order_gives(late):
    in_order = played(range(HITS))
    assert played([*(n for n in range(HITS) if n not in late), *late]).result() == in_order.result()
