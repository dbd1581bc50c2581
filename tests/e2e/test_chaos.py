"""Kill -9 of any process, and of all, under load, again and again: every acknowledged event once, and all numbers right."""

import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from tests.support.machine import ROLES, Machine
from tests.support.traffic import accounts, batch, deal

BATCH = 50


class Load:
    """Posts batches and deals from two threads, as SDKs do: until acknowledged. Remembers what was."""

    def __init__(self, machine: Machine, batches: int):
        self.machine = machine
        self.acknowledged: set[str] = set()
        self.failures: list[BaseException] = []
        self.threads = [threading.Thread(target=self._post, args=(n, batches)) for n in range(2)]
        machine.post("/v1/crm/accounts", accounts())
        for thread in self.threads:
            thread.start()

    @property
    def running(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def join(self) -> None:
        for thread in self.threads:
            thread.join()
        assert self.failures == []

    def _post(self, number: int, batches: int) -> None:
        chance = random.Random(number)
        try:
            for n in range(number, batches, 2):
                self.machine.post("/v1/batch", batch(f"b{n}", BATCH, chance))
                self.acknowledged.update(f"b{n}-{i}" for i in range(BATCH))
                self.machine.post("/v1/crm/opportunities", deal(n))
                time.sleep(0.1)
        except BaseException as failure:  # noqa: BLE001 - joined and asserted by the test
            self.failures.append(failure)


def assert_whole(machine: Machine, load: Load) -> None:
    """What must hold after any accident."""
    verified = machine.touchline("verify", "--wait", "120")
    assert verified.returncode == 0, verified.stdout + verified.stderr

    counts = Counter(
        row["event_id"] for row in machine.rows("SELECT event_id FROM v_events WHERE protocol = 'segment'")
    )
    assert set(counts) == load.acknowledged
    assert set(counts.values()) == {1}
    assert machine.rows("SELECT * FROM v_ledger_check") == []
    assert machine.rows("SELECT * FROM v_dead_letters") == []
    sessions = machine.rows("SELECT sum(events) AS n FROM v_sessions")
    assert sessions == machine.rows("SELECT count() AS n FROM v_events WHERE session_id != ''")
    won = machine.rows("SELECT sum(amount) AS n FROM v_conversions WHERE stage = 'won'")
    for model in ("first", "linear", "u_shaped"):
        assert machine.rows(f"SELECT sum(amount) AS n FROM v_ledger WHERE stage = 'won' AND model = '{model}'") == won


@pytest.mark.timeout(600)
def test_every_acknowledged_event_is_there_once_after_kills_of_every_process(tmp_path):
    machine = Machine(tmp_path / "data", checkpoint_s="1")
    machine.start()
    load = Load(machine, 120)
    chance = random.Random(3)
    roles = [*ROLES, *ROLES]
    chance.shuffle(roles)
    try:
        for role in roles:
            time.sleep(chance.uniform(0.3, 1.5))
            machine.kill(role)
        machine.kill_all()
        machine.start()
        load.join()
        machine.kill_all()
        machine.start()
        assert_whole(machine, load)
    finally:
        took = machine.stop()
    assert took < 10


@contextmanager
def second_worker(machine: Machine, data):
    """Another worker of the same pipeline, with a disk of its own; gives (kill and wipe, start)."""
    environment = machine.environment | {"TOUCHLINE_WORKER_ID": "1", "TOUCHLINE_DATA": str(data)}
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with (data.parent / "second-worker.log").open("ab") as out:
            running.append(
                subprocess.Popen([sys.executable, "-m", "stream.stages"], env=environment, stdout=out, stderr=out)
            )

    def kill_and_wipe() -> None:
        running[-1].kill()
        running[-1].wait()
        shutil.rmtree(data, ignore_errors=True)

    data.mkdir()
    start()
    try:
        yield kill_and_wipe, start
    finally:
        running[-1].kill()
        running[-1].wait()


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_a_second_worker_that_is_killed_and_comes_back_with_an_empty_disk_costs_nothing(apache_kafka, tmp_path):
    machine = Machine(tmp_path / "data", kafka=apache_kafka, topic_prefix=f"two{time.time_ns()}.", checkpoint_s="1")
    machine.start()
    chance = random.Random(5)
    try:
        with second_worker(machine, tmp_path / "second") as (kill_and_wipe, start):
            load = Load(machine, 160)
            for _ in range(3):
                time.sleep(chance.uniform(3, 5))
                kill_and_wipe()
                time.sleep(chance.uniform(0.5, 2))
                start()
            machine.kill("worker")
            load.join()
            assert_whole(machine, load)
    finally:
        machine.stop()
