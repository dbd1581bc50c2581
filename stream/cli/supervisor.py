"""Runs the product's processes on one machine: starts them in order, keeps them running, stops them in order.

Each process prints one line that begins with ``ready`` on its standard output when it serves; everything that it prints
goes to ``<data>/logs/<name>.log``. One that ends is started again, with growing pauses: all of them
are made to be killed. If the supervisor itself is killed, its children get SIGTERM from the kernel (Linux).
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Final

import msgspec

from schemas.errors import Fatal

_READY_S: Final = 60.0
_STEADY_S: Final = 10.0
"""A process that ran this long and then ended is started again at once."""
_PR_SET_PDEATHSIG: Final = 1


class Service(msgspec.Struct, frozen=True):
    """One process: ``python -m module`` with the settings in its environment."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    stop_s: float = 3.0
    """How long it may take to stop before it is killed."""
    nice: int = 0
    """Lets others go first when there is more to do than CPU: see nice(2)."""


class Supervisor:
    """The processes of one ``touchline up``."""

    def __init__(self, data: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.logs = data / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.environment = dict(environment)
        self.say = say
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self, service: Service) -> None:
        """Start ``service``, wait until it is ready, and keep it running from then on.

        Raises: Fatal with the end of its log if it does not become ready.
        """
        process = await self._spawn(service)
        if process is None:
            raise Fatal(f"{service.name} did not start; the end of {self._log(service)}:\n{self._tail(service)}")
        self._keepers.append(asyncio.create_task(self._keep(service, process), name=f"keep-{service.name}"))

    async def stop(self, groups: Sequence[Sequence[Service]]) -> None:
        """Stop all services: group after group, within a group at once."""
        self._stopping = True
        for group in groups:
            await asyncio.gather(*(self._end(service) for service in group))
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, service: Service, process: asyncio.subprocess.Process) -> None:
        pause = 0.2
        while True:
            began = time.monotonic()
            code = await process.wait()
            if self._stopping:
                return
            pause = 0.2 if time.monotonic() - began > _STEADY_S else min(pause * 2, 10.0)
            self.say(
                f"{service.name} ended (exit {code}); starting it again in {pause:.1f} s; log: {self._log(service)}"
            )
            while True:
                await asyncio.sleep(pause)
                again = await self._spawn(service)
                if again is not None:
                    process = again
                    break
                pause = min(pause * 2, 10.0)

    async def _spawn(self, service: Service) -> asyncio.subprocess.Process | None:
        """Start a process and wait for its ready line; None if it ended or stayed silent."""
        out = self._log(service).open("ab")
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                service.module,
                *service.arguments,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=out,
                start_new_session=True,
                preexec_fn=partial(_prepare, service.nice),
            )
        except BaseException:
            out.close()
            raise
        self._running[service.name] = process
        ready = asyncio.Event()
        pump = asyncio.create_task(_pump(process, out, ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({pump, waiting}, timeout=_READY_S, return_when=asyncio.FIRST_COMPLETED)
        if ready.is_set():
            return process
        waiting.cancel()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return None

    async def _end(self, service: Service) -> None:
        process = self._running.get(service.name)
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), service.stop_s)
        except TimeoutError:
            self.say(f"{service.name} did not stop in {service.stop_s:.0f} s; killing it (nothing is lost)")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _log(self, service: Service) -> Path:
        return self.logs / f"{service.name}.log"

    def _tail(self, service: Service) -> str:
        return "\n".join(self._log(service).read_text("utf-8", "replace").splitlines()[-15:])


async def _pump(process: asyncio.subprocess.Process, out: IO[bytes], ready: asyncio.Event) -> None:
    """Copy the process's output to its log for as long as it runs."""
    assert process.stdout is not None
    with out:
        async for line in process.stdout:
            out.write(line)
            out.flush()
            if line.startswith(b"ready"):
                ready.set()


def _prepare(nice: int) -> None:
    """In the child, before it becomes the service."""
    _die_with_parent()
    if nice:
        os.nice(nice)
        # Linux may weigh sessions, and only within each its processes.
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice), "ascii")


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == 1:  # the parent died before the call
            os._exit(1)
