"""``touchline sql`` against the embedded SQL server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream.cli.sql import statements
from tests.support.sql import SqlServer, fresh_database


@pytest.fixture
def db(embedded_sql: SqlServer) -> SqlServer:
    return fresh_database(embedded_sql)


def touchline(db: SqlServer, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stream.cli.main", "sql", *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TOUCHLINE_CLICKHOUSE": db.url, "TOUCHLINE_DATABASE": db.database},
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;", ["SELECT 1"]),
        ("SELECT 1; SELECT ';' ;\n", ["SELECT 1", "SELECT ';'"]),
        ("-- a; b\nSELECT 1 /* ; */; -- end", ["-- a; b\nSELECT 1 /* ; */"]),
        ("", []),
        (" ; ;\n", []),
        ("SELECT `a;b`; INSERT INTO t FORMAT TSV\n1;2\n", ["SELECT `a;b`", " INSERT INTO t FORMAT TSV\n1;2\n"]),
    ],
)
def test_a_text_is_cut_into_statements_at_its_own_semicolons(text: str, expected: list[str]) -> None:
    assert list(statements(text)) == expected


def test_a_query_is_shown_as_a_table_or_in_the_format_asked_for(db: SqlServer) -> None:
    pretty = touchline(db, "SELECT 1 AS answer")
    assert pretty.returncode == 0, pretty.stderr
    assert "answer" in pretty.stdout
    assert "│" in pretty.stdout
    assert "\x1b" not in pretty.stdout

    assert touchline(db, "--format", "CSV", "SELECT 'ü', 2").stdout == '"ü",2\n'


def test_statements_come_from_standard_input_or_a_file(db: SqlServer, tmp_path: Path) -> None:
    script = (
        "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a; INSERT INTO t VALUES (1), (2); SELECT sum(a) FROM t"
    )
    assert touchline(db, "--format", "TSV", given=script).stdout == "3\n"
    (tmp_path / "q.sql").write_text("SELECT count() FROM t;\nSELECT max(a) FROM t;\n")
    assert touchline(db, "--format", "TSV", "--file", str(tmp_path / "q.sql")).stdout == "2\n2\n"


def test_parameters_are_bound_by_the_server(db: SqlServer) -> None:
    hostile = "it's\ta \\ 'test'"
    done = touchline(db, "--format", "RawBLOB", "--param", f"x={hostile}", "SELECT {x:String}")

    assert done.stdout == hostile
    assert touchline(db, "--param", "nonsense", "SELECT 1").returncode == 2


def test_an_error_of_the_server_is_one_line_and_1(db: SqlServer) -> None:
    done = touchline(db, "SELECT * FROM nowhere")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "UNKNOWN_TABLE" in done.stderr


def test_a_server_that_is_not_there_is_one_line_and_1() -> None:
    done = touchline(SqlServer("http://127.0.0.1:9"), "SELECT 1")

    assert done.returncode == 1
    assert "no answer from ClickHouse at http://127.0.0.1:9" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_address_is_a_wrong_configuration(db: SqlServer) -> None:
    assert touchline(db, "--clickhouse", "ftp://x", "SELECT 1").returncode == 2
