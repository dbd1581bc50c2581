"""One change of identity on an account with many touches: until ``v_ledger`` has moved, and what others notice of it.

    python -m bench.identity_move [--touches N] [--companies N] [--kafka | --embedded]

Against a running ``touchline up``. 300 people of one domain made 10,000 visits in the 150 days before a deal was won, a touch
each, and the deal belongs to one of them, so all of it is the domain's. Then the CRM says that the domain is an account of its
own: one claim at one node, and every person, touch and the deal move. The clock starts when that request is sent and stops
when ``v_ledger`` gives every touch its linear share on the new account and nothing on the old one, and ``v_ledger_check``
says that the credits of all models are whole: at the moment in which the last of these questions is asked.

There are three such domains, which move one after the other; the figure is the slowest.

Meanwhile other companies ask for a demo, each a new one, five a second (432,000 a day), as they do for 15 seconds before: their
alerts' p99 before the first change, and during all of them together.
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
from bench.place import Broker, running
from bench.processes import cpu_s
from bench.scale import Scale
from tests.support.machine import Machine

PEOPLE = 300
MOVES = 3
_DAYS = 150
_BATCH = 500
_CALM_S = 15.0
_REST_S = 10.0
"""Between two moves: what the first one wrote is still being merged."""
_MOST_S = 120.0
_ASK_EVERY_S = 0.25
_PATIENCE_S = 120.0
_SHARES = """
SELECT account_id, countIf(c != 0) AS touches, sum(c) AS credit, sum(a) AS amount FROM (
    SELECT account_id, touch_id, sum(credit) AS c, sum(amount) AS a FROM v_ledger
    WHERE model = 'linear' AND account_id IN ('{old}', '{new}') GROUP BY account_id, touch_id
) GROUP BY account_id FORMAT JSONEachRow
"""
_ROWS = "SELECT sum(length(touch_ids)) AS n FROM bookings"
_MOVED_ROWS = 12
"""Shares of a touch's move, at least: on two accounts, of two conversions, by the three models that give each something. The
neighbours have few."""
_NEARLY = 0.95
"""Time decay leaves out touches whose share is nothing."""
_WRONG = "SELECT count() AS wrong FROM v_ledger_check"


class Move(msgspec.Struct):
    """When a change was sent and when it was all visible (loop time), and the CPU that each process took meanwhile."""

    sent_at: float
    seen_at: float
    cpu_s: dict[str, float]

    @property
    def took_s(self) -> float:
        return self.seen_at - self.sent_at


class Played(msgspec.Struct):
    """All moves, and the neighbours' waits, which begin at ``calm_from``."""

    moves: list[Move]
    others: Neighbours
    calm_from: float


def names(number: int) -> tuple[str, str]:
    """Domain and account of one move."""
    return f"moving{number}.example", f"crm-moving{number}"


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """How long the changes take, and the neighbours' alerts meanwhile."""
    with running(broker, "identity-move") as machine:
        for number in range(MOVES):
            fill(machine, number, scale.touches)
        played = uvloop.run(play(machine, scale.touches, scale.companies))
    yield from _figures(played, broker, scale)


def fill(machine: Machine, number: int, touches: int) -> None:
    """All touches, then the deal, which is two conversions: opened and won. Wait until the ledger has them on the domain."""
    domain, _ = names(number)
    now = datetime.now(UTC)
    step = timedelta(days=_DAYS) / touches
    for begin in range(0, touches, _BATCH):
        visits = []
        for visit in range(begin, min(begin + _BATCH, touches)):
            person = number * PEOPLE + visit % PEOPLE
            call = calls.page(f"visit-{number}-{visit}", person)
            if visit < PEOPLE:
                call = calls.identify(f"visit-{number}-{visit}", person, domain, name=f"p{person}")
            visits.append(call | {"timestamp": (now - timedelta(days=_DAYS) + visit * step).isoformat()})
        machine.post("/v1/batch", msgspec.json.encode({"batch": visits}))
    until(machine, f"SELECT count() AS n FROM v_touches WHERE account_id = '{domain}'", touches)
    deal = {
        "id": f"deal{number}", "contact_emails": [f"p{number * PEOPLE + 1}@{domain}"], "stage": "won", "amount": "100000",
        "currency": "EUR", "updated_at": now.isoformat(),
    }  # fmt: skip
    machine.post("/v1/crm/opportunities", msgspec.json.encode([deal]))
    until(machine, f"SELECT count() AS n FROM v_ledger WHERE account_id = '{domain}' AND model = 'linear'", 2 * touches)


