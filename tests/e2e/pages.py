"""Web pages on loopback for the browser tests: every path answers with the page that the test set for it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Site:
    """A website. ``pages`` maps a path to HTML; other paths answer with ``fallback``, as single-page apps do."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.fallback = "<title>Nothing</title>"
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                body = site.pages.get(path, site.fallback).encode()
                self.send_response(200)
                script = path.endswith(".js")
                self.send_header("Content-Type", "text/javascript" if script else "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - so the base class calls it

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name is the base class's
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
