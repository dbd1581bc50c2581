"""Which rows of a block are refused, and the addresses of their dead letters."""

import msgspec
import pytest

from schemas.facts import TABLES, DeadLetterRow
from sinks.clickhouse.client import CONTENT_ERRORS, RefusedError
from sinks.operations import Outcome, Refused, Try
from sinks.ranges import Origin, Place
from sinks.refusal import MOST_REFUSED, RefusedRow, Row, answered, letter_of, lines_of, rows_of, search, without

BLOCK = b"".join(b"%d\n" % n for n in range(1000))


def found_among(bad: set[int]) -> tuple[list[int], int]:
    """The rows that are found if those in ``bad`` are refused, and how many questions that takes."""
    asked = []

    def server(question: Try) -> Outcome:
        asked.append(question)
        return Refused("no") if bad & {int(line) for line in question.rows.split()} else True

    return [found.row.number for found in answered(search("events", rows_of(BLOCK)), server)], len(asked)


@pytest.mark.parametrize("bad", [{0}, {999}, {1, 2, 998}, {500}, set()])
def test_refused_rows_are_found_by_halving(bad):
    found, questions = found_among(bad)
    assert found == sorted(bad)
    assert questions <= 1 + 2 * 10 * max(1, len(bad))


def test_more_than_a_hundred_are_not_the_rows_fault():
    assert found_among(set(range(MOST_REFUSED)))[0] == list(range(MOST_REFUSED))
    assert found_among(set(range(MOST_REFUSED + 1)))[0] == []


def test_nothing_is_found_while_the_server_is_silent():
    assert answered(search("events", rows_of(BLOCK)), lambda _: False) == []


def test_the_rest_is_the_block_without_them():
    rows = rows_of(b"a\nb\r\nc\n")
    assert lines_of(rows) == b"a\nb\r\nc\n"
    assert lines_of(without(rows, [RefusedRow(rows[1], "no")])) == b"a\nc\n"


def test_a_refused_row_of_an_earlier_versions_table_has_a_letter_too():
    origins = [Origin(Place("account-facts", 1), 7, 5, 2)]
    letter = msgspec.json.decode(letter_of("ledger", RefusedRow(Row(1, b"x"), "no"), origins), type=DeadLetterRow)
    assert letter.address == "account-facts/1/7/ledger/1"


def test_a_letter_says_which_row_of_which_record_it_was_and_no_two_have_one_address():
    places = [Place(topic, 1) for topic in ("account-facts", "stitch-facts")]
    # Two pieces of one record, then records of both topics at the same offset.
    origins = [Origin(places[0], 7, 5, 2), Origin(places[0], 7, 5, 1), Origin(places[1], 7, 6, 2)]
    letters = [
        msgspec.json.decode(letter_of(table, RefusedRow(Row(n, b"x"), "no"), origins), type=DeadLetterRow)
        for table in TABLES
        for n in range(5)
    ]
    assert [letter.address for letter in letters[:5]] == [
        "account-facts/1/7/events/0", "account-facts/1/7/events/1", "account-facts/1/7/events/2",
        "stitch-facts/1/7/events/0", "stitch-facts/1/7/events/1",
    ]  # fmt: skip
    assert [letter.received_at for letter in letters[:5]] == [5, 5, 5, 6, 6]
    assert len({(letter._p, letter._o, letter._i) for letter in letters}) == len(letters)
    assert {letter._o for letter in letters} == {-8}
    assert min(letter._i for letter in letters) >= 2


def test_a_trial_refuses_what_an_insert_would_and_leaves_nothing(database):
    good = b'{"tenant":"t","_p":0,"_o":1,"_i":0}\n'
    for table in [*TABLES, "dead_letters"]:
        database.try_rows(table, good)
        for attempt in (database.try_rows, lambda table, rows: database.insert(table, rows, "t")):
            with pytest.raises(RefusedError, match=r"^CANNOT_PARSE_NUMBER \(72\) in _i$"):
                attempt(table, good + good.replace(b'"_i":0', b'"_i":-1'))
        assert database.rows(f"SELECT count() FROM {table}") == [(0,)]


def test_errors_about_content_have_the_names_that_clickhouse_gives_them(database):
    for code, name in CONTENT_ERRORS.items():
        assert database.rows("SELECT errorCodeToName({code:UInt32})", code=code) == [(name,)]
