"""A domain with many addresses changes hands: how long until all have moved, and whether the stream goes on meanwhile.

    python -m bench.identity_hub [--addresses N] [--kafka | --embedded]

Against a running ``touchline up``. 100,000 addresses of one domain have a touch each. Then the CRM says that the domain is
an account of its own: one claim, and the domain's node has to tell every address, each of which takes its touch from one
account to the other. The clock stops when the new account has all touches in ``v_accounts``.

Meanwhile, and for 15 seconds before, 200 other visitors a second look at a page and five companies a second ask for a
demo. What they wait is compared: p99 before and during, and the longest of all, which is the largest pause. Afterwards the
largest record is looked for in the stitch stage's state, and the largest message among those that went through the log.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvloop

from bench.command import run
from bench.figure import Figure
from bench.identity_move import until
from bench.neighbours import Neighbours, neighbours, quantile_ms
from bench.place import Broker, running
from bench.processes import cpu_s, waited_s
from bench.scale import Scale
from stream.stages.store import PartitionStore
from tests.support.machine import Machine

_DOMAIN, _ACCOUNT = "hub.example", "crm-hub"
_BATCH = 2000
_EVENTS_S, _ALERTS_S = 200, 5
_CALM_S = 15.0
_MOST_S = 400.0
_TOUCHES = "SELECT sum(touches) AS n FROM v_accounts WHERE account_id = '{}'"


class Relinking:
    """Moments of the loop, the neighbours' waits, and what it cost the worker."""

    def __init__(self, others: Neighbours) -> None:
        self.others = others
        self.calm_from = others.loop.time()
        self.sent_at = 0.0
        self.seen_at = 0.0
        self.cpu_s = 0.0
        self.waited_s = 0.0


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """Time until all have moved, the largest pause, and the neighbours' alerts."""
    with running(broker, "identity-hub") as machine:
        _fill(machine, scale.addresses)
        done = uvloop.run(_play(machine, scale.addresses))
    yield from _figures(done, broker, scale.addresses, _largest_state(machine.data))


def _fill(machine: Machine, addresses: int) -> None:
    for begin in range(0, addresses, _BATCH):
        rows = [
            {"id": f"call-{number}", "type": "call", "email": f"p{number}@{_DOMAIN}"}
            for number in range(begin, min(begin + _BATCH, addresses))
        ]
        machine.post("/v1/crm/activities", msgspec.json.encode(rows))
    until(machine, _TOUCHES.format(_DOMAIN), addresses, patience_s=_MOST_S)


async def _play(machine: Machine, addresses: int) -> Relinking:
    worker = machine.processes()["worker"]
    async with neighbours(machine, events_s=_EVENTS_S, alerts_s=_ALERTS_S) as others:
        done = Relinking(others)
        await asyncio.sleep(_CALM_S)
        others.forget_sizes()
        done.cpu_s, done.waited_s = cpu_s(worker), waited_s(worker)
        said = msgspec.json.encode([{"id": _ACCOUNT, "name": "Hub", "domains": [_DOMAIN]}])
        done.sent_at = others.loop.time()
        await asyncio.to_thread(machine.post, "/v1/crm/accounts", said)
        await asyncio.to_thread(until, machine, _TOUCHES.format(_ACCOUNT), addresses, _MOST_S)
        done.seen_at = others.loop.time()
        done.cpu_s, done.waited_s = cpu_s(worker) - done.cpu_s, waited_s(worker) - done.waited_s
    return done


def _largest_state(data: Path) -> dict[str, float]:
    """Bytes of the largest record of the stitch stage's state: of nodes, and of all."""
    nodes = largest = 0
    for path in sorted(data.glob("state/*/stitch/*")):
        store = PartitionStore(path)
        for key, value in store.db.items():
            largest = max(largest, len(value))
            if key.startswith(b"n\0"):
                nodes = max(nodes, len(value))
        store.close()
    return {"largest_node_bytes": float(nodes), "largest_state_bytes": float(largest)}


def _figures(done: Relinking, broker: Broker, addresses: int, state: dict[str, float]) -> Iterator[Figure]:
    others = done.others
    before, during = (done.calm_from, done.sent_at - 1), (done.sent_at, done.seen_at)
    took = done.seen_at - done.sent_at
    largest = {f"largest_{topic.replace('-', '_')}_kb": round(size / 1e3) for topic, size in others.largest.items()}
    yield Figure(
        name="a domain changes hands", broker=broker.name, value=took, unit=" s", more_is_better=False,
        measured=f"{addresses:,} addresses with a touch each, until the new account has all of them",
        details=state | largest | {"worker_cpu_s": round(done.cpu_s, 1), "worker_waits_for_cpu_s": round(done.waited_s, 1)},
    )  # fmt: skip
    for name, waits, must in (("events", others.facts, None), ("alerts", others.alerts, 500)):
        p99, longest = quantile_ms(waits, 0.99, during), quantile_ms(waits, 1, during)
        calm = quantile_ms(waits, 0.99, before)
        yield Figure(
            name=f"others' {name} meanwhile", broker=broker.name, value=p99, unit=" ms", must=must, more_is_better=False,
            measured=f"p99; {calm:.0f} ms before; the longest wait is {longest:.0f} ms",
            details={
                "before_p50_ms": quantile_ms(waits, 0.5, before), "before_p99_ms": calm,
                "before_max_ms": quantile_ms(waits, 1, before), "p50_ms": quantile_ms(waits, 0.5, during),
                "max_ms": longest,
            },
        )  # fmt: skip


if __name__ == "__main__":
    run("identity_hub")
