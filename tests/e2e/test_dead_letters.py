"""``touchline dead-letters`` on a running machine: what was refused is found, looked at, and sent again.

The machine is one for the module, and the tests tell one story in their order.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.machine import Machine

BATCH_EVENTS = 3


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("letters") / "data", max_batch_events=str(BATCH_EVENTS))
    machine.start()
    yield machine
    machine.stop()


def letters(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    return machine.touchline("dead-letters", *arguments)


def summary(machine: Machine, *arguments: str, code: int) -> dict[str, Any]:
    done = letters(machine, "resend", *arguments, "--json")
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def listed(machine: Machine, *arguments: str) -> list[dict[str, Any]]:
    done = letters(machine, "list", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def eventually(machine: Machine, sql: str, wanted: Any) -> None:
    deadline = time.monotonic() + 60
    while (found := [tuple(row.values()) for row in machine.rows(sql)]) != wanted and time.monotonic() < deadline:
        time.sleep(0.3)
    assert found == wanted


def test_calls_with_an_unknown_key_are_sent_with_a_known_one(machine: Machine) -> None:
    now = time.time_ns() // 1_000_000
    calls = [
        # By a clock that is a day behind: a minute before they were sent.
        {"type": "page", "anonymousId": "v1", "messageId": "m1", "timestamp": now - 86_460_000},
        {"type": "track", "event": "Demo", "anonymousId": "v1"},
    ]
    body = json.dumps({"batch": calls, "sentAt": now - 86_400_000, "writeKey": "wrong"})
    machine.post("/v1/batch", body.encode(), key="wrong")
    eventually(machine, "SELECT reason, source, path FROM v_dead_letters", [("unknown_key", "", "/v1/batch")])
    (letter,) = listed(machine, "--reason", "unknown_key")
    shown = letters(machine, "show", letter["id"], "--bytes")
    assert json.loads(shown.stdout) == calls
    assert "unknown_key" in letters(machine, "list").stdout
    assert json.loads(letters(machine, "show", letter["id"], "--json").stdout)["envelope"] == json.dumps(
        {"sentAt": now - 86_400_000}, separators=(",", ":")
    )

    refused = summary(machine, "--all", code=1)
    assert (refused["left"], refused["reasons"]) == (1, {"no source: see --key": 1})
    rehearsed = summary(machine, letter["id"], "--key", "dev", "--dry-run", code=0)
    assert (rehearsed["items"], rehearsed["requests"]) == (2, 0)
    unknown = letters(machine, "resend", "--all", "--key", "wrong")
    assert (unknown.returncode, "does not know the write key" in unknown.stderr) == (2, True)
    assert machine.rows("SELECT * FROM v_events") == []

    for _ in range(2):
        done = summary(machine, "--reason", "unknown_key", "--key", "dev", code=0)
        assert (done["letters"], done["sent"], done["items"], done["requests"]) == (1, 1, 2, 1)
    came = f"parseDateTime64BestEffort('{letter['received_at']}', 3, 'UTC')"
    eventually(
        machine,
        f"SELECT type, dateDiff('second', occurred_at, {came}) BETWEEN 59 AND 62 AS then, occurred_at = {came} AS now"
        " FROM v_events ORDER BY type",
        [("page", 1, 0), ("track", 0, 1)],
    )


def test_rows_beyond_the_limit_are_sent_as_of_when_they_came(machine: Machine) -> None:
    rows = [{"id": f"a{n}", "name": f"Account {n}"} for n in range(BATCH_EVENTS + 2)]
    machine.post("/v1/crm/accounts", json.dumps(rows).encode())
    eventually(machine, "SELECT count() FROM v_dead_letters WHERE reason = 'too_many'", [(1,)])
    done = summary(machine, "--reason", "too_many", code=0)
    assert (done["sent"], done["items"]) == (1, 2)
    eventually(
        machine,
        "SELECT account_id FROM v_accounts WHERE name LIKE 'Account %' ORDER BY 1",
        [(f"a{n}",) for n in range(5)],
    )
    eventually(
        machine,
        "SELECT count() FROM v_events WHERE type = 'crm.account'"
        " AND occurred_at = (SELECT received_at FROM v_dead_letters WHERE reason = 'too_many')",
        [(5,)],
    )


def test_what_would_be_refused_again_stays_and_makes_no_letter(machine: Machine) -> None:
    machine.post("/v1/crm/opportunities", b'{"id": "o1", "amount": "much"}')
    eventually(machine, "SELECT count() FROM v_dead_letters WHERE detail = 'amount'", [(1,)])
    done = summary(machine, "--detail", "amount", "--sent-to", "/v1/crm/opportunities", "--source", "website", code=1)
    assert (done["left"], done["items"], done["reasons"]) == (1, 0, {"amount: bad value": 1})
    said = letters(machine, "resend", "--since", "2020-01-01", "--key", "dev")
    assert said.returncode == 1
    assert said.stdout.splitlines() == ["3 letters, 2 sent (4 calls and rows); 1 left", "  1  amount: bad value"]
    time.sleep(2)
    assert len(listed(machine)) == 3
    eventually(machine, "SELECT count() FROM v_events", [(7,)])
    assert listed(machine, "--until", "2020-01-01") == []
    assert letters(machine, "show", "nothing").returncode == 1
