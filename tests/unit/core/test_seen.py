"""Exact dedupe: whatever is remembered is found, for 30 days, also on nodes with very many events."""

from stream.core.seen import KEEP_MS, Entry, Seen, expire, find, id_hash, remember, replace, sweep
from stream.core.state import MemoryState

NODE = "default/v:ann"


def filled(count, log_at=0):
    state, seen = MemoryState(), Seen()
    for n in range(count):
        remember(state, NODE, seen, id_hash(str(n)), log_at + n, n, 1, 2, 3, 4, n)
    return state, seen


def test_every_id_of_a_heavy_node_is_found_with_its_entry():
    state, seen = filled(1000)
    assert seen.spilled
    assert [find(state, NODE, seen, id_hash(str(n))).row_i for n in range(1000)] == list(range(1000))
    assert find(state, NODE, seen, id_hash("other")) is None


def test_a_hash_across_two_ids_is_not_found():
    state, seen = filled(2)
    assert find(state, NODE, seen, seen.hashes[4:12]) is None


def test_ids_are_kept_for_exactly_30_days_of_log_time():
    state, seen = filled(10)
    expire(seen, KEEP_MS)
    assert find(state, NODE, seen, id_hash("0")) is not None
    expire(seen, KEEP_MS + 3)
    assert [n for n in range(10) if find(state, NODE, seen, id_hash(str(n)))] == list(range(3, 10))


def test_a_tick_sweeps_what_is_due_and_nothing_else():
    state, seen = filled(600)
    sweep(state, KEEP_MS + 100)
    assert find(state, NODE, seen, id_hash("99")) is None
    assert find(state, NODE, seen, id_hash("100")) is not None
    sweep(state, 2 * KEEP_MS)
    assert state.encoded == {}


def test_replacing_keeps_the_time_of_removal_packed_and_spilled():
    state, seen = filled(600)
    for n in (0, 599):
        replace(state, NODE, seen, id_hash(str(n)), Entry(77, 1, 1, 1, 1, 9, 9))
        found = find(state, NODE, seen, id_hash(str(n)))
        assert (found.log_at, found.row_o) == (n, 9)
