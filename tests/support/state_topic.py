"""A state topic in memory, for checkpoints and restores without a broker."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace

from aiokafka.errors import KafkaConnectionError


class StateTopic:
    """A state topic in memory. ``compact`` keeps the newest record of each key, as Kafka may after its lag.

    ``patience`` is how many more records, or saved positions, it takes before the connection to it is lost.
    """

    patience = float("inf")

    def __init__(self) -> None:
        self.records: list[SimpleNamespace] = []
        self.end = 0
        self.saved = 0
        self.refused = asyncio.Event()
        """Something was not taken."""
        self.whole = asyncio.Event()
        """A position was saved: a checkpoint is whole."""

    async def produce_pairs(self, _topic, _partition, pairs, headers) -> int:
        for key, value in pairs:
            self._take_one()
            at = time.time_ns() // 1_000_000
            self.records.append(SimpleNamespace(offset=self.end, key=key, value=value, headers=headers, timestamp=at))
            self.end += 1
        return self.end

    async def save_position(self, _group, _topic, _partition, offset) -> None:
        self._take_one()
        self.saved = offset
        self.whole.set()

    @contextmanager
    def lost_after(self, patience: float) -> Iterator[None]:
        """The connection is lost after ``patience`` more, which ends what is done within, and is there again afterwards."""
        self.patience = patience
        with suppress(KafkaConnectionError):
            yield
        self.patience = float("inf")

    def _take_one(self) -> None:
        if self.patience < 1:
            self.refused.set()
            raise KafkaConnectionError("away")
        self.patience -= 1

    async def saved_position(self, _group, _topic, _partition) -> int:
        return self.saved

    async def bounds(self, _topic, _partition) -> tuple[int, int]:
        return 0, self.end

    async def read(self, _topic, _partition, begin, end):
        assert end <= self.end, "a reader would wait for ever"
        for record in self.records:
            if begin <= record.offset < end:
                yield record

    async def read_many(self, _topic, _partition, begin, end):
        yield [record for record in self.records if begin <= record.offset < end]

    def age(self, ms: int) -> None:
        for record in self.records:
            record.timestamp -= ms

    def compact(self) -> None:
        newest = {record.key: record.offset for record in self.records}
        self.records = [record for record in self.records if newest[record.key] == record.offset]
