"""Where an insert's rows begin, and which format a statement asks for."""

import pytest

from stream.embedded.sql.errors import QueryError
from stream.embedded.sql.guard import refuse_reach, refuse_setting
from stream.embedded.sql.statements import Insert, output_format, split_insert


def cut(text: bytes) -> tuple[str, str, bytes]:
    found = split_insert(text)
    assert isinstance(found, Insert)
    return found.head, found.format, text[found.rows_at :]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"INSERT INTO t FORMAT TSV\n1\n", b"1\n"),
        (b"INSERT INTO t FORMAT TSV\r\n1\n", b"1\n"),
        (b"INSERT INTO t FORMAT TSV  \t\n1\n", b"1\n"),
        (b"INSERT INTO t FORMAT TSV 1\n", b"1\n"),
        (b"insert into t format TSV\n\n1", b"\n1"),
        (b"INSERT INTO t FORMAT TSV", b""),
        (b"INSERT INTO t FORMAT TSV\n\x00\xff binary", b"\x00\xff binary"),
    ],
)
def test_rows_begin_after_the_line_of_the_format(text: bytes, rows: bytes) -> None:
    head, name, found = cut(text)

    assert (head.lower(), name, found) == ("insert into t", "TSV", rows)


def test_format_in_strings_names_and_comments_is_not_the_clause() -> None:
    text = (
        b'/* FORMAT A */ INSERT INTO `FORMAT B` (a, "FORMAT C") -- FORMAT D\n'
        b"SETTINGS log_comment = 'it''s FORMAT E', x = 1 FORMAT CSV\n1,2"
    )

    head, name, rows = cut(text)

    assert head.endswith("x = 1")
    assert (name, rows) == ("CSV", b"1,2")


@pytest.mark.parametrize(
    "text",
    [
        b"SELECT 1 FORMAT JSON",
        b"INSERT INTO t VALUES (1, 'FORMAT TSV')",
        b"INSERT INTO t SELECT 1 FORMAT TSV",
        b"INSERT INTO t (a) WITH 1 AS x SELECT x",
        b"INSERT INTO t",
        b"",
        b"'",
        b"\x00\xff",
    ],
)
def test_other_statements_are_not_cut(text: bytes) -> None:
    assert split_insert(text) is None


@pytest.mark.parametrize(
    ("canonical", "name"),
    [
        ("SELECT 1\nFORMAT JSON", "JSON"),
        ("SELECT 'FORMAT x'", None),
        ("SELECT format('{}', 1)", None),
        ("SELECT *\nFROM\n(\n    SELECT 1 FORMAT x\n)", None),
        ("SELECT 1\nFORMAT TSV\nSETTINGS max_threads = 1", "TSV"),
    ],
)
def test_the_own_format_of_a_statement_is_found(canonical: str, name: str | None) -> None:
    assert output_format(canonical) == name


@pytest.mark.parametrize(
    "canonical",
    [
        "SELECT file('/x')",
        "SELECT\n    a,\n    file(b)\nFROM t",
        "SELECT * APPLY file\nFROM t",
        "SELECT *\nFROM executable('x', 'TSV', 'a Int8')",
        "INSERT INTO t FROM INFILE '/x' FORMAT TSV",
        "SELECT 1\nINTO OUTFILE '/x'",
        "CREATE TABLE t\n(\n    `a` Int8\n)\nENGINE = Executable('x', 'TSV')",
        "SELECT 1\nSETTINGS max_threads = 1, profile = 'default'",
    ],
)
def test_what_reaches_outside_is_refused(canonical: str) -> None:
    with pytest.raises(QueryError, match="not available"):
        refuse_reach(canonical)


@pytest.mark.parametrize(
    "canonical",
    [
        "SELECT 'file(1)', file\nFROM t",
        "SELECT profile = 'x', url\nFROM t\nWHERE url = executable",
        "CREATE TABLE t\n(\n    `file` String,\n    `python` String\n)\nENGINE = MergeTree\nORDER BY file",
        "SELECT 'INTO OUTFILE \\'x\\''",
    ],
)
def test_names_alone_are_not_refused(canonical: str) -> None:
    refuse_reach(canonical)


def test_a_profile_cannot_come_by_the_url() -> None:
    with pytest.raises(QueryError):
        refuse_setting("Profile")
    refuse_setting("max_threads")
