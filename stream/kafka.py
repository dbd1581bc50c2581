"""How we connect to Kafka: address, TLS and credentials, the same for each client of every process."""

import ssl
import sys
from functools import lru_cache
from typing import Any, Final

import uvloop
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.errors import ConfigError
from stream.settings import Settings
from stream.zstd import CompressionParameter, ZstdCompressor

PLAIN: Final = "PLAIN"
MECHANISMS: Final = (PLAIN, "SCRAM-SHA-256", "SCRAM-SHA-512")

_GOODBYE_S: Final = 0.5
ZSTD_OPTIONS: Final[dict[int, int]] = {
    CompressionParameter.compression_level: 1,
    CompressionParameter.window_log: 18,
    CompressionParameter.hash_log: 13,
}
"""Rows and events are so alike that this packs them a little better than level 3, at half of the work. What it looks back at,
256 kB and a table of 32 kB, stays in the processor's cache."""

_packer: Final = ZstdCompressor(options=ZSTD_OPTIONS)
"""Of the whole process, since it can be used again: a context for each batch is a third of what a small one costs."""


def packed(batch: bytes) -> bytes:
    """The records of a batch as zstd packs them, in a frame of their own."""
    return _packer.compress(batch, ZstdCompressor.FLUSH_FRAME)


# aiokafka has no setting for any of it: this is the name by which its builder of batches calls zstd.
vars(sys.modules[DefaultRecordBatchBuilder.__module__])["zstd_encode"] = packed


class EventLoop(uvloop.Loop):
    """uvloop for processes that speak to Kafka.

    SURPRISE: when a TLS connection is closed, uvloop waits up to 30 s for the other side's goodbye, and one in five of Kafka's
    never comes. aiokafka waits with it: a worker took half a minute to open its partitions.
    """

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        """As ``asyncio.loop.create_connection``."""
        if options.get("ssl"):
            options.setdefault("ssl_shutdown_timeout", _GOODBYE_S)
        return await super().create_connection(*args, **options)


def connection(settings: Settings) -> dict[str, Any]:
    """The arguments of aiokafka's clients that say where Kafka is and who we are.

    Raises: ConfigError if the settings contradict each other, or a file of theirs cannot be used.
    """
    _check(settings)
    found: dict[str, Any] = {"bootstrap_servers": settings.bootstrap}
    tls = _context(settings)
    if tls is not None:
        found["ssl_context"] = tls
    if settings.kafka_user:
        found["sasl_mechanism"] = settings.kafka_mechanism
        found["sasl_plain_username"] = settings.kafka_user
        found["sasl_plain_password"] = settings.kafka_password
        found["security_protocol"] = "SASL_PLAINTEXT" if tls is None else "SASL_SSL"
    elif tls is not None:
        found["security_protocol"] = "SSL"
    return found


def _check(settings: Settings) -> None:
    said = settings.kafka_tls or settings.kafka_user or settings.kafka_ca or settings.kafka_certificate
    if said and not settings.kafka:
        raise ConfigError("TLS and credentials are for Apache Kafka (TOUCHLINE_KAFKA); the embedded broker has none")
    if settings.kafka_mechanism not in MECHANISMS:
        raise ConfigError(f"TOUCHLINE_KAFKA_MECHANISM: {settings.kafka_mechanism!r} is none of {', '.join(MECHANISMS)}")
    if settings.kafka_user and settings.kafka_mechanism == PLAIN and not settings.kafka_tls:
        raise ConfigError("PLAIN would send the password in clear: set TOUCHLINE_KAFKA_TLS=true, or use SCRAM-SHA-512")
    if (settings.kafka_ca or settings.kafka_certificate) and not settings.kafka_tls:
        raise ConfigError("certificates are given, but TOUCHLINE_KAFKA_TLS is not true")


def _context(settings: Settings) -> ssl.SSLContext | None:
    if not settings.kafka_tls:
        return None
    return _tls(settings.kafka_ca, settings.kafka_certificate, settings.kafka_key)


@lru_cache(maxsize=4)
def _tls(authorities: str, certificate: str, key: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authorities or None)
        if certificate:
            context.load_cert_chain(certificate, key or None)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(name for name in (authorities, certificate, key) if name)
        raise ConfigError(f"Kafka's certificates ({files}): {error.strerror or error}") from None
    return context
