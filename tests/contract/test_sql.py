"""What every ClickHouse client may rely on: the same laws for the embedded SQL server and for ClickHouse."""

import gzip
import zlib
from datetime import UTC, datetime
from decimal import Decimal

import clickhouse_connect
import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.support.sql import SqlServer

IDEMPOTENT = {
    "async_insert": "0",
    "insert_deduplicate": "1",
    "deduplicate_insert": "enable",
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    "max_insert_threads": "1",
    "max_insert_block_size": "1000000",
    "max_partitions_per_insert_block": "0",
}
"""Settings that the sink sends with every insert."""


def client_of(sql: SqlServer, **options: object) -> Client:
    return clickhouse_connect.get_client(
        host=sql.host, port=sql.port, username=sql.user, password=sql.password, database=sql.database, **options
    )


def make_table(sql: SqlServer, name: str = "t", columns: str = "a UInt64, s String", extra: str = "") -> None:
    answered = sql.ask(
        f"CREATE TABLE {name} ({columns}) ENGINE = MergeTree ORDER BY tuple() "
        f"SETTINGS non_replicated_deduplication_window = 1000 {extra}"
    )
    assert answered.status == 200, answered.text


# clickhouse-connect


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_client_reads_back_what_it_inserted_in_every_type(sql: SqlServer, compress: object) -> None:
    make_table(
        sql,
        columns="i Int64, u UInt8, f Float64, s String, d DateTime64(3, 'UTC'), n Nullable(Int32), a Array(String), "
        "l LowCardinality(String), m Decimal(18, 6), b Bool, k Map(String, UInt8)",
    )
    at = datetime(2026, 3, 1, 12, 30, 15, 123000, tzinfo=UTC)
    row = [
        -(2**62),
        255,
        0.1,
        "tab\tnewline\nquote'\\ü€",
        at,
        None,
        ["x", ""],
        "low",
        Decimal("1.000001"),
        True,
        {"k": 1},
    ]
    with client_of(sql, compress=compress) as client:
        client.insert("t", [row] * 2000, column_names=list("iufsdnalmbk"))
        found = client.query("SELECT i, u, f, s, d, n, a, l, m, b, k FROM t")

    assert len(found.result_rows) == 2000
    got = list(found.result_rows[0])
    got[4] = got[4].replace(tzinfo=UTC)
    assert got == row


def test_client_binds_parameters_on_the_server(sql: SqlServer) -> None:
    hostile = "it's \\ a \t \n 'test' {x:String} -- ; DROP"
    at = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  # clickhouse-connect gives DateTime without a zone
    with client_of(sql) as client:
        rows = client.query(
            "SELECT {s:String}, {n:UInt32} + 1, {a:Array(String)}, {d:DateTime}",
            parameters={"s": hostile, "n": 41, "a": ["x'y", "z"], "d": at},
        ).result_rows

    assert rows == [(hostile, 42, ["x'y", "z"], at)]


def test_client_settings_reach_the_query(sql: SqlServer) -> None:
    with client_of(sql) as client:
        assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3}).result_rows == [(3,)]
        assert client.command("SELECT getSetting('max_block_size')", settings={"max_block_size": 1234}) == 1234


def test_client_sees_the_code_of_an_error(sql: SqlServer) -> None:
    with client_of(sql) as client, pytest.raises(DatabaseError, match="UNKNOWN_TABLE") as caught:
        client.query("SELECT * FROM nowhere")

    assert "Code: 60" in str(caught.value)


def test_client_commands_create_and_count(sql: SqlServer) -> None:
    with client_of(sql) as client:
        client.command("CREATE TABLE c (a UInt8) ENGINE = Memory")
        summary = client.insert("c", [[1], [2], [3]], column_names=["a"])
        assert summary.written_rows == 3
        assert client.command("SELECT count() FROM c") == 3
        assert client.command("EXISTS c") == 1


