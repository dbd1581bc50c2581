"""One partition of one stage at work: continuity, pipelining, commit order.

    frame -> (gap? read it from the log first) -> compute -> produce -> queue
    queue -> await the acks -> commit the batch that ends with the frame, if one does -> acknowledge the frame to Faust

A record that this worker wrote itself comes twice: as soon as the broker has acknowledged it (``offer``), and by the log.
Its offset says where it belongs: if everything before it is applied, the first one counts, else the second. The other is only
acknowledged, once what came of the record is durable (``settle``).

Frames in flight are never reordered: the next one is computed on the store's overlay while the acks of the last are
awaited. State is saved every few frames, so the store may be behind what Faust has acknowledged: after a crash the
frames in between come from the log, and what they produce again is dropped downstream. Whatever goes wrong here stops the
worker without acknowledging: the log gives the frame again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import structlog

from schemas import topics
from stream.stages.compute import Output, Record, Stage, Unsaved, compute
from stream.stages.log import Log, record_of
from stream.stages.store import Batch, PartitionStore
from stream.stages.turns import Turns
from stream.stages.unheard import Inbox

_IN_FLIGHT: Final = 32
"""Frames computed but not yet durable. At 20 ms to the ack this allows 1,600 frames/s per partition."""
SAVE_CHANGES: Final = 10_000
"""Changed objects that are saved together, 100 ms to encode and write: under load those of some 40,000 events. Whoever is on
the site changes with each event, and is written whole: with half as many an event costs a tenth more."""
_SAVE_S: Final = 12.0
"""State that is older than this is saved. With six seconds a busy worker takes 4 % more."""
_FLUSH_S: Final = 20.0
"""What was saved survives a crash after so long at the latest: until then it has to be applied again."""
_FLUSHED_AT_ONCE: Final = 2000
"""Objects of a batch that is written out at once: they are a file's worth, and under load what made them takes long again."""
_EARLY: Final = 32
"""Offsets that an offered record may be ahead and is kept for: with more than that to do, the log is early enough."""
_NEAR: Final = 128
"""Offsets that a record may be ahead and is waited for (``unheard``): what lies behind more is behind a backlog."""
_BULK: Final = 64 << 10
"""Bytes of a record from which on it is bulk: nobody waits for it, and it takes long enough for others to notice."""
_LATE_MS: Final = 1000
"""What lay on the log for longer before we came to it is a backlog, and nothing in it is in a hurry ..."""
_LATE_FOR_S: Final = 1.0
"""... nor is what others say of it, for so long."""

log = structlog.get_logger()
Acknowledge = Callable[[], None]


class Revoked(Exception):
    """The partition is another worker's now: the frame in hand is for that one to apply."""


