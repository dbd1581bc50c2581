"""``touchline up`` as a user runs it: a process on a data folder, with ports of its own, that can be killed in parts."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROLES = {
    "broker": "stream.embedded.broker",
    "sql": "stream.embedded.sql",
    "collect": "stream.collect",
    "worker": "stream.stages",
    "sink": "sinks",
}


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Machine:
    """One data folder and the processes on it."""

    def __init__(self, data: Path, **settings: str):
        self.data = data
        self.http, self.sql, self.broker = free_ports(3)
        self.bootstrap = settings.get("kafka", f"127.0.0.1:{self.broker}")
        self._prefix = settings.get("topic_prefix", "")
        given = {f"TOUCHLINE_{name.upper()}": value for name, value in settings.items()}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TOUCHLINE_")}
        self.environment = (
            clean
            | given
            | {
                "TOUCHLINE_DATA": str(data),
                "TOUCHLINE_HTTP_PORT": str(self.http),
                "TOUCHLINE_SQL_PORT": str(self.sql),
                "TOUCHLINE_BROKER_PORT": str(self.broker),
            }
        )
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    def topic(self, name: str) -> str:
        """As the broker has it."""
        return self._prefix + name

    def start(self, wait_s: float = 90) -> None:
        log = self.data.parent / f"{self.data.name}-up.log"
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stream.cli.main", "up"], env=self.environment, stdout=out, stderr=out
            )
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            try:
                if urllib.request.urlopen(f"{self.url}/readyz", timeout=2).status == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError(f"not ready; {log}:\n{log.read_text()[-3000:]}")

    def stop(self) -> float:
        """SIGTERM; returns how many seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.monotonic() - began

    def processes(self) -> dict[str, int]:
        """Role -> pid of this machine's children that run now."""
        assert self.process is not None
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                command = (folder / "cmdline").read_bytes().decode().split("\0")
            except (OSError, ValueError):
                continue
            if parent == self.process.pid:
                found |= {role: int(folder.name) for role, module in ROLES.items() if module in command}
        return found

    def kill(self, role: str) -> None:
        """Kill -9 one process; ``up`` starts it again."""
        pid = self.processes().get(role)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """Kill -9 everything at once, the supervisor first."""
        assert self.process is not None
        pids = self.processes().values()
        self.process.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def post(self, path: str, body: bytes, *, patience_s: float = 60, key: str = "dev") -> None:
        """POST until it is acknowledged, as the SDKs do: the same bytes again after an error or no answer."""
        import base64

        headers = {"Content-Type": "application/json"}
        headers["Authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        deadline = time.monotonic() + patience_s
        while True:
            request = urllib.request.Request(self.url + path, body, headers)
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    assert answer.status == 200, answer.status
                    return
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise AssertionError(f"{error.code}: {error.read()[:300]!r}") from error
            except OSError:
                pass
            assert time.monotonic() < deadline, "never acknowledged"
            time.sleep(0.1)

    def rows(self, sql: str) -> list[dict]:
        """Rows of a query, through ClickHouse's HTTP interface."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.sql}/?database=touchline&default_format=JSONEachRow", sql.encode()
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    def touchline(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command of the product against this machine."""
        return subprocess.run(
            [sys.executable, "-m", "stream.cli.main", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
