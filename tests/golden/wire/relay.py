"""A server between a browser and a running collector: it passes everything on, and keeps what was posted, as it came."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

HEADERS = (
    "authorization", "content-type", "content-encoding", "origin", "referer", "user-agent", "accept-language", "sec-gpc", "dnt",
    "sp-anonymous", "anonymousid", "sentat",
)  # fmt: skip
"""Headers that a collector may read. Cookies are not kept: none of these SDKs needs one of the collector's."""
_PER_CONNECTION = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}
)


class Relay(ThreadingHTTPServer):
    """Passes requests on to ``collector``."""

    daemon_threads = True

    def __init__(self, collector: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.collector = urlsplit(collector)
        self.requests: list[dict[str, object]] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: Relay

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.command == "POST":
            self._keep(body)
        connection = http.client.HTTPConnection(
            self.server.collector.hostname or "", self.server.collector.port, timeout=30
        )
        passed = {name: value for name, value in self.headers.items() if name.lower() not in _PER_CONNECTION}
        connection.request(self.command, self.path, body, passed)
        answer = connection.getresponse()
        said = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _PER_CONNECTION:
                self.send_header(name, value)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
        connection.close()

    do_GET = do_OPTIONS = do_POST  # noqa: N815

    def _keep(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        headers = {name: self.headers[name] for name in HEADERS if name in self.headers}
        at = time.time_ns() // 1_000_000
        self.server.requests.append(
            {
                "method": "POST",
                "path": path,
                "query": query,
                "headers": headers,
                "received_at": at,
                "body": body.decode(),
            }
        )

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def relaying(collector: str) -> Iterator[Relay]:
    """A relay that runs."""
    with Relay(collector) as relay:
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        yield relay
        relay.shutdown()


def write_requests(relay: Relay, path: Path) -> None:
    """Write what came since the last call, one request a line."""
    assert relay.requests, f"nothing came for {path.name}"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in relay.requests))
    relay.requests.clear()
