"""Frames: events of many requests packed into one record per partition, and a request's wait until all of its are safe.

    submit(events) -> per partition an open frame -> full or at a tick -> Log.append -> acked -> submit returns

A frame is closed when it holds ``frame_events`` events or FRAME_BYTES, or at a tick: ``frame_ms`` after the first event
since the last one. All open frames go out together, so that the broker gets few and large requests. A frame stays open a
little longer, HELD_S at most,

- while it fills quickly (``stream.collect.pace``): everybody behind it gets fewer and larger frames;
- while the last one of its partition is not safe yet: the client would keep it back anyway, and a broker that is slow
  because it has much to do gets fewer records.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from schemas import topics
from schemas.codec import line_of
from schemas.errors import Retryable
from schemas.event import Event
from schemas.ids import partition_of
from stream.collect.pace import Pace
from stream.settings import Settings

FRAME_BYTES: Final = 1 << 20
WAIT_S: Final = 5.0
"""SDKs give up on a request after 10 s at the earliest: they must see our 503 before that."""
Append = Callable[[str, bytes, int, Sequence[tuple[str, bytes]]], Awaitable[None]]
"""(topic, value, partition, headers): returns when the record is safe; raises Retryable."""
_HEADERS: Final = ((topics.PACKER_HEADER, topics.PACKED),)


class _Waiter:
    """A request, until all of its frames are safe."""

    __slots__ = ("done", "remaining")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.remaining = 0
        self.done: asyncio.Future[None] = loop.create_future()

    def settle(self, error: Retryable | None) -> None:
        """One of its frames is safe, or failed."""
        self.remaining -= 1
        if self.done.done():
            return
        if error is not None:
            self.done.set_exception(error)
        elif not self.remaining:
            self.done.set_result(None)


class _Frame:
    __slots__ = ("due", "lines", "opened", "size", "waiters")

    def __init__(self, now: float) -> None:
        self.opened = now
        self.due = False
        """It only waits for the one before it."""
        self.lines: list[bytes] = []
        self.size = 0
        self.waiters: list[_Waiter] = []

    def settle(self, error: Retryable | None) -> None:
        """Tell the requests, once: that all is safe, or that they should come again."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.settle(error)


class Frames:
    """Packs events. Belongs to one event loop."""

    def __init__(self, append: Append, settings: Settings, *, wait_s: float = WAIT_S) -> None:
        """``wait_s``: how long a request waits for the broker before it is told to come again."""
        self._append = append
        self._topic = settings.topic(topics.EVENTS)
        self._partitions = settings.partitions
        self._frame_events = settings.frame_events
        self._frame_s = settings.frame_ms / 1000
        self._limit = settings.buffer_bytes
        self._wait_s = wait_s
        self._open: dict[int, _Frame] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self._paces = [Pace(self._frame_s) for _ in range(self._partitions)]
        self._unsafe = [0] * self._partitions
        """Frames in flight, by partition."""
        self._oldest: dict[asyncio.Task[None], float] = {}
        self.buffered_bytes = 0
        """Of events that the broker has not acknowledged yet."""
        self.frames = 0
        """Acknowledged since the start."""

    async def submit(self, events: Sequence[Event]) -> None:
        """Put the events on the log; returns when every one of them is safe.

        Raises: Retryable if the buffer is full or the broker does not answer in time. Some of the events may then
            reach the log all the same: the client sends them again and the stitch stage drops the copies.
        """
        if not events:
            return
        loop = asyncio.get_running_loop()
        self._refuse_if_stalled(loop.time())
        lines = [line_of(event) for event in events]
        size = sum(map(len, lines)) + len(lines)
        if self.buffered_bytes + size > self._limit:
            raise Retryable("too many events wait for the broker")
        self.buffered_bytes += size
        waiter = _Waiter(loop)
        for event, line in zip(events, lines, strict=True):
            self._add(partition_of(event.node, self._partitions), line, waiter)
        if self._timer is None and self._open:
            self._timer = loop.call_later(self._frame_s, self._flush)
        await waiter.done

    def _refuse_if_stalled(self, now: float) -> None:
        """With a broker that has been silent for so long, waiting costs the client its patience and us our memory."""
        first = next(iter(self._oldest.values()), now)
        if now - first > self._wait_s:
            raise Retryable("the broker does not answer")

    def _add(self, partition: int, line: bytes, waiter: _Waiter) -> None:
        frame = self._open.get(partition)
        if frame is not None and frame.size + len(line) > FRAME_BYTES:
            self._send(partition)
            frame = None
        if frame is None:
            frame = self._open[partition] = _Frame(asyncio.get_running_loop().time())
        if not frame.waiters or frame.waiters[-1] is not waiter:
            frame.waiters.append(waiter)
            waiter.remaining += 1
        frame.lines.append(line)
        frame.size += len(line) + 1
        self._paces[partition].got += 1
        if len(frame.lines) >= self._frame_events:
            self._send(partition)

    def _flush(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for pace in self._paces:
            pace.tick(now)
        for partition, frame in list(self._open.items()):
            pace = self._paces[partition]
            if pace.stays_open(frame.opened, now, unsafe=self._unsafe[partition] > 0):
                frame.due = not pace.filling
            else:
                self._send(partition)
        if self._open:
            self._timer = loop.call_later(self._frame_s, self._flush)

    def _send(self, partition: int) -> None:
        frame = self._open.pop(partition)
        self._unsafe[partition] += 1
        task = asyncio.create_task(self._deliver(partition, frame))
        self._in_flight.add(task)
        self._oldest[task] = asyncio.get_running_loop().time()
        task.add_done_callback(self._delivered)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._oldest.pop(task, None)

    async def _deliver(self, partition: int, frame: _Frame) -> None:
        # One timer a frame: a timeout a request would cost a tenth of the whole request.
        timer = asyncio.get_running_loop().call_later(self._wait_s, frame.settle, self._late())
        error: Retryable | None = None
        try:
            await self._append(self._topic, b"\n".join(frame.lines), partition, _HEADERS)
            self.frames += 1
        except Retryable as refused:
            error = refused
        except asyncio.CancelledError:
            error = Retryable("the collector is stopping")
        timer.cancel()
        self.buffered_bytes -= frame.size
        self._unsafe[partition] -= 1
        following = self._open.get(partition)
        if following is not None and following.due and not self._unsafe[partition]:
            self._send(partition)
        frame.settle(error)

    def _late(self) -> Retryable:
        return Retryable(f"the broker did not answer within {self._wait_s:g} s")

    async def drain(self, timeout_s: float) -> None:
        """Send what is open and wait for all acks, ``timeout_s`` at most: the last thing before the producer stops."""
        for partition in list(self._open):
            self._send(partition)
        if self._timer is not None:
            self._timer.cancel()
        if self._in_flight:
            _, late = await asyncio.wait(self._in_flight, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
