"""The last part of the demo happens now: somebody looks at the prices and asks for a demo, and the alert comes out."""

import asyncio
import time
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import topics
from schemas.alerts import Alert
from stream.cli.demo_delivery import Sender
from stream.cli.demo_story import wire
from stream.cli.demo_story.arrivals import SITE
from stream.cli.demo_story.story import Delivery, Live
from stream.cli.demo_story.visits import Hit, Visit
from stream.kafka import connection
from stream.settings import Settings

_PATIENCE_S: Final = 10.0
_decode: Final = msgspec.json.Decoder(Alert).decode


class Rang(msgspec.Struct, frozen=True):
    """The alert that came, and how many ms after the request for the demo was sent off."""

    alert: Alert
    after_ms: float
    acknowledged_ms: float


async def ring(settings: Settings, sender: Sender, live: Live, key: str) -> Rang | None:
    """Visit the pricing page, ask for a demo, and read the alert from its topic.

    Returns: None if none came: the account's alert of today was sent before.
    """
    consumer = AIOKafkaConsumer(**connection(settings), fetch_max_wait_ms=200)
    await consumer.start()
    try:
        places = [TopicPartition(settings.topic(topics.ALERTS), n) for n in range(settings.partitions)]
        consumer.assign(places)
        for place, end in (await consumer.end_offsets(places)).items():
            consumer.seek(place, end)
        listening = asyncio.create_task(_heard(consumer, live.company.domain))
        await sender.send(_delivery(live, 0, key))
        await asyncio.sleep(1)
        began = time.perf_counter()
        await sender.send(_delivery(live, 1, key))
        acknowledged = time.perf_counter()
        try:
            alert, heard = await asyncio.wait_for(listening, _PATIENCE_S)
        except TimeoutError:
            return None
        return Rang(alert, round((heard - began) * 1000, 1), round((acknowledged - began) * 1000, 1))
    finally:
        await consumer.stop()


async def _heard(consumer: AIOKafkaConsumer, account: str) -> tuple[Alert, float]:
    while True:
        for records in (await consumer.getmany(timeout_ms=1_000)).values():
            heard = time.perf_counter()
            for record in records:
                alert = _decode(record.value)
                if alert.account_id == account and not alert.withdrawn_at:
                    return alert, heard


def _delivery(live: Live, number: int, key: str) -> Delivery:
    now = int(time.time() * 1000)
    url = SITE + "/pricing"
    name = f"live-{now}"
    if number == 0:
        hits: tuple[Hit, ...] = (Hit(name, now, "page", url, "https://www.google.com/"),)
    else:
        hits = (Hit(name, now, "track", url, name="Demo Requested", properties={"form": "demo", "team_size": 80}),)
    body = wire.tracker_body(Visit(live.device, hits), key)
    return Delivery(now, wire.TRACKER, body, len(hits), live.device.agent)
