"""The sink as a process between a broker and a SQL server: each fact once, whoever dies."""

import asyncio
import base64
import contextlib
import random
import re
import signal
import time

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import topics
from schemas.rejections import DeadLetter
from stream.topology import create_topics
from tests.support.sink_flow import (
    SinkProcess,
    counted,
    fact_record,
    produce_facts,
    produce_letters,
    produce_record,
    set_up,
    settings_of,
    wait_for,
)


@contextlib.contextmanager
def running(settings):
    sink = SinkProcess(settings)
    try:
        yield sink
    finally:
        sink.kill()


async def test_facts_arrive_once_and_repeated_outputs_are_dropped(bootstrap, embedded_sql) -> None:
    settings = settings_of(bootstrap, embedded_sql)
    await set_up(settings)
    await produce_facts(settings, [0, 1, 2, 3, 2, 3, 4, 5])
    with running(settings) as sink:
        await wait_for(embedded_sql, settings, 6 * 5 * 3)
        await produce_facts(settings, [4, 5, 6])
        await wait_for(embedded_sql, settings, 7 * 5 * 3)
        assert sink.stop() == 0
    assert counted(embedded_sql, settings) == (105, 105)
    assert counted(embedded_sql, settings, "sessions") == (21, 21)


async def test_blocks_are_a_period_apart(bootstrap, embedded_sql) -> None:
    settings = msgspec.structs.replace(settings_of(bootstrap, embedded_sql, partitions=1), sink_s=4.0)
    await set_up(settings)
    began = time.monotonic()
    with running(settings) as sink:
        for frame in range(16):
            await produce_facts(settings, [frame])
            await asyncio.sleep(0.25)
        await wait_for(embedded_sql, settings, 16 * 5)
        periods = (time.monotonic() - began) / settings.sink_s
        assert sink.stop() == 0
    [[blocks]] = embedded_sql.rows(
        f"SELECT uniqExact(owner, seq) FROM {settings.database}.sink_ledger WHERE kind = 'block'"
    )
    assert int(blocks) <= 2 + periods


async def test_a_second_sink_joins_while_the_first_has_more_than_it_can_write(bootstrap, private_sql) -> None:
    """Full, its block under way for seconds, and its partitions go: that block must still come to its end."""
    sql = private_sql.start()
    settings = msgspec.structs.replace(settings_of(bootstrap, sql, partitions=2), sink_rows=12)
    await set_up(settings)
    await produce_facts(settings, range(400))
    with running(settings) as one:
        await wait_for(sql, settings, 50)
        private_sql.process.send_signal(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(6, private_sql.process.send_signal, signal.SIGCONT)
        with running(settings) as other:
            await asyncio.sleep(6)
            await wait_for(sql, settings, 400 * 5 * 2)
            assert one.stop() == 0
            assert other.stop() == 0
    assert counted(sql, settings) == (4000, 4000)


async def test_stopped_sink_has_written_and_committed_what_it_read(bootstrap, embedded_sql) -> None:
    settings = settings_of(bootstrap, embedded_sql, partitions=1)
    await set_up(settings)
    with running(settings) as sink:
        await produce_facts(settings, range(20))
        await wait_for(embedded_sql, settings, 100)
        assert sink.stop() == 0
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=settings.topic("sink"))
    await consumer.start()
    assert await consumer.committed(TopicPartition(settings.topic(topics.STITCH_FACTS), 0)) == 20
    await consumer.stop()
    with running(settings) as sink:
        await produce_facts(settings, range(18, 22))
        await wait_for(embedded_sql, settings, 110)
        sink.stop()
    assert counted(embedded_sql, settings) == (110, 110)


async def test_dead_letters_and_garbage_are_kept_with_their_bytes(bootstrap, embedded_sql) -> None:
    settings = settings_of(bootstrap, embedded_sql)
    await set_up(settings)
    body = b'{"type": \xff\x00'
    letter = DeadLetter("l1", 1_790_000_000_000, "not_utf8", "body", base64.b64encode(body).decode(), source="website")
    await produce_letters(settings, [letter, b"what is this"])
    with running(settings) as sink:
        await wait_for(embedded_sql, settings, 2, table="dead_letters")
        sink.stop()
    rows = embedded_sql.rows(f"SELECT reason, hex(bytes) FROM {settings.database}.v_dead_letters ORDER BY reason DESC")
    assert rows == [["not_utf8", body.hex().upper()], ["malformed", b"what is this".hex().upper()]]


