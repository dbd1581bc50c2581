"""How outputs leave a worker: facts and messages together with others, all else at once.

Who reads them in the same worker gets them as soon as the broker has them.

outbox = Outbox(send, offers, unheard); acked = await outbox.produce(output)
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from aiokafka.structs import RecordMetadata

from schemas import topics
from stream.stages.bundles import is_to_itself
from stream.stages.compute import Output, Record
from stream.stages.gathering import MOST, Gathering
from stream.stages.unheard import Unheard

_APPEND_TIME: Final = 1
_FACTS: Final = frozenset({topics.STITCH_FACTS, topics.ACCOUNT_FACTS})
"""Nobody waits for these but the sink, which gathers them into blocks."""
_MESSAGES: Final = frozenset({topics.EVENTS, topics.ACCOUNTS})
_LATE_WAIT_S: Final = 0.1
"""How long messages wait for others in a worker that is late."""
Offers = Mapping[str, Callable[[int, Record], None]]
"""By topic, those of this worker who read it: (partition, record) is on the log, and they may take it from here."""


class Outbox:
    """Of one worker.

    Args:
        send: queues one output with the producer and returns the future of its acknowledgement.
        offers: who reads what in this worker.
        unheard: what of it they have yet to take in.
    """

    def __init__(
        self, send: Callable[[Output], Awaitable[asyncio.Future[Any]]], offers: Offers, unheard: Unheard
    ) -> None:
        self._queue = send
        self._offers = offers
        self._unheard = unheard
        self._facts = Gathering(self._send)
        self._messages = Gathering(self._send, wait_s=0, small=MOST, bundles=True)

    async def produce(self, output: Output, *, late: bool = False) -> asyncio.Future[Any]:
        """Take an output; the returned future is done when the broker has it. Order per partition is kept.

        ``late``: what it comes of lay on the log for so long that a moment more makes no difference.

        Raises: Fatal if one before it could not be sent.
        """
        if output.topic in _FACTS:
            return await self._facts.produce(output)
        if output.topic in _MESSAGES and not is_to_itself(output):
            acked = await self._messages.produce(output, wait_s=_LATE_WAIT_S if late else None)
            if output.topic in self._offers:
                self._unheard.add(len(output.value), acked)
            return acked
        return await self._send(output)

    async def flush(self) -> None:
        """Send what waits."""
        await self._messages.flush()
        await self._facts.flush()

    async def _send(self, output: Output) -> asyncio.Future[Any]:
        sent = await self._queue(output)
        offer = self._offers.get(output.topic)
        if offer is not None:
            sent.add_done_callback(partial(_offer, output, offer))
        return sent


def _offer(output: Output, offer: Callable[[int, Record], None], sent: asyncio.Future[Any]) -> None:
    if sent.cancelled() or sent.exception() is not None:
        return  # who waits for it is told
    record = _written(output, sent.result())
    if record is not None:
        offer(output.partition, record)


def _written(output: Output, ack: RecordMetadata) -> Record | None:
    """An acknowledged output as its readers will see it; None if the broker did not say where, or when it took it.

    It does not for a repetition that it has forgotten the first of, nor for a topic that keeps the producers' time.
    """
    if ack.offset < 0 or ack.timestamp_type != _APPEND_TIME:
        return None
    return Record(ack.offset, ack.timestamp, output.value, dict(output.headers))
