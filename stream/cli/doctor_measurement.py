"""What the doctor looks at: the broker, ClickHouse, this machine, the configuration. Effects only; nothing is changed."""

import asyncio
import os
import platform
import resource
import shutil
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas import topics
from schemas.errors import ConfigError, Retryable
from sinks.clickhouse.client import ClickHouse
from sinks.clickhouse.migrations import read_migrations
from stream.cli import doctor_judgement as judge
from stream.cli.doctor_judgement import Check
from stream.cli.lag import READERS, lags
from stream.collect.webhooks.registry import fault_of
from stream.core import compiled
from stream.kafka import connection
from stream.settings import Settings, read_config
from stream.stages import heap

_BETWEEN_S: Final = 2.0
"""Between the two looks at the lag: positions are committed about once a second."""
_AGAIN_S: Final = 4.0
_TAIL: Final = 200
"""Records at the end of a partition in which the newest event is looked for; the others are messages and ticks."""


async def examine(settings: Settings) -> list[Check]:
    """All checks. What cannot be reached is one failed check, and what depends on it is left out."""
    checks = [_configuration(settings), _files(), _disk(settings), judge.judge_everyday(compiled.WHY_NOT)]
    checks += [python(), malloc(), await _collector(settings)]
    newest_event, found = await _broker(settings)
    checks += found
    checks += await asyncio.to_thread(_clickhouse, settings, newest_event)
    return checks


def _configuration(settings: Settings) -> Check:
    path = Path(settings.config)
    try:
        config = read_config(path)
    except ConfigError as error:
        return Check("configuration", "fail", str(error), "correct the file; nothing starts with it")
    faults = [f"{hook.provider}/{hook.name}: {fault}" for hook in config.webhooks if (fault := fault_of(hook))]
    return judge.judge_config(config, settings, faults)


def python() -> Check:
    """The Python that runs this."""
    return judge.judge_python(platform.python_version(), sysconfig.get_config_var("CONFIG_ARGS") or "")


def malloc() -> Check:
    """What a worker that is started from here allocates with."""
    return judge.judge_malloc(heap.jemalloc(), os.environ.get("LD_PRELOAD"))


def _files() -> Check:
    return judge.judge_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _disk(settings: Settings) -> Check:
    place = Path(settings.data).absolute()
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    return judge.judge_disk(str(place), usage.free, usage.total)


async def _collector(settings: Settings) -> Check:
    name, url = "collector", f"http://{settings.host}:{settings.http_port}/readyz"
    try:
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as answer:
            if answer.status == 200:  # noqa: PLR2004
                return Check(name, "ok", f"ready at {settings.host}:{settings.http_port}")
            return Check(
                name, "fail", f"{url} answers {answer.status}", "it cannot reach the broker; see below and its log"
            )
    except (aiohttp.ClientError, TimeoutError, OSError):
        return Check(
            name, "warn", f"nothing answers at {url}", "fine if it runs elsewhere; else start `touchline collect`"
        )


async def _broker(settings: Settings) -> tuple[int, list[Check]]:
    """Received time of the newest event on the log (ms, 0: none), and the checks."""
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=10_000)
    try:
        await admin.start()
        expected = [settings.topic(topic.name) for topic in topics.TOPICS]
        present = [name for name in await admin.list_topics() if name in expected]
        found = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(present)} if present else {}
        checks = [Check("broker", "ok", f"answers at {settings.bootstrap}")]
        checks.append(judge.judge_topics(expected, found, settings.partitions))
        if checks[-1].level == "fail":
            return 0, checks
        checks += await _lag_checks(settings)
        return await _newest_event(settings), checks
    except (KafkaError, OSError, TimeoutError) as error:
        advice = "start it, or correct TOUCHLINE_KAFKA (`touchline up` runs one of its own)"
        return 0, [Check("broker", "fail", f"no answer at {settings.bootstrap}: {type(error).__name__}", advice)]
    finally:
        await admin.close()


