"""The broker as a whole: opens the data folder, serves, stops.

broker = Broker(Path("data"), port=0)
await broker.start()      # broker.bootstrap is what clients connect to
await broker.stop()
"""

import asyncio
import contextlib
import logging
import resource
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final, Self

from schemas.errors import Fatal
from stream.embedded.broker.admin import Admin
from stream.embedded.broker.apis import APIS
from stream.embedded.broker.catalog import Catalog
from stream.embedded.broker.connection import Connection, Handler
from stream.embedded.broker.coordination import Coordination
from stream.embedded.broker.durability import Durability, sync_now
from stream.embedded.broker.groups import Groups
from stream.embedded.broker.requests import Requests
from stream.embedded.broker.topics import Topics
from stream.embedded.broker.upkeep import Upkeep
from stream.embedded.fsync import sync_interval_s
from stream.embedded.owner import own
from stream.settings import Settings

log = logging.getLogger(__name__)
_TICK_S: Final = 0.2
_HOUSEKEEPING_S: Final = 15.0
_THREADS: Final = 3


class Broker:
    """A broker on one data folder.

    Args:
        data: its folder; created if missing. One broker at a time.
        host: address to bind to.
        port: 0 picks a free one; ``port`` has it after ``start``.
        fsync: ``always``, or milliseconds between syncs.
        housekeeping_s: seconds between rounds of expiry and compaction.
    """

    def __init__(
        self,
        data: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        fsync: str = "1000",
        housekeeping_s: float = _HOUSEKEEPING_S,
    ) -> None:
        self.data = data
        self.host = host
        self.port = port
        self._sync_interval_s = sync_interval_s(fsync)
        self._housekeeping_s = housekeeping_s
        self._connections: set[Connection] = set()

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"{self.host}:{self.port}"

    async def start(self) -> Self:
        """Open the data and listen. Raises: Fatal if the folder is in use or the port is taken."""
        strict = self._sync_interval_s is None
        _allow_many_files()
        self._lock = _locked(self.data)
        self._catalog = Catalog(self.data / "catalog.db", durable=strict)
        self._topics = Topics(self.data, self._catalog, strict=strict)
        self._groups = Groups(self._catalog.groups, self._catalog.save_group)
        self._pool = ThreadPoolExecutor(_THREADS, "broker-disk")
        self._durability = Durability(self._pool)
        self._upkeep = Upkeep(self._topics, self._pool)
        handlers = _handlers(
            Requests(self._topics, self._catalog, self._durability, strict=strict),
            Coordination(self._topics, self._catalog, self._groups),
            Admin(self._topics, self._catalog, self._groups),
        )
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(handlers, self._connections, self._groups.lost), self.host, self.port
            )
        except OSError as error:
            self._close_data()
            raise Fatal(f"cannot listen on {self.host}:{self.port}: {error.strerror}") from None
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks = [
            loop.create_task(_every(_TICK_S, self._groups.tick)),
            loop.create_task(self._upkeep.run_every(self._housekeeping_s)),
        ]
        if self._sync_interval_s is not None:
            self._tasks.append(loop.create_task(self._durability.sync_every(self._topics, self._sync_interval_s)))
        return self

    async def stop(self) -> None:
        """Close connections, sync and close the data."""
        self._server.close()
        self._upkeep.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)
        sync_now(self._topics)
        self._close_data()

    def _close_data(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._catalog.close()
        self._topics.close()
        self._lock.close()

    async def housekeep(self) -> None:
        """One round of expiry and compaction, now."""
        await self._upkeep.round()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _handlers(*parts: object) -> dict[int, Handler]:
    """The handler of every request is the method of the same name."""
    return {key: next(getattr(p, api.name) for p in parts if hasattr(p, api.name)) for key, api in APIS.items()}


def _locked(data: Path) -> IO[str]:
    lock = own(data / "lock")
    if lock is None:
        raise Fatal(f"{data} is in use by another broker; stop it first, or give this one another folder")
    return lock


def _allow_many_files() -> None:
    """Every segment is an open file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _every(seconds: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            act()
        except Exception:
            log.exception("a periodic task failed")


async def run(broker: Broker, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is told the port."""
    await broker.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ready(broker.port)
    await stop.wait()
    await broker.stop()


async def serve(settings: Settings) -> None:
    """Run the embedded broker of this installation until it is told to stop."""
    broker = Broker(Path(settings.data) / "broker", host=settings.host, port=settings.broker_port, fsync=settings.fsync)
    await run(broker, lambda port: print(f"ready port={port}", flush=True))  # noqa: T201 - who started us waits for it