def test_the_same_rows_with_the_same_token_are_stored_once(sql: SqlServer) -> None:
    make_table(sql)
    with client_of(sql) as client:
        for _ in range(3):
            client.raw_insert(
                "t",
                insert_block=b'{"a":5,"s":"raw"}\n{"a":6,"s":"raw"}',
                fmt="JSONEachRow",
                settings=IDEMPOTENT | {"insert_deduplication_token": "events/0/0-2/t"},
            )
        assert client.query("SELECT a, s FROM t ORDER BY a").result_rows == [(5, "raw"), (6, "raw")]
        client.raw_insert(
            "t",
            insert_block=b'{"a":5,"s":"raw"}\n{"a":6,"s":"raw"}',
            fmt="JSONEachRow",
            settings=IDEMPOTENT | {"insert_deduplication_token": "events/0/2-4/t"},
        )
        assert client.command("SELECT count() FROM t") == 4


def test_a_view_with_a_window_counts_a_repeated_insert_once(sql: SqlServer) -> None:
    make_table(sql)
    make_table(sql, "sums", "s String, n UInt64")
    sql.rows("CREATE MATERIALIZED VIEW v TO sums AS SELECT s, count() AS n FROM t GROUP BY s")
    for token in ("one", "one", "two", "one", "two"):
        answered = sql.ask(
            b'{"a":1,"s":"x"}\n{"a":2,"s":"x"}\n',
            query="INSERT INTO t FORMAT JSONEachRow",
            insert_deduplication_token=token,
            **IDEMPOTENT,
        )
        assert answered.status == 200, answered.text

    assert sql.rows("SELECT count() FROM t") == [["4"]]
    assert sql.rows("SELECT sum(n) FROM sums") == [["4"]]


def test_a_large_insert_repeated_is_stored_once(sql: SqlServer) -> None:
    make_table(sql)
    block = b"".join(b'{"a":%d,"s":"%s"}\n' % (i, b"x" * 200) for i in range(50_000))
    for _ in range(2):
        answered = sql.ask(
            block, query="INSERT INTO t (a, s) FORMAT JSONEachRow", insert_deduplication_token="big", **IDEMPOTENT
        )
        assert answered.status == 200, answered.text

    assert sql.rows("SELECT count(), uniqExact(a) FROM t") == [["50000", "50000"]]


def test_an_insert_takes_nothing_over_from_the_one_before(sql: SqlServer) -> None:
    make_table(sql)
    sql.rows("CREATE DATABASE IF NOT EXISTS {other:Identifier}", param_other=f"{sql.database}_other")
    try:
        sql.rows(
            "CREATE TABLE {other:Identifier}.t (a UInt64, s String) ENGINE = MergeTree ORDER BY a",
            param_other=f"{sql.database}_other",
        )

        def insert(rows: bytes, **parameters: str) -> int:
            given = IDEMPOTENT | {"query": "INSERT INTO t FORMAT JSONEachRow"} | parameters
            return sql.ask(rows, **given).status

        assert insert(b'{"a":1,"s":"x"}', insert_deduplication_token="one") == 200
        assert insert(b'{"a":2,"s":"x"}') == 200, "without a token, and not under the last one"
        assert insert(b'{"a":3,"s":"x"}', insert_deduplication_token="three", database=f"{sql.database}_other") == 200
        assert insert(b'{"a":4,"s":"x","b":0}', input_format_skip_unknown_fields="1") == 200
        assert insert(b'{"a":5,"s":"x","b":0}', input_format_skip_unknown_fields="0") == 400
        assert insert(b'{"a":"wrong"}', insert_deduplication_token="six") == 400
        assert insert(b'{"a":6,"s":"x"}', insert_deduplication_token="six") == 200
        sql.rows("ALTER TABLE t ADD COLUMN b UInt64")
        assert insert(b'{"a":7,"s":"x","b":70}', insert_deduplication_token="seven") == 200

        assert sql.rows("SELECT a, b FROM t ORDER BY a") == [
            ["1", "0"],
            ["2", "0"],
            ["4", "0"],
            ["6", "0"],
            ["7", "70"],
        ]
        assert sql.rows("SELECT a FROM {other:Identifier}.t", param_other=f"{sql.database}_other") == [["3"]]
    finally:
        sql.rows("DROP DATABASE {other:Identifier}", param_other=f"{sql.database}_other")