class Partition:
    """State and work queue of one partition; opened by ``Partitions``."""

    def __init__(
        self,
        stage: Stage,
        number: int,
        partitions: int,
        store: PartitionStore,
        outputs: Log,
        *,
        turns: Turns,
        inbox: Inbox,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.stage = stage
        self.number = number
        self.partitions = partitions
        self.store = store
        self.outputs = outputs
        self.turns = turns
        self.inbox = inbox
        self._itself = f"{stage.input}/{number}/".encode()
        self._queue: asyncio.Queue[tuple[Batch | None, list[asyncio.Future[Any]], Acknowledge | None, int]] = (
            asyncio.Queue(_IN_FLIGHT)
        )
        self._advancing = asyncio.Lock()
        self._safe_offset = store.next_offset
        """What the records before it made is durable, as far as this worker knows."""
        self._owed: deque[tuple[int, Acknowledge]] = deque()
        """Records that were applied before the log delivered them, in its order, and are acknowledged when they are safe."""
        self._saved_at = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._flush: asyncio.TimerHandle | None = None
        self._completer = asyncio.create_task(self._complete(), name=f"{stage.name}-{number}-completer")
        self._on_failure = on_failure
        self._late_until = 0.0
        self._early: dict[int, Record] = {}
        self._closed = False
        self._completer.add_done_callback(self._completed)

    async def apply(self, record: Record, acknowledge: Acknowledge) -> None:
        """Apply the frame that Faust delivers; frames that are applied already are only acknowledged.

        Raises: Revoked if ``close`` came in between.
        """
        if record.offset > self.store.next_offset:
            await self.catch_up(record.offset)
        await self._advance(record, acknowledge)
        await self._take_early()

    def offer(self, record: Record) -> None:
        """Apply a record of this partition before the log delivers it, once all before it are applied.

        Nothing depends on that it is: what is too far ahead, or too large, is left to the log.
        """
        ahead = record.offset - self.store.next_offset
        if 0 <= ahead < _NEAR and not self._closed:
            self.inbox.add(record.offset, len(record.value))
        if not 0 <= ahead < _EARLY or len(record.value) > _BULK:
            return
        self._early[record.offset] = record
        if ahead == 0:
            task = asyncio.create_task(self._take_early(), name=f"{self.stage.name}-{self.number}-early")
            task.add_done_callback(self._completed)

    def settle(self, offset: int, acknowledge: Acknowledge) -> bool:
        """See to the acknowledgement of a record that the log delivers; False if it has yet to be applied."""
        if offset >= self.store.next_offset:
            return False
        if offset < self._safe_offset:
            acknowledge()
        else:
            self._owed.append((offset, acknowledge))
        return True

    async def catch_up(self, end: int) -> None:
        """Apply everything below offset ``end`` that the store has not seen, from the log."""
        begin = self.store.next_offset
        count = 0
        async for found in self.outputs.read(self.stage.input, self.number, begin, end):
            await self._advance(record_of(found), None)
            count += 1
        log.info("caught up", stage=self.stage.name, partition=self.number, begin=begin, end=end, records=count)

    async def drain(self) -> None:
        """Wait until everything in flight is durable, and the state with it."""
        async with self._advancing:
            await self._queue.put((await self._batch(), [], None, self.store.next_offset))
        await self._queue.join()

    async def close(self) -> None:
        """Stop working; what is in flight and unacked is forgotten (the log has it), and ``apply`` raises Revoked."""
        self._closed = True
        for timer in (self._alarm, self._flush):
            if timer is not None:
                timer.cancel()
        self.inbox.forget()
        self._completer.cancel()
        await asyncio.gather(self._completer, return_exceptions=True)
        while not self._queue.empty():
            self._queue.get_nowait()  # lets go of an ``apply`` that waits for room: nobody else would
        self.store.close()

    async def _advance(self, record: Record, acknowledge: Acknowledge | None) -> None:
        async with self._advancing:
            self._check_open()
            self._early.pop(record.offset, None)
            if record.offset < self.store.next_offset:
                if acknowledge is not None:
                    self.settle(record.offset, acknowledge)
                return
            if self._is_bulk(record):
                async with self._turn(record):
                    self._check_open()
                    outputs = await self._outputs_of(record)
            else:
                outputs = await self._outputs_of(record)
            self.inbox.take(self.store.next_offset)
            late = self._is_late(record)
            acks = [await self.outputs.produce(output, late=late) for output in outputs]
            self._check_open()
            batch = await self._batch_if_due()
            await self._queue.put((batch, acks, acknowledge, record.offset + 1))

    def _check_open(self) -> None:
        if self._closed:
            raise Revoked

    def _is_bulk(self, record: Record) -> bool:
        """Whether it waits for a turn: it is large, or goes on with what was too much for one record (a token)."""
        return len(record.value) > _BULK or self._is_token(record)

    def _is_token(self, record: Record) -> bool:
        return record.headers.get(topics.SOURCE_HEADER, b"").startswith(self._itself)

    def _turn(self, record: Record) -> AbstractAsyncContextManager[None]:
        """A turn for bulk. What makes messages for others by the hundred waits until they are ready for them."""
        if self.stage.tells and self._is_token(record):
            return self.turns.turn(self.inbox.others_are_ready)
        return self.turns.turn()

    def _is_late(self, record: Record) -> bool:
        """Whether it is of a backlog, or of a partition that just had one."""
        now = time.monotonic()
        if topics.SOURCE_HEADER not in record.headers:
            late = time.time() * 1000 - record.at > _LATE_MS
            self._late_until = now + _LATE_FOR_S if late else 0.0
        return now < self._late_until

    async def _outputs_of(self, record: Record) -> list[Output]:
        try:
            return self._compute(record)
        except Unsaved:
            await self._save_up_to(record.offset)
            return self._compute(record)

    async def _take_early(self) -> None:
        """Apply those that were offered of the records that come next."""
        while not self._closed and (record := self._early.pop(self.store.next_offset, None)) is not None:
            await self._advance(record, None)

    def _compute(self, record: Record, *, careful: bool = False) -> list[Output]:
        return compute(
            self.stage, self.store, record, partition=self.number, partitions=self.partitions, careful=careful
        )

    async def _save_up_to(self, end: int) -> None:
        """Apply again, and save one by one, the frames below ``end`` that are in memory only; their outputs are out."""
        self.store.rollback()
        async for found in self.outputs.read(self.stage.input, self.number, self.store.next_offset, end):
            self._compute(record_of(found), careful=True)
        self.store.advance(end)  # offsets without a record have nothing to apply
        self.store.savepoint()

    async def _batch_if_due(self) -> Batch | None:
        now = asyncio.get_running_loop().time()
        if self.store.changes < SAVE_CHANGES and now - self._saved_at < _SAVE_S:
            if self._alarm is None:
                self._alarm = asyncio.get_running_loop().call_at(self._saved_at + _SAVE_S, self._save_when_idle)
            return None
        self._saved_at = now
        return await self._batch()

    async def _batch(self) -> Batch:
        try:
            return self.store.seal()
        except (OverflowError, ValueError, TypeError):
            # Checked at the edge, so never seen. What the item told others stays told; its own record is as it was before.
            begin, end = self.store.saved_offset, self.store.next_offset
            place = {"stage": self.stage.name, "partition": self.number, "begin": begin, "end": end}
            log.exception("an item cannot be stored: it is left out, please report it", **place)
            await self._save_up_to(end)
            return self.store.seal()

    def _save_when_idle(self) -> None:
        """Nothing came after the last frames: save what they changed."""
        self._alarm = None
        if self._closed:
            return
        if self._advancing.locked() or self._queue.full():
            self._alarm = asyncio.get_running_loop().call_later(_SAVE_S, self._save_when_idle)
        elif self.store.next_offset != self.store.sealed_offset:
            task = asyncio.create_task(self._save(), name=f"{self.stage.name}-{self.number}-save")
            task.add_done_callback(self._completed)

    async def _save(self) -> None:
        async with self._advancing:
            if not self._closed:
                await self._queue.put((await self._batch_if_due(), [], None, 0))

    def _completed(self, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not isinstance(failure, Revoked):
            self._on_failure(failure)

    def _write_out(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self.store.flush()

    async def _complete(self) -> None:
        while True:
            batch, acks, acknowledge, end = await self._queue.get()
            for ack in acks:
                await ack
            if batch is not None:
                self.store.commit(batch)
                if len(batch.values) >= _FLUSHED_AT_ONCE:
                    self._write_out()
                elif self._flush is None:
                    self._flush = asyncio.get_running_loop().call_later(_FLUSH_S, self._write_out)
            self._safe_offset = max(self._safe_offset, end)
            while self._owed and self._owed[0][0] < self._safe_offset:
                self._owed.popleft()[1]()
            if acknowledge is not None:
                acknowledge()
            self._queue.task_done()
