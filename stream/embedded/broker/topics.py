"""The topics of the broker: their settings and their partitions on disk (``DATA/NAME-0``, ``DATA/NAME-1`` ...)."""

import asyncio
import logging
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stream.embedded.broker import codes, configs
from stream.embedded.broker.catalog import Catalog
from stream.embedded.broker.partition import Partition

if TYPE_CHECKING:
    from stream.embedded.broker.configs import TopicConfig

log = logging.getLogger(__name__)
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
MAX_PARTITIONS: Final = 1000
"""Of one topic. One machine has no use for more, and each holds a file open."""


class Topic:
    """One topic."""

    def __init__(self, name: str, own: dict[str, str], partitions: list[Partition]) -> None:
        self.name = name
        self.partitions = partitions
        self.set_config(own)

    def set_config(self, own: dict[str, str]) -> None:
        """Take other settings; they hold from now on."""
        self.own = own
        self.config: TopicConfig = configs.resolve(own)


class Topics:
    """All topics of a data folder. A topic shows up when the catalog has it for sure."""

    def __init__(self, root: Path, catalog: Catalog, *, strict: bool) -> None:
        self._root = root
        self._catalog = catalog
        self._strict = strict
        self._creating: set[str] = set()
        for leftover in root.glob("*.deleted"):
            shutil.rmtree(leftover, ignore_errors=True)
        self.by_name = {
            name: Topic(name, own, self._open(name, 0, count)) for name, (count, own) in catalog.topics.items()
        }

    def _open(self, name: str, first: int, count: int) -> list[Partition]:
        return [Partition(self._folder(name, index), strict=self._strict) for index in range(first, count)]

    def _folder(self, name: str, index: int) -> Path:
        return self._root / f"{name}-{index}"

    def partition(self, name: str | None, index: int) -> Partition | None:
        """A partition; None if there is no such one."""
        topic = self.by_name.get(name or "")
        return topic.partitions[index] if topic and 0 <= index < len(topic.partitions) else None

    def all_partitions(self) -> Iterator[tuple[Topic, Partition]]:
        """Every partition with its topic; safe against topics that come and go meanwhile."""
        for topic in list(self.by_name.values()):
            for partition in list(topic.partitions):
                yield topic, partition

    def objection(self, name: str | None, count: int, replication: int) -> int:
        """Why a topic cannot be created, as an error code."""
        if not _NAME.fullmatch(name or "") or name in (".", ".."):
            return codes.INVALID_TOPIC_EXCEPTION
        if name in self.by_name or name in self._creating:
            return codes.TOPIC_ALREADY_EXISTS
        if not 1 <= count <= MAX_PARTITIONS:
            return codes.INVALID_PARTITIONS
        return codes.NONE if replication in (1, -1) else codes.INVALID_REPLICATION_FACTOR

    async def create(self, name: str, count: int, own: dict[str, str]) -> None:
        """Create a topic that ``objection`` has nothing against."""
        self._creating.add(name)
        try:
            for index in range(count):  # left over from a topic whose deletion a crash cut short
                if self._folder(name, index).exists():
                    self._retire(self._folder(name, index))
            await self._catalog.save_topic(name, count, own)
            self.by_name[name] = Topic(name, own, self._open(name, 0, count))
        finally:
            self._creating.discard(name)

    async def extend(self, name: str, count: int) -> None:
        """Give a topic more partitions, ``count`` in all."""
        topic = self.by_name[name]
        await self._catalog.save_topic(name, count, topic.own)
        topic.partitions += self._open(name, len(topic.partitions), count)

    async def configure(self, name: str, own: dict[str, str]) -> None:
        """Replace a topic's own settings."""
        topic = self.by_name[name]
        await self._catalog.save_topic(name, len(topic.partitions), own)
        topic.set_config(own)

    async def delete(self, name: str) -> None:
        """Delete a topic; its waiting readers are woken to learn of it."""
        topic = self.by_name.pop(name)
        await self._catalog.delete_topic(name)
        retired = []
        for partition in topic.partitions:
            partition.failed = True
            partition.close()
            for watcher in list(partition.watchers):
                watcher(1 << 60)
            retired.append(self._retire(partition.path))
        loop = asyncio.get_running_loop()
        for folder in retired:
            await loop.run_in_executor(None, shutil.rmtree, folder, True)

    def _retire(self, folder: Path) -> Path:
        return folder.rename(folder.with_name(f"{folder.name}.{time.time_ns()}.deleted"))

    def close(self) -> None:
        """Close all files."""
        for _, partition in self.all_partitions():
            partition.close()
