"""Lanes: delivered frames wait for their own partition, not for all others.

Faust delivers the frames of all partitions of a topic one after the other. Were each applied before the next is taken, a frame
that is worked on for long would hold up the whole stage.

    lanes = Lanes(apply); await lanes.put(3, frame, size)
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

F = TypeVar("F")

MOST_BYTES: Final = 16 << 20
"""Of frames that wait. Beyond it whoever delivers waits too: that is a backlog, and nothing in it is in a hurry."""


class Lanes(Generic[F]):
    """Of one stage.

    Args:
        apply: applies a frame; must not raise. Of one partition it is called for one frame at a time, in order.
        most_bytes: of frames that wait or are being applied.
    """

    def __init__(self, apply: Callable[[F], Awaitable[None]], most_bytes: int = MOST_BYTES) -> None:
        self._apply = apply
        self._most_bytes = most_bytes
        self._bytes = 0
        self._room = asyncio.Event()
        self._waiting: dict[int, deque[tuple[F, int]]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._forgotten: Counter[int] = Counter()

    async def put(self, partition: int, frame: F, size: int) -> None:
        """Take a frame; wait while too much is waiting. It is dropped if its partition is forgotten meanwhile."""
        forgotten = self._forgotten[partition]
        while self._bytes > self._most_bytes:
            self._room.clear()
            await self._room.wait()
        if self._forgotten[partition] != forgotten:
            return
        self._bytes += size
        waiting = self._waiting.setdefault(partition, deque())
        waiting.append((frame, size))
        if partition not in self._tasks:
            self._tasks[partition] = asyncio.create_task(self._work(partition, waiting), name=f"lane-{partition}")

    def forget(self, partition: int) -> None:
        """Drop what waits for a partition. What is being applied ends before anything that comes later begins."""
        self._forgotten[partition] += 1
        waiting = self._waiting.get(partition, ())
        while waiting:
            self._let_go(waiting.pop()[1])

    async def _work(self, partition: int, waiting: deque[tuple[F, int]]) -> None:
        try:
            while waiting:
                frame, size = waiting.popleft()
                try:
                    await self._apply(frame)
                finally:
                    self._let_go(size)
        finally:
            del self._tasks[partition]

    def _let_go(self, size: int) -> None:
        self._bytes -= size
        self._room.set()
