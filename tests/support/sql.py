"""SQL fixtures: ``embedded_sql`` for the session, ``sql`` to run a test on it and on ClickHouse where there is one.

``TOUCHLINE_TEST_CLICKHOUSE`` (for example ``http://default:secret@127.0.0.1:8123``) adds a real server to ``sql``.
"""

import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest


class Answered(NamedTuple):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class SqlServer:
    """Where a server is, whichever it is. ``database`` is fresh and dropped by the fixture."""

    def __init__(self, url: str, database: str = "default") -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 8123
        self.user, self.password = parts.username or "default", parts.password or ""
        self.database = database

    @property
    def url(self) -> str:
        """Without credentials."""
        return f"http://{self.host}:{self.port}"

    def ask(
        self,
        sql: str | bytes = "",
        *,
        path: str = "/",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60,
        **parameters: str,
    ) -> Answered:
        """One plain HTTP request: ``sql`` is the body, ``parameters`` go into the URL (``query`` too)."""
        given = {"database": self.database} | parameters if path == "/" else parameters
        body = sql.encode() if isinstance(sql, str) else sql
        request = urllib.request.Request(
            f"{self.url}{path}?{urllib.parse.urlencode(given)}",
            body if method == "POST" else None,
            {"X-ClickHouse-User": self.user, "X-ClickHouse-Key": self.password} | dict(headers or {}),
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                return Answered(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answered(error.code, error.headers, error.read())

    def rows(self, sql: str, **parameters: str) -> list[list[str]]:
        """Rows of a query that must succeed, as texts."""
        answered = self.ask(sql, **parameters)
        assert answered.status == 200, answered.text
        return [line.split("\t") for line in answered.text.splitlines()]


class EmbeddedSql:
    """The embedded SQL server as a process of its own."""

    def __init__(self, folder: Path, *, password: str = "") -> None:
        self.folder = folder
        self.password = password
        self.process: subprocess.Popen[str] | None = None

    def start(self, port: int = 0, *options: str) -> SqlServer:
        """Start and wait until it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stream.embedded.sql", "--data", str(self.folder), "--port", str(port), *options],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TOUCHLINE_CLICKHOUSE_PASSWORD": self.password},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready port="):
            self.kill()
            raise RuntimeError("the embedded SQL server did not start")
        return SqlServer(f"http://default:{self.password}@127.0.0.1:{int(line.removeprefix('ready port='))}")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self._reap()

    def kill(self) -> None:
        """Kill -9."""
        if self.process is not None:
            self.process.kill()
            self._reap()

    def _reap(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        code = self.process.wait(30)
        self.process.stdout.close()
        self.process = None
        return code


@pytest.fixture(scope="session")
def embedded_sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlServer]:
    """An embedded SQL server for all tests; use a database of your own (``fresh_database``)."""
    server = EmbeddedSql(tmp_path_factory.mktemp("sql"))
    yield server.start()
    server.stop()


def fresh_database(server: SqlServer) -> SqlServer:
    """The same server with a new, empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    assert server.ask(f"CREATE DATABASE {name}").status == 200
    return SqlServer(f"http://{server.user}:{server.password}@{server.host}:{server.port}", name)


_REAL = os.environ.get("TOUCHLINE_TEST_CLICKHOUSE", "")


@pytest.fixture(params=["embedded", *(["clickhouse"] if _REAL else [])])
def sql(request: pytest.FixtureRequest) -> Iterator[SqlServer]:
    """A fresh database on each server that the contract holds for."""
    server = SqlServer(_REAL) if request.param == "clickhouse" else request.getfixturevalue("embedded_sql")
    fresh = fresh_database(server)
    yield fresh
    server.ask(f"DROP DATABASE {fresh.database}")


@pytest.fixture
def private_sql(tmp_path: Path) -> Iterator[EmbeddedSql]:
    """An embedded SQL server of this test alone, not started yet: to be killed and restarted."""
    server = EmbeddedSql(tmp_path / "sql")
    yield server
    server.kill()
