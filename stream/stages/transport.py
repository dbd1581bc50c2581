"""Faust's Kafka transport, with a fetch that does not keep a partition waiting for its quiet neighbours.

aiokafka has one fetch request a broker under way. A partition that is busy while one is sent is left out of it and must
wait until it returns. Faust lets the broker hold it for 1.5 s if the other partitions are quiet, and offers no setting:
whenever the worker was busy for a moment, its busiest partitions stood still for that long.
"""

from typing import Any, Final

from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers import aiokafka as driver

from stream.kafka import connection
from stream.settings import Settings

FETCH_WAIT_MS: Final = 30
"""A worker without work asks the broker 33 times a second, which costs 1 % of a core."""


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - read when it starts
        return consumer


class _Consumer(driver.Consumer):  # type: ignore[misc]
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):  # type: ignore[misc]
    """To be set as ``app.transport`` before the app starts."""

    Consumer = _Consumer


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
