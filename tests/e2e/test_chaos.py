"""Kill -9 of any process, and of all, under load, again and again: every acknowledged event once, and all numbers right."""

import json
import random
import threading
import time
from collections import Counter

from tests.support.machine import ROLES, Machine

BATCHES = 160
BATCH = 50
START = 1_790_000_000


def batch(number: int, chance: random.Random) -> bytes:
    """Page views, sign-ins, forms and deals of a few hundred visitors; ids derive from the number."""
    items = []
    for n in range(BATCH):
        visitor = chance.randrange(300)
        item = {
            "type": "page",
            "messageId": f"b{number}-{n}",
            "anonymousId": f"v{visitor}",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + chance.randrange(0, 40 * 86400, 600))),
            "context": {
                "page": {
                    "url": chance.choice(
                        ["https://shop.example/pricing", "https://shop.example/?utm_source=x&utm_medium=cpc"]
                    )
                }
            },
        }
        if n % 10 == 0:
            item |= {
                "type": "identify",
                "userId": f"u{visitor}",
                "traits": {"email": f"p{visitor}@firm{visitor % 40}.com"},
            }
        if n % 17 == 0:
            item |= {"type": "track", "event": "Demo Requested"}
        items.append(item)
    return json.dumps({"batch": items}).encode()


def deals(number: int) -> bytes:
    firm = number % 40
    stage = ["open", "proposal", "won", "lost"][number % 4]
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + number * 86400 // 4))
    deal = {"id": f"O{number % 60}", "account_id": f"F{firm}", "stage": stage, "amount": "1234.56", "currency": "EUR"}
    return json.dumps([deal | {"updated_at": at}]).encode()


def accounts() -> bytes:
    rows = [
        {"id": f"F{n}", "name": f"Firm {n}", "domain": f"firm{n}.com", "updated_at": "2026-01-01T00:00:00Z"}
        for n in range(40)
    ]
    return json.dumps(rows).encode()


def test_every_acknowledged_event_is_there_once_after_kills_of_every_process(tmp_path):
    machine = Machine(tmp_path / "data", checkpoint_s="1")
    machine.start()
    acknowledged: set[str] = set()
    failures: list[BaseException] = []

    def load(worker: int) -> None:
        chance = random.Random(worker)
        try:
            for number in range(worker, BATCHES, 2):
                machine.post("/v1/batch", batch(number, chance))
                acknowledged.update(f"b{number}-{n}" for n in range(BATCH))
                machine.post("/v1/crm/opportunities", deals(number))
                time.sleep(0.15)
        except BaseException as failure:
            failures.append(failure)
            raise

    chance = random.Random(3)
    threads = [threading.Thread(target=load, args=(n,)) for n in range(2)]
    machine.post("/v1/crm/accounts", accounts())
    for thread in threads:
        thread.start()
    kills = 0
    roles = [*ROLES, *ROLES]
    chance.shuffle(roles)
    while any(thread.is_alive() for thread in threads) or roles:
        time.sleep(chance.uniform(0.3, 1.5))
        if roles:
            machine.kill(roles.pop())
            kills += 1
        elif kills == 2 * len(ROLES):
            machine.kill_all()
            machine.start()
            kills += 1
    for thread in threads:
        thread.join()
    if kills == 2 * len(ROLES):
        machine.kill_all()
        machine.start()

    verified = machine.touchline("verify", "--wait", "120")
    counts = Counter(row["event_id"] for row in machine.rows("SELECT event_id FROM v_events WHERE protocol = 'segment'"))
    unbalanced = machine.rows("SELECT * FROM v_ledger_check")
    sessions = machine.rows("SELECT sum(events) AS n FROM v_sessions")[0]["n"]
    in_sessions = machine.rows("SELECT count() AS n FROM v_events WHERE session_id != ''")[0]["n"]
    took = machine.stop()

    assert failures == []
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert set(counts) == acknowledged
    assert set(counts.values()) == {1}
    assert unbalanced == []
    assert sessions == in_sessions
    assert took < 10
