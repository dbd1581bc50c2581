"""Ticks: the only way in which time passes for the stages. Every ``tick_s`` one record to every partition."""

import asyncio
import time

import structlog

from schemas import topics
from schemas.codec import lines
from schemas.errors import Retryable
from schemas.messages import Tick
from stream.collect.log import Log
from stream.settings import Settings

logger = structlog.get_logger(__name__)


async def send_ticks(log: Log, settings: Settings) -> None:
    """For ever. A tick that the broker does not take is left out: the next one says the same."""
    while True:
        await asyncio.sleep(settings.tick_s)
        try:
            await send_tick(log, settings, time.time_ns() // 1_000_000)
        except Retryable as refused:
            logger.warning("no tick", reason=str(refused))


async def send_tick(log: Log, settings: Settings, at: int) -> None:
    """Tell every partition of both stages that it is ``at`` (ms). Raises: Retryable."""
    value = lines([Tick(at)])
    headers = [(topics.KIND_HEADER, topics.CONTROL_FRAME.encode())]
    await asyncio.gather(
        *(
            log.append(settings.topic(topic), value, partition, headers)
            for topic in (topics.EVENTS, topics.ACCOUNTS)
            for partition in range(settings.partitions)
        )
    )