async def test_a_row_that_clickhouse_refuses_costs_its_neighbours_nothing(bootstrap, embedded_sql) -> None:
    settings = settings_of(bootstrap, embedded_sql, partitions=1)
    await set_up(settings)
    poison = re.sub(rb'"received_at":\d+(.*"_i":3)', rb'"received_at":"last year"\1', fact_record(0, 7, 5))
    index, _, rows = poison.partition(b"\n")
    events = b"".join(line + b"\n" for line in rows.split(b"\n")[:5])
    index = msgspec.json.encode([("events", 5, len(events)), *msgspec.json.decode(index)[1:]])
    await produce_facts(settings, range(7))
    await produce_record(settings, index + b"\n" + rows, (topics.EVENTS, 0, 7, 0))
    await produce_facts(settings, range(8, 10))
    with running(settings) as sink:
        await wait_for(embedded_sql, settings, 10 * 5 - 1)
        sink.kill()
    with running(settings) as sink:  # the next one finds the same row in it
        await produce_facts(settings, range(10, 12))
        await wait_for(embedded_sql, settings, 12 * 5 - 1)
        assert sink.stop() == 0
    assert counted(embedded_sql, settings) == (59, 59)
    assert counted(embedded_sql, settings, "sessions") == (12, 12)
    found = embedded_sql.rows(
        "SELECT source, reason, detail, address, bytes, received_at > now() - INTERVAL 1 HOUR"
        f" FROM {settings.database}.v_dead_letters"
    )
    detail = "events: CANNOT_PARSE_INPUT_ASSERTION_FAILED (27) in received_at"
    line = events.split(b"\n")[3].decode()
    assert found == [["sink", "refused", detail, "stitch-facts/0/7/events/3", line, "1"]]


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_again_and_again_under_load_each_row_arrives_once(bootstrap, embedded_sql, seed) -> None:
    settings = settings_of(bootstrap, embedded_sql)
    await set_up(settings)
    chance = random.Random(seed)
    sink = SinkProcess(settings)
    sent = 0
    try:
        for _ in range(5):
            frames = range(max(0, sent - chance.randrange(5)), sent + 40)
            producing = asyncio.create_task(produce_facts(settings, frames))
            await asyncio.sleep(chance.uniform(0.8, 2.5))
            sink.kill()
            sink = SinkProcess(settings)
            await producing
            sent += 40
        await wait_for(embedded_sql, settings, sent * 5 * 3, limit_s=90)
        sink.stop()
    finally:
        sink.kill()
    assert counted(embedded_sql, settings) == (sent * 15, sent * 15)


async def test_two_sinks_share_the_work_and_take_over_from_each_other(bootstrap, embedded_sql) -> None:
    settings = settings_of(bootstrap, embedded_sql)
    await set_up(settings)
    first, second = SinkProcess(settings), SinkProcess(settings)
    try:
        await produce_facts(settings, range(50))
        await asyncio.sleep(1)
        first.kill()
        await produce_facts(settings, range(45, 100))
        first = SinkProcess(settings)
        await produce_facts(settings, range(100, 150))
        await wait_for(embedded_sql, settings, 150 * 15, limit_s=90)
        second.stop()
        first.stop()
    finally:
        first.kill()
        second.kill()
    assert counted(embedded_sql, settings) == (2250, 2250)


async def test_log_that_ends_before_what_was_written_from_it_is_refused(bootstrap, embedded_sql) -> None:
    settings = settings_of(bootstrap, embedded_sql, partitions=1)
    await set_up(settings)
    await produce_facts(settings, range(3))
    with running(settings) as sink:
        await wait_for(embedded_sql, settings, 15)
        assert sink.stop() == 0
    anew = msgspec.structs.replace(settings, topic_prefix="anew." + settings.topic_prefix)
    await create_topics(anew)
    entry = f"'{anew.topic('sink')}', 'stitch-facts', 0, 'start', 1, 'old', 1, 3, 3"
    columns = "sink, topic, partition, kind, epoch, owner, seq, first_offset, next_offset"
    answered = embedded_sql.ask(f"INSERT INTO {settings.database}.sink_ledger ({columns}) VALUES ({entry})")
    assert answered.status == 200, answered.text
    with running(anew) as sink:
        assert await asyncio.to_thread(sink.process.wait, 30) == 1
    assert counted(embedded_sql, settings) == (15, 15)
