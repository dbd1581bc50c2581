"""The log as the stages use it: one producer for outputs, plain readers for gaps and checkpoints.

The only place in ``stream.stages`` that imports aiokafka. Settings in short: acks=all, idempotent,
zstd, no linger but what the ``outbox`` holds back, fetches of whole frames.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError as LogError
from aiokafka.structs import ConsumerRecord

from schemas.errors import Fatal
from stream.kafka import connection
from stream.settings import Settings
from stream.stages.compute import Output, Record
from stream.stages.outbox import Offers, Outbox
from stream.stages.unheard import Unheard

__all__ = ["Log", "LogError", "TopicPartition"]


class Log:
    """Producer and readers of one worker. ``start`` before use, ``stop`` at the end."""

    def __init__(self, settings: Settings, offers: Offers | None = None, unheard: Unheard | None = None) -> None:
        self.settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._outbox = Outbox(self._send, {} if offers is None else offers, unheard or Unheard())

    async def start(self) -> None:
        """Connect the producer."""
        self._producer = AIOKafkaProducer(
            **connection(self.settings),
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            linger_ms=0,
            max_batch_size=1 << 20,
            max_request_size=8 << 20,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is buffered and disconnect."""
        if self._producer is not None:
            await self._outbox.flush()
            await self._producer.stop()

    async def produce(self, output: Output, *, late: bool = False) -> asyncio.Future[Any]:
        """Queue one record; the returned future is done when the broker has it (``Outbox.produce``)."""
        return await self._outbox.produce(output, late=late)

    async def _send(self, output: Output) -> asyncio.Future[Any]:
        assert self._producer is not None
        sent: asyncio.Future[Any] = await self._producer.send(
            self.settings.topic(output.topic), output.value, partition=output.partition, headers=output.headers
        )
        return sent

    async def produce_pairs(
        self, topic: str, partition: int, pairs: list[tuple[bytes, bytes | None]], headers: list[tuple[str, bytes]]
    ) -> int:
        """Produce keyed records in as few batches as they need; returns the offset after the last one."""
        assert self._producer is not None
        name = self.settings.topic(topic)
        waiting: list[tuple[asyncio.Future[Any], int]] = []
        batch = self._producer.create_batch()
        for key, value in pairs:
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is not None:
                continue
            if batch.record_count():
                waiting.append(
                    (await self._producer.send_batch(batch, name, partition=partition), batch.record_count())
                )
                batch = self._producer.create_batch()
                if batch.append(key=key, value=value, timestamp=None, headers=headers) is not None:
                    continue
            # Larger than a batch: the ordinary way takes up to max_request_size.
            waiting.append((await self._producer.send(name, value, key, partition=partition, headers=headers), 1))
        if batch.record_count():
            waiting.append((await self._producer.send_batch(batch, name, partition=partition), batch.record_count()))
        positions: list[int] = [(await sent).offset + count for sent, count in waiting]
        return max(positions)

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset that is still there, and the next one to be written."""
        consumer, place = await self._reader(topic, partition)
        try:
            begin = await consumer.beginning_offsets([place])
            end = await consumer.end_offsets([place])
            return begin[place], end[place]
        finally:
            await consumer.stop()

    async def ends(self, places: Collection[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The next offset to be written of each (topic, partition), by one consumer for all; 0 where there is no such topic."""
        named = {place: TopicPartition(self.settings.topic(place[0]), place[1]) for place in places}
        consumer = AIOKafkaConsumer(**connection(self.settings), enable_auto_commit=False)
        await consumer.start()
        try:
            known = await consumer.topics()
            found = await consumer.end_offsets([tp for tp in named.values() if tp.topic in known])
            return {place: found.get(tp, 0) for place, tp in named.items()}
        finally:
            await consumer.stop()

    async def read(self, topic: str, partition: int, begin: int, end: int) -> AsyncGenerator[ConsumerRecord, None]:
        """Records with ``begin <= offset < end``, in order. Raises: as ``read_many``."""
        async with contextlib.aclosing(self.read_many(topic, partition, begin, end)) as batches:
            async for records in batches:
                for record in records:
                    yield record

    async def read_many(
        self, topic: str, partition: int, begin: int, end: int
    ) -> AsyncGenerator[list[ConsumerRecord], None]:
        """The same as they come off the wire, some thousand at a time: for who reads millions.

        Raises: Fatal if the log no longer has ``begin`` (retention took it).
        """
        consumer, place = await self._reader(topic, partition)
        try:
            first = (await consumer.beginning_offsets([place]))[place]
            if first > begin:
                raise Fatal(
                    f"{topic}/{partition}: offset {begin} is needed but the log begins at {first}: retention took records that "
                    "were never applied. Restore the topic, or accept the loss with a fresh --data folder."
                )
            consumer.seek(place, begin)
            while await consumer.position(place) < end:
                records = (await consumer.getmany(place, timeout_ms=500)).get(place, [])
                if records and records[-1].offset >= end:
                    yield [record for record in records if record.offset < end]
                    return
                yield records
        finally:
            await consumer.stop()

    async def saved_position(self, group: str, topic: str, partition: int) -> int:
        """What ``save_position`` remembered; 0 if nothing."""
        consumer, place = await self._reader(topic, partition, group)
        try:
            return int(await consumer.committed(place) or 0)
        finally:
            await consumer.stop()

    async def save_position(self, group: str, topic: str, partition: int, offset: int) -> None:
        """Remember an offset under a consumer group of its own."""
        consumer, place = await self._reader(topic, partition, group)
        try:
            await consumer.commit({place: offset})
        finally:
            await consumer.stop()

    async def _reader(
        self, topic: str, partition: int, group: str | None = None
    ) -> tuple[AIOKafkaConsumer, TopicPartition]:
        consumer = AIOKafkaConsumer(
            **connection(self.settings),
            group_id=None if group is None else self.settings.topic(group),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 << 20,
            fetch_max_wait_ms=100,
        )
        await consumer.start()
        place = TopicPartition(self.settings.topic(topic), partition)
        consumer.assign([place])
        return consumer, place


def record_of(found: ConsumerRecord) -> Record:
    """A consumed record as the stages see it."""
    return Record(found.offset, found.timestamp, found.value or b"", dict(found.headers))
