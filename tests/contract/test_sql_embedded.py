"""What the embedded SQL server adds to ClickHouse's interface: durability on one machine, confinement, two users."""

import contextlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.sql import EmbeddedSql, SqlServer, fresh_database

WINDOWED = "ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000"
SLOW = "SELECT sum(sleepEachRow(0.1)) FROM numbers(600) SETTINGS max_block_size = 1"
CONSOLE = {"X-ClickHouse-User": "console"}


@pytest.fixture
def db(embedded_sql: SqlServer) -> SqlServer:
    return fresh_database(embedded_sql)


def insert(server: SqlServer, rows: str, token: str) -> int:
    return server.ask(rows, query="INSERT INTO t FORMAT TSV", insert_deduplication_token=token, async_insert="0").status


# durability


def test_acknowledged_rows_and_their_tokens_survive_kill_9(private_sql: EmbeddedSql) -> None:
    server = private_sql.start()
    server.rows(f"CREATE TABLE t (a UInt64) {WINDOWED}")
    for round_number in range(3):
        for i in range(20):
            assert insert(server, f"{round_number * 20 + i}\n", f"{round_number}/{i}") == 200
        private_sql.kill()
        server = private_sql.start()
        assert insert(server, "999\n", f"{round_number}/19") == 200

    assert server.rows("SELECT count(), sum(a) FROM t") == [["60", str(sum(range(60)))]]


def test_kill_9_in_the_middle_of_inserts_leaves_each_once_after_a_retry(private_sql: EmbeddedSql) -> None:
    server = private_sql.start()
    server.rows(f"CREATE TABLE t (a UInt64) {WINDOWED}")
    timer = threading.Timer(0.5, private_sql.kill)
    timer.start()
    sent = 0
    try:
        while sent < 5000:
            insert(server, f"{sent}\n", str(sent))
            sent += 1
    except OSError:
        pass
    timer.join()
    server = private_sql.start()
    for i in range(max(0, sent - 5), sent + 1):
        assert insert(server, f"{i}\n", str(i)) == 200

    assert server.rows("SELECT count(), sum(a) FROM t") == [[str(sent + 1), str(sum(range(sent + 1)))]]


def test_an_insert_that_was_cut_short_between_its_token_and_its_part_is_not_taken_for_done(
    private_sql: EmbeddedSql,
) -> None:
    """The engine writes the token first; a kill in between leaves the part under its temporary name."""
    server = private_sql.start()
    server.rows(f"CREATE TABLE t (a UInt64) {WINDOWED}")
    assert insert(server, "1\n", "one") == insert(server, "2\n", "two") == 200
    (part,) = server.rows("SELECT path FROM system.parts WHERE table = 't' AND active AND name = 'all_2_2_0'")
    private_sql.kill()
    place = Path(part[0])
    place.rename(place.with_name("tmp_insert_all_2_2_0"))
    server = private_sql.start()
    assert server.rows("SELECT count(), sum(a) FROM t") == [["1", "1"]]

    assert insert(server, "2\n", "two") == insert(server, "1\n", "one") == 200
    assert server.rows("SELECT count(), sum(a) FROM t") == [["2", "3"]]
    private_sql.kill()
    server = private_sql.start()
    assert insert(server, "2\n", "two") == 200
    assert server.rows("SELECT count(), sum(a) FROM t") == [["2", "3"]]


def test_small_parts_are_one_file_and_outlive_their_merge(private_sql: EmbeddedSql) -> None:
    server = private_sql.start()
    server.rows(f"CREATE TABLE t (a UInt64, b String) {WINDOWED}")
    for i in range(3):
        assert insert(server, f"{i}\tx\n", str(i)) == 200
    server.rows("OPTIMIZE TABLE t FINAL")
    server.rows("ALTER TABLE t DELETE WHERE a = 1 SETTINGS mutations_sync = 1")
    private_sql.kill()
    server = private_sql.start()

    assert server.rows("SELECT a FROM t ORDER BY a") == [["0"], ["2"]]
    assert (
        server.rows("SELECT path FROM system.parts WHERE table = 't' AND active AND part_storage_type != 'Packed'")
        == []
    )
    places = [Path(path) for (path,) in server.rows("SELECT path FROM system.parts WHERE table = 't'")]
    assert {file.name for place in places for file in place.iterdir()} == {"data.packed"}
    assert {f"all_{i}_{i}_0" for i in (1, 2, 3)} <= {place.name for place in places}


