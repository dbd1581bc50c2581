"""Ranges: however the log is cut and cut again, the same rows once, and the same bytes for the same range."""

import base64
from collections import Counter
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.address import address
from schemas.rejections import DeadLetter
from sinks.ranges import Part, Place, Position, Record, block_of, fact_pieces, pieces_of, recut
from tests.simulation.sink.world import fact

FACTS = Place("stitch-facts", 0)
LETTERS = Place("dead-letters", 2)


@st.composite
def logs(draw) -> list[Record]:
    """A log of one partition with outputs of two source partitions; a stage that restarts sends some of them again."""
    records: list[Record] = []
    sent = {0: 0, 1: 0}
    offset = draw(st.integers(0, 3))
    for source, back in draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=25)):
        frame = max(0, sent[source] - back)
        sent[source] = max(sent[source], frame + 1)
        records.append(Record(offset, fact(source, frame, ("events", "email")), address("events", source, frame, 0)))
        offset += draw(st.sampled_from([1, 1, 1, 2]))
    return records


def cut_everywhere(records: list[Record], sizes: list[int]) -> list[Part]:
    parts = []
    position = Position(0, {})
    at = turn = 0
    while at < len(records):
        size = sizes[turn % len(sizes)]
        part = Part(FACTS, position)
        for record in records[at : at + size]:
            part.add(record)
        parts.append(part)
        position, at, turn = part.position, at + size, turn + 1
    return parts


def rows(parts: list[Part], table: str) -> Counter[bytes]:
    return Counter(line for part in parts for lines in part.pieces.get(table, []) for line in lines.splitlines())


sizes = st.lists(st.integers(1, 7), min_size=1, max_size=5)


@given(logs(), sizes)
def test_any_cutting_gives_each_row_once(records, sizes) -> None:
    parts = cut_everywhere(records, sizes)
    every = {line for record in records for line in record.value.splitlines()[1:]}
    assert rows(parts, "events") == rows(parts, "email") == Counter(every)


@given(logs(), sizes)
def test_range_cut_again_from_a_longer_stretch_of_log_gives_the_same_bytes(records, sizes) -> None:
    for part in cut_everywhere(records, sizes):
        again = recut(part.range, records)
        assert block_of([again]) == block_of([part])
        assert again.position == part.position


@given(logs(), sizes)
def test_ranges_follow_on_each_other_without_gap_or_overlap(records, sizes) -> None:
    ranges = [part.range for part in cut_everywhere(records, sizes)]
    for left, right in pairwise(ranges):
        assert (left.next, left.marks_after) == (right.first, right.marks_before)


@given(st.permutations([Place("account-facts", 1), Place("stitch-facts", 0), Place("stitch-facts", 1)]))
def test_block_does_not_depend_on_the_order_of_its_parts(places) -> None:
    def part(place: Place) -> Part:
        filled = Part(place, Position(4, {}))
        filled.add(Record(4, fact(place.partition, 9, ("events",)), None))
        return filled

    assert block_of(map(part, places)) == block_of(map(part, sorted(places)))


@given(st.binary(max_size=200))
def test_no_bytes_stop_the_sink(value) -> None:
    for place in (FACTS, LETTERS, Place("account-facts", 1)):
        for table, count, lines in pieces_of(place, Record(3, value, None)):
            assert table == "dead_letters"
            assert count == lines.count(b"\n") == 1
            assert base64.b64decode(msgspec.json.decode(lines)["body"]) == value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b'[["events",1,3]]\n{}',
        b'[["events",2,3]]\n{}\n',
        b'[["events",1,3]]\n{}\n{}\n',
        b'[["sink_ledger",1,3]]\n{}\n',
        b'[["events",1,-3]]\n{}\n',
    ],
)
def test_record_whose_index_and_blocks_differ_is_none_of_ours(value) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        fact_pieces(value)


def test_facts_of_earlier_versions_are_still_rows() -> None:
    """A worker that was not stopped yet wrote them, or nobody read them before the sink was replaced."""
    assert fact_pieces(b'[["ledger",1,3]]\n{}\n') == [("ledger", 1, b"{}\n")]


def test_dead_letter_becomes_a_row_with_its_address() -> None:
    letter = DeadLetter(
        "l1",
        7,
        "too_large",
        "body of 9 MB",
        "AAEC",
        "acme",
        "website",
        "events/0/5/1",
        "/v1/batch",
        gpc=True,
        envelope="e30=",
    )
    part = Part(LETTERS, Position(11, {}))
    part.add(Record(11, msgspec.json.encode(letter), None))
    assert msgspec.json.decode(block_of([part]).tables["dead_letters"]) == {
        "tenant": "acme", "id": "l1", "received_at": 7, "source": "website", "reason": "too_large",
        "detail": "body of 9 MB", "body": "AAEC", "address": "events/0/5/1", "path": "/v1/batch", "gpc": True,
        "envelope": "e30=", "_p": 2, "_o": 11, "_i": 0,
    }  # fmt: skip


def test_records_without_an_address_are_never_taken_for_repetitions() -> None:
    part = Part(LETTERS, Position(0, {}))
    for offset in range(3):
        part.add(Record(offset, b"same", b"not an address" if offset == 2 else None))
    assert part.rows == 3


def test_parts_of_one_frame_are_all_taken_once() -> None:
    part = Part(FACTS, Position(0, {}))
    for offset, number in enumerate([0, 1, 2, 1, 2, 3]):
        part.add(Record(offset, fact(0, number, ("events",)), address("events", 0, 8, number)))
    assert part.rows == 4 * 2
