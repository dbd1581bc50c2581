"""A client that says exactly what it is told: single requests of Kafka's protocol, and record batches, byte by byte."""

import socket
import struct
import time
from typing import Any, Self

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream.embedded.broker import wire
from stream.embedded.broker.apis import APIS


def batch(
    records: list[tuple[bytes | None, bytes | None]],
    *,
    pid: int = -1,
    epoch: int = -1,
    sequence: int = -1,
    codec: int = 0,
    at_ms: int | None = None,
) -> bytes:
    """A record batch of (key, value) pairs."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, pid, epoch, sequence, 1 << 30)
    now_ms = int(time.time() * 1000) if at_ms is None else at_ms
    for offset, (key, value) in enumerate(records):
        assert builder.append(offset, now_ms, key, value, []) is not None
    return bytes(builder.build())


class RawClient:
    """One connection."""

    def __init__(self, bootstrap: str, timeout_s: float = 10.0) -> None:
        host, port = bootstrap.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, key: int, version: int, body: bytes, *, tags: bytes = b"") -> None:
        """Send a request with any body."""
        head = struct.pack(">hhih", key, version, 7, 3) + b"raw" + tags
        self.socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)

    def ask(self, key: int, version: int, value: tuple[Any, ...]) -> Any:
        """Send a request and decode the answer; ``value`` has all fields of the schema."""
        api = APIS[key]
        flexible = version >= api.flexible
        self.send(
            key,
            version,
            wire.encoded(api.request, version, value, flexible=flexible),
            tags=b"\0" if flexible else b"",
        )
        answer = memoryview(self.receive())
        assert answer[:4] == struct.pack(">i", 7)
        start = 5 if flexible and key != 18 else 4
        decoded, end = wire.decoder(api.response, version, flexible=flexible)(answer, start)
        assert end == len(answer)
        return decoded

    def receive(self) -> bytes:
        """One frame; empty if the broker closed the connection."""
        head = self._take(4)
        return self._take(struct.unpack(">i", head)[0]) if head else b""

    def _take(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            more = self.socket.recv(size - len(got))
            if not more:
                return b""
            got += more
        return got

    def produce(self, topic: str, records: bytes, partition: int = 0, *, acks: int = -1) -> Any:
        """Produce to one partition; the partition's row of the answer."""
        answer = self.ask(0, 7, (None, acks, 5000, [(topic, [(partition, records)])]))
        return answer.topics[0].partitions[0]
