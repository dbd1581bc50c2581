"""Processes that a benchmark starts, and what the kernel says of them: CPU seconds and memory. Linux only."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

_TICKS = os.sysconf("SC_CLK_TCK")
_READY_S = 60.0


def cpu_s(pid: int) -> float:
    """User and system seconds of all threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def waited_s(pid: int) -> float:
    """Seconds that the threads were ready to run and had no CPU: what others on the machine cost this process."""
    return sum(int((task / "schedstat").read_text().split()[1]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def pss_mb(pid: int) -> float:
    """Proportional set size in MB: shared pages count once over all processes. 0 if the process has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(rollup.partition("\nPss:")[2].split()[0]) * 1024 / 1e6


def tree(root: int) -> set[int]:
    """``root`` and all of its descendants."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


class Process:
    """``python -m module`` that is ready once it has printed a line that begins with ``ready``."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.began = time.monotonic()
        with log.open("ab") as errors:
            self._running = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.pid = self._running.pid
        self.ready = self._until_ready()

    def _until_ready(self) -> str:
        for line in self._lines():
            if line.startswith("ready"):
                return line.strip()
        self.stop()
        raise RuntimeError(f"{self.log.stem} did not start: {self.log.read_text()[-2000:]}")

    def _lines(self) -> Iterator[str]:
        assert self._running.stdout is not None
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline and (line := self._running.stdout.readline()):
            yield line

    @property
    def port(self) -> int:
        return int(self.ready.partition("port=")[2].split()[0])

    @property
    def cpu_s(self) -> float:
        return cpu_s(self.pid)

    @property
    def alive(self) -> bool:
        return self._running.poll() is None

    def stop(self) -> None:
        if self.alive:
            self._running.terminate()
            try:
                self._running.wait(20)
            except subprocess.TimeoutExpired:
                self._running.kill()
                self._running.wait()
        assert self._running.stdout is not None
        self._running.stdout.close()


@contextmanager
def stopping(processes: Iterable[Process]) -> Iterator[None]:
    """Stop them in this order at the end, whatever happens."""
    try:
        yield
    finally:
        for process in processes:
            process.stop()


def answer(module: str, *arguments: str, within: tuple[str, ...] = (), timeout_s: float = 180) -> dict[str, float]:
    """Run a yardstick as a process of its own, perhaps ``within`` another command; it prints a JSON object in a line."""
    command = [*within, sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    said = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not said:
        raise RuntimeError(f"{module}: {done.stderr[-2000:]}")
    return msgspec.json.decode(said[-1], type=dict[str, float])
