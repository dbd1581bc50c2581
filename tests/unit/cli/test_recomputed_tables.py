"""Recomputed rows, with those left out that the sink leaves out, too."""

import pytest

from schemas import topics
from schemas.codec import json_encoder
from sinks.clickhouse.client import RefusedError
from sinks.refusal import MOST_REFUSED
from stream.cli.recomputed_tables import Tables
from stream.stages.compute import Output


def take(tables: Tables, numbers: list[int]) -> None:
    """Rows of ``events`` with these ``_i``; negative ones are refused."""
    block = b"".join(b'{"tenant":"t","_p":0,"_o":1,"_i":%d}\n' % n for n in numbers)
    index = json_encoder.encode([("events", len(numbers), len(block))])
    tables.take(Output(topics.STITCH_FACTS, 0, index + b"\n" + block, []))


def test_refused_rows_are_missing_here_as_in_the_live_tables(database):
    tables = Tables(database)
    take(tables, [0, -1, 2, 3, -4])
    tables.finish()
    assert database.rows("SELECT _i FROM events ORDER BY _i") == [(0,), (2,), (3,)]
    take(tables, [-1])
    tables.finish()
    assert database.rows("SELECT count() FROM events") == [(3,)]


def test_more_of_them_than_the_sink_would_leave_out_are_an_error(database):
    tables = Tables(database)
    take(tables, [-1] * (MOST_REFUSED + 1))
    with pytest.raises(RefusedError, match="CANNOT_PARSE_NUMBER"):
        tables.finish()
