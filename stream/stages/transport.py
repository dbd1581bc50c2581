"""Faust's Kafka transport, for frames that somebody waits for.

aiokafka has one fetch request a broker under way. A partition that is busy while one is sent is left out of it and must
wait until it returns. Faust lets the broker hold it for 1.5 s if the other partitions are quiet, and offers no setting:
whenever the worker was busy for a moment, its busiest partitions stood still for that long.

Faust runs the consumer in a thread with a loop of its own. Both threads then want the interpreter for each frame, and on a
busy machine the one waits for the other's turn to end, several times a frame. Here both are one loop, and one thread. What
that costs: heartbeats wait for the frame in hand, too. The longest takes a twentieth of the session timeout.

For each record Faust makes four tasks, waits for the first of them and cancels the others, only to be able to stop waiting
for a queue that is full. Here a record that finds room goes on at once; only one that has to wait is waited for in that way.

Most records of a worker with little to do it wrote itself, and has applied before they come from the log. Those are left to
their partition to acknowledge: their way through Faust would cost more than what they say.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers import aiokafka as driver
from mode.services import Service, WaitResults

from stream.kafka import connection
from stream.settings import Settings

FETCH_WAIT_MS: Final = 20
"""A worker without work asks the broker 50 times a second, which costs 2 % of a core."""
_FETCH_BYTES: Final = 32 << 10
"""With more than this the broker does not wait. Most records are the worker's own and applied already: a fetch for each would
cost more than they do, and only what comes from the collector is waited for."""
_PAIR: Final = 2


class _NoThread:
    """In the place of ``mode.threads.WorkerThread``: the service runs as a task of the loop that starts it."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._service._serve(), name="consumer")  # noqa: SLF001

    def stop(self) -> None:
        """Nothing is left to wait for: the service says itself when it has shut down."""


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    Worker = _NoThread

    async def _gather_remaining_tasks(self) -> None:
        """A thread's loop ends with it; this one has other tasks than the consumer's."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - both are read when it starts
        consumer._fetch_min_bytes = _FETCH_BYTES  # noqa: SLF001
        return consumer


class PromptWaits(Service):  # type: ignore[misc]
    """A service that makes no task of a record's delivery that has nothing to wait for."""

    async def wait_first(self, *waited: Any, timeout: Any = None) -> WaitResults:  # noqa: ASYNC109 - mode's signature
        """As ``mode.Service.wait_first``. A pair is a record's delivery and a reason to give it up."""
        if len(waited) != _PAIR or timeout is not None or not asyncio.iscoroutine(waited[0]):
            return await super().wait_first(*waited, timeout=timeout)
        delivery, given_up = waited
        try:
            awaited = delivery.send(None)
        except StopIteration as end:
            given_up.close()
            return WaitResults([], [], True) if self.should_stop else WaitResults([delivery], [end.value], False)
        except BaseException:
            given_up.close()
            raise
        return await super().wait_first(_Begun(delivery, awaited), given_up)


class _Begun:
    """The rest of a coroutine that has run up to its first wait, for ``awaited``."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], awaited: Any) -> None:
        self._coroutine = coroutine
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, awaited = self._coroutine, self._awaited
        while True:
            try:
                yield awaited
            except BaseException as thrown:  # noqa: BLE001 - whatever it is, the coroutine is to hear of it
                step = partial(coroutine.throw, thrown)
            else:
                step = partial(coroutine.send, None)
            try:
                awaited = step()
            except StopIteration as end:
                return end.value


class _Consumer(PromptWaits, driver.Consumer):  # type: ignore[misc]
    def __init__(self, transport: "Transport", callback: Callable[[Any], Awaitable[None]], **options: Any) -> None:
        super().__init__(transport, self._deliver, **options)
        self._deliver_unseen = callback

    async def _deliver(self, message: Any) -> None:
        settle = self.transport.settle.get(message.topic)
        if settle is None or not settle(message.partition, message.offset, partial(self.ack, message)):
            await self._deliver_unseen(message)

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, thread_loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):  # type: ignore[misc]
    """To be set as ``app.transport`` before the app starts."""

    Consumer = _Consumer
    settle: Mapping[str, Callable[[int, int, Callable[[], object]], bool]] = MappingProxyType({})
    """By topic: (partition, offset, acknowledge) -> whether the record was applied before, and is acknowledged in due time."""


def credentials(settings: Settings) -> SASLCredentials | SSLCredentials | None:
    """``stream.kafka.connection`` as Faust wants it; None without TLS and credentials.

    Raises: ConfigError.
    """
    given = connection(settings)
    tls = given.get("ssl_context")
    if "sasl_mechanism" in given:
        return SASLCredentials(
            username=given["sasl_plain_username"],
            password=given["sasl_plain_password"],
            ssl_context=tls,
            mechanism=given["sasl_mechanism"],
        )
    return None if tls is None else SSLCredentials(tls)
