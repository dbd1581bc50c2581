"""What a request asks for, who asks, and how bodies are packed."""

import base64
import gzip
import zlib

import lz4.frame
import pytest
from backports import zstd

from stream.embedded.sql.codings import Unpacker, chosen, pack
from stream.embedded.sql.errors import EngineError, QueryError
from stream.embedded.sql.footprint import clean_mappings
from stream.embedded.sql.replies import content_type
from stream.embedded.sql.requests import Query, query_of
from stream.embedded.sql.users import Users, refuse_foreign_pages

PLAIN = bytes(range(256)) * 20_000
PACKED = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress, "lz4": lz4.frame.compress}


def test_parameters_of_the_interface_are_not_settings() -> None:
    found = query_of(
        "POST",
        {"query": "SELECT 1", "database": "d", "default_format": "CSV", "session_id": "s", "wait_end_of_query": "1",
         "max_threads": "2", "param_x": "1"},
        {},
    )  # fmt: skip

    assert found == Query("SELECT 1", "d", "CSV", {"max_threads": "2", "param_x": "1"})


def test_headers_stand_in_for_parameters() -> None:
    found = query_of("POST", {}, {"X-ClickHouse-Database": "d", "X-ClickHouse-Format": "JSON"})

    assert (found.database, found.format) == ("d", "JSON")


@pytest.mark.parametrize(
    ("method", "asked", "expected"), [("GET", "0", "2"), ("GET", "1", "1"), ("POST", "0", ""), ("POST", "2", "2")]
)
def test_get_only_reads(method: str, asked: str, expected: str) -> None:
    assert query_of(method, {"readonly": asked}, {}).readonly == expected


@pytest.mark.parametrize("name", ["a b", "a=1, b", "", "1a", "a;", "ä", "profile", "dialect"])
def test_a_setting_has_a_harmless_name(name: str) -> None:
    with pytest.raises(QueryError):
        query_of("POST", {name: "1"}, {})


def test_credentials_come_from_basic_auth_then_headers_then_url() -> None:
    users = Users("pw")
    basic = {"Authorization": "Basic " + base64.b64encode(b"console:pw").decode()}

    assert users.authenticate({}, basic | {"X-ClickHouse-User": "default"}) == "console"
    assert (
        users.authenticate({"user": "nobody"}, {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "pw"}) == "default"
    )
    assert users.authenticate({"user": "console", "password": "pw"}, {}) == "console"
    assert users.authenticate({"password": "pw"}, {}) == "default"


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-ClickHouse-Key": "no"}, {"X-ClickHouse-User": "root", "X-ClickHouse-Key": "pw"},
     {"Authorization": "Basic !!"}, {"Authorization": "Bearer pw"}, {"X-ClickHouse-Key": "pw\udcff"}],
)  # fmt: skip
def test_everyone_else_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(QueryError, match="AUTHENTICATION_FAILED"):
        Users("pw").authenticate({}, headers)


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost:1", "[::1]:8123", "localhost", "10.0.0.1:80"])
def test_local_names_are_answered(host: str) -> None:
    refuse_foreign_pages({"Host": host}, bound_to_loopback=True)
    refuse_foreign_pages({"Host": host, "Origin": f"http://{host}"}, bound_to_loopback=True)


def test_other_names_are_answered_where_the_server_is_not_on_loopback() -> None:
    refuse_foreign_pages({"Host": "sql:8123"}, bound_to_loopback=False)
    with pytest.raises(QueryError):
        refuse_foreign_pages({"Host": "sql:8123"}, bound_to_loopback=True)


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("step", [7, 1000, 10**7])
def test_a_body_is_unpacked_however_it_is_cut(coding: str, step: int) -> None:
    body = PACKED[coding](PLAIN)
    unpacker = Unpacker(coding)
    pieces = [piece for i in range(0, len(body), step) for piece in unpacker.feed(body[i : i + step])]
    unpacker.finish()

    assert b"".join(pieces) == PLAIN
    assert max(map(len, pieces)) <= 1 << 20


@pytest.mark.parametrize("coding", PACKED)
def test_pack_and_unpack_are_inverse(coding: str) -> None:
    assert b"".join(Unpacker(coding).feed(pack(PLAIN, coding))) == PLAIN


@pytest.mark.parametrize("coding", PACKED)
def test_a_cut_body_is_an_error(coding: str) -> None:
    unpacker = Unpacker(coding)
    list(unpacker.feed(PACKED[coding](PLAIN)[:-5]))
    with pytest.raises(QueryError):
        unpacker.finish()


@pytest.mark.parametrize(
    ("accept", "coding"),
    [("", ""), ("gzip", "gzip"), ("gzip, deflate, br, zstd", "zstd"), ("lz4;q=0, gzip", "gzip"), ("br", ""),
     ("GZIP;q=0.5", "gzip"), ("identity", "")],
)  # fmt: skip
def test_the_answers_coding_is_one_that_the_client_takes(accept: str, coding: str) -> None:
    assert chosen(accept) == coding


@pytest.mark.parametrize(
    ("text", "code", "name", "status"),
    [
        ("Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)", 60, "UNKNOWN_TABLE", 404),
        (
            "Code: 27. DB::Exception: Bad (x)\n: here. (CANNOT_PARSE_TEXT) (version 26.9.2.1)",
            27,
            "CANNOT_PARSE_TEXT",
            400,
        ),
        ("Code: 159. DB::Exception: Timeout. (TIMEOUT_EXCEEDED)", 159, "TIMEOUT_EXCEEDED", 408),
        ("something else", 49, "LOGICAL_ERROR", 500),
    ],
)
def test_an_engine_error_keeps_code_and_name(text: str, code: int, name: str, status: int) -> None:
    error = EngineError(text)

    assert (error.code, error.name, error.status) == (code, name, status)
    assert text in str(error)


@pytest.mark.parametrize(
    ("name", "mime"),
    [("TSV", "text/tab-separated-values; charset=UTF-8"), ("JSON", "application/json; charset=UTF-8"),
     ("JSONEachRow", "application/x-ndjson; charset=UTF-8"), ("Native", "application/octet-stream"),
     ("CSVWithNames", "text/csv; charset=UTF-8; header=present"), ("PrettyCompact", "text/plain; charset=UTF-8")],
)  # fmt: skip
def test_formats_have_their_mime_type(name: str, mime: str) -> None:
    assert content_type(name) == mime


def test_only_clean_read_only_mappings_of_the_library_are_released() -> None:
    def mapping(span: str, mode: str, path: str, dirty: int) -> list[str]:
        return [f"{span} {mode} 00000000 fe:00 1 {path}", "Rss: 8 kB", f"Private_Dirty: {dirty} kB", "VmFlags: rd ex"]

    smaps = [
        *mapping("1000-3000", "r-xp", "/x/_chdb.abi3.so", 0),
        *mapping("3000-4000", "r--p", "/x/_chdb.abi3.so", 4),
        *mapping("4000-5000", "rw-p", "/x/_chdb.abi3.so", 0),
        *mapping("5000-6000", "r-xp", "/x/libc.so", 0),
    ]

    assert list(clean_mappings(smaps)) == [(0x1000, 0x2000)]
