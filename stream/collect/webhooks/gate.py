"""The gate before all webhooks: what a provider's pure checks need from outside, and what they lead to.

ingest -> admit(provider, delivery, webhook) -> None or Refusal;  confirm(address) once the answer is sure
"""

import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

import msgspec
import structlog

from schemas.errors import Retryable
from stream.collect.webhooks.certificates import Certificates, Fetch, fetch
from stream.collect.webhooks.provider import Provider
from stream.collect.webhooks.verification import AHEAD_S, WINDOW_S, Delivery, Refusal, Token
from stream.settings import Settings, Webhook

logger = structlog.get_logger(__name__)

TOKENS_KEPT: Final = 1 << 18
"""About 40 MB when full: 870 events a second for the five minutes that a signature holds."""


class Gate:
    """One for the process."""

    def __init__(self, settings: Settings, fetch: Fetch = fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._certificates = Certificates(settings.sns_certificates, fetch, clock)
        self._tokens = Tokens()

    async def admit(self, provider: Provider, delivery: Delivery, webhook: Webhook) -> Refusal | None:
        """Why a delivery is not taken; None if it is. Raises: Retryable if a certificate cannot be fetched now."""
        if provider.certificate_url is not None:
            url = provider.certificate_url(delivery, webhook)
            if isinstance(url, Refusal):
                return url
            delivery = msgspec.structs.replace(delivery, certificate=await self._certificates.get(url))
        refusal = provider.verify(delivery, webhook)
        if refusal is None and provider.token_of is not None:
            key = f"{webhook.provider}/{webhook.name}"
            until_s = delivery.now // 1000 + (webhook.window_s or WINDOW_S) + AHEAD_S
            if not self._tokens.take(key, provider.token_of(delivery), now_s=delivery.now // 1000, until_s=until_s):
                return Refusal.REPLAY
        return refusal

    async def confirm(self, url: str) -> None:
        """Tell Amazon that a subscription is wanted. Raises: Retryable, so that Amazon asks again."""
        if not await self._fetch(url):
            raise Retryable("Amazon SNS did not take the confirmation; it will ask again")
        logger.info("subscription confirmed")


class Tokens:
    """One-time tokens that were used, each with a digest of what came with it, until its signature no longer holds.

    Each collector has its own: behind a balancer a token can be used once at each of them.
    """

    def __init__(self, kept: int = TOKENS_KEPT) -> None:
        self._kept = kept
        self._used: dict[tuple[str, str], tuple[bytes, int]] = {}

    def take(self, webhook: str, token: Token, *, now_s: int, until_s: int) -> bool:
        """Whether the token is new, or comes again with the same content.

        Args:
            webhook: whose.
            token: of a verified delivery.
            now_s: our time, s.
            until_s: from when on its signature is refused anyway, s.
        """
        while self._used:
            oldest = next(iter(self._used))
            if self._used[oldest][1] >= now_s and len(self._used) < self._kept:
                break
            del self._used[oldest]
        content = blake2b(token.content, digest_size=16).digest()
        known, _ = self._used.setdefault((webhook, token.value), (content, until_s))
        return known == content
