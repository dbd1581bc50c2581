"""Native blocks of a newer revision: the same columns with block info and a byte after each type."""

import pytest

from stream.embedded.sql.errors import QueryError
from stream.embedded.sql.native import reframed
from tests.support.sql import SqlServer

INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"

TYPES = (
    "number", "toString(number)", "toLowCardinality(toString(number % 3))", "toNullable(number)", "[number, 1]",
    "arrayMap(x -> toLowCardinality(toNullable(toString(x))), range(number % 4))", "map(toString(number), [number])",
    "tuple(number, toString(number))", "CAST((number, 'x'), 'Tuple(a UInt8, `b c` String)')", "toDecimal64(number, 2)",
    "toDecimal256(number, 40)",
    "toDateTime64('2026-01-01 00:00:00', 3, 'UTC')", "toDateTime('2026-01-01 00:00:00', 'Europe/Berlin')", "today()",
    "CAST('a,(b', 'Enum8(\\'a,(b\\' = 1, \\'it\\'\\'s\\' = 2)')", "toFixedString('abc', 3)",
    "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "toIPv4('1.2.3.4')", "toIPv6('::1')", "true", "NULL", "[]", "repeat('x', 300)", "(1.5, 2.5)::Point", "INTERVAL 1 DAY",
    "toInt256(number)", "emptyArrayString()", "[[number], []]", "CAST(map(), 'Map(String, LowCardinality(String))')",
)  # fmt: skip


def test_empty_and_one_column_blocks_by_hand() -> None:
    assert reframed(b"") == b""
    assert reframed(b"\x01\x00\x01a\x06String") == INFO + b"\x01\x00\x01a\x06String\x00"
    assert reframed(b"\x01\x02\x01a\x06String\x01x\x00") == INFO + b"\x01\x02\x01a\x06String\x00\x01x\x00"


@pytest.mark.parametrize("expression", TYPES)
def test_the_end_of_a_column_is_found_for_every_type(embedded_sql: SqlServer, expression: str) -> None:
    first, last = "toUInt8(7) AS first", "toUInt8(9) AS last"
    alone = embedded_sql.ask(f"SELECT {expression} AS v FROM numbers(10) FORMAT Native").body
    whole = embedded_sql.ask(f"SELECT {first}, {expression} AS v, {last} FROM numbers(10) FORMAT Native").body

    # What the engine writes for the column alone stands unchanged between its neighbours.
    column = reframed(alone)[len(INFO) + 2 :]
    assert reframed(whole) == (
        INFO + b"\x03\x0a" + b"\x05first\x05UInt8\x00" + b"\x07" * 10 + column + b"\x04last\x05UInt8\x00" + b"\x09" * 10
    )


def test_several_blocks_are_reframed_one_by_one(embedded_sql: SqlServer) -> None:
    sql = "SELECT number, toString(number) AS s FROM numbers(1000) SETTINGS max_block_size = 100 FORMAT Native"
    plain = embedded_sql.ask(sql).body
    framed = embedded_sql.ask(sql, client_protocol_version="54460").body

    assert framed == reframed(plain)
    assert len(framed) == len(plain) + framed.count(INFO) * (len(INFO) + 2)


def test_older_revisions_get_revision_0(embedded_sql: SqlServer) -> None:
    plain = embedded_sql.ask("SELECT 1 FORMAT Native").body

    assert embedded_sql.ask("SELECT 1 FORMAT Native", client_protocol_version="54405").body == plain


def test_a_type_without_a_known_length_is_refused(embedded_sql: SqlServer) -> None:
    answered = embedded_sql.ask("SELECT sumState(1) AS v, 1 FORMAT Native", client_protocol_version="54460")

    assert answered.status == 501
    with pytest.raises(QueryError, match="AggregateFunction"):
        reframed(embedded_sql.ask("SELECT sumState(1) AS v, 1 FORMAT Native").body)
