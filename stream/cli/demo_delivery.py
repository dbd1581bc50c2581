"""Sends the story to a collector, as its senders would: same headers, same signatures, again after a 503 or no answer."""

import asyncio
import base64
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Self

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.errors import Retryable, TouchlineError
from stream.cli.demo_story import wire
from stream.cli.demo_story.story import Delivery

_AT_ONCE: Final = 8
"""Requests under way: enough to fill frames, few enough to keep the order of the story by and large."""
_PATIENCE_S: Final = 30.0
_READY_S: Final = 15.0
_OK: Final = 200
_NOT_OURS: Final = (401, 404)
"""Answers of a collector that does not have the demo's webhook, or has it with another key."""


class MailKey:
    """The key pair of the demo's SendGrid account: what SendGrid signs with, and what its console shows."""

    def __init__(self) -> None:
        self._private: EllipticCurvePrivateKey = generate_private_key(SECP256R1())

    @property
    def shown(self) -> str:
        """The verification key for ``touchline.toml``."""
        public = self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(public).decode()

    def headers(self, body: bytes) -> dict[str, str]:
        """The signature of ``body``, as of now."""
        timestamp = str(int(time.time()))
        signature = self._private.sign(timestamp.encode() + body, ECDSA(SHA256()))
        return {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        }


class Sender:
    """Requests to one collector. Use as an async context.

    Attributes:
        waits: how often the collector asked to come again later, or did not answer.
        unwanted: events of a webhook that the collector does not know.
    """

    def __init__(self, url: str, write_key: str, mail_key: MailKey) -> None:
        self.waits = 0
        self.unwanted = 0
        self._url = url.rstrip("/")
        self._authorization = "Basic " + base64.b64encode(f"{write_key}:".encode()).decode()
        self._mail_key = mail_key
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_AT_ONCE))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._client is not None
        await self._client.close()

    async def play(self, deliveries: Sequence[Delivery], progress: Callable[[Delivery], object]) -> None:
        """Send all, in order by and large.

        Raises: TouchlineError if the collector refuses one; Retryable if it does not take one in half a minute.
        """
        rest = iter(deliveries)
        try:
            async with asyncio.TaskGroup() as senders:
                for _ in range(_AT_ONCE):
                    senders.create_task(self._send_from(rest, progress))
        except* TouchlineError as group:
            raise group.exceptions[0] from None

    async def check(self) -> None:
        """Wait until the collector is ready: it starts before it has reached its broker.

        Raises: Retryable if nothing is there, or it is not ready in a while.
        """
        assert self._client is not None
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                async with self._client.get(f"{self._url}/readyz") as answer:
                    if answer.status == _OK:
                        return
            except (aiohttp.ClientError, TimeoutError, ValueError):
                raise Retryable(f"no answer from {self._url}/readyz; is `touchline up` running there?") from None
            if time.monotonic() > deadline:
                raise Retryable(f"the collector at {self._url} cannot reach its broker; see `touchline doctor`")
            await asyncio.sleep(0.1)

    async def send(self, delivery: Delivery) -> None:
        """Send one until it is acknowledged (raises as ``play``)."""
        assert self._client is not None
        # t.js sends text/plain, which browsers let pass without asking first.
        kind = "text/plain" if delivery.path == wire.TRACKER else "application/json"
        headers = {"Content-Type": kind, "Authorization": self._authorization}
        if delivery.agent:
            headers["User-Agent"] = delivery.agent
        if delivery.signed:
            headers |= self._mail_key.headers(delivery.body)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                async with self._client.post(self._url + delivery.path, data=delivery.body, headers=headers) as answer:
                    if answer.status == _OK:
                        return
                    if answer.status in _NOT_OURS and delivery.signed:
                        self.unwanted += delivery.events
                        return
                    said = (await answer.text())[:200]
                    if answer.status < 500:  # noqa: PLR2004 - the sender's fault; the same again would not help
                        raise TouchlineError(f"{self._url}{delivery.path} answered {answer.status}: {said}")
            except (aiohttp.ClientError, TimeoutError) as error:
                said = type(error).__name__
            self.waits += 1
            if time.monotonic() > deadline:
                raise Retryable(f"{self._url}{delivery.path} takes nothing: {said}")
            await asyncio.sleep(0.2)

    async def _send_from(self, rest: Iterator[Delivery], progress: Callable[[Delivery], object]) -> None:
        for delivery in rest:
            await self.send(delivery)
            progress(delivery)
