"""Housekeeping of the logs: expiry by age and size, rolling of old segments, compaction. On a schedule, off the loop."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from stream.embedded.broker import compaction
from stream.embedded.broker.compaction import Cleaned, Source, Task
from stream.embedded.broker.configs import TopicConfig
from stream.embedded.broker.partition import Partition, now_ms
from stream.embedded.broker.segment import Segment
from stream.embedded.broker.topics import Topics

log = logging.getLogger(__name__)
_ROLL_COMPACTED_MS: Final = 600_000
"""A compacted log's active segment is sealed after this long (or after its compaction lag, if longer), so that small
logs are compacted too. Kafka waits for segment.ms, a week by default."""


class Upkeep:
    """The housekeeper of one broker."""

    def __init__(self, topics: Topics, pool: ThreadPoolExecutor) -> None:
        self._topics = topics
        self._pool = pool
        self._stop = threading.Event()

    def stop(self) -> None:
        """Give up a compaction that runs."""
        self._stop.set()

    async def run_every(self, interval_s: float) -> None:
        """Do a round every ``interval_s`` seconds, for ever."""
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.round()
            except Exception:
                log.exception("housekeeping failed; the next round tries again")

    async def round(self) -> None:
        """Look after every partition once."""
        for topic, partition in self._topics.all_partitions():
            if partition.failed:
                continue
            if roll_is_due(partition, topic.config, now_ms()):
                partition.roll()
            if topic.config.expires:
                await self._expire(partition, topic.config)
            if topic.config.compacts:
                await self._compact(partition, topic.config)

    async def _expire(self, partition: Partition, config: TopicConfig) -> None:
        gone: list[Segment] = []
        while expiry_is_due(partition, config, now_ms()):
            gone.append(partition.pop_oldest())
        if gone:
            await asyncio.get_running_loop().run_in_executor(self._pool, _delete, gone)

    async def _compact(self, partition: Partition, config: TopicConfig) -> None:
        task = compaction_task(partition, config, now_ms())
        if task is None:
            return
        try:
            cleaned: Cleaned = await asyncio.get_running_loop().run_in_executor(
                self._pool, compaction.clean, task, self._stop
            )
        except (FileNotFoundError, compaction.Stopped):  # the topic was deleted meanwhile, or the broker stops
            return
        for fresh, end in cleaned.files:
            if partition.failed:
                fresh.close()
            else:
                partition.replace(fresh, end)
        if partition.failed:
            return
        full = cleaned.cleaned_to < task.sources[-1].base
        partition.remember_cleaned(cleaned.cleaned_to, partition.cleaned_end if full else task.sources[-1].end)


def _delete(segments: list[Segment]) -> None:
    for segment in segments:
        segment.delete()


def roll_is_due(partition: Partition, config: TopicConfig, at_ms: int) -> bool:
    """Whether the active segment should be sealed because of its age."""
    active = partition.segments[-1]
    if not active.size:
        return False
    if config.expires and config.retention_ms >= 0 and 0 <= active.max_ms < at_ms - config.retention_ms:
        return True
    oldest_ms = config.segment_ms
    if config.compacts:
        oldest_ms = min(oldest_ms, max(config.min_compaction_lag_ms, _ROLL_COMPACTED_MS))
    return at_ms - partition.opened_ms >= oldest_ms


def expiry_is_due(partition: Partition, config: TopicConfig, at_ms: int) -> bool:
    """Whether the oldest segment is past its time, or the log too large without it."""
    if len(partition.segments) == 1:
        return False
    oldest = partition.segments[0]
    if config.retention_ms >= 0 and oldest.max_ms < at_ms - config.retention_ms:
        return True
    return config.retention_bytes >= 0 and partition.size - oldest.size >= config.retention_bytes


def compaction_task(partition: Partition, config: TopicConfig, at_ms: int) -> Task | None:
    """The next pass of compaction; None if too little is dirty, or too young."""
    sources: list[Source] = []
    following = [segment.base for segment in partition.segments[1:]]
    for segment, end in zip(partition.segments[:-1], following, strict=True):
        if segment.max_ms > at_ms - config.min_compaction_lag_ms:
            break
        sources.append(Source(segment.path, segment.base, end, segment.size))
    if not sources or sources[-1].end <= partition.cleaned_end:
        return None
    total = sum(source.size for source in sources)
    clean_bytes = _bytes_below(partition, sources, partition.cleaned_to)
    if total == 0 or (total - clean_bytes) / total < config.dirty_ratio:
        return None
    return Task(sources, partition.cleaned_to, at_ms - config.tombstones_ms, config.segment_bytes)


def _bytes_below(partition: Partition, sources: list[Source], offset: int) -> int:
    below = 0
    for source, segment in zip(sources, partition.segments, strict=False):
        if source.end <= offset:
            below += source.size
        elif source.base < offset:
            below += segment.position(offset)
    return below
