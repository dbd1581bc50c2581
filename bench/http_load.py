"""HTTP load from one process: keep-alive connections, each sends its next request when the last one is answered.

    python -m bench.http_load PORT CONNECTIONS SECONDS FILE

FILE has length-prefixed raw requests, sent in turn. Prints one JSON line: answered, statuses, seconds, p50 and p99 in ms.
"""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import uvloop


def write_requests(path: Path, requests: Sequence[bytes]) -> None:
    path.write_bytes(b"".join(len(request).to_bytes(4, "big") + request for request in requests))


def read_requests(path: Path) -> list[bytes]:
    content, requests, at = path.read_bytes(), [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        requests.append(content[at + 4 : at + 4 + size])
        at += 4 + size
    return requests


def post(path: str, body: bytes, headers: Sequence[str] = ()) -> bytes:
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, *headers, "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """Sends, waits for an answer with a Content-Length, sends again."""

    def __init__(self, requests: Iterator[bytes], statuses: Counter[int], latencies: list[float]) -> None:
        self.requests = requests
        self.statuses = statuses
        self.latencies = latencies
        self.buffer = b""
        self.sent_at = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(rest) < size:
            return
        self.buffer = b""
        self.statuses[int(head[9:12])] += 1
        self.latencies.append(time.perf_counter() - self.sent_at)
        self.send()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.statuses[0] += 1


async def load(port: int, connections: int, seconds: float, requests: list[bytes]) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    turn = itertools.cycle(requests)
    opened = [
        await loop.create_connection(lambda: Connection(turn, statuses, latencies), "127.0.0.1", port)
        for _ in range(connections)
    ]
    started = time.perf_counter()
    before = sum(statuses.values())
    await asyncio.sleep(seconds)
    answered = sum(statuses.values()) - before
    elapsed = time.perf_counter() - started
    found = dict(statuses)
    latencies = sorted(latencies) or [0.0]  # a server that warms up may answer nothing yet
    for transport, _ in opened:
        transport.abort()
    return {
        "answered": answered,
        "statuses": found,
        "seconds": elapsed,
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1e3,
    }


if __name__ == "__main__":
    port, connections, seconds, file = sys.argv[1:]
    result = uvloop.run(load(int(port), int(connections), float(seconds), read_requests(Path(file))))
    print(msgspec.json.encode(result).decode())
