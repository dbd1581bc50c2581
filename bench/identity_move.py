"""One change of identity on an account with many touches: until ``v_ledger`` has moved, and what others notice of it.

    python -m bench.identity_move [--touches N] [--kafka | --embedded]

Against a running ``touchline up``. 300 people of one domain made 10,000 visits in the 150 days before a deal was won, a touch
each, and the deal belongs to one of them, so all of it is the domain's. Then the CRM says that the domain is an account of its
own: one claim at one node, and every person, touch and the deal move. The clock starts when that request is sent and stops
when ``v_ledger`` gives every touch its linear share on the new account and nothing on the old one, and ``v_ledger_check``
says that the credits of all models are whole: at the moment in which the last of these questions is asked.

Meanwhile 20 other companies a second ask for a demo, as do they for 15 seconds before: their alerts' p99 before the change
and during it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import uvloop

from bench import calls
from bench.command import run
from bench.figure import Figure
from bench.neighbours import Neighbours, neighbours, quantile_ms
from bench.place import EMBEDDED, Broker
from bench.processes import cpu_s
from bench.scale import Scale
from tests.support.machine import Machine

PEOPLE = 300
DOMAIN, ACCOUNT = "moving.example", "crm-moving"
_DAYS = 150
_BATCH = 500
_ALERTS_S = 20
_CALM_S = 15.0
_MOST_S = 120.0
_ASK_EVERY_S = 0.25
_PATIENCE_S = 120.0
_SHARES = """
SELECT account_id, countIf(c != 0) AS touches, sum(c) AS credit, sum(a) AS amount FROM (
    SELECT account_id, touch_id, sum(credit) AS c, sum(amount) AS a FROM v_ledger
    WHERE model = 'linear' AND account_id IN ('{old}', '{new}') GROUP BY account_id, touch_id
) GROUP BY account_id FORMAT JSONEachRow
"""
_ROWS = "SELECT count() AS n FROM ledger"
_MOVED_ROWS = 12
"""Rows of a touch's move, at least: on two accounts, of two conversions, by the three models that give each something. The
neighbours have few."""
_NEARLY = 0.95
"""Time decay leaves out touches whose share is nothing."""
_WRONG = "SELECT count() AS wrong FROM v_ledger_check"


class Move:
    """When the change was sent and when it was all visible (loop time), and the neighbours' waits."""

    def __init__(self, others: Neighbours) -> None:
        self.others = others
        self.calm_from = others.loop.time()
        self.cpu_s: dict[str, float] = {}
        """What each process took meanwhile, neighbours and this one included."""
        self.sent_at = 0.0
        self.seen_at = 0.0


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """How long the change takes, and the neighbours' alerts meanwhile."""
    given = {} if broker.name == EMBEDDED else {"kafka": broker.bootstrap}
    machine = Machine(broker.folder / "identity-move", **given)
    machine.data.mkdir()
    machine.start()
    try:
        bootstrap = given.get("kafka") or f"127.0.0.1:{machine.broker}"
        _fill(machine, scale.touches)
        move = uvloop.run(_play(machine, bootstrap, scale.touches))
        (rows,) = machine.rows(f"SELECT count() AS n FROM v_ledger WHERE account_id IN ('{DOMAIN}', '{ACCOUNT}')")
    finally:
        machine.stop()
    yield from _figures(move, broker, scale.touches, {"ledger_rows": float(rows["n"]), **move.cpu_s})


def _fill(machine: Machine, touches: int) -> None:
    """All touches, then the deal, which is two conversions: opened and won. Wait until the ledger has them on the domain."""
    now = datetime.now(UTC)
    step = timedelta(days=_DAYS) / touches
    for begin in range(0, touches, _BATCH):
        visits = []
        for number in range(begin, min(begin + _BATCH, touches)):
            person = number % PEOPLE
            call = calls.page(f"visit-{number}", person)
            if number < PEOPLE:
                call = calls.identify(f"visit-{number}", person, DOMAIN, name=f"p{person}")
            visits.append(call | {"timestamp": (now - timedelta(days=_DAYS) + number * step).isoformat()})
        machine.post("/v1/batch", msgspec.json.encode({"batch": visits}))
    until(machine, f"SELECT count() AS n FROM v_touches WHERE account_id = '{DOMAIN}'", touches)
    deal = {"id": "deal", "contact_emails": [f"p1@{DOMAIN}"], "stage": "won", "amount": "100000", "currency": "EUR"}
    machine.post("/v1/crm/opportunities", msgspec.json.encode([deal | {"updated_at": now.isoformat()}]))
    until(machine, f"SELECT count() AS n FROM v_ledger WHERE account_id = '{DOMAIN}' AND model = 'linear'", 2 * touches)


