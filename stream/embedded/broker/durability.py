"""Syncing logs to disk off the loop, with group commit.

``always``: every acknowledgement waits for a sync; those that arrive while one runs share the next. A number: what was
appended is synced every so many milliseconds, so a power failure (not a kill) can lose that much.
"""

import asyncio
import contextlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor

from stream.embedded.broker.partition import Partition, Unsynced
from stream.embedded.broker.topics import Topics
from stream.embedded.fsync import sync_folder

log = logging.getLogger(__name__)


class Durability:
    """Syncs the partitions of one broker."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._running: dict[Partition, asyncio.Future[None]] = {}

    async def sync(self, partition: Partition) -> bool:
        """Return when all that is appended now is on disk; False if the disk failed, then the partition is closed."""
        upto = partition.next
        while partition.durable < upto and not partition.failed:
            running = self._running.get(partition)
            if running is None:
                running = asyncio.ensure_future(self._sync_once(partition))
                self._running[partition] = running
                running.add_done_callback(lambda _: self._running.pop(partition, None))
            await asyncio.shield(running)
        return not partition.failed

    async def _sync_once(self, partition: Partition) -> None:
        if partition.failed:
            return
        try:
            covered = partition.begin_sync()
            await asyncio.get_running_loop().run_in_executor(self._pool, _sync, covered)
        except OSError:
            # After a failed fsync the kernel may have dropped the pages: nothing may be acknowledged any more.
            log.exception("%s: the disk refused to sync; no further appends", partition.path.name)
            partition.failed = True
            return
        partition.end_sync(covered.upto)

    async def sync_every(self, topics: Topics, interval_s: float) -> None:
        """Sync what is dirty every ``interval_s`` seconds, for ever."""
        while True:
            await asyncio.sleep(interval_s)
            for _, partition in topics.all_partitions():
                if partition.dirty and not partition.failed:
                    await self.sync(partition)


def sync_now(topics: Topics) -> None:
    """Sync everything, in this thread: the last act of a broker that stops."""
    for _, partition in topics.all_partitions():
        if partition.dirty and not partition.failed:
            covered = partition.begin_sync()
            with contextlib.suppress(OSError):
                _sync(covered)
                partition.end_sync(covered.upto)


def _sync(covered: Unsynced) -> None:
    try:
        for fd in covered.fds:
            os.fsync(fd)
    finally:
        for fd in covered.fds:
            os.close(fd)
    for segment in covered.sealed:
        segment.save_index()
    if covered.sealed:
        sync_folder(covered.sealed[0].path.parent)
