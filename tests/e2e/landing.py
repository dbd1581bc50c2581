"""Where the SDKs' events land: a running collector on a running broker, and what of it is on the ``events`` topic.

    landing.delivered(7) -> the 7 events that came since the last call, each once

``delivered`` reads the topic. Tests assert on what it returns only, so that it is the one place that knows.
"""

import asyncio
import base64
import os
import subprocess
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.event import Event
from schemas.topics import EVENTS, KIND_HEADER, TOPICS
from tests.support.brokers import EmbeddedBroker

T = TypeVar("T")
_CONFIG = """
[[sources]]
name = "website"
key = "dev"

[[webhooks]]
provider = "sendgrid"
name = "main"
secret = "{secret}"
"""
PARTITIONS = 4
DELIVERY_S = 20.0
SETTLE_S = 0.7
"""A duplicate would come right behind: SDKs that repeat do so within their first back-off."""


class Landing:
    """One broker and one collector for the tests of a session."""

    def __init__(self, folder: Path) -> None:
        self.mail_key = generate_private_key(SECP256R1())
        config = folder / "touchline.toml"
        config.write_text(_CONFIG.format(secret=_der(self.mail_key)))
        self._broker = EmbeddedBroker()
        self._bootstrap = self._broker.start(folder / "broker")
        _run(_create_topics(self._bootstrap))
        self._offsets = dict.fromkeys(range(PARTITIONS), 0)
        self._collector = subprocess.Popen(
            [sys.executable, "-m", "stream.collect"],
            env=os.environ
            | {
                "TOUCHLINE_KAFKA": self._bootstrap,
                "TOUCHLINE_HTTP_PORT": "0",
                "TOUCHLINE_PARTITIONS": str(PARTITIONS),
                "TOUCHLINE_CONFIG": str(config),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._collector.stdout is not None
        for line in self._collector.stdout:
            if line.startswith("ready port="):
                self.port = int(line.removeprefix("ready port="))
                break
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Stop both in good order."""
        self._collector.terminate()
        self._collector.wait(20)
        assert self._collector.stdout is not None
        self._collector.stdout.close()
        self._broker.stop()

    def delivered(self, expected: int) -> list[Event]:
        """The events since the last call, in the order of receipt; waits until there are as many as expected."""
        events = _run(self._read(expected))
        return sorted(events, key=lambda event: (event.received_at, event.at))

    async def _read(self, expected: int) -> list[Event]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            places = [TopicPartition(EVENTS, number) for number in self._offsets]
            consumer.assign(places)
            for place in places:
                consumer.seek(place, self._offsets[place.partition])
            events: list[Event] = []
            until = time.monotonic() + DELIVERY_S
            while time.monotonic() < until:
                for place, records in (await consumer.getmany(timeout_ms=100)).items():
                    for record in records:
                        self._offsets[place.partition] = record.offset + 1
                        if KIND_HEADER not in dict(record.headers):
                            events += _events(record.value)
                if len(events) >= expected:
                    until = min(until, time.monotonic() + SETTLE_S)
            return events
        finally:
            await consumer.stop()


def _run(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own: Playwright has a loop running in the test's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _der(key: EllipticCurvePrivateKey) -> str:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(public).decode()


def _events(frame: bytes) -> list[Event]:
    return [msgspec.json.decode(line, type=Event) for line in frame.split(b"\n")]


async def _create_topics(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(t.name, PARTITIONS, 1, topic_configs=t.config) for t in TOPICS])
    await admin.close()
