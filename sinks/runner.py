"""The sink as a process: reads facts and dead letters in its own group, writes a block whenever one is due.

Reading goes on while a block is written; the next block begins where the last one ended. A rebalance throws away what
was read and not written, and recovers from the ledger; so does any other doubt.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from schemas.errors import Retryable
from sinks.clickhouse.client import ClickHouse
from sinks.exactly_once import ClaimLostError, Owner, hand_over, prune, recover, write_block
from sinks.executor import Abandoned, Executor
from sinks.log import (
    GROUP,
    TOPICS,
    commit,
    group_consumer,
    place_of,
    read_range,
    record_of,
    refuse_shorter_log,
    topic_partition,
)
from sinks.ranges import Part, Place, block_of
from stream.settings import Settings

MOST_BYTES: Final = 64 << 20
"""Of rows in a block: bounds memory here and in ClickHouse whatever the rows are like."""
MOST_RECORDS: Final = 32
"""Taken at a time: a block may exceed its bounds by as many, at about 1 MB or 1,000 events each."""
GATHER_S: Final = 0.1
"""Rows that come after a while wait this long for those that follow from the same event."""
IDLE_S: Final = 5.0
"""After this long without rows the sink notes that all is done, so that a later recovery need not look."""
FINISH_S: Final = 8.0
"""How long a rebalance or a stop waits for the block in hand before it is left to the next recovery."""
PRUNE_S: Final = 86_400.0
"""Between two removals of old rows from the ledger; the first comes with the first block."""
SURE: Final = 3
"""Fetches after which a hole in the log is believed."""

_log = structlog.get_logger()


def due_at(first_at: float, began_at: float, period_s: float) -> float:
    """When a block is written whose first record came at ``first_at``, if it is not full before.

    A block costs what it costs however few rows it has, so one begins every ``period_s``; after a longer rest it need not wait.
    """
    return max(first_at + min(GATHER_S, period_s), began_at + period_s)


class Sink(ConsumerRebalanceListener):  # type: ignore[misc]
    """One member of the group."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer = group_consumer(settings)
        self._executor = Executor(
            lambda: ClickHouse.connect(settings),
            lambda wanted: read_range(settings, wanted),
            lambda offsets: commit(self._consumer, settings, offsets),
        )
        self._process = uuid4().hex[:12]
        self._owners = 0
        self._owner = self._fresh_owner()
        self._parts: dict[Place, Part] = {}
        self._holes: dict[Place, tuple[tuple[int, int], int]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._unrecovered: set[Place] = set()
        self._began_at = 0.0
        self._due_at = 0.0
        self._prune_at = 0.0
        self._noted = True
        self._resting = False
        self._stop = asyncio.Event()

    async def run(self, on_ready: Callable[[], object]) -> None:
        """Read and write until ``stop``; then finish the block in hand, note where we are and leave the group.

        Raises: Retryable if the broker does not answer at the start; Fatal if the log and the ledger contradict.
        """
        try:
            await self._consumer.start()
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise Retryable(f"broker at {self._settings.bootstrap}: {type(error).__name__}") from error
        on_ready()
        self._consumer.subscribe([self._settings.topic(topic) for topic in TOPICS], listener=self)
        try:
            while not self._stop.is_set():
                await self._turn()
            await self._finish(flush=True)
        finally:
            await self._consumer.stop()
            await self._executor.close()

    def stop(self) -> None:
        """Ask ``run`` to end."""
        self._stop.set()

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Finish the block in hand and forget the rest (all partitions are revoked at once)."""
        if revoked:
            await self._finish(flush=False)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Take over: nothing is read until the ledger has said from where."""
        self._resting = False
        self._parts.clear()
        self._holes.clear()
        if assigned:
            self._consumer.pause(*assigned)
        self._unrecovered = {place_of(self._settings, tp) for tp in assigned}

    async def _turn(self) -> None:
        await self._settle()
        self._begin_work()
        if self._is_full():
            # Memory is bounded: read on once this much can be written.
            if self._writing is not None:
                await asyncio.wait([self._writing], timeout=1)
            else:
                await asyncio.sleep(GATHER_S)  # the partitions are going: the block in hand is completed elsewhere
            return
        batches = await self._consumer.getmany(timeout_ms=self._wait_ms(), max_records=MOST_RECORDS)
        for tp, messages in batches.items():
            self._accept(tp, messages)

    def _accept(self, tp: TopicPartition, messages: list[ConsumerRecord]) -> None:
        """Take records that follow on what we have. Others are from before a rebalance, or there is a hole."""
        place = place_of(self._settings, tp)
        part = self._parts.get(place)
        for message in messages:
            if part is None or message.offset < part.next:
                continue
            if message.offset > part.next and not self._is_hole(place, part.next, message.offset):
                self._consumer.seek(tp, part.next)
                return
            if not self._is_pending():
                self._due_at = due_at(time.monotonic(), self._began_at, self._settings.sink_s)
            part.add(record_of(message))

    def _is_hole(self, place: Place, expected: int, found: int) -> bool:
        """Whether the log really has nothing between: we asked for it ``SURE`` times, and got the same each time."""
        hole = (expected, found)
        known, times = self._holes.get(place, (hole, 0))
        if known == hole and times == SURE:
            _log.error("sink: facts are gone from the log", place=place, first=expected, next=found)
            return True
        self._holes[place] = (hole, times + 1 if known == hole else 1)
        return False

    def _begin_work(self) -> None:
        """Start what is due, if nothing is under way."""
        if self._writing is not None or self._resting:
            return
        if self._unrecovered:
            self._writing = asyncio.create_task(self._recover(frozenset(self._unrecovered)))
        elif self._is_pending() and (self._is_full() or time.monotonic() >= self._due_at):
            self._writing = asyncio.create_task(self._write())
        elif self._parts and not self._noted and not self._is_pending() and time.monotonic() >= self._due_at + IDLE_S:
            self._writing = asyncio.create_task(self._note())

    async def _settle(self) -> None:
        """Hear how the finished work ended. A bug in it ends the process."""
        if self._writing is None or not self._writing.done():
            return
        task, self._writing = self._writing, None
        try:
            task.result()
        except Abandoned:
            self._start_over()
        except ClaimLostError as lost:
            _log.warning("sink: starting over", reason=str(lost))
            await asyncio.sleep(0.5)
            self._start_over()

    def _start_over(self) -> None:
        """Recover everything that is assigned to us now."""
        assigned = self._consumer.assignment()
        self._parts.clear()
        if assigned:
            self._consumer.pause(*assigned)
        self._unrecovered = {place_of(self._settings, tp) for tp in assigned}

    async def _recover(self, places: frozenset[Place]) -> None:
        self._owner = self._fresh_owner()
        positions = await self._executor.run(recover(self._owner, places))
        if self._unrecovered != places:
            return  # reassigned meanwhile: the next turn recovers what is ours now
        await refuse_shorter_log(self._consumer, self._settings, positions)
        self._unrecovered = set()
        ours = [topic_partition(self._settings, place) for place in positions]
        for place, position in positions.items():
            self._parts[place] = Part(place, position)
            self._consumer.seek(topic_partition(self._settings, place), position.next)
        self._consumer.resume(*ours)
        self._noted = True
        _log.info("sink: reading", partitions=len(ours), owner=self._owner.name)

    async def _write(self) -> None:
        parts, self._parts = self._parts, {p: Part(p, part.position) for p, part in self._parts.items()}
        block = block_of(parts.values())
        self._began_at = started = time.monotonic()
        self._noted = False
        await self._executor.run(write_block(self._owner, block))
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + PRUNE_S
            await self._executor.run(prune(self._owner))
        _log.debug("sink: wrote", rows=block.rows, tables=len(block.tables), ms=int((time.monotonic() - started) * 1e3))

    async def _note(self) -> None:
        """Write down where we are, so that nobody has to look behind it."""
        positions = {place: part.start for place, part in self._parts.items()}
        await self._executor.run(hand_over(self._owner, positions))
        self._noted = True

    async def _finish(self, *, flush: bool) -> None:
        """Come to rest: complete the block in hand, perhaps one more, and note it. All within ``FINISH_S``."""
        self._resting = True
        self._unrecovered = set()
        try:
            async with asyncio.timeout(FINISH_S):
                await self._rest()
                if flush and self._parts and self._is_pending():
                    await self._write()
                if self._parts and not self._noted:
                    await self._note()
        except (TimeoutError, Abandoned, ClaimLostError) as reason:
            _log.info("sink: the next owner completes the block in hand", reason=type(reason).__name__)
        finally:
            self._parts.clear()

    async def _rest(self) -> None:
        if self._writing is not None:
            task, self._writing = self._writing, None
            try:
                await asyncio.shield(task)
            except BaseException:
                self._executor.give_up()
                self._parts.clear()
                await asyncio.wait([task], timeout=1)
                raise

    def _is_pending(self) -> bool:
        return any(part.next > part.start.next for part in self._parts.values())

    def _is_full(self) -> bool:
        rows = sum(part.rows for part in self._parts.values())
        return rows >= self._settings.sink_rows or sum(part.bytes for part in self._parts.values()) >= MOST_BYTES

    def _wait_ms(self) -> int:
        """Longest wait for records: until a block is due, or a little while work is under way."""
        if self._writing is not None:
            return 50
        if self._is_pending():
            return min(100, max(1, int((self._due_at - time.monotonic()) * 1000)))
        return 100

    def _fresh_owner(self) -> Owner:
        self._owners += 1
        return Owner(self._settings.topic(GROUP), f"{self._process}-{self._owners}")
