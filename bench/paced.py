"""HTTP requests at a steady rate over kept connections: each is sent when it is due, whatever became of the last ones.

The time that a request waits for a free connection counts as its latency: nothing is omitted when the server is slow.
"""

import asyncio
from collections import deque
from typing import Self

import msgspec

_CONNECTIONS = 64


class Sent(msgspec.Struct):
    """One request: due when, answered when (``loop.time()``), with which status."""

    due: float
    answered: float = 0.0
    status: int = 0


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.request: Sent | None = None
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, raw: bytes, request: Sent) -> None:
        self.request = request
        self.transport.write(raw)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(rest) < size:
            return
        self.buffer = b""
        request, self.request = self.request, None
        request.status = int(head[9:12])
        request.answered = self.pool.loop.time()
        self.pool.free(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.pool.lost(self)


class Pool:
    """``async with Pool(port) as pool``: ``send`` never waits."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.loop = asyncio.get_running_loop()
        self.idle: list[Connection] = []
        self.all: list[Connection] = []
        self.waiting: deque[tuple[bytes, Sent]] = deque()
        self.closing = False
        self.opening: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        for _ in range(_CONNECTIONS):
            await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closing = True
        for task in self.opening:
            task.cancel()
        for connection in list(self.all):
            connection.transport.abort()

    async def _open(self) -> None:
        _, connection = await self.loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
        self.all.append(connection)
        self.free(connection)

    def send(self, raw: bytes, due: float) -> Sent:
        request = Sent(due)
        if self.idle:
            self.idle.pop().send(raw, request)
        else:
            self.waiting.append((raw, request))
        return request

    def free(self, connection: Connection) -> None:
        if self.waiting:
            connection.send(*self.waiting.popleft())
        else:
            self.idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """The server closed it, as servers do with idle ones: open another. Its request, if any, stays unanswered."""
        self.all.remove(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        if not self.closing:
            task = asyncio.create_task(self._open())
            self.opening.add(task)
            task.add_done_callback(self.opening.discard)


async def at_rate(rate: float, seconds: float, turn) -> None:
    """Call ``turn(number, due)`` ``rate`` times a second for ``seconds``, catching up after a delay."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        if (ahead := due - loop.time()) > 0:
            await asyncio.sleep(ahead)
        turn(number, due)