def test_an_insert_into_a_database_that_was_dropped_is_refused(sql: SqlServer) -> None:
    other = f"{sql.database}_gone"
    for _ in range(2):
        sql.rows(f"CREATE DATABASE {other}")
        sql.rows(f"CREATE TABLE {other}.t (a UInt64) ENGINE = Memory")
        assert sql.ask(b'{"a":1}', database=other, query="INSERT INTO t FORMAT JSONEachRow").status == 200
        assert sql.rows(f"SELECT count() FROM {other}.t") == [["1"]]
        sql.rows(f"DROP DATABASE {other}")

        answered = sql.ask(b'{"a":1}', database=other, query="INSERT INTO t FORMAT JSONEachRow")

        assert answered.status == 404
        assert "Code: 81" in answered.text


# plain HTTP


def test_ping_answers_on_every_method(sql: SqlServer) -> None:
    for path in ("/ping", "/replicas_status"):
        assert sql.ask(path=path, method="GET").body == b"Ok.\n"
        assert sql.ask(path=path, method="HEAD").status == 200
    assert sql.ask(path="/", method="GET").body == b"Ok.\n"


def test_a_query_comes_in_the_url_in_the_body_or_in_both(sql: SqlServer) -> None:
    assert sql.ask(method="GET", query="SELECT 1").text == "1\n"
    assert sql.ask("SELECT 2").text == "2\n"
    assert sql.ask("+ 3", query="SELECT 1").text == "4\n"


def test_get_never_writes(sql: SqlServer) -> None:
    make_table(sql)
    answered = sql.ask(method="GET", query="INSERT INTO t VALUES (1, 'x')")

    assert answered.headers["X-ClickHouse-Exception-Code"] == "164"
    assert sql.ask(method="GET", query="DROP TABLE t").status != 200
    assert sql.rows("SELECT count() FROM t") == [["0"]]


def test_headers_name_format_zone_and_query(sql: SqlServer) -> None:
    headers = sql.ask("SELECT 1 FORMAT JSONCompact", query_id="my-id-1").headers

    assert headers["X-ClickHouse-Format"] == "JSONCompact"
    assert headers["X-ClickHouse-Query-Id"] == "my-id-1"
    assert headers["X-ClickHouse-Timezone"]
    assert headers["X-ClickHouse-Server-Display-Name"]
    assert headers["Content-Type"].startswith("application/json")
    assert '"read_rows"' in headers["X-ClickHouse-Summary"]


