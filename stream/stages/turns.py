"""Turns: what takes long is done one piece after the other, and everybody else has a pause in between.

A worker has one thread for all of its partitions, for what the broker sends and for what it is told. A record of somebody who
asks for a demo has to pass its event loop some twenty times before the alert is out, and each time it could wait for another
partition's 50 ms. So large records, and the tokens by which a partition goes on with work of its own, wait for a turn; small
ones never do.

Only when something is done depends on this, never what.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter, thread_time
from typing import Final, NamedTuple

PAUSE_S: Final = 0.004
"""Between two turns. The pause goes on while others use it, up to as long as the last turn took."""
_BUSY_S: Final = 0.001
"""CPU time in a pause from which on others used it. The clock would not do: on a busy machine every timer is late."""
PATIENCE_S: Final = 0.25
"""How long a turn that may come later lets others go first, at most: on some days nobody is ever ready."""


class _Waiting(NamedTuple):
    turn: asyncio.Future[None]
    may_begin: Callable[[], bool]
    until: float
    """When its patience is over."""


class Turns:
    """Of all partitions of a worker; first come, first served, of those that may begin."""

    def __init__(self, pause_s: float = PAUSE_S, patience_s: float = PATIENCE_S) -> None:
        self._pause_s = pause_s
        self._patience_s = patience_s
        self._waiting: deque[_Waiting] = deque()
        self._pausing = False
        """A turn is taken, or the pause after it is not over."""

    @asynccontextmanager
    async def turn(self, may_begin: Callable[[], bool] = lambda: True) -> AsyncIterator[None]:
        """Wait for a turn; it ends with the block. While that waits for something, all other bulk does, too.

        ``may_begin`` says whether it need not let others go first.
        """
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(mine, may_begin, perf_counter() + self._patience_s))
        if not self._pausing:
            self._pausing = True
            self._pause(until=0)
        began = perf_counter()
        try:
            await mine
            began = perf_counter()
            yield
        finally:
            if not mine.cancelled():
                ended = perf_counter()
                self._pause(until=ended + ended - began)

    def _pause(self, until: float) -> None:
        """Give the next turn when the loop has nothing else to do, or at ``until`` if it always has."""
        asyncio.get_running_loop().call_later(self._pause_s, self._over, thread_time(), until)

    def _over(self, busy_before: float, until: float) -> None:
        if thread_time() - busy_before > _BUSY_S and perf_counter() < until:
            self._pause(until)
            return
        now = perf_counter()
        self._waiting = deque(one for one in self._waiting if not one.turn.done())  # else whoever waited was cancelled
        for place, one in enumerate(self._waiting):
            if now >= one.until or one.may_begin():
                del self._waiting[place]
                one.turn.set_result(None)
                return
        self._pausing = bool(self._waiting)
        if self._pausing:
            self._pause(until)
