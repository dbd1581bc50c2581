"""Everybody else on the machine while one account or domain changes hands: their events and alerts, and how long they wait.

    async with neighbours(machine, events_s=200, alerts_s=20) as others: ...
    others.alerts, others.facts            (due, waited) of each, in seconds of the loop

Page views of visitors who are nobody come one a request; the clock of each starts when it is due and stops when its row
is on ``stitch-facts``, which needs the stitch stage of its partition and neither sink nor SQL server. Companies ask for a
demo by a visitor who was identified five seconds before (as in ``bench.latency``); that clock stops when the alert is on
``alerts``, which needs the account stage, too.
"""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer

from bench import calls
from bench.figure import quantile
from bench.paced import Pool, Sent, at_rate
from schemas import topics
from schemas.alerts import Alert
from tests.support.machine import Machine

_WARM_S = 6.0
"""Of a neighbours' turn: companies are identified this long before the first of them asks."""
_FOR_EVER_S = 3600.0
_HELLO_S = 5.0
_PATIENCE_S = 60.0
_VISITORS = 5000

_PROBE = re.compile(rb'"event_id":"(near-p\d+)"')

Wait = tuple[float, float]
"""When it was due (loop time), and the seconds until it was there."""


class Neighbours:
    """What they sent and when it had its effect. ``facts`` and ``alerts`` are complete after the ``async with``."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.loop = pool.loop
        self.facts: list[Wait] = []
        self.alerts: list[Wait] = []
        self.sent: list[Sent] = []
        self.largest: Counter[str] = Counter()
        """Bytes of the largest record by topic, since the last ``forget_sizes``; of alerts only if there are no ``events_s``."""
        self._facts_due: dict[str, float] = {}
        self._alerts_due: dict[str, float] = {}
        self._number = itertools.count()
        self.stopping = False

    @property
    def waiting(self) -> int:
        """What has had no effect yet."""
        return len(self._facts_due) + len(self._alerts_due)

    def forget_sizes(self) -> None:
        self.largest.clear()

    def view(self, _number: int, due: float) -> None:
        """A page view of somebody."""
        if self.stopping:
            return
        number = next(self._number)
        id_ = f"near-p{number}"
        self._facts_due[id_] = due
        self.sent.append(self.pool.send(calls.single(calls.page(id_, number % _VISITORS)), due))

    def company(self, number: int, due: float) -> None:
        """A company's visitor says who it is, and asks for a demo five seconds later."""
        if self.stopping:
            return
        visitor, domain = 1_000_000 + number, f"near{number}.example"
        self.sent.append(self.pool.send(calls.single(calls.identify(f"near-i{number}", visitor, domain)), due))
        self.loop.call_later(_HELLO_S, self._ask, number, visitor, domain)

    def _ask(self, number: int, visitor: int, domain: str) -> None:
        if self.stopping:
            return
        due = self.loop.time()
        self._alerts_due[domain] = due
        self.sent.append(self.pool.send(calls.single(calls.demo_request(f"near-d{number}", visitor)), due))

    async def watch(self, machine: Machine, ready: asyncio.Event, *, everything: bool) -> None:
        """Read what the stages produce until cancelled; alerts only if that is enough, since reading is a load of its own."""
        decode = msgspec.json.Decoder(Alert).decode
        # Facts of accounts are always left out: those of a large journey are 60 MB.
        watched = (
            (topics.ALERTS, topics.EVENTS, topics.ACCOUNTS, topics.STITCH_FACTS) if everything else (topics.ALERTS,)
        )
        topic_of = {machine.topic(topic): topic for topic in watched}
        async with AIOKafkaConsumer(
            *topic_of, bootstrap_servers=machine.bootstrap, fetch_max_wait_ms=20, max_partition_fetch_bytes=8 << 20
        ) as consumer:
            await consumer.seek_to_end()
            ready.set()
            async for record in consumer:
                seen, topic = self.loop.time(), topic_of[record.topic]
                self.largest[topic] = max(self.largest[topic], len(record.value))
                if topic == topics.STITCH_FACTS:
                    for id_ in _PROBE.findall(record.value):
                        self._arrived(self._facts_due, id_.decode(), self.facts, seen)
                elif topic == topics.ALERTS:
                    alert = decode(record.value)
                    self._arrived(self._alerts_due, alert.domain or alert.account_id, self.alerts, seen)

    @staticmethod
    def _arrived(due: dict[str, float], name: str, into: list[Wait], seen: float) -> None:
        if name in due:
            began = due.pop(name)
            into.append((began, seen - began))


@asynccontextmanager
async def neighbours(machine: Machine, *, events_s: float, alerts_s: float) -> AsyncIterator[Neighbours]:
    """At these rates from now on; at the end wait for what is still under way.

    Raises: AssertionError if a request was refused or something never came.
    """
    async with Pool(machine.http) as pool:
        others = Neighbours(pool)
        ready = asyncio.Event()
        watching = asyncio.create_task(others.watch(machine, ready, everything=events_s > 0))
        turns = [(events_s, others.view), (alerts_s, others.company)]
        sending: list[asyncio.Task[None]] = []
        try:
            await asyncio.wait_for(ready.wait(), _PATIENCE_S)
            sending += [asyncio.create_task(at_rate(rate, _FOR_EVER_S, turn)) for rate, turn in turns if rate]
            await asyncio.sleep(_WARM_S)
            yield others
            others.stopping = True
            patience = others.loop.time() + _PATIENCE_S
            while others.waiting and not watching.done() and others.loop.time() < patience:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        finally:
            for task in [*sending, watching]:
                task.cancel()
        if watching.done() and not watching.cancelled():
            watching.result()
    statuses = {request.status for request in others.sent}
    if statuses != {200} or others.waiting:
        raise AssertionError(f"answers {statuses}; {others.waiting} of the neighbours' events had no effect")


def quantile_ms(waits: list[Wait], part: float, *spans: tuple[float, float]) -> float:
    """Of those that were due in one of the ``spans`` (first and last moment), in ms; nan if none was."""
    asked = [waited for due, waited in waits if any(first <= due <= last for first, last in spans)]
    return 1e3 * quantile(asked or [float("nan")], part)
