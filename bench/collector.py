"""Acknowledged events per second and core of the collector, against its yardstick in the same run.

    python -m bench.collector [--kafka HOST:PORT] [--seconds N]

Load comes from another process; "per core" is per CPU second of the measured server. Without --kafka an embedded broker
is started in a temporary folder.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from bench.http_load import post, write_requests
from schemas import topics

_TICKS = os.sysconf("SC_CLK_TCK")
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
_AUTHORIZATION = "Authorization: Basic ZGV2Og=="


def call(number: int) -> dict[str, object]:
    """A track call as a server's SDK sends it, with the visitor's page and browser in every third one."""
    context: dict[str, object] = {"library": {"name": "@segment/analytics-node", "version": "3.1.0"}}
    if number % 3 == 0:
        context |= {
            "page": {"url": f"https://www.example.com/pricing?utm_source=google&n={number}"},
            "userAgent": _AGENT,
        }
    return {
        "type": "track",
        "event": "Report Exported",
        "userId": f"user-{number % 5000}",
        "anonymousId": f"{number % 5000:08d}-aaaa-4bbb-8ccc-0123456789ab",
        "messageId": f"node-next-1700000000-{number:012d}",
        "timestamp": "2026-11-22T08:00:00.123Z",
        "context": context,
        "properties": {"plan": "team", "seats": number % 50, "value": 12.5, "currency": "EUR", "format": "csv"},
    }


def batches() -> list[bytes]:
    calls = [call(n) for n in range(6400)]
    return [
        post(
            "/v1/batch",
            msgspec.json.encode({"batch": calls[n : n + 100], "sentAt": "2026-11-22T08:00:01.123Z", "writeKey": "dev"}),
            [_AUTHORIZATION],
        )
        for n in range(0, 6400, 100)
    ]


def singles() -> list[bytes]:
    return [post("/v1/track", msgspec.json.encode(call(n)), [_AUTHORIZATION]) for n in range(5000)]


@contextmanager
def process(module: str, *arguments: str, **settings: str) -> Iterator[tuple[int, int]]:
    """A server as a process: (pid, port)."""
    running = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env=os.environ | settings, stdout=subprocess.PIPE, text=True
    )
    try:
        line = running.stdout.readline()
        while line and not line.startswith("ready port="):
            line = running.stdout.readline()
        yield running.pid, int(line.removeprefix("ready port=").split()[0])
    finally:
        running.terminate()
        running.wait(20)
        running.stdout.close()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def measured(pid: int, port: int, connections: int, seconds: float, requests: Path) -> tuple[float, dict[str, object]]:
    """Requests per CPU second of the server, and what the load saw."""
    _load(port, connections, 1.0, requests)
    before = cpu_s(pid)
    result = _load(port, connections, seconds, requests)
    statuses = result["statuses"]
    assert set(statuses) == {"200"}, f"not every request was acknowledged: {statuses}"
    return statuses["200"] / (cpu_s(pid) - before), result


def _load(port: int, connections: int, seconds: float, requests: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "bench.http_load", str(port), str(connections), str(seconds), str(requests)]
    return msgspec.json.decode(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


async def create_topics(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        for topic in topics.TOPICS:
            with suppress(TopicAlreadyExistsError):
                await admin.create_topics([NewTopic(topic.name, 4, 1, topic_configs={"max.message.bytes": "8388608"})])
    finally:
        await admin.close()


@contextmanager
def broker(kafka: str, folder: str) -> Iterator[str]:
    if kafka:
        yield kafka
        return
    with process("stream.embedded.broker", "--data", folder, "--port", "0") as (_, port):
        yield f"127.0.0.1:{port}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", default="", help="bootstrap servers; default: an embedded broker")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    cases = (("batches of 100", batches(), 100, 32, 0.15), ("single events", singles(), 1, 512, 0.6))
    with tempfile.TemporaryDirectory() as folder, broker(options.kafka, folder) as bootstrap:
        asyncio.run(create_topics(bootstrap))
        settings = {"TOUCHLINE_KAFKA": bootstrap, "TOUCHLINE_HTTP_PORT": "0", "TOUCHLINE_CONFIG": f"{folder}/none"}
        with process("bench.yardstick") as plain, process("stream.collect", **settings) as collector:
            for name, requests, events, connections, aim in cases:
                file = Path(folder, "requests")
                write_requests(file, requests)
                yardstick, _ = measured(*plain, connections, options.seconds, file)
                ours, seen = measured(*collector, connections, options.seconds, file)
                print(
                    f"{name}: {ours * events:,.0f} acknowledged events/s per core; yardstick {yardstick * events:,.0f}; "
                    f"ratio {ours / yardstick:.3f} (aim {aim}); p50 {seen['p50_ms']:.1f} ms, p99 {seen['p99_ms']:.1f} ms"
                )


if __name__ == "__main__":
    main()