def restarted(sql: EmbeddedSql, *options: str) -> SqlServer:
    assert sql.stop() == 0
    return sql.start(0, *options)


def synced_files(server: SqlServer) -> int:
    """How many files an insert syncs."""

    def count() -> int:
        ((synced,),) = server.rows("SELECT sum(value) FROM system.events WHERE event = 'FileSync'")
        return int(synced)

    server.rows(f"CREATE TABLE t (a UInt64) {WINDOWED}")
    before = count()
    assert insert(server, "1\n", "one") == 200
    return count() - before


def test_each_insert_is_synced_if_fsync_is_always(private_sql: EmbeddedSql) -> None:
    assert synced_files(private_sql.start(0, "--fsync", "always")) >= 1
    assert not (private_sql.folder / "unsynced").exists()


def test_else_all_of_it_every_so_often_and_a_mark_says_until_then_that_it_is_not(private_sql: EmbeddedSql) -> None:
    mark = private_sql.folder / "unsynced"
    server = private_sql.start(0, "--fsync", "3600000")
    assert not mark.exists()
    assert server.rows("SELECT 1") == [["1"]]
    assert not mark.exists()
    assert synced_files(server) == 0
    assert mark.exists()
    private_sql.kill()
    assert private_sql.start(0, "--fsync", "100").rows("SELECT sum(a) FROM t") == [["1"]]
    deadline = time.monotonic() + 30
    while mark.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not mark.exists()
    assert insert(restarted(private_sql, "--fsync", "3600000"), "2\n", "two") == 200
    assert mark.exists()
    assert private_sql.stop() == 0
    assert not mark.exists()