def until(machine: Machine, count: str, wanted: int, patience_s: float = _PATIENCE_S) -> None:
    """Ask until ``n`` is what it has to be. Raises: TimeoutError."""
    deadline = time.monotonic() + patience_s
    while (found := int(machine.rows(count)[0]["n"])) != wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{found} instead of {wanted}: {count}")
        time.sleep(0.2)


async def _play(machine: Machine, bootstrap: str, touches: int) -> Move:
    async with neighbours(machine, bootstrap, events_s=0, alerts_s=_ALERTS_S) as others:
        move = Move(others)
        await asyncio.sleep(_CALM_S)
        rows = int(machine.rows(_ROWS)[0]["n"])
        said = msgspec.json.encode([{"id": ACCOUNT, "name": "Moving", "domains": [DOMAIN]}])
        before = _cpu_s(machine)
        move.sent_at = others.loop.time()
        await asyncio.to_thread(machine.post, "/v1/crm/accounts", said)
        while (asked_at := await asyncio.to_thread(_moved_at, machine, touches, rows, others.loop.time)) is None:
            if others.loop.time() - move.sent_at > _MOST_S:
                raise TimeoutError(f"v_ledger has not moved after {_MOST_S:.0f} s")
            await asyncio.sleep(_ASK_EVERY_S)
        move.seen_at = asked_at
        move.cpu_s = {name: round(spent - before[name], 2) for name, spent in _cpu_s(machine).items()}
    return move


def _cpu_s(machine: Machine) -> dict[str, float]:
    taken = {f"{name}_cpu_s": cpu_s(process) for name, process in machine.processes().items()}
    return taken | {"bench_cpu_s": time.process_time()}


def _moved_at(machine: Machine, touches: int, before: int, clock: Callable[[], float]) -> float | None:
    """When it was asked whether each touch has its share on the new account, they sum to the deal opened and won, the old one
    has nothing, and the credits of all models are whole (their rows come one after the other); None if that is not so.

    An answer is about the moment in which its question came: the last of these.
    """
    (rows,) = machine.rows(_ROWS)
    if int(rows["n"]) < before + _MOVED_ROWS * touches * _NEARLY:
        return None  # a question that costs the machine nothing; the next ones decide
    found = {row["account_id"]: row for row in machine.rows(_SHARES.format(old=DOMAIN, new=ACCOUNT))}
    old, new = found.get(DOMAIN), found.get(ACCOUNT)
    if old is None or new is None:
        return None
    there = int(new["touches"]), float(new["credit"]), float(new["amount"])
    if there != (touches, 2.0, 200_000.0) or int(old["touches"]):
        return None
    asked_at = clock()
    (check,) = machine.rows(_WRONG)
    return None if int(check["wrong"]) else asked_at


def _figures(move: Move, broker: Broker, touches: int, details: dict[str, float]) -> Iterator[Figure]:
    others = move.others
    took = move.seen_at - move.sent_at
    yield Figure(
        name="identity moves a journey", broker=broker.name, value=took, unit=" s", must=5, more_is_better=False,
        measured=f"{touches:,} touches of {PEOPLE} people with a deal, until v_ledger has all of it on the new account",
        details=details,
    )  # fmt: skip
    before, during = (
        {f"p{part}": quantile_ms(others.alerts, *span, part / 100) for part in (50, 99, 100)}
        for span in ((move.calm_from, move.sent_at - 1), (move.sent_at, move.seen_at))
    )
    yield Figure(
        name="others' alerts meanwhile", broker=broker.name, value=during["p99"], unit=" ms", must=500,
        more_is_better=False,
        measured=f"p99 of request to alert; {before['p99']:.0f} ms before the change",
        details={f"{name}_{part}_ms": ms for name, all_ in (("before", before), ("during", during)) for part, ms in all_.items()},
    )  # fmt: skip


if __name__ == "__main__":
    run("identity_move")