def test_an_error_has_status_code_and_clickhouses_text(sql: SqlServer) -> None:
    for query, status, code, name in (
        ("SELECT FROM WHERE", 400, "62", "SYNTAX_ERROR"),
        ("SELECT * FROM nowhere", 404, "60", "UNKNOWN_TABLE"),
        ("SELECT nocolumn", 404, "47", "UNKNOWN_IDENTIFIER"),
        ("SELECT throwIf(1)", 500, "395", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT 1 SETTINGS nosetting = 1", 404, "115", "UNKNOWN_SETTING"),
        ("SELECT 1 FORMAT NoFormat", 404, "73", "UNKNOWN_FORMAT"),
    ):
        answered = sql.ask(query)
        assert (answered.status, answered.headers["X-ClickHouse-Exception-Code"]) == (status, code), answered.text
        assert answered.text.startswith(f"Code: {code}. DB::Exception: ")
        assert f"({name})" in answered.text


def test_an_unknown_database_or_setting_in_the_url_is_an_error(sql: SqlServer) -> None:
    assert sql.ask("SELECT 1", database="nowhere").headers["X-ClickHouse-Exception-Code"] == "81"
    assert sql.ask("SELECT 1", no_such_setting="1").headers["X-ClickHouse-Exception-Code"] == "115"


def test_settings_of_one_query_are_not_seen_by_the_next(sql: SqlServer) -> None:
    before = sql.rows("SELECT getSetting('max_threads')")
    assert sql.rows("SELECT getSetting('max_threads')", max_threads="7") == [["7"]]

    assert sql.rows("SELECT getSetting('max_threads')") == before


def test_settings_in_url_and_query_and_format_go_together(sql: SqlServer) -> None:
    answered = sql.ask(
        "SELECT getSetting('max_threads') AS t, getSetting('max_block_size') AS b SETTINGS max_threads = 2 FORMAT CSV",
        max_block_size="99",
        max_threads="5",
    )

    assert answered.text == "2,99\n"


def test_parameters_are_read_as_tab_separated_fields(sql: SqlServer) -> None:
    assert sql.ask("SELECT length({s:String}), {s:String}", param_s="a\\tb").text == "3\ta\\tb\n"
    assert sql.ask("SELECT sum(number) FROM numbers({n:UInt8})", param_n="4").text == "6\n"
    assert sql.ask("SELECT {missing:UInt8}").status == 400 or sql.ask("SELECT {missing:UInt8}").status == 500
    assert sql.ask("SELECT count() FROM {t:Identifier}", param_t="numbers").status == 404


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "lz4"])
def test_answers_are_packed_as_the_client_asks(sql: SqlServer, coding: str) -> None:
    unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress, "zstd": zstd.decompress, "lz4": lz4.frame.decompress}
    answered = sql.ask(
        "SELECT number FROM numbers(100000)", headers={"Accept-Encoding": coding}, enable_http_compression="1"
    )

    assert answered.headers["Content-Encoding"] == coding
    assert unpack[coding](answered.body) == b"".join(b"%d\n" % i for i in range(100000))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "lz4"])
def test_bodies_are_unpacked_as_their_header_says(sql: SqlServer, coding: str) -> None:
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress, "lz4": lz4.frame.compress}
    make_table(sql)
    rows = b"".join(b"%d\ttext\n" % i for i in range(50000))
    answered = sql.ask(pack[coding](rows), query="INSERT INTO t FORMAT TSV", headers={"Content-Encoding": coding})

    assert answered.status == 200, answered.text
    assert sql.rows("SELECT count(), sum(a) FROM t") == [["50000", str(sum(range(50000)))]]


def test_broken_packed_bodies_are_errors_and_store_nothing(sql: SqlServer) -> None:
    make_table(sql)
    whole = gzip.compress(b"1\tx\n" * 1000)
    for body in (whole[:-20], b"not gzip at all"):
        answered = sql.ask(body, query="INSERT INTO t FORMAT TSV", headers={"Content-Encoding": "gzip"})
        assert answered.status >= 400
    assert sql.rows("SELECT count() FROM t") == [["0"]]


def test_rows_go_in_and_come_out_in_every_format(sql: SqlServer) -> None:
    make_table(sql)
    for name in ("Native", "RowBinary", "RowBinaryWithNamesAndTypes", "JSONEachRow", "JSONCompactEachRow", "CSV", "TSV",
                 "TabSeparatedWithNamesAndTypes", "CSVWithNames", "Arrow", "ArrowStream", "Parquet", "Values", "TSKV",
                 "MsgPack"):  # fmt: skip
        made = sql.ask(f"SELECT number + 1 AS a, concat('ü\t', toString(number)) AS s FROM numbers(3) FORMAT {name}")
        assert made.status == 200, made.text
        stored = sql.ask(made.body, query=f"INSERT INTO t FORMAT {name}")
        assert stored.status == 200, (name, stored.text)
        assert sql.rows("SELECT sum(a), count(), uniqExact(s) FROM t") == [["6", "3", "3"]], name
        sql.rows("TRUNCATE TABLE t")


