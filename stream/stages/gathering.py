"""Small facts go out together.

A worker with little to do computes a record every few ms, and each brings a few rows. Sent by itself each would be a batch and
a request of its own, and these cost worker, broker and sink several times what the rows do. The sink waits longer for its
next block anyway.

    facts = Gathering(send); acked = await facts.produce(output)
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from schemas.errors import Fatal
from stream.stages.compute import Output

WAIT_S: Final = 0.05
"""How long a small output waits for others."""
SMALL: Final = 32 << 10
"""Bytes up to which an output waits; what is larger has little to gain."""
MOST: Final = 256 << 10
"""Bytes that wait; with more they go out at once."""
_REFUSED: Final = "facts could not be sent, so none may follow them"
Acked = asyncio.Future[Any]


class Gathering:
    """Holds outputs back for a moment. They go out in the order in which they came: readers drop what comes after its successor.

    Args:
        send: queues one output with the producer and returns the future of its acknowledgement.
        wait_s: how long a small output waits for others.
    """

    def __init__(self, send: Callable[[Output], Awaitable[Acked]], wait_s: float = WAIT_S) -> None:
        self._send = send
        self._wait_s = wait_s
        self._waiting: deque[tuple[Output, Acked]] = deque()
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sending = asyncio.Lock()
        self._flushes: set[asyncio.Task[None]] = set()
        self._failed = False

    async def produce(self, output: Output) -> Acked:
        """Take an output; the returned future is done when the broker has it. Waits while the producer has no room.

        Raises: Fatal if one before it could not be sent.
        """
        if self._failed:
            raise Fatal(_REFUSED)
        loop = asyncio.get_running_loop()
        acked = loop.create_future()
        self._waiting.append((output, acked))
        self._bytes += len(output.value)
        if len(output.value) > SMALL or self._bytes > MOST:
            await self.flush()
        elif self._timer is None:
            self._timer = loop.call_later(self._wait_s, self._flush_soon)
        return acked

    async def flush(self) -> None:
        """Send what waits. Who is cancelled meanwhile leaves the rest to the next flush, the one in hand included."""
        async with self._sending:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            while self._waiting:
                output, acked = self._waiting[0]
                await self._pass_on(output, acked)
                self._waiting.popleft()
                self._bytes -= len(output.value)

    async def _pass_on(self, output: Output, acked: Acked) -> None:
        """Also if nobody waits for it any more: a later one of its partition may only follow it."""
        error: Exception | None = None
        if self._failed:
            error = Fatal(_REFUSED)
        else:
            try:
                sent = await self._send(output)
            except Exception as failure:  # noqa: BLE001 - whoever waits for it decides
                self._failed = True
                error = failure
        if error is None:
            sent.add_done_callback(partial(_tell, acked))
        elif not acked.done():
            acked.set_exception(error)

    def _flush_soon(self) -> None:
        self._timer = None
        task = asyncio.create_task(self.flush(), name="facts")
        self._flushes.add(task)
        task.add_done_callback(self._flushes.discard)


def _tell(acked: Acked, sent: Acked) -> None:
    error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
    if acked.done():
        return
    if error is None:
        acked.set_result(sent.result())
    elif sent.cancelled():
        acked.cancel()
    else:
        acked.set_exception(error)