def until(machine: Machine, count: str, wanted: int, patience_s: float = _PATIENCE_S) -> None:
    """Ask until ``n`` is what it has to be. Raises: TimeoutError."""
    deadline = time.monotonic() + patience_s
    while (found := int(machine.rows(count)[0]["n"])) != wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{found} instead of {wanted}: {count}")
        time.sleep(0.2)


async def play(machine: Machine, touches: int, companies_s: float) -> Played:
    async with neighbours(machine, events_s=0, alerts_s=companies_s) as others:
        played = Played([], others, others.loop.time())
        await asyncio.sleep(_CALM_S)
        for number in range(MOVES):
            played.moves.append(await _move(machine, number, touches, others.loop.time))
            await asyncio.sleep(_REST_S)
    return played


async def _move(machine: Machine, number: int, touches: int, clock: Callable[[], float]) -> Move:
    domain, account = names(number)
    rows = int(machine.rows(_ROWS)[0]["n"])
    said = msgspec.json.encode([{"id": account, "name": "Moving", "domains": [domain]}])
    before, sent_at = _cpu_s(machine), clock()
    await asyncio.to_thread(machine.post, "/v1/crm/accounts", said)
    while (asked_at := await asyncio.to_thread(_moved_at, machine, number, touches, rows, clock)) is None:
        if clock() - sent_at > _MOST_S:
            raise TimeoutError(f"v_ledger has not moved after {_MOST_S:.0f} s")
        await asyncio.sleep(_ASK_EVERY_S)
    return Move(sent_at, asked_at, {name: round(cpu - before[name], 2) for name, cpu in _cpu_s(machine).items()})


def _cpu_s(machine: Machine) -> dict[str, float]:
    taken = {f"{name}_cpu_s": cpu_s(process) for name, process in machine.processes().items()}
    return taken | {"bench_cpu_s": time.process_time()}


def _moved_at(machine: Machine, number: int, touches: int, before: int, clock: Callable[[], float]) -> float | None:
    """When it was asked whether each touch has its share on the new account, they sum to the deal opened and won, the old one
    has nothing, and the credits of all models are whole (their rows come one after the other); None if that is not so.

    An answer is about the moment in which its question came: the last of these.
    """
    (rows,) = machine.rows(_ROWS)
    if int(rows["n"]) < before + _MOVED_ROWS * touches * _NEARLY:
        return None  # a question that costs the machine nothing; the next ones decide
    domain, account = names(number)
    found = {row["account_id"]: row for row in machine.rows(_SHARES.format(old=domain, new=account))}
    old, new = found.get(domain), found.get(account)
    if old is None or new is None:
        return None
    there = int(new["touches"]), float(new["credit"]), float(new["amount"])
    if there != (touches, 2.0, 200_000.0) or int(old["touches"]):
        return None
    asked_at = clock()
    (check,) = machine.rows(_WRONG)
    return None if int(check["wrong"]) else asked_at


def _figures(played: Played, broker: Broker, scale: Scale) -> Iterator[Figure]:
    others, moves = played.others, played.moves
    slowest = max(moves, key=lambda move: move.took_s)
    each = [move.took_s for move in moves]
    yield Figure(
        name="identity moves a journey", broker=broker.name, value=slowest.took_s, unit=" s", must=5, more_is_better=False,
        measured=f"{scale.touches:,} touches of {PEOPLE} people with a deal, until v_ledger has all of it on the new account; "
        f"the slowest of {', '.join(f'{took:.2f}' for took in each)}",
        details={f"move_{number}_s": took for number, took in enumerate(each, 1)}
        | {f"move_{number}_cpu_s": sum(move.cpu_s.values()) for number, move in enumerate(moves, 1)} | slowest.cpu_s,
    )  # fmt: skip
    spans = {
        "before": [(played.calm_from, moves[0].sent_at - 1)],
        "during": [(move.sent_at, move.seen_at) for move in moves],
    }
    shown = {
        f"{name}_{part}_ms": quantile_ms(others.alerts, part / 100, *asked)
        for name, asked in spans.items()
        for part in (50, 90, 99, 100)
    }
    yield Figure(
        name="others' alerts meanwhile", broker=broker.name, value=shown["during_99_ms"], unit=" ms", must=500,
        more_is_better=False,
        measured=f"p99 of request to alert, {scale.companies:g} companies a second; "
        f"{shown['before_99_ms']:.0f} ms before the change",
        details=shown,
    )  # fmt: skip


if __name__ == "__main__":
    run("identity_move")