def test_arrow_and_parquet_are_read_by_their_own_library(sql: SqlServer) -> None:
    arrow = sql.ask("SELECT toInt32(number) AS n FROM numbers(3)", default_format="Arrow").body
    parquet = sql.ask("SELECT toInt32(number) AS n FROM numbers(3) FORMAT Parquet").body

    assert pa.ipc.open_file(arrow).read_all().to_pylist() == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert pq.read_table(pa.BufferReader(parquet)).to_pylist() == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_the_format_of_the_query_beats_the_requests_default(sql: SqlServer) -> None:
    assert sql.ask("SELECT 1 AS a", default_format="JSONEachRow").text == '{"a":1}\n'
    assert sql.ask("SELECT 1 AS a", headers={"X-ClickHouse-Format": "CSV"}).text == "1\n"
    assert sql.ask("SELECT 1 AS a FORMAT TSV", default_format="JSONEachRow").text == "1\n"


def test_an_insert_may_bring_its_rows_in_any_of_the_usual_places(sql: SqlServer) -> None:
    make_table(sql)
    assert sql.ask("INSERT INTO t FORMAT TSV\n1\tx\n").status == 200
    assert sql.ask("2\tx\n", query="INSERT INTO t (a, s) FORMAT TSV").status == 200
    assert sql.ask("INSERT INTO t VALUES (3, 'x; FORMAT TSV'), (4, 'y')").status == 200
    assert sql.ask(query="INSERT INTO t VALUES (5, 'z')").status == 200
    assert sql.ask("(6, 'z')", query="INSERT INTO t VALUES").status == 200
    assert sql.ask("INSERT INTO t SELECT 7, 'q'").status == 200
    assert (
        sql.ask('INSERT INTO t /* FORMAT CSV */ (a, s) SETTINGS async_insert=0 FORMAT JSONEachRow {"a":8}').status
        == 200
    )
    assert sql.ask('{"a":9,"s":""}', query="INSERT INTO {t:Identifier} FORMAT JSONEachRow", param_t="t").status == 200

    assert sql.rows("SELECT groupArray(a) FROM (SELECT a FROM t ORDER BY a)") == [["[1,2,3,4,5,6,7,8,9]"]]


def test_a_bad_row_refuses_the_insert_and_the_next_one_works(sql: SqlServer) -> None:
    make_table(sql)
    answered = sql.ask('{"a":1,"s":"x"}\n{"a":"no","s":"x"}\n', query="INSERT INTO t FORMAT JSONEachRow")

    assert answered.status in (400, 500)
    assert "at row" in answered.text
    assert sql.ask('{"a":1,"s":"x"}', query="INSERT INTO t FORMAT JSONEachRow").status == 200
    assert sql.rows("SELECT count() FROM t") == [["1"]]


def test_only_one_statement_a_request(sql: SqlServer) -> None:
    make_table(sql)
    assert sql.ask("SELECT 1; DROP TABLE t").headers["X-ClickHouse-Exception-Code"] == "62"
    assert sql.ask("SELECT 1;").status == 200
    assert sql.rows("EXISTS t") == [["1"]]


def test_limits_of_a_query_hold(sql: SqlServer) -> None:
    slow = sql.ask(
        "SELECT sum(sleepEachRow(0.01)) FROM numbers(3000) SETTINGS max_block_size = 10", max_execution_time="1"
    )
    assert slow.headers["X-ClickHouse-Exception-Code"] == "159"
    many = sql.ask("SELECT number FROM numbers(100)", max_result_rows="10")
    assert many.headers["X-ClickHouse-Exception-Code"] == "396"
    hungry = sql.ask("SELECT groupArray(number) FROM numbers(100000000)", max_memory_usage="50000000")
    assert hungry.headers["X-ClickHouse-Exception-Code"] == "241"


def test_a_wrong_password_or_user_is_refused(sql: SqlServer) -> None:
    for headers in ({"X-ClickHouse-Key": "wrong"}, {"X-ClickHouse-User": "nobody"}):
        answered = sql.ask("SELECT 1", headers=headers)
        assert answered.status == 403
        assert answered.headers["X-ClickHouse-Exception-Code"] == "516"
