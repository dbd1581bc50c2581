"""Answers to the requests of producers and consumers.

``coordination`` has those of groups, ``admin`` those of administrators. A handler gets the caller and the
decoded request and returns the response's fields in the schema's order (``apis``), an awaitable of them, or None for no
answer.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, Protocol

from stream.embedded.broker import codes
from stream.embedded.broker.apis import ADVERTISED
from stream.embedded.broker.catalog import Catalog
from stream.embedded.broker.durability import Durability
from stream.embedded.broker.partition import Appended, Partition
from stream.embedded.broker.segment import NOTHING
from stream.embedded.broker.topics import Topics

NODE: Final = 0
_LATEST: Final = -1
_EARLIEST: Final = -2
_READ_BYTES: Final = 4 << 20
"""Of one partition in one answer, if its next batch is no larger: memory stays small, whatever a client asks for."""
_ANSWER_BYTES: Final = 16 << 20
"""Of all partitions in one answer."""
_NO_OPERATIONS: Final = -(1 << 31)
"""What Kafka sends when nobody asked which operations are allowed."""

Response = tuple[Any, ...]
Answer = Response | Awaitable[Response] | None


class Caller(Protocol):
    """The connection that a request came on."""

    client: str
    host: str
    address: tuple[str, int]
    """Where it reached us: what we tell it to connect to."""


class Requests:
    """Handlers of one broker."""

    def __init__(self, topics: Topics, catalog: Catalog, durability: Durability, *, strict: bool) -> None:
        self._topics = topics
        self._catalog = catalog
        self._durability = durability
        self._strict = strict

    # -- who is there -------------------------------------------------------------------------------------------------

    def api_versions(self, _caller: Caller, _asked: Any) -> Answer:
        """What we speak."""
        return codes.NONE, ADVERTISED, 0

    def metadata(self, caller: Caller, asked: Any) -> Answer:
        """Topics and where they live: all here. Nothing is created on the way."""
        names = list(self._topics.by_name) if asked.topics is None else asked.topics
        topics = [self._topic_metadata(name) for name in names]
        broker = (NODE, *caller.address, None)
        return 0, [broker], self._catalog.cluster, NODE, topics, _NO_OPERATIONS

    def _topic_metadata(self, name: str) -> Response:
        topic = self._topics.by_name.get(name)
        if topic is None:
            return codes.UNKNOWN_TOPIC_OR_PARTITION, name, False, [], _NO_OPERATIONS
        partitions: list[Response] = [
            (codes.NONE, index, NODE, -1, [NODE], [NODE], []) for index in range(len(topic.partitions))
        ]
        return codes.NONE, name, False, partitions, _NO_OPERATIONS

    def find_coordinator(self, caller: Caller, asked: Any) -> Answer:
        """We coordinate every group, and no transaction."""
        if asked.kind:
            return 0, codes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "this broker has no transactions", -1, "", -1
        return 0, codes.NONE, None, NODE, *caller.address

    # -- produce ------------------------------------------------------------------------------------------------------

    def produce(self, _caller: Caller, asked: Any) -> Answer:
        """Append, and answer when the fsync policy is satisfied."""
        touched: list[Partition] = []
        results = [
            (
                name,
                [self._append(name, index, produced, asked.transactional, touched) for index, produced in partitions],
            )
            for name, partitions in asked.topics or ()
        ]
        if asked.acks == 0:
            return None
        if self._strict and touched:
            return self._produced_durably(results, touched)
        return results, 0

    def _append(
        self, name: str, index: int, produced: memoryview | None, transactional: str | None, touched: list[Partition]
    ) -> Response:
        partition = self._topics.partition(name, index)
        if partition is None:
            appended = Appended(codes.UNKNOWN_TOPIC_OR_PARTITION)
        elif transactional is not None:
            appended = Appended(codes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        else:
            config = self._topics.by_name[name].config
            appended = partition.append(
                produced,
                max_bytes=config.max_message_bytes,
                segment_bytes=config.segment_bytes,
                stamp=config.append_time,
            )
            touched.append(partition)
        start = -1 if partition is None else partition.start
        return index, appended.error, appended.base, appended.at_ms, start, [], None

    async def _produced_durably(self, results: list[Response], touched: list[Partition]) -> Response:
        synced = await asyncio.gather(*(self._durability.sync(partition) for partition in touched))
        if not all(synced):
            refused = codes.KAFKA_STORAGE_ERROR
            results = [(name, [(row[0], row[1] or refused, -1, *row[3:]) for row in rows]) for name, rows in results]
        return results, 0

    def init_producer(self, _caller: Caller, asked: Any) -> Answer:
        """An id for an idempotent producer. Transactions are refused with an error that no client retries."""
        if asked.transactional is not None:
            return 0, codes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, -1, -1
        return self._new_producer()

    async def _new_producer(self) -> Response:
        return 0, codes.NONE, await self._catalog.next_pid(), 0

    # -- fetch --------------------------------------------------------------------------------------------------------

    def fetch(self, _caller: Caller, asked: Any) -> Answer:
        """Read, or wait until there is something. Fetch sessions are declined by answering with session 0."""
        if asked.session:
            return 0, codes.FETCH_SESSION_ID_NOT_FOUND, 0, []
        response, found, failed = self._read(asked)
        if found >= asked.min_bytes or failed or asked.wait_ms <= 0 or not asked.topics:
            return response
        return self._read_later(asked, asked.min_bytes - found)

    def _read(self, asked: Any) -> tuple[Response, int, bool]:
        left, found, failed = min(asked.max_bytes, _ANSWER_BYTES), 0, False
        topics = []
        for name, partitions in asked.topics or ():
            rows = []
            for wanted in partitions:
                row, chunk = self._read_partition(name, wanted, left)
                failed = failed or bool(row[1])
                found += len(chunk)
                left -= len(chunk)
                rows.append(row)
            topics.append((name, rows))
        return (0, codes.NONE, 0, topics), found, failed

    def _read_partition(self, name: str, wanted: Any, left: int) -> tuple[Response, memoryview]:
        partition = self._topics.partition(name, wanted.index)
        if partition is None:
            return (wanted.index, codes.UNKNOWN_TOPIC_OR_PARTITION, -1, -1, -1, None, -1, NOTHING), NOTHING
        error, chunk = codes.NONE, NOTHING
        if left > 0:
            error, chunk = partition.read(wanted.offset, min(wanted.max_bytes, left, _READ_BYTES))
        high = partition.visible
        return (wanted.index, error, high, high, partition.start, None, -1, chunk), chunk

    async def _read_later(self, asked: Any, missing: int) -> Response:
        loop = asyncio.get_running_loop()
        enough: asyncio.Future[None] = loop.create_future()

        def grown(size: int) -> None:
            nonlocal missing
            missing -= size
            if missing <= 0 and not enough.done():
                enough.set_result(None)

        watched = [
            partition
            for name, partitions in asked.topics
            for wanted in partitions
            if (partition := self._topics.partition(name, wanted.index)) is not None
        ]
        for partition in watched:
            partition.watchers.add(grown)
        timer = loop.call_later(min(asked.wait_ms, 60_000) / 1000, grown, 1 << 60)
        try:
            await enough
        finally:
            timer.cancel()
            for partition in watched:
                partition.watchers.discard(grown)
        return self._read(asked)[0]

    def list_offsets(self, _caller: Caller, asked: Any) -> Answer:
        """First and last offsets, and the first offset at or after a time."""
        return 0, [
            (name, [self._offset_at(name, wanted.index, wanted.at) for wanted in partitions])
            for name, partitions in asked.topics or ()
        ]

    def _offset_at(self, name: str, index: int, at: int) -> Response:
        partition = self._topics.partition(name, index)
        if partition is None:
            return index, codes.UNKNOWN_TOPIC_OR_PARTITION, -1, -1
        if at == _LATEST:
            return index, codes.NONE, -1, partition.visible
        if at == _EARLIEST:
            return index, codes.NONE, -1, partition.start
        return index, codes.NONE, *(partition.first_at(at) or (-1, -1))
