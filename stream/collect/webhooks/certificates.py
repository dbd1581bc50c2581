"""Signing certificates of Amazon SNS: from a folder, from memory, else fetched from Amazon's host.

The address was checked (``sns.certificate_url``) before it comes here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import structlog

from schemas.errors import Retryable

logger = structlog.get_logger(__name__)

T = TypeVar("T")
Fetch = Callable[[str], Awaitable[bytes]]
"""The body of a GET over https; b"" if the server says that there is none (4xx). Raises: Retryable."""
KEPT: Final = 64
"""Amazon changes its certificate about once a year, in each region."""
ABSENT_S: Final = 60.0
"""That there is none is remembered so long: else each forged message would cost a request."""
AWAY_S: Final = 5.0
"""After a failure nobody is asked for so long: what waits for its turn must not time out one after the other."""
_BYTES_LIMIT: Final = 64 << 10
_TIMEOUT_S: Final = 5.0
_REFUSED: Final = 400
_FAILED: Final = 500


class Certificates:
    """PEM texts by address."""

    def __init__(self, folder: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = Path(folder) if folder else None
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[str, bytes] = {}
        self._absent: dict[str, float] = {}
        self._away: tuple[float, str] = (-AWAY_S, "")
        self._turn = asyncio.Lock()
        """One request at a time: a burst of deliveries after the start asks once, and forgers cannot make us ask in crowds."""

    async def get(self, url: str) -> bytes:
        """The certificate; b"" if there is none. Raises: Retryable if Amazon cannot be reached."""
        kept = self._kept.get(url)
        if kept is not None:
            return kept
        async with self._turn:
            return self._kept.get(url) or await self._found(url)

    async def _found(self, url: str) -> bytes:
        if self._clock() - self._absent.get(url, -ABSENT_S) < ABSENT_S:
            return b""
        found = self._local(url) or await self._ask(url)
        if found:
            _put(self._kept, url, found)
        else:
            self._absent.pop(url, None)
            _put(self._absent, url, self._clock())
        return found

    async def _ask(self, url: str) -> bytes:
        since, why = self._away
        if self._clock() - since < AWAY_S:
            raise Retryable(why)
        try:
            return await self._fetch(url)
        except Retryable as away:
            self._away = self._clock(), str(away)
            raise

    def _local(self, url: str) -> bytes:
        if self._folder is None:
            return b""
        try:
            return (self._folder / Path(urlsplit(url).path).name).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            logger.warning("a certificate cannot be read; it is fetched instead", error=type(error).__name__)
            return b""


def _put(kept: dict[str, T], url: str, found: T) -> None:
    if len(kept) >= KEPT:
        del kept[next(iter(kept))]
    kept[url] = found


async def fetch(url: str) -> bytes:
    """GET ``url``, following no redirects. See ``Fetch``."""
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.get(url, allow_redirects=False) as answer,
        ):
            if _REFUSED <= answer.status < _FAILED:
                return b""
            if not answer.ok or answer.status >= 300:  # noqa: PLR2004 - a redirect
                raise Retryable(f"Amazon SNS answered {answer.status}; the provider will repeat the delivery")
            return await answer.content.read(_BYTES_LIMIT)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Retryable(
            f"Amazon SNS cannot be reached ({type(error).__name__}): allow https to sns.*.amazonaws.com, or put its "
            "certificate into the folder of the setting sns_certificates"
        ) from None
