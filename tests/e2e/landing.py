"""Where the SDKs' events land: all of ``touchline up``, and what of it ``v_events`` shows.

    landing.delivered(7) -> the 7 rows that came since the last call, each once

``delivered`` reads the view through SQL. Tests assert on what it returns; the few fields of an event that are no column
(consent, GPC) are read from the log by ``logged``.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.event import Event
from schemas.ids import partition_of
from schemas.topics import EVENTS, KIND_HEADER
from tests.support import webhooks
from tests.support.machine import Machine

T = TypeVar("T")
_CONFIG = """
[rules]
blocked_ids = ["kiosk"]

[[sources]]
name = "website"
key = "dev"

"""
PARTITIONS = 4
DELIVERY_S = 30.0
SETTLE_S = 0.5
"""What a duplicate or a straggler would need: SDKs that repeat do so within their first back-off."""
_BARRIER = "Barrier"


class Row(msgspec.Struct):
    """One row of ``v_events``: all of its columns, under their names."""

    tenant: str
    event_id: str
    occurred_at: str
    received_at: str
    source: str
    protocol: str
    platform: str
    type: str
    name: str
    node: str
    visitor_id: str
    user_id: str
    email: str
    group_id: str
    person_id: str
    account_id: str
    session_id: str
    channel: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_term: str
    utm_content: str
    click_id: str
    url: str
    path: str
    referrer: str
    title: str
    engaged_ms: int
    is_bot: bool
    bot: str
    bot_reason: str
    device: str
    browser: str
    os: str
    country: str
    region: str
    city: str
    company: str
    clock_suspect: bool
    client_session: str
    locale: str
    library: str
    properties: str
    traits: str

    @property
    def at(self) -> int:
        """When it happened, ms."""
        return _ms(self.occurred_at)

    @property
    def arrived(self) -> int:
        """When it was received, ms."""
        return _ms(self.received_at)


class Landing:
    """One machine for the tests of a session. It knows from before: user u1 is ann@acme.com, of the account acme."""

    def __init__(self, folder: Path) -> None:
        config = folder / "touchline.toml"
        config.write_text(_CONFIG + webhooks.config_text())
        (folder / webhooks.CERTIFICATE_NAME).write_bytes(webhooks.certificate())
        self.machine = Machine(
            folder / "data", config=str(config), partitions=str(PARTITIONS), sns_certificates=str(folder)
        )
        self.machine.start()
        self.port = self.machine.http
        self.url = self.machine.url
        self._shown: Counter[tuple[str, str]] = Counter()
        self._barriers = itertools.count()
        self._guards = _one_of_each_partition()
        ann = {"userId": "u1", "anonymousId": "anon", "groupId": "acme", "traits": {"name": "Acme"}}
        self.machine.post("/v1/identify", msgspec.json.encode(ann | {"traits": {"email": "ann@acme.com"}}))
        self.machine.post("/v1/group", msgspec.json.encode(ann))

    def stop(self) -> None:
        """Stop in good order."""
        self.machine.stop()

    def delivered(self, expected: int) -> list[Row]:
        """The rows since the last call, in the order of receipt; waits until there are as many as expected.

        A row that is there once more than at the last call is returned again, so a late duplicate is seen, too.
        """
        until = time.monotonic() + DELIVERY_S
        while len(self._news()) < expected and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(SETTLE_S)
        self._flush()
        rows = self._news()
        self._shown.update((row.node, row.event_id) for row in rows)
        return sorted(rows, key=lambda row: (row.arrived, row.at))

    def logged(self, rows: Sequence[Row]) -> list[Event]:
        """The events behind the rows, as the log has them: latest copy each, in the order of the rows."""
        events = _run(self._read_log({row.event_id for row in rows}))
        return [events[row.event_id] for row in rows]

    def _news(self) -> list[Row]:
        before = self._shown.copy()
        rows = []
        for found in self.machine.rows(f"SELECT * FROM v_events WHERE name != '{_BARRIER}'"):
            row = msgspec.convert(found, Row)
            key = (row.node, row.event_id)
            if before[key]:
                before[key] -= 1
            else:
                rows.append(row)
        return rows

    def _flush(self) -> None:
        """Return once everything that was acknowledged is in the view: one event behind it in every partition."""
        number = next(self._barriers)
        calls = [
            {"type": "track", "event": _BARRIER, "messageId": f"{number}", "anonymousId": guard}
            for guard in self._guards
        ]
        self.machine.post("/v1/batch", msgspec.json.encode({"batch": calls}))
        until = time.monotonic() + DELIVERY_S
        sql = f"SELECT event_id FROM v_events WHERE name = '{_BARRIER}' AND event_id = '{number}'"
        while len(self.machine.rows(sql)) < PARTITIONS:
            assert time.monotonic() < until, "the pipeline stands still"
            time.sleep(0.05)

    async def _read_log(self, wanted: set[str]) -> dict[str, Event]:
        """Events by id, from the beginning until all that are wanted were seen."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.machine.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            consumer.assign([TopicPartition(EVENTS, number) for number in range(PARTITIONS)])
            events: dict[str, Event] = {}
            until = time.monotonic() + DELIVERY_S
            while not wanted <= events.keys() and time.monotonic() < until:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        if KIND_HEADER not in dict(record.headers):
                            found = [msgspec.json.decode(line, type=Event) for line in record.value.split(b"\n")]
                            events |= {event.id: event for event in found}
            return events
        finally:
            await consumer.stop()


def _one_of_each_partition() -> list[str]:
    names: dict[int, str] = {}
    for number in itertools.count():
        name = f"barrier-{number}"
        names.setdefault(partition_of(f"default/v:{name}", PARTITIONS), name)
        if len(names) == PARTITIONS:
            return list(names.values())
    raise AssertionError


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own: Playwright has a loop running in the test's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
