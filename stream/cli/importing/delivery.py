"""Requests to the collector: the same bytes again until they are acknowledged."""

import base64
import gzip
import http.client
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

import msgspec

from schemas.errors import ConfigError, Retryable, TouchlineError

BATCH_ITEMS: Final = 500
BATCH_BYTES: Final = 1 << 20
"""Of a request, at most: a quarter of what a collector takes by default, and many times what a request itself costs."""
_TIMEOUT_S: Final = 60.0
_OK: Final = 200
_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
_UNKNOWN_KEY: Final = 401
_LONGEST_PAUSE_S: Final = 15.0
_LONGEST_ANSWER: Final = 300
"""Characters of an answer in an error."""
_COMPRESS_LEVEL: Final = 1


class Collector:
    """One collector, over one connection.

    Attributes:
        requests: acknowledged.
        waits: how often it asked to come again, or was not there.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience_s: float,
        waiting: Callable[[str], None],
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """``more``: headers beside our own. Raises: ConfigError."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"--url {url}: has to be http(s)://host:port of a collector")
        self.requests = 0
        self.waits = 0
        self._url = url.rstrip("/")
        self._base = parts.path.rstrip("/")
        self._patience_s = patience_s
        self._waiting = waiting
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = connect(parts.hostname, parts.port, timeout=_TIMEOUT_S)
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
            **more,
        }

    def check(self) -> None:
        """Ask whether it is there and knows the key. Raises: as ``post``."""
        self.post("/v1/costs", b"[]")
        self.requests = 0

    def post(self, path: str, body: bytes) -> None:
        """Send until it is acknowledged.

        Raises: ConfigError if the key is unknown; TouchlineError if it is refused for another reason; Retryable if it is
            not taken in ``patience_s``.
        """
        packed = gzip.compress(body, _COMPRESS_LEVEL)
        deadline = time.monotonic() + self._patience_s
        pause_s = 0.5
        while True:
            status, said, asked_s = self._try(path, packed)
            if status == _OK:
                self.requests += 1
                return
            if status == _UNKNOWN_KEY:
                raise ConfigError(
                    f"{self._url} does not know the write key of --key; its sources are in touchline.toml"
                )
            if status and status not in _AGAIN:
                raise TouchlineError(f"{self._url}{path} answered {status}: {said}; is it a Touchline collector?")
            wait_s = asked_s if asked_s is not None else pause_s
            if time.monotonic() + wait_s > deadline:
                raise Retryable(f"{self._url} takes nothing ({said}); is `touchline up` running there?")
            self.waits += 1
            self._waiting(said)
            time.sleep(wait_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _try(self, path: str, packed: bytes) -> tuple[int, str, float | None]:
        """Status (0: no answer), what it said, and the seconds that it asks to wait."""
        try:
            self._connection.request("POST", self._base + path, packed, self._headers)
            answer = self._connection.getresponse()
            said = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return 0, _short(str(error) or type(error).__name__), None
        return answer.status, _short(_detail(said)), _seconds(answer.headers.get("Retry-After"))


class _Error(msgspec.Struct):
    reason: str = ""
    detail: str = ""


class _Refusal(msgspec.Struct):
    error: _Error


def _detail(said: str) -> str:
    try:
        error = msgspec.json.decode(said, type=_Refusal).error
    except msgspec.MsgspecError:
        return said
    return f"{error.reason}, {error.detail}"


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_ANSWER]


def _seconds(header: str | None) -> float | None:
    """``Retry-After`` in seconds; a date, which it may also be, is as if absent."""
    return min(float(header), _LONGEST_PAUSE_S) if header is not None and header.isdigit() else None
