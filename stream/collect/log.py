"""The collector's own producer: appends records to Kafka's topics and says when each is safe.

Everything asks for ``acks=all`` from an idempotent producer: a retry within the client cannot double or reorder, and
an acknowledged record is on the log. The connection is made in the background and made anew when it breaks for good,
so that the collector starts before its broker does and outlives it.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from schemas.errors import Retryable
from stream.kafka import connection
from stream.settings import Settings

logger = structlog.get_logger(__name__)

Header = tuple[str, bytes]
_FIRST_RETRY_S: Final = 0.1
_LAST_RETRY_S: Final = 2.0
_LARGEST_REQUEST: Final = 4 << 20
"""Half of the topics' ``max.message.bytes``: a frame is about 1 MB at most."""
_ANSWER_S: Final = 1.0
_HARMLESS: Final = (KafkaTimeoutError, MessageSizeTooLargeError)
"""Not retriable in aiokafka's words, yet the producer is none the worse for them."""
_CLOSE_S: Final = 1.0


class Log:
    """Appends to the topics. ``start`` and ``stop`` belong to one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._unacked: dict[asyncio.Future[object], AIOKafkaProducer] = {}

    @property
    def ready(self) -> bool:
        """Whether the broker was reached."""
        return self._producer is not None

    def start(self) -> None:
        """Connect in the background, for as long as it takes."""
        self._connecting = asyncio.create_task(self._connect(), name="connect to the broker")

    async def stop(self) -> None:
        """Flush what was appended, as far as the broker takes it within a few seconds, and disconnect."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        producer, self._producer = self._producer, None
        if producer is not None:
            await _closed(producer)

    async def append(
        self, topic: str, value: bytes, partition: int | None = None, headers: Sequence[Header] = ()
    ) -> None:
        """Append one record; returns when all in-sync replicas have it.

        Raises: Retryable if there is no broker, or it refused.
        """
        producer = self._producer
        if producer is None:
            raise Retryable("the broker cannot be reached; is it running, and is its address right?")
        try:
            acked = await producer.send(topic, value, partition=partition, headers=list(headers) or None)
            self._unacked[acked] = producer
            acked.add_done_callback(self._unacked.pop)
            await acked
        except asyncio.CancelledError:
            if producer is self._producer:
                raise
            raise Retryable("the connection to the broker was made anew") from None
        except KafkaError as error:
            if not error.retriable and not isinstance(error, _HARMLESS):
                self._renew(producer)
            raise Retryable(f"the broker did not take a record for {topic}: {type(error).__name__}") from error

    async def reachable(self) -> bool:
        """Whether a broker answers right now."""
        if self._producer is None:
            return False
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._producer.client.fetch_all_metadata()
        except (TimeoutError, KafkaError, OSError):
            return False
        return True

    def _renew(self, broken: AIOKafkaProducer) -> None:
        """After an error that aiokafka does not repair (a lost producer id, a fatal sender): a new producer."""
        if self._producer is not broken:
            return
        self._producer = None
        self._connecting = asyncio.create_task(self._replace(broken), name="reconnect to the broker")

    async def _replace(self, broken: AIOKafkaProducer) -> None:
        await _closed(broken)
        # SURPRISE: a producer that is closed while its broker is away leaves its futures undone for ever.
        for acked in [future for future, producer in self._unacked.items() if producer is broken]:
            acked.cancel()
        await self._connect()

    async def _connect(self) -> None:
        wait_s = _FIRST_RETRY_S
        while True:
            producer = self._new_producer()
            try:
                await producer.start()
            except (KafkaError, OSError) as error:
                logger.warning("broker not reached", bootstrap=self._settings.bootstrap, error=type(error).__name__)
                await _closed(producer)
            else:
                self._producer = producer
                logger.info("broker reached", bootstrap=self._settings.bootstrap)
                return
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LAST_RETRY_S)

    def _new_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **connection(self._settings),
            client_id="touchline-collect",
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            # Frames have waited long enough; more in one request only delays the acks.
            linger_ms=0,
            max_batch_size=_LARGEST_REQUEST // 2,
            max_request_size=_LARGEST_REQUEST,
            request_timeout_ms=10_000,
            retry_backoff_ms=50,
        )


async def _closed(producer: AIOKafkaProducer) -> None:
    try:
        await asyncio.wait_for(producer.stop(), _CLOSE_S)
    except (TimeoutError, KafkaError, OSError) as error:
        logger.warning("producer did not close cleanly", error=type(error).__name__)
