"""Exact dedupe: whatever is remembered is found, for 30 days, also on nodes with very many events."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.seen import (
    KEEP_MS,
    SHEET_BYTES,
    Entry,
    Seen,
    find,
    forget,
    forgotten_before,
    id_hash,
    overdue,
    remember,
    replace,
    sweep,
)
from stream.core.state import MemoryState

NODE = "default/v:ann"


def filled(count, log_at=0):
    state, seen = MemoryState(), Seen()
    for n in range(count):
        remember(state, NODE, seen, id_hash(str(n)), log_at + n, n, 1, 2, 3, 4, n)
    return state, seen


def expire(state, seen, now):
    forget(state, NODE, seen, *overdue(seen, forgotten_before(now)))


def looked_up(state, seen, text, now=0):
    return find(state, NODE, seen, id_hash(text), forgotten_before(now))


def kept(state, seen, count, now=0):
    """Which of the ids from 0 on are remembered, each with its entry."""
    found = {n: looked_up(state, seen, str(n), now) for n in range(count)}
    assert all(entry is None or entry.row_i == n for n, entry in found.items())
    return [n for n, entry in found.items() if entry is not None]


def test_every_id_of_a_heavy_node_is_found_with_its_entry():
    state, seen = filled(1000)
    assert seen.spilled
    assert kept(state, seen, 1000) == list(range(1000))
    assert looked_up(state, seen, "other") is None


def test_a_hash_across_two_ids_is_not_found():
    state, seen = filled(2)
    assert find(state, NODE, seen, seen.hashes[4:12], forgotten_before(0)) is None


def test_ids_that_fill_no_sheet_are_kept_for_exactly_30_days_of_log_time():
    state, seen = filled(10)
    expire(state, seen, KEEP_MS)
    assert kept(state, seen, 10) == list(range(10))
    expire(state, seen, KEEP_MS + 3)
    assert kept(state, seen, 10) == list(range(3, 10))


def test_the_record_has_the_hash_of_each_id_and_the_entries_of_those_that_fill_no_sheet():
    state, seen = filled(32 + 32 + 5)
    assert (len(seen.hashes), len(seen.entries), len(seen.sheets)) == (69 * 8, 5 * 44, 2 * 8)
    assert [len(packed) for packed in state.encoded.values()] == [SHEET_BYTES + 4] * 2, "an array of one, and its bytes"
    assert kept(state, seen, 70) == list(range(69))


def test_an_id_on_a_sheet_is_forgotten_when_it_is_30_days_old_whatever_the_others_are():
    state, seen = filled(40)
    now = KEEP_MS + 3
    expire(state, seen, now)
    assert kept(state, seen, 40, now) == list(range(3, 40))
    remember(state, NODE, seen, id_hash("1"), now, 7, 1, 2, 3, 4, 1)
    assert looked_up(state, seen, "1", now).log_at == now, "it is as if it were new, though its sheet is still there"
    assert kept(state, seen, 40, now) == [1, *range(3, 40)]
    expire(state, seen, now + KEEP_MS)
    assert kept(state, seen, 40, now + KEEP_MS) == [1]


def test_a_log_whose_clock_is_set_back_loses_no_id_early():
    state, seen = MemoryState(), Seen()
    hour = 3_600_000
    for n in range(32):
        remember(state, NODE, seen, id_hash(str(n)), hour if n < 31 else 0, n, 1, 2, 3, 4, n)
    expire(state, seen, KEEP_MS + hour)
    assert kept(state, seen, 32, KEEP_MS + hour) == list(range(31))


def test_a_sheet_is_dropped_when_the_last_of_its_ids_is_30_days_old():
    state, seen = filled(70)
    expire(state, seen, KEEP_MS + 31)
    assert kept(state, seen, 70) == list(range(70))
    expire(state, seen, KEEP_MS + 32)
    assert kept(state, seen, 70) == list(range(32, 70))
    assert len(state.encoded) == 1, "what is forgotten is stored no more"
    for n in range(70, 110):
        remember(state, NODE, seen, id_hash(str(n)), n, n, 1, 2, 3, 4, n)
    assert kept(state, seen, 110) == list(range(32, 110))
    expire(state, seen, KEEP_MS + 98)
    assert kept(state, seen, 110) == list(range(98, 110)), "two sheets more are over, and two ids that fill none yet"
    expire(state, seen, KEEP_MS + 106)
    assert kept(state, seen, 110) == list(range(106, 110))


@pytest.mark.parametrize("count", [100, 256])
def test_a_record_of_format_4_has_all_entries_and_gives_them_to_sheets_with_its_next_id(count):
    state, seen = filled(count)
    sheets = [packed[4:] for packed in state.encoded.values()]
    old = Seen(seen.hashes, b"".join(sheets) + seen.entries)
    state = MemoryState()
    assert kept(state, old, count) == list(range(count))
    remember(state, NODE, old, id_hash(str(count)), count, count, 1, 2, 3, 4, count)
    assert len(old.entries) < SHEET_BYTES
    assert kept(state, old, count + 1) == list(range(count + 1))


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("remember"), st.integers(1, 60)),
        st.tuples(st.just("replace"), st.integers(0, 400)),
        st.tuples(st.just("wait"), st.sampled_from([1, 100, 10**9, KEEP_MS])),
        st.tuples(st.just("sweep"), st.just(0)),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


@given(OPERATIONS)
@settings(max_examples=300, deadline=None)
def test_what_was_noted_last_of_an_id_is_found_until_it_is_30_days_old_and_no_longer(operations):
    """Against a dict, wherever the id lies and whenever it is swept. An id that was forgotten may come again."""
    state, seen = MemoryState(), Seen()
    known, now = {}, 0
    for name, number in operations:
        if name == "wait":
            now += number
        elif name == "sweep":
            sweep(state, now)
        elif name == "remember":
            forgotten = [n for n, entry in known.items() if entry.log_at < now - KEEP_MS][: number // 2]
            for n in (*forgotten, *range(len(known), len(known) + number)):
                now += 1
                known[n] = Entry(now, n, 1, 2, 3, 4, n)
                expire(state, seen, now)
                remember(state, NODE, seen, id_hash(str(n)), *known[n])
        elif number < len(known) and looked_up(state, seen, str(number), now) is not None:
            replace(state, NODE, seen, id_hash(str(number)), Entry(now, 7, 7, 7, 7, now, 7))
            known[number] = Entry(known[number].log_at, 7, 7, 7, 7, now, 7)
        expire(state, seen, now)
        for n, entry in known.items():
            assert looked_up(state, seen, str(n), now) == (entry if entry.log_at >= now - KEEP_MS else None)


def test_a_spilled_id_is_forgotten_when_it_is_30_days_old_and_the_next_tick_spares_a_later_one():
    state, seen = filled(600)
    now = KEEP_MS + 3
    assert kept(state, seen, 600, now) == list(range(3, 600)), "no tick came yet"
    for n in (1, *range(600, 900)):
        remember(state, NODE, seen, id_hash(str(n)), now, n, 1, 2, 3, 4, n)
    assert "x\0default/v:ann\0" + id_hash("1").hex() in state.encoded, "spilled again"
    sweep(state, now)
    assert kept(state, seen, 900, now) == [1, *range(3, 900)]


def test_an_id_that_was_forgotten_on_its_sheet_is_not_spilled():
    state, seen = filled(200)
    now = KEEP_MS + 3
    for n in (1, *range(200, 300)):
        remember(state, NODE, seen, id_hash(str(n)), now, n, 1, 2, 3, 4, n)
    assert kept(state, seen, 300, now) == [1, *range(3, 300)]
    assert sum(name[0] == "y" for name in state.encoded) == 127, "four sheets but for one"


def test_a_tick_sweeps_what_is_due_and_nothing_else():
    state, seen = filled(600)
    sweep(state, KEEP_MS + 100)
    assert looked_up(state, seen, "99") is None
    assert looked_up(state, seen, "100") is not None
    sweep(state, 2 * KEEP_MS)
    assert kept(state, seen, 600) == list(range(384, 600)), "those of the record are its own matter"
    assert {name[0] for name in state.encoded} == {"e"}, "of them there are sheets"


def test_replacing_keeps_the_time_of_removal_wherever_the_id_is():
    state, seen = filled(600)
    for n in (0, 500, 599):  # spilled, on a sheet, in the record
        replace(state, NODE, seen, id_hash(str(n)), Entry(77, 1, 1, 1, 1, 9, 9))
        found = looked_up(state, seen, str(n))
        assert (found.log_at, found.row_o) == (n, 9)
