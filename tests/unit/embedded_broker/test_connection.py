import asyncio
import os
import random
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from stream.embedded.broker.apis import APIS
from stream.embedded.broker.server import Broker
from tests.support.kafka_wire import RawClient, batch


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with Broker(tmp_path) as running:
        yield running


async def hand_in(broker: Broker, raw: bytes) -> bytes:
    """Send bytes, close our side, and return what comes back."""
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    writer.write(raw)
    try:
        return await asyncio.wait_for(reader.read(1 << 16), 0.02)
    except (TimeoutError, ConnectionError):
        return b""
    finally:
        writer.close()


async def is_well(broker: Broker) -> bool:
    raw = await hand_in(broker, struct.pack(">ihhih", 10, 18, 0, 99, -1))
    return raw[4:10] == struct.pack(">ih", 99, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x7f\xff\xff\xff" + b"a" * 1000,
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"\0\0\0\x0a" + b"\0" * 10,
        struct.pack(">ihhih", 10, 99, 0, 1, -1),
        struct.pack(">ihhih", 10, 0, 99, 1, -1),
        struct.pack(">ihhih", 10, 3, 1, 1, 30_000),
        struct.pack(">ihhih", 12, 3, 1, 1, 2) + b"\xff\xfe",
    ],
)
async def test_what_is_not_a_request_ends_only_its_own_connection(broker: Broker, raw: bytes) -> None:
    await hand_in(broker, raw)
    assert await is_well(broker)


async def test_random_bodies_of_every_request_do_no_harm(broker: Broker) -> None:
    chance = random.Random(11)
    with await _client(broker) as client:
        await asyncio.to_thread(client.ask, 19, 4, ([("t", 1, 1, [], [])], 1000, False))
        for key, api in APIS.items():
            for version in range(api.last + 2):
                for body in (b"", os.urandom(chance.randrange(60)), b"\0" * 40, b"\xff" * 40, b"\0\x01t" * 20):
                    frame = struct.pack(">hhih", key, version, 1, -1) + body
                    await hand_in_quickly(broker, struct.pack(">i", len(frame)) + frame)
        answer = await asyncio.to_thread(client.produce, "t", batch([(None, b"v")]))
        assert answer.error == 0
    assert await is_well(broker)


async def hand_in_quickly(broker: Broker, raw: bytes) -> None:
    _, writer = await asyncio.open_connection(broker.host, broker.port)
    writer.write(raw)
    await asyncio.sleep(0)
    writer.close()


async def _client(broker: Broker) -> RawClient:
    return await asyncio.to_thread(RawClient, broker.bootstrap)


async def test_damaged_copies_of_a_good_request_do_no_harm(broker: Broker) -> None:
    chance = random.Random(12)
    client = await _client(broker)
    await asyncio.to_thread(client.ask, 19, 4, ([("t", 1, 1, [], [])], 1000, False))
    records = batch([(b"k", b"v")])
    body = struct.pack(">hhih", 0, 7, 1, -1) + struct.pack(">hhiih", -1, -1, 1000, 1, 1) + b"t"
    body += struct.pack(">iii", 1, 0, len(records)) + records
    for _ in range(300):
        damaged = bytearray(body)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(4, len(damaged))] = chance.randrange(256)
        await hand_in_quickly(broker, struct.pack(">i", len(damaged)) + damaged)
    assert (await asyncio.to_thread(client.produce, "t", records)).error == 0
    client.socket.close()


async def test_requests_sent_together_are_answered_in_order(broker: Broker) -> None:
    frames = b"".join(struct.pack(">ihhih", 10, 18, 0, number, -1) for number in range(50))
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    for cut in range(0, len(frames), 7):  # in small pieces, cut anywhere
        writer.write(frames[cut : cut + 7])
        await asyncio.sleep(0)
    answers = []
    for _ in range(50):
        size = struct.unpack(">i", await reader.readexactly(4))[0]
        answers.append(struct.unpack(">i", (await reader.readexactly(size))[:4])[0])
    writer.close()
    assert answers == list(range(50))


async def test_an_unknown_version_of_api_versions_is_told_what_is_spoken(broker: Broker) -> None:
    raw = await hand_in(broker, struct.pack(">ihhih", 10, 18, 9, 7, -1))
    error, count = struct.unpack_from(">hi", raw, 8)
    assert (error, count) == (35, len(APIS))  # unsupported version


async def test_transactions_and_fetch_sessions_are_refused_at_once(broker: Broker) -> None:
    client = await _client(broker)
    no_transactions = 53
    assert (await asyncio.to_thread(client.ask, 22, 1, ("tx", 1000))).error == no_transactions
    coordinator = await asyncio.to_thread(client.ask, 10, 2, ("tx", 1))
    assert (coordinator.error, coordinator.text) == (no_transactions, "this broker has no transactions")
    new_session = (-1, 0, 1, 1000, 0, 0, 0, [], [], "")
    assert (await asyncio.to_thread(client.ask, 1, 11, new_session)).session == 0
    old_session = (-1, 0, 1, 1000, 0, 17, 3, [], [], "")
    assert (await asyncio.to_thread(client.ask, 1, 11, old_session)).error == 70  # fetch session id not found
    client.socket.close()


async def test_a_waiting_fetch_is_answered_when_a_record_comes_and_when_its_topic_goes(broker: Broker) -> None:
    producer, consumer = await _client(broker), await _client(broker)
    await asyncio.to_thread(producer.ask, 19, 4, ([("t", 1, 1, [], [])], 1000, False))

    def fetch(offset: int) -> tuple[tuple[object, ...], asyncio.Task[object]]:
        asked = (-1, 60_000, 1, 1 << 20, 0, 0, -1, [("t", [(0, -1, offset, -1, 1 << 20)])], [], "")
        return asked, asyncio.create_task(asyncio.to_thread(consumer.ask, 1, 11, asked))

    _, waiting = fetch(0)
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await asyncio.to_thread(producer.produce, "t", batch([(None, b"v")]))
    row = (await waiting).topics[0].partitions[0]
    assert (row.error, row.high, len(row.records) > 0) == (0, 1, True)
    _, waiting = fetch(1)
    await asyncio.sleep(0.1)
    await asyncio.to_thread(producer.ask, 20, 3, (["t"], 1000))
    assert (await waiting).topics[0].partitions[0].error == 3
    for client in (producer, consumer):
        client.socket.close()
