"""A step's lines become records whose ends depend on the lines alone."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from stream.core.lines import Lines
from stream.stages.compute import _fact_values, _runs

TEXTS = st.lists(st.text("ab", min_size=1, max_size=9).map(str.encode), max_size=12)


def by_hand(lines, largest):
    """Line by line: a run is ended by the line that it has no room for."""
    runs, size = [], 0
    for line in lines:
        if not runs or size + len(line) + 1 > largest:
            runs, size = [*runs, []], 0
        runs[-1].append(line)
        size += len(line) + 1
    return runs


def pieced(lines, ends):
    """The same lines, those between ``ends`` in one piece."""
    found, begin = Lines(), 0
    for end in sorted({*ends, len(lines)}):
        found.extend(b"\n".join(lines[begin:end]), len(lines[begin:end]))
        begin = min(end, len(lines))
    return found


@given(TEXTS, st.sets(st.integers(0, 12)), st.integers(1, 40))
def test_runs_end_at_the_same_lines_however_those_are_pieced_together(lines, ends, largest):
    found = pieced(lines, ends)
    runs = [
        (b"\n".join(run).split(b"\n"), count, size) for run, count, size in _runs(found.pieces, len(found), largest)
    ]

    assert runs == [(run, len(run), sum(map(len, run)) + len(run)) for run in by_hand(lines, largest)]
    assert list(found) == lines
    assert found == pieced(lines, range(12))


@given(TEXTS, TEXTS, st.sets(st.integers(0, 12)), st.integers(1, 60))
def test_records_of_facts_are_the_same_however_rows_are_pieced_together(some, others, ends, largest):
    rows = {"events": pieced(some, ends), "sessions": pieced(others, ends)}
    values = _fact_values(rows, largest)

    assert values == _fact_values({"events": pieced(some, range(12)), "sessions": pieced(others, range(12))}, largest)
    found = [row for value in values for row in rows_of(value)]
    assert found == [("events", line) for line in some] + [("sessions", line) for line in others]


def rows_of(value):
    """A record's rows with their tables, as its index has them."""
    index, _, block = value.partition(b"\n")
    for table, count, size in msgspec.json.decode(index):
        *lines, end = block[:size].split(b"\n")
        assert (len(lines), end) == (count, b"")
        yield from ((table, line) for line in lines)
        block = block[size:]
    assert not block