async def _lag_checks(settings: Settings) -> list[Check]:
    """One check a consumer group. What seems to stand still is looked at again: a busy machine commits late."""
    before = await lags(settings)
    seconds = 0.0
    for wait_s in (_BETWEEN_S, _AGAIN_S):
        await asyncio.sleep(wait_s)
        seconds += wait_s
        after = await lags(settings)
        checks = []
        for group, _ in READERS:
            earlier, later = ([lag for lag in one if lag.group == group] for one in (before, after))
            checks.append(judge.judge_lag(group, earlier, later, seconds))
        if all(check.level != "fail" for check in checks):
            break
    return checks


async def _newest_event(settings: Settings) -> int:
    """Append time of the newest record with events, ms; 0 if there is none at the end of any partition."""
    consumer = AIOKafkaConsumer(**connection(settings), auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(settings.topic(topics.EVENTS), n) for n in range(settings.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        begins = await consumer.beginning_offsets(places)
        for place in places:
            consumer.seek(place, max(begins[place], ends[place] - _TAIL))
        newest, left = 0, {place for place in places if ends[place] > begins[place]}
        while left:
            for place, records in (await consumer.getmany(*left, timeout_ms=500)).items():
                for record in records:
                    if not any(name == topics.KIND_HEADER for name, _ in record.headers):
                        newest = max(newest, record.timestamp)
                if await consumer.position(place) >= ends[place]:
                    left.discard(place)
        return newest
    finally:
        await consumer.stop()


def _clickhouse(settings: Settings, newest_event: int) -> list[Check]:
    try:
        with urllib.request.urlopen(f"{settings.clickhouse_url}/ping", timeout=5):  # noqa: S310 - our own setting
            pass
    except (OSError, ValueError):
        advice = "start it, or correct TOUCHLINE_CLICKHOUSE (`touchline up` runs one of its own)"
        return [Check("ClickHouse", "fail", f"nothing answers at {settings.clickhouse_url}", advice)]
    try:
        database = ClickHouse.connect(settings)
    except Retryable as error:
        advice = "correct user and password, or run `touchline setup` if the database is not there"
        return [Check("ClickHouse", "fail", " ".join(str(error).split())[:300], advice)]
    try:
        return [*_server_checks(database, settings), *_table_checks(database, newest_event)]
    except Retryable as error:
        return [Check("ClickHouse", "fail", " ".join(str(error).split())[:300], "run `touchline setup`")]
    finally:
        database.close()


def _server_checks(database: ClickHouse, settings: Settings) -> Iterator[Check]:
    yield Check("ClickHouse", "ok", f"answers at {settings.clickhouse_url}, database {settings.database}")
    began = time.time()
    version, theirs_ms = database.rows("SELECT version(), toUnixTimestamp64Milli(now64(3))")[0]
    yield judge.judge_version(str(version))
    yield judge.judge_clock((began + time.time()) / 2 - theirs_ms / 1000)
    for name, free, total in database.rows(
        "SELECT name, free_space, total_space FROM system.disks WHERE total_space > 0"
    ):
        yield judge.judge_disk(f"ClickHouse ({name})", free, total)
    shipped = [migration.name for migration in read_migrations()]
    yield judge.judge_migrations(shipped, [str(row[0]) for row in database.rows("SELECT name FROM schema_migrations")])


def _table_checks(database: ClickHouse, newest_event: int) -> Iterator[Check]:
    newest_row, day = database.rows(
        "SELECT max(received_at), countIf(received_at > toUnixTimestamp64Milli(now64(3)) - 86400000) FROM events"
    )[0]
    yield judge.judge_freshness(newest_event, newest_row)
    letters = database.rows(
        "SELECT reason, count() FROM v_dead_letters WHERE received_at > now() - INTERVAL 1 DAY GROUP BY reason"
    )
    yield judge.judge_dead_letters({str(reason): count for reason, count in letters}, day)
    twice = sum(row[0] for row in database.rows("SELECT duplicates FROM v_audit_duplicates"))
    yield judge.judge_law("every row once", twice, "v_audit_duplicates")
    yield judge.judge_law("credit adds up", database.rows("SELECT count() FROM v_ledger_check")[0][0], "v_ledger_check")
    rates = database.rows("SELECT count() FROM v_fx_rates")[0][0]
    missing = database.rows("SELECT DISTINCT currency FROM v_fx_missing") if rates else []
    yield judge.judge_rates(rates, [str(currency) for (currency,) in missing])
