"""Small outputs go out together.

A worker with little to do computes a record every few ms, and each brings a few rows. Sent by itself each would be a batch and
a request of its own, and these cost worker, broker and sink several times what the rows do. The sink waits longer for its
next block anyway. Messages between nodes are bundled: those of one pass of the event loop, which cost nobody any time, and of
a longer while where the worker is late.

    facts = Gathering(send); acked = await facts.produce(output)
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from schemas.errors import Fatal
from stream.stages.bundles import bundled, companions
from stream.stages.compute import Output

WAIT_S: Final = 0.05
"""How long a small output waits for others."""
SMALL: Final = 32 << 10
"""Bytes up to which an output waits; what is larger has little to gain."""
MOST: Final = 256 << 10
"""Bytes that wait; with more they go out at once."""
_REFUSED: Final = "an output could not be sent, so none may follow it"
Acked = asyncio.Future[Any]


class Gathering:
    """Holds outputs back for a moment. They go out in the order in which they came: readers drop what comes after its successor.

    Args:
        send: queues one output with the producer and returns the future of its acknowledgement.
        wait_s: how long a small output waits for others.
        small: bytes up to which an output waits.
        bundles: whether those for one partition become one record (``bundles``).
    """

    def __init__(
        self,
        send: Callable[[Output], Awaitable[Acked]],
        wait_s: float = WAIT_S,
        *,
        small: int = SMALL,
        bundles: bool = False,
    ) -> None:
        self._send = send
        self._wait_s = wait_s
        self._small = small
        self._bundles = bundles
        self._waiting: deque[tuple[Output, Acked]] = deque()
        self._in_hand: tuple[Output, list[Acked]] | None = None
        self._bytes = 0
        self._timer: asyncio.Handle | None = None
        self._due = 0.0
        self._sending = asyncio.Lock()
        self._flushes: set[asyncio.Task[None]] = set()
        self._failed = False

    async def produce(self, output: Output, *, wait_s: float | None = None) -> Acked:
        """Take an output; the returned future is done when the broker has it. Waits while the producer has no room.

        ``wait_s`` is how long this one waits at most.

        Raises: Fatal if one before it could not be sent.
        """
        if self._failed:
            raise Fatal(_REFUSED)
        acked = asyncio.get_running_loop().create_future()
        self._waiting.append((output, acked))
        self._bytes += len(output.value)
        if len(output.value) > self._small or self._bytes > MOST:
            await self.flush()
        else:
            self._flush_within(self._wait_s if wait_s is None else wait_s)
        return acked

    async def flush(self) -> None:
        """Send what waits. Who is cancelled meanwhile leaves the rest to the next flush, the one in hand included."""
        async with self._sending:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            while self._waiting or self._in_hand:
                if self._in_hand is None:
                    self._in_hand = self._next()
                await self._pass_on(*self._in_hand)
                self._in_hand = None

    def _next(self) -> tuple[Output, list[Acked]]:
        """The next record to send, and who waits for it."""
        chosen = companions(output for output, _ in self._waiting) if self._bundles else [0]
        if len(chosen) == 1:
            output, acked = self._waiting.popleft()
            self._bytes -= len(output.value)
            return output, [acked]
        taken = [self._waiting[number] for number in chosen]
        for number in reversed(chosen):
            del self._waiting[number]
        self._bytes -= sum(len(output.value) for output, _ in taken)
        return bundled([output for output, _ in taken]), [acked for _, acked in taken]

    async def _pass_on(self, output: Output, waiting: list[Acked]) -> None:
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
            sent.add_done_callback(partial(_tell, waiting))
            return
        for acked in waiting:
            if not acked.done():
                acked.set_exception(error)

    def _flush_within(self, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + wait_s
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = loop.call_later(wait_s, self._flush_soon)

    def _flush_soon(self) -> None:
        self._timer = None
        task = asyncio.create_task(self.flush(), name="gathered")
        self._flushes.add(task)
        task.add_done_callback(self._flushes.discard)


def _tell(waiting: list[Acked], sent: Acked) -> None:
    error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
    for acked in waiting:
        if acked.done():
            continue
        if error is None:
            acked.set_result(sent.result())
        elif sent.cancelled():
            acked.cancel()
        else:
            acked.set_exception(error)
