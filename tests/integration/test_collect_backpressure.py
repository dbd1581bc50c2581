"""A broker that goes away: the collector says 503 and when to come again, recovers, and keeps what it acknowledged."""

import asyncio
import json

import aiohttp
import pytest

from schemas.topics import EVENTS
from stream.collect.app import Collector
from stream.settings import Config
from tests.support.brokers import EmbeddedBroker
from tests.support.collecting import collecting, collector_settings, create_topics, ready, records

DEV = {"Authorization": "Bearer dev"}


def call(message_id):
    return json.dumps({"type": "track", "event": "E", "userId": "u", "messageId": message_id}).encode()


@pytest.fixture
def broker(tmp_path):
    running = EmbeddedBroker(housekeeping_s=0.5)
    running.address = running.start(tmp_path)
    running.folder = tmp_path
    yield running
    running.kill()


async def send(client, message_id):
    async with client.post("/v1/track", data=call(message_id), headers=DEV) as answer:
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) >= 1
        return answer.status


async def send_until_taken(client, message_id):
    while await send(client, message_id) != 200:  # noqa: ASYNC110 - that is what clients do
        await asyncio.sleep(0.1)


async def test_no_broker_is_503_and_what_was_acknowledged_survives_its_return(broker):
    async with collecting(collector_settings(broker.address)) as running:
        acknowledged = []
        for number in range(20):
            assert await send(running.client, f"before-{number}") == 200
            acknowledged.append(f"before-{number}")
        broker.kill()
        statuses = await asyncio.gather(*(send(running.client, f"during-{n}") for n in range(20)))
        assert set(statuses) == {503}
        async with running.client.get("/readyz") as answer:
            assert answer.status == 503
        broker.start(broker.folder)
        async with asyncio.timeout(60):
            await send_until_taken(running.client, "after")
        on_log = {event["event_id"] for event in await running.events()}
        assert on_log >= {*acknowledged, "after"}


async def test_a_broker_that_lost_its_disk_is_used_again_once_it_has_its_topics(broker, tmp_path_factory):
    settings = collector_settings(broker.address)
    async with collecting(settings) as running:
        for number in range(5):
            assert await send(running.client, f"before-{number}") == 200
        broker.kill()
        broker.start(tmp_path_factory.mktemp("new-disk"))
        await create_topics(settings)
        async with asyncio.timeout(60):
            await send_until_taken(running.client, "after")
            assert await send(running.client, "later") == 200
        assert {event["event_id"] for event in await running.events()} >= {"after", "later"}


async def test_a_full_buffer_is_503_at_once(broker):
    settings = collector_settings(broker.address, buffer_bytes=1000)
    async with collecting(settings) as running:
        async with running.client.post(
            "/v1/batch", data=b'{"batch":[%s]}' % b",".join(call(str(n)) for n in range(50)), headers=DEV
        ) as answer:
            assert (answer.status, (await answer.json())["error"]["reason"]) == (503, "unavailable")
        assert await send(running.client, "small") == 200


async def test_the_collector_starts_before_its_broker_and_is_ready_when_it_comes(tmp_path):
    broker = EmbeddedBroker(housekeeping_s=0.5)
    address = broker.start(tmp_path)
    broker.kill()
    collector = Collector(collector_settings(address), Config())
    port = await collector.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            async with client.get("/readyz") as answer:
                assert answer.status == 503
            assert await send(client, "early") == 503
            broker.start(tmp_path)
            await ready(client)
    finally:
        await collector.stop()
        broker.kill()


async def test_requests_in_hand_at_the_stop_are_answered_and_kept(broker):
    settings = collector_settings(broker.address, frame_ms=300)
    await create_topics(settings)
    collector = Collector(settings, Config())
    port = await collector.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        await ready(client)
        sending = [asyncio.create_task(send(client, str(n))) for n in range(10)]
        await asyncio.sleep(0.1)
        await collector.stop()
        assert [await task for task in sending] == [200] * 10
    lines = [line for record in await records(settings, EVENTS) for line in record.value.split(b"\n")]
    assert len(lines) == 10