def test_after_another_boot_it_does_not_start_with_rows_that_may_not_be_on_the_disk(private_sql: EmbeddedSql) -> None:
    server = private_sql.start(0, "--fsync", "3600000")
    server.rows(f"CREATE TABLE t (a UInt64) {WINDOWED}")
    private_sql.kill()
    (private_sql.folder / "unsynced").write_text("the boot before this one")
    refused = subprocess.run(
        [sys.executable, "-m", "stream.embedded.sql", "--data", str(private_sql.folder), "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode == 2
    assert "the machine went down" in refused.stderr
    assert "TOUCHLINE_FSYNC=always" in refused.stderr


def test_sigterm_stops_it_with_exit_code_0_though_a_query_runs(private_sql: EmbeddedSql) -> None:
    server = private_sql.start()
    reader = threading.Thread(target=lambda: server.ask(SLOW), daemon=True)
    reader.start()
    while server.rows("SELECT count() FROM system.processes") == [["1"]]:
        pass

    assert private_sql.stop() == 0


def test_a_folder_has_one_server_and_the_second_says_so(private_sql: EmbeddedSql) -> None:
    private_sql.start()
    second = subprocess.run(
        [sys.executable, "-m", "stream.embedded.sql", "--data", str(private_sql.folder), "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert second.returncode == 2
    assert "is in use by process" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_that_is_taken_is_named(private_sql: EmbeddedSql, embedded_sql: SqlServer, tmp_path: Path) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "stream.embedded.sql", "--data", str(tmp_path), "--port", str(embedded_sql.port)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert second.returncode == 2
    assert str(embedded_sql.port) in second.stderr
    assert "Traceback" not in second.stderr


def test_tables_of_the_default_database_survive_a_restart(private_sql: EmbeddedSql) -> None:
    server = private_sql.start()
    server.rows(f"CREATE TABLE default.t (a UInt64) {WINDOWED}")
    server.rows("INSERT INTO default.t VALUES (1)")
    assert private_sql.stop() == 0
    server = private_sql.start()

    assert server.rows("SELECT a FROM default.t") == [["1"]]


def test_it_starts_again_and_again_whatever_the_default_database_holds(private_sql: EmbeddedSql) -> None:
    for i in range(3):
        assert private_sql.start().rows(f"SELECT {i}") == [[str(i)]]
        assert private_sql.stop() == 0
    server = private_sql.start()
    server.rows("CREATE DATABASE d")
    server.rows("CREATE TABLE d.t (a UInt64) ENGINE = MergeTree ORDER BY a")
    server.rows("CREATE VIEW default.v AS SELECT a FROM d.t")
    for _ in range(2):
        private_sql.kill()
        server = private_sql.start()

    assert server.rows("SELECT count() FROM default.v") == [["0"]]


def test_a_body_larger_than_memory_allows_goes_through_the_disk(db: SqlServer) -> None:
    db.rows(f"CREATE TABLE t (a UInt64, s String) {WINDOWED}")
    rows = "".join(f"{i}\t{'x' * 100}\n" for i in range(100_000))

    assert insert(db, rows, "big") == 200
    assert insert(db, rows, "big") == 200
    assert db.rows("SELECT count(), uniqExact(a) FROM t") == [["100000", "100000"]]


# concurrency


def test_a_slow_read_blocks_neither_inserts_nor_reads_nor_ping(db: SqlServer) -> None:
    db.rows(f"CREATE TABLE t (a UInt64) {WINDOWED}")
    slow = [threading.Thread(target=lambda: db.ask(SLOW, max_execution_time="4")) for _ in range(2)]
    for thread in slow:
        thread.start()
    assert db.ask(path="/ping", method="GET").status == 200
    assert insert(db, "1\n", "one") == 200
    assert db.rows("SELECT count() FROM t") == [["1"]]

    assert all(thread.is_alive() for thread in slow)
    for thread in slow:
        thread.join()


def test_readers_see_whole_inserts_while_rows_come_in(db: SqlServer) -> None:
    db.rows(f"CREATE TABLE t (a UInt64) {WINDOWED}")
    block = "".join(f"{i}\n" for i in range(100))
    seen: list[int] = []

    def read() -> None:
        seen.extend(int(db.rows("SELECT count() FROM t")[0][0]) for _ in range(30))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for thread in readers:
        thread.start()
    for i in range(50):
        assert insert(db, block, str(i)) == 200
    for thread in readers:
        thread.join()

    assert len(seen) == 120
    assert {count % 100 for count in seen} == {0}
    assert db.rows("SELECT count() FROM t") == [["5000"]]


# confinement


@pytest.mark.parametrize("user", ["default", "console"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT file('/etc/passwd')",
        "SELECT `file`('/etc/passwd')",
        "SELECT \"f\\x69le\"('/etc/passwd')",
        "SELECT /* */ fIlE /* ( */ ('/etc/passwd')",
        "SELECT * APPLY(file) FROM (SELECT '/etc/passwd' AS p)",
        "SELECT * APPLY(x -> file(x)) FROM (SELECT '/etc/passwd' AS p)",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT * FROM remote('127.0.0.1:1', 'system.one')",
        "SELECT * FROM s3('http://127.0.0.1:1/bucket/key')",
        "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
        "SELECT * FROM executable('x', 'TSV', 'a Int8')",
        "SELECT * FROM Python(os)",
        "SELECT * FROM `/etc/passwd`",
        "SELECT * FROM default.`/etc/passwd`",
        "SELECT 1 INTO OUTFILE '/tmp/touchline-outfile'",
        "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT LineAsString",
        "INSERT INTO FUNCTION file('/tmp/touchline-outfile', 'TSV', 'a Int8') VALUES (1)",
        "CREATE TABLE f (a String) ENGINE = File('TSV')",
        "CREATE TABLE f (a String) ENGINE = URL('http://127.0.0.1:1/', 'TSV')",
        "CREATE TABLE f (a Int8) ENGINE = Executable('x', 'TSV')",
        "CREATE VIEW f AS SELECT file('/etc/passwd')",
        "CREATE FUNCTION touchline_f AS x -> file(x)",
        "CREATE DATABASE f ENGINE = Filesystem('/etc')",
        "CREATE TABLE f (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '/tmp/f/')",
        "CREATE USER mallory",
        "BACKUP TABLE t TO File('/tmp/touchline-backup')",
        "SYSTEM SHUTDOWN",
        "SELECT 1 SETTINGS dialect = 'prql'",
    ],
)
def test_nothing_outside_the_database_is_reached(db: SqlServer, user: str, query: str) -> None:
    db.rows("CREATE TABLE t (a String) ENGINE = Memory")
    answered = db.ask(query, headers={"X-ClickHouse-User": user})

    assert answered.status != 200, answered.text
    assert "root:" not in answered.text
    assert not Path("/tmp/touchline-outfile").exists()
    assert db.ask(path="/ping", method="GET").status == 200


def test_a_dictionary_cannot_read_files(db: SqlServer) -> None:
    db.ask(
        "CREATE DICTIONARY d (a UInt64, b String) PRIMARY KEY a "
        "SOURCE(FILE(PATH '/etc/passwd' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(0)"
    )
    assert db.ask("SELECT dictGet('d', 'b', 0)").status != 200


def test_columns_may_be_called_like_what_is_refused(db: SqlServer) -> None:
    db.rows("CREATE TABLE t (file String, url String, profile String, python String) ENGINE = Memory")
    db.rows("INSERT INTO t (file, url, profile) VALUES ('f', 'u', 'p')")

    assert db.rows("SELECT file, url, profile = 'p' FROM t WHERE url = 'u' AND file IN ('f')") == [["f", "u", "1"]]
    assert db.rows("ALTER TABLE t UPDATE profile = 'q' WHERE 1") == []


# the console user


def test_console_reads_and_never_writes(db: SqlServer) -> None:
    db.rows("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    db.rows("INSERT INTO t VALUES (1)")

    assert db.ask("SELECT a FROM t", headers=CONSOLE).text == "1\n"
    assert db.ask("SHOW TABLES", headers=CONSOLE).text == "t\n"
    for query in (
        "INSERT INTO t VALUES (2)",
        "INSERT INTO t FORMAT TSV\n3\n",
        "DROP TABLE t",
        "CREATE TABLE x (a Int8) ENGINE = Memory",
        "ALTER TABLE t DELETE WHERE 1",
        "TRUNCATE TABLE t",
        "OPTIMIZE TABLE t FINAL",
        "KILL QUERY WHERE 1",
        "SYSTEM STOP MERGES",
        "SET max_threads = 1",
    ):
        assert db.ask(query, headers=CONSOLE).status != 200, query
    assert db.rows("SELECT count() FROM t") == [["1"]]


def test_consoles_limits_can_be_lowered_but_not_lifted(db: SqlServer) -> None:
    many = "SELECT number FROM numbers(200000)"
    assert db.ask(many, headers=CONSOLE).headers["X-ClickHouse-Exception-Code"] == "396"
    assert db.ask(many, headers=CONSOLE, max_result_rows="300000").status == 200
    for name, value in (("max_result_rows", "0"), ("max_execution_time", "3600"), ("max_memory_usage", "9000000000"),
                        ("profile", "default")):  # fmt: skip
        assert db.ask("SELECT 1", headers=CONSOLE, **{name: value}).status != 200, name
        quoted = f"'{value}'" if name == "profile" else value
        assert db.ask(f"SELECT 1 SETTINGS {name} = {quoted}", headers=CONSOLE).status != 200, name
    assert db.ask("SELECT 1 SETTINGS readonly = 0", headers=CONSOLE).status != 200
    assert db.ask("CREATE TABLE x (a Int8) ENGINE = Memory", headers=CONSOLE, readonly="0").status != 200
    assert db.ask("SELECT 1 SETTINGS max_threads = 1", headers=CONSOLE, max_execution_time="5").text == "1\n"


def test_a_password_is_asked_for_where_one_is_set(tmp_path: Path) -> None:
    private = EmbeddedSql(tmp_path / "sql", password="s3cret")
    server = private.start()
    try:
        assert server.rows("SELECT currentUser()") == [["default"]]
        assert server.ask("SELECT 1", headers={"X-ClickHouse-Key": ""}).status == 403
        assert server.ask("SELECT 1", headers={"X-ClickHouse-User": "console"}).text == "1\n"
        assert server.ask(path="/ping", method="GET").status == 200
    finally:
        private.stop()


# strangers


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "rebound.example:8123"}]
)
def test_web_pages_of_other_sites_are_refused(db: SqlServer, headers: dict[str, str]) -> None:
    answered = db.ask("SELECT 1", headers=headers)

    assert answered.status == 403
    assert answered.headers["X-ClickHouse-Exception-Code"] == "497"


def test_what_is_not_supported_says_so(db: SqlServer) -> None:
    assert db.ask("SELECT 1", compress="1").status == 501
    assert db.ask("SELECT 1", decompress="1").status == 501
    assert db.ask("SELECT 1", headers={"Content-Encoding": "snappy"}).status == 501
    assert db.ask("SELECT 1", method="PUT").status == 501


def test_malformed_requests_never_hurt_the_next_one(db: SqlServer) -> None:
    db.rows("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    rng = random.Random(20260101)
    parts = [b"SELECT", b"INSERT INTO t", b"FORMAT", b"TSV", b"Native", b"VALUES", b"(", b")", b"'", b"`", b'"', b"\\",
             b"\x00", b"\xff\xfe", b"/*", b"--", b"\n", b";", b"1", b"{a:UInt8}", b"$x$", b"SETTINGS", b"a", b"=",
             "\ud800".encode("utf-8", "surrogatepass"), b"(" * 2000, b"9" * 400, b"JSONEachRow", b'{"a":']  # fmt: skip
    for _ in range(300):
        query = b" ".join(rng.choice(parts) for _ in range(rng.randint(0, 8)))
        names = rng.sample(
            ["database", "default_format", "param_a", "max_threads", "a b", "", "query_id", "session_id"], 2
        )
        parameters = {name: rng.choice(["", "1", "'", "\x00", "💥", "x" * 5000]) for name in names}
        if rng.random() < 0.5:
            parameters["query"] = rng.choice(["SELECT", "INSERT INTO t FORMAT Native", "SELECT 1", "'"])
        answered = db.ask(query, **parameters)
        assert 200 <= answered.status < 600
        if answered.status >= 400:
            assert answered.text.startswith("Code: ") or answered.status == 400, answered.text
            assert "Internal error" not in answered.text, (query, parameters)

    assert db.rows("SELECT 1") == [["1"]]


@pytest.mark.parametrize(
    "sent",
    [
        b"garbage\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nINSERT INTO t FORMAT TSV\n1\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nSELEC\r\nzz\r\n",
        b"POST /?query=%ff%fe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        b"GET /?query=" + b"9" * 2_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_broken_http_stores_nothing_and_hurts_nobody(db: SqlServer, sent: bytes) -> None:
    db.rows("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    with socket.create_connection((db.host, db.port)) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while connection.recv(4096):
                pass

    assert db.rows("SELECT count() FROM t") == [["0"]]


def test_the_engine_does_not_take_our_signals(private_sql: EmbeddedSql) -> None:
    private_sql.start()
    assert private_sql.process is not None
    private_sql.process.send_signal(signal.SIGINT)

    assert private_sql.process.wait(20) == 0


def test_memory_that_is_free_goes_back_within_half_a_second(embedded_sql: SqlServer) -> None:
    stats = embedded_sql.ask("SELECT * FROM system.jemalloc_stats FORMAT RawBLOB").text

    assert "opt.dirty_decay_ms: 500 " in stats.replace("\n", " \n")
