"""``touchline import`` against a collector that is slow, away, or not one at all. The collector here answers what it is told
and remembers what it acknowledged."""

import base64
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sinks.clickhouse.client import ClickHouse


class Collector:
    """Answers ``answers`` one by one, then 200. ``taken`` are the rows of acknowledged requests."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.taken: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.stop_after: int | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, http: BaseHTTPRequestHandler) -> None:
        body = gzip.decompress(http.rfile.read(int(http.headers["Content-Length"])))
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        if self.stop_after is not None and len(self.requests) >= self.stop_after:
            http.close_connection = True
            return
        key = base64.b64decode(http.headers["Authorization"].removeprefix("Basic ")).decode()
        self.requests.append((http.path, key))
        if status == 200:
            self.taken += [json.loads(line) for line in body.splitlines() if line != b"[]"]
        http.send_response(status)
        for name, value in headers.items():
            http.send_header(name, value)
        http.send_header("Content-Length", "0")
        http.end_headers()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def collector():
    found = Collector()
    yield found
    found.close()


def touchline(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stream.cli.main", "import", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def accounts(folder: Path, count: int) -> Path:
    path = folder / "accounts.csv"
    path.write_text("id,name,updated_at\n" + "".join(f"a{n},Account {n},2026-01-31\n" for n in range(count)))
    return path


def ids(collector: Collector) -> list[str]:
    return [row["id"] for row in collector.taken]


def test_everything_arrives_in_order_in_batches_under_the_key(collector, tmp_path):
    path = accounts(tmp_path, 1200)
    done = touchline(path, "--kind", "accounts", "--url", collector.url, "--key", "secret", "--json")
    assert (done.returncode, ids(collector)) == (0, [f"a{n}" for n in range(1200)]), done.stderr
    assert collector.requests[1:] == [("/v1/crm/accounts", "secret:")] * 3
    summary = json.loads(done.stdout)
    assert {k: summary[k] for k in ("rows", "sent", "bad", "skipped", "requests", "waits")} == {
        "rows": 1200, "sent": 1200, "bad": 0, "skipped": 0, "requests": 3, "waits": 0,
    }  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["accounts.csv"]


def test_503_is_waited_for_as_long_as_it_asks(collector, tmp_path):
    path = accounts(tmp_path, 3)
    collector.answers = [(200, {}), (503, {"Retry-After": "1"}), (503, {}), (200, {})]
    began = time.monotonic()
    done = touchline(path, "--kind", "accounts", "--url", collector.url, "--json")
    assert time.monotonic() - began > 1.5
    assert (done.returncode, ids(collector), json.loads(done.stdout)["waits"]) == (0, ["a0", "a1", "a2"], 2)


def test_an_import_that_was_cut_off_goes_on_where_it_stopped(collector, tmp_path):
    path = accounts(tmp_path, 1200)
    path.write_text(path.read_text().replace("a3,", ",", 1).replace("a1100,", ",", 1))
    collector.stop_after = 3  # the check and two batches
    cut = touchline(path, "--kind", "accounts", "--url", collector.url, "--patience", 1)
    assert cut.returncode == 1
    assert "1,001 rows are done, go on with --resume" in cut.stderr
    assert len(ids(collector)) == 1000
    collector.stop_after = None
    done = touchline(path, "--kind", "accounts", "--url", collector.url, "--resume", "--json")
    summary = json.loads(done.stdout)
    assert (summary["sent"], summary["resumed_after"]) == (1198, 1001), done.stderr
    assert "nothing to resume" not in done.stderr
    assert ids(collector) == [f"a{n}" for n in range(1200) if n not in (3, 1100)]
    bad = (tmp_path / "accounts.bad.csv").read_text().splitlines()
    assert [line.split(",")[3] for line in bad[1:]] == ["5", "1102"]
    assert done.returncode == 1
    assert not (tmp_path / "accounts.csv.import.json").exists()


def test_to_resume_what_was_not_interrupted_begins_at_the_first_row_and_says_so(collector, tmp_path):
    path = accounts(tmp_path, 3)
    path.write_text(path.read_text().replace("a1,", ",", 1))
    command = (path, "--kind", "accounts", "--url", collector.url, "--json")
    assert json.loads(touchline(*command).stdout)["resumed_after"] is None
    done = touchline(*command, "--resume")
    assert f"nothing to resume: there is no {path}.import.json" in done.stderr
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["sent"], summary["resumed_after"]) == (1, 2, 0)
    assert ids(collector) == ["a0", "a2"] * 2
    # It is an import of its own: rows that the one before could not send are not in its file twice.
    assert len((tmp_path / "accounts.bad.csv").read_text().splitlines()) == 2


def test_a_killed_import_goes_on_and_sends_at_most_one_batch_twice(collector, tmp_path):
    path = accounts(tmp_path, 5000)
    collector.answers = [(200, {})] * 4 + [(503, {"Retry-After": "15"})]
    command = [
        sys.executable,
        "-m",
        "stream.cli.main",
        "import",
        str(path),
        "--kind",
        "accounts",
        "--url",
        collector.url,
    ]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(collector.requests) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert touchline(*command[4:], "--resume").returncode == 0
    found = ids(collector)
    assert (sorted(set(found)), len(found) <= 5500) == (sorted(f"a{n}" for n in range(5000)), True)


def test_another_file_or_mapping_is_not_resumed(collector, tmp_path):
    path = accounts(tmp_path, 1200)
    collector.stop_after = 2
    touchline(path, "--kind", "accounts", "--url", collector.url, "--patience", 0)
    collector.stop_after = None
    path.write_text(path.read_text() + "z,Z,2026-01-31\n")
    done = touchline(path, "--kind", "accounts", "--url", collector.url, "--resume")
    assert (done.returncode, "Import without --resume" in done.stderr) == (2, True)
    assert touchline(path, "--kind", "accounts", "--url", collector.url).returncode == 0


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [((401, {}), 2, "does not know the write key"), ((404, {}), 1, "is it a Touchline collector?")],
)
def test_what_cannot_be_helped_by_trying_again_stops_at_once(collector, tmp_path, answer, code, says):
    collector.answers = [answer]
    done = touchline(accounts(tmp_path, 1), "--kind", "accounts", "--url", collector.url)
    assert (done.returncode, says in done.stderr, collector.taken) == (code, True, [])
    assert "Traceback" not in done.stderr


def test_nobody_there_says_what_to_do(tmp_path):
    done = touchline(accounts(tmp_path, 1), "--kind", "accounts", "--url", "http://127.0.0.1:9", "--patience", 0)
    assert (done.returncode, "is `touchline up` running there?" in done.stderr) == (1, True)


def test_a_folder_that_cannot_be_written_to_keeps_its_bookmark_in_the_data_folder(tmp_path):
    from stream.cli.importing.bookmark import place_of

    beside = place_of(tmp_path / "a.csv", tmp_path / "data")
    assert beside == tmp_path / "a.csv.import.json"
    if os.geteuid() != 0:  # root may write everywhere
        (tmp_path / "shut").mkdir(mode=0o500)
        assert place_of(tmp_path / "shut" / "a.csv", tmp_path / "data") == tmp_path / "data/imports/a.csv.import.json"


def test_parquet_has_types_of_its_own(collector, tmp_path, database: ClickHouse):
    path = tmp_path / "deals.parquet"
    database.command(
        f"INSERT INTO FUNCTION file('{path}', 'Parquet')"
        " SELECT 'o' || toString(number) AS id, CAST(number + 0.25, 'Nullable(Decimal(12, 2))') AS amount, 'EUR' AS currency,"
        " toDateTime64('2026-01-31 09:00:00', 3, 'UTC') AS updated_at, toDate('2026-01-30') AS closed_at,"
        " ['a@b.co'] AS contact_emails, [CAST(('demo', '2026-01-02'), 'Tuple(stage String, at String)')] AS stages"
        " FROM numbers(3)"
    )
    done = touchline(path, "--kind", "opportunities", "--url", collector.url)
    assert done.returncode == 0, done.stderr
    assert collector.taken[1] == {
        "id": "o1", "amount": "1.25", "currency": "EUR", "updated_at": "2026-01-31T09:00:00.000Z",
        "closed_at": "2026-01-30", "contact_emails": ["a@b.co"], "stages": [{"stage": "demo", "at": "2026-01-02"}],
    }  # fmt: skip
    assert ids(collector) == ["o0", "o1", "o2"]
    path.write_bytes(b"PAR1 or not")
    broken = touchline(path, "--kind", "opportunities", "--url", collector.url)
    assert (broken.returncode, "no Parquet file" in broken.stderr) == (2, True)
