"""Dead letters: what was refused at the edge, kept with its bytes and the reason on the ``dead-letters`` topic."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from schemas import topics
from schemas.codec import json_encoder
from schemas.errors import Retryable
from schemas.rejections import Rejected, dead_letter
from stream.collect.frames import WAIT_S
from stream.collect.request import new_id
from stream.settings import Settings, Source

Append = Callable[[str, bytes], Awaitable[None]]
_AT_ONCE: Final = 100
"""Letters of one request that are appended side by side."""


class DeadLetters:
    """Writes refusals to the log."""

    def __init__(self, append: Append, settings: Settings, *, wait_s: float = WAIT_S) -> None:
        self._append = append
        self._topic = settings.topic(topics.DEAD_LETTERS)
        self._wait_s = wait_s

    async def submit(
        self,
        rejected: Sequence[Rejected],
        received_at: int,
        source: Source | None,
        *,
        path: str = "",
        gpc: bool = False,
    ) -> None:
        """Keep the refusals of one request; returns when all are safe. Raises: Retryable."""
        tenant, name = (source.tenant, source.name) if source is not None else ("default", "")
        letters = [
            json_encoder.encode(
                dead_letter(
                    refusal,
                    letter_id=new_id(),
                    received_at=received_at,
                    tenant=tenant,
                    source=name,
                    path=path,
                    gpc=gpc,
                )
            )
            for refusal in rejected
        ]
        try:
            async with asyncio.timeout(self._wait_s):
                for first in range(0, len(letters), _AT_ONCE):
                    await asyncio.gather(*(self._append(self._topic, x) for x in letters[first : first + _AT_ONCE]))
        except TimeoutError:
            raise Retryable("the broker does not take dead letters") from None
