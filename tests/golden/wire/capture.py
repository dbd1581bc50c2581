"""A server that keeps what SDKs send: request line, the headers that matter, the body after decompression."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_HEADERS = ("authorization", "content-type", "content-encoding", "sp-anonymous")


class Capture(ThreadingHTTPServer):
    """Answers everything with success."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, object]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Capture

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        path, _, query = self.path.partition("?")
        headers = {name: self.headers[name] for name in _HEADERS if name in self.headers}
        self.server.requests.append(
            {
                "method": self.command,
                "path": path,
                "query": query,
                "headers": headers,
                "received_at": time.time_ns() // 1_000_000,
                "body": body.decode(),
            }
        )
        answer = b'{"success": true}'
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def capturing(path: Path) -> Iterator[Capture]:
    """Write to ``path``, one request a line, what came meanwhile."""
    with Capture() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
        lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in server.requests]
        assert lines, f"nothing came for {path.name}: the SDK did not send to the server it was given"
        path.write_text("".join(lines))
