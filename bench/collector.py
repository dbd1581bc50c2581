"""Acknowledged events per second and core of the collector, against its yardstick in the same run.

    python -m bench.collector [--seconds N] [--kafka | --embedded]

Load comes from another process; "per core" is per CPU second of the measured server. The yardstick is the same server
that only parses the body with orjson and answers (``bench.yardstick``).
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.command import run
from bench.figure import Figure
from bench.http_load import post, write_requests
from bench.place import Broker, Installation
from bench.processes import Process, stopping
from bench.scale import Scale

_WARM_S = 2.0
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


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """Batches of 100, and single events."""
    installation = Installation(broker, "collector", http_port=0)
    installation.prepare_topics()
    running: list[Process] = []
    cases = (
        ("collector, batches", batches(), 100, 32, 0.06, 0.15),
        ("collector, singles", singles(), 1, 512, 0.3, 0.6),
    )
    with stopping(running):
        plain = installation.process("bench.yardstick", log="yardstick")
        running.append(plain)
        collector = installation.process("stream.collect", log="collect")
        running.append(collector)
        for name, requests, events, connections, must, aim in cases:
            file = installation.folder / "requests"
            write_requests(file, requests)
            seconds = scale.seconds / 10
            yardstick, _ = measured(plain, connections, seconds, file)
            ours, seen = measured(collector, connections, seconds, file)
            again, _ = measured(plain, connections, seconds, file)
            yardstick = max(yardstick, again) * events
            ours *= events
            wall = seen["answered"] * events / seen["seconds"]
            yield Figure(
                name=name, broker=broker.name, value=ours / yardstick, unit=" x", must=must, aim=aim,
                measured=f"{ours:,.0f} acknowledged events per CPU second, {wall:,.0f} a second; parse and answer "
                f"{yardstick:,.0f} per CPU second",
                details={"events_per_cpu_s": ours, "events_per_wall_s": wall, "yardstick_per_cpu_s": yardstick}
                | {k: round(seen[k], 2) for k in ("p50_ms", "p99_ms")},
            )  # fmt: skip


def measured(server: Process, connections: int, seconds: float, requests: Path) -> tuple[float, dict]:
    """Requests per CPU second of the server, and what the load saw."""
    _load(server.port, connections, _WARM_S, requests)
    before = server.cpu_s
    result = _load(server.port, connections, seconds, requests)
    statuses = result["statuses"]
    assert set(statuses) == {"200"}, f"not every request was acknowledged: {statuses}"
    return statuses["200"] / (server.cpu_s - before), result


def _load(port: int, connections: int, seconds: float, requests: Path) -> dict:
    command = [sys.executable, "-m", "bench.http_load", str(port), str(connections), str(seconds), str(requests)]
    return msgspec.json.decode(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    run("collector")
