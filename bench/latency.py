"""From the HTTP request to the row in ``v_events``, and to the alert on the ``alerts`` topic, at 500 events/s.

    python -m bench.latency [--seconds N] [--kafka | --embedded]

Against a running ``touchline up``. Half of the events come one a request, half in batches of ten. One request in ten
carries a probe: its event's id is asked for, again as soon as the last answer is in but at most every 20 ms, until it is
there; what a question takes counts as latency. A request's clock starts when it is due, not when a connection is free.

Ten times a second a company asks for a demo, which takes its account over the threshold: half of them by a visitor who
was identified seconds before, half by one who says who it is in the same request.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator

import aiohttp
import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer

from bench import calls
from bench.command import run
from bench.figure import Figure, quantile
from bench.paced import Pool, Sent, at_rate
from bench.place import Broker, running
from bench.processes import cpu_s, waited_s
from bench.scale import Scale
from schemas import topics
from schemas.alerts import Alert
from tests.support.machine import Machine

_REQUESTS_S = 275
"""In ten of eleven requests one event, in the others ten: 500 events/s."""
_WARM_S = 8.0
_PATIENCE_S = 20.0
_POLL_S = 0.02
_VISITORS = 5000
_VISIBLE = "SELECT event_id FROM events WHERE event_id IN ({})"
"""``v_events`` shows every row of ``events`` (its joins keep what they do not match) and costs the server ten times as
much to ask fifty times a second; at the end every probe must be in the view, once."""
_ALL = "SELECT count(), uniqExact(event_id) FROM v_events WHERE startsWith(event_id, 'p')"


class Run:
    """What was sent and when it was seen. Times are the loop's."""

    def __init__(self, pool: Pool, begin: float) -> None:
        self.pool = pool
        self.begin = begin
        """Requests that are due before are the warm-up."""
        self.loop = asyncio.get_running_loop()
        self.requests: list[Sent] = []
        self.probes: dict[str, float] = {}
        self.rows: list[float] = []
        self.companies: dict[str, tuple[float, str]] = {}
        self.alerts: dict[str, list[float]] = {"known": [], "new": []}
        self.questions: list[float] = []
        self.events = 0
        self._number = itertools.count()
        self._visitor = itertools.cycle(range(_VISITORS))

    def traffic(self, number: int, due: float) -> None:
        """One request of page views."""
        many = 10 if number % 11 == 10 else 1
        made = [calls.page(f"p{next(self._number)}", next(self._visitor)) for _ in range(many)]
        self._send(calls.single(made[0]) if many == 1 else calls.batch(made), due)
        self.events += many
        if number % 10 == 0 and due >= self.begin:
            self.probes[str(made[-1]["messageId"])] = due

    def companies_turn(self, number: int, due: float) -> None:
        """A company asks for a demo; another one's visitor says who it is, and asks five seconds later."""
        visitor = 1_000_000 + number
        kind = ("known", "new")[number % 2]
        domain = f"{kind}{number}.example"
        hello = calls.identify(f"i{number}", visitor, domain)
        asks = calls.demo_request(f"d{number}", visitor)
        if kind == "new":
            self._ask(calls.batch([hello, asks]), domain, kind, due)
        else:
            self._send(calls.single(hello), due)
            self.loop.call_later(5, lambda: self._ask(calls.single(asks), domain, kind, self.loop.time()))

    def _ask(self, raw: bytes, domain: str, kind: str, due: float) -> None:
        if due >= self.begin:
            self.companies[domain] = (due, kind)
        self._send(raw, due)

    def _send(self, raw: bytes, due: float) -> None:
        self.requests.append(self.pool.send(raw, due))

    async def watch_rows(self, session: aiohttp.ClientSession, url: str) -> None:
        """Ask for the probes that were not there yet, until cancelled."""
        while True:
            began = self.loop.time()
            if waiting := list(itertools.islice(self.probes, 500)):
                sql = _VISIBLE.format(",".join(f"'{id_}'" for id_ in waiting))
                async with session.post(url, data=sql.encode()) as answer:
                    found = (await answer.text()).split()
                    answer.raise_for_status()
                seen = self.loop.time()
                self.questions.append(seen - began)
                self.rows += [seen - self.probes.pop(id_) for id_ in found]
            await asyncio.sleep(max(0.0, began + _POLL_S - self.loop.time()))

    async def watch_alerts(self, machine: Machine, ready: asyncio.Event) -> None:
        """Read the alerts topic until cancelled."""
        decode = msgspec.json.Decoder(Alert).decode
        async with AIOKafkaConsumer(
            machine.topic(topics.ALERTS), bootstrap_servers=machine.bootstrap, fetch_max_wait_ms=100
        ) as consumer:
            await consumer.seek_to_end()
            ready.set()
            async for record in consumer:
                seen = self.loop.time()
                alert = decode(record.value)
                due, kind = self.companies.pop(alert.domain or alert.account_id, (0.0, ""))
                if kind:
                    self.alerts[kind].append(seen - due)


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """Rows and alerts."""
    with running(broker, "latency") as machine:
        pids = machine.processes()
        before = {role: (cpu_s(pid), waited_s(pid)) for role, pid in pids.items()}
        began = time.monotonic()
        done = uvloop.run(_play(machine, scale.seconds))
        whole = time.monotonic() - began
        busy = {f"{role}_cores": round((cpu_s(pid) - before[role][0]) / whole, 2) for role, pid in pids.items()}
        worker = pids["worker"]
        _check(machine, done)
        busy["worker_waits_for_cpu"] = round((waited_s(worker) - before["worker"][1]) / whole, 2)
    yield from _figures(done, broker, busy)


