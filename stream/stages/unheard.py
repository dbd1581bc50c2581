"""How far those that tell are ahead of those that are told, in one worker.

A hub tells its children a few at a time, by tokens. Each of them has dozens of touches, which it gives to the same two
accounts. Did the hub go on at once, all of that would lie on the log within a second, and whoever has something to say to
those accounts' partitions would wait behind half a second's work. So a hub goes on when what came of the last few is taken in.

Only when something is done depends on this, never what.
"""

import asyncio
from collections import deque
from functools import partial
from typing import Any, Final

MUCH: Final = 64 << 10
"""Bytes of messages: the account stage takes so many in 5 ms."""


class Unheard:
    """Of one worker: bytes of messages that it has told its partitions, and they have not taken in.

    What is told to partitions of other workers counts until the broker has it.
    """

    def __init__(self) -> None:
        self.bytes = 0

    def add(self, size: int, acked: asyncio.Future[Any]) -> None:
        """A message is on its way to the broker, until ``acked``."""
        self.bytes += size
        acked.add_done_callback(partial(self._remove, size))

    def _remove(self, size: int, _acked: asyncio.Future[Any]) -> None:
        self.bytes -= size


class Inbox:
    """What of it lies before one partition of this worker."""

    def __init__(self, unheard: Unheard) -> None:
        self._unheard = unheard
        self._waiting: deque[tuple[int, int]] = deque()
        self._bytes = 0

    def add(self, offset: int, size: int) -> None:
        """A record lies on the log. In order of offsets."""
        self._waiting.append((offset, size))
        self._grow(size)

    def take(self, end: int) -> None:
        """Everything below offset ``end`` is applied."""
        while self._waiting and self._waiting[0][0] < end:
            self._grow(-self._waiting.popleft()[1])

    def forget(self) -> None:
        """The partition is another worker's now."""
        self._waiting.clear()
        self._grow(-self._bytes)

    def others_are_ready(self) -> bool:
        """Whether nobody else has much to take in. What waits here does not count: it may wait for who asks."""
        return self._unheard.bytes - self._bytes <= MUCH

    def _grow(self, size: int) -> None:
        self._bytes += size
        self._unheard.bytes += size