def _check(machine: Machine, done: Run) -> None:
    """Every page view is in the view once; the last ones may come a moment after the last that were asked for."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        (row,) = machine.rows(_ALL)
        if {int(count) for count in row.values()} == {done.events}:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"{done.events} events were acknowledged, v_events has {row}")
        time.sleep(0.5)


async def _play(machine: Machine, seconds: float) -> Run:
    url = f"http://127.0.0.1:{machine.sql}/?database=touchline&default_format=TSV"
    async with Pool(machine.http) as pool, aiohttp.ClientSession() as session:
        done = Run(pool, asyncio.get_running_loop().time() + _WARM_S)
        ready = asyncio.Event()
        watching = [
            asyncio.create_task(done.watch_rows(session, url)),
            asyncio.create_task(done.watch_alerts(machine, ready)),
        ]
        await ready.wait()
        whole = _WARM_S + seconds
        await asyncio.gather(at_rate(_REQUESTS_S, whole, done.traffic), at_rate(10, whole - 5, done.companies_turn))
        patience = done.loop.time() + _PATIENCE_S
        while (done.probes or done.companies) and done.loop.time() < patience:  # noqa: ASYNC110 - two dicts, no event
            await asyncio.sleep(0.1)
        for task in watching:
            if task.done():
                task.result()
            task.cancel()
        return done


def _figures(done: Run, broker: Broker, busy: dict[str, float]) -> Iterator[Figure]:
    statuses = {request.status for request in done.requests}
    if statuses != {200} or done.probes:
        raise AssertionError(f"answers {statuses}; {len(done.probes)} of the probes never came")
    acks = [request.answered - request.due for request in done.requests]
    yield Figure(
        name="request to row", broker=broker.name, value=quantile(done.rows, 0.99), unit=" s", must=2, aim=1,
        more_is_better=False,
        measured=f"p50 {quantile(done.rows, 0.5):.2f} s, p99 {quantile(done.rows, 0.99):.2f} s of {len(done.rows)} probes",
        details=busy | {
            "p50_s": quantile(done.rows, 0.5), "max_s": max(done.rows), "answer_p50_ms": 1e3 * quantile(acks, 0.5),
            "answer_p99_ms": 1e3 * quantile(acks, 0.99), "question_p50_ms": 1e3 * quantile(done.questions, 0.5),
        },
    )  # fmt: skip
    missing = len(done.companies)
    for kind, text in (("known", "a visitor who is known"), ("new", "a visitor identified in the same request")):
        times = done.alerts[kind] or [float("inf")]
        p50, p99 = quantile(times, 0.5), quantile(times, 0.99)
        yield Figure(
            name=f"request to alert, {kind}", broker=broker.name, value=1e3 * p99, unit=" ms", must=500, aim=150,
            more_is_better=False, measured=f"p50 {1e3 * p50:.0f} ms, p99 {1e3 * p99:.0f} ms of {len(times)} by {text}",
            details={"p50_ms": 1e3 * p50, "max_ms": 1e3 * max(times), "missing": missing},
        )  # fmt: skip


if __name__ == "__main__":
    run("latency")
