"""``touchline demo`` as a program runs it: the same numbers every time, and they are what the story's own deals add up to."""

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.rules import MODELS
from stream.cli.demo_story import crm
from stream.cli.demo_story.story import story
from tests.support.machine import free_ports

OWN = ("live", "times", "addresses", "data")
"""What differs from run to run."""


def arguments(data: Path) -> list[str]:
    http, sql, broker = map(str, free_ports(3))
    ports = ["--http-port", http, "--sql-port", sql, "--broker-port", broker]
    return [sys.executable, "-m", "stream.cli.main", "demo", "--json", "--data", str(data), *ports]


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TOUCHLINE_")}


def read_document(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            return json.loads("".join(lines))
    raise AssertionError(f"no document; exit {process.wait()}: {''.join(lines)}")


def won_in_crm() -> Decimal:
    """By hand: of each deal the last version, and of those the won ones."""
    latest: dict[str, tuple[str, str, Decimal]] = {}
    for delivery in story(7, 1_795_219_200_000).deliveries:
        if delivery.path == crm.OPPORTUNITIES:
            for row in map(json.loads, delivery.body.splitlines()):
                version = (row["updated_at"], row["stage"], Decimal(row["amount"]))
                latest[row["id"]] = max(version, latest.get(row["id"], version))
    return sum((amount for _, stage, amount in latest.values() if stage == "Closed Won"), Decimal(0))


def doctor(where: list[str], document: dict[str, Any]) -> dict[str, Any]:
    """What it finds, and the levels of its findings; this machine's disk, limits and Python are not the demo's."""
    http = document["addresses"]["events"].rpartition(":")[2]
    place = ["--http-port", http, "--data", document["data"], "--config", f"{document['data']}/demo.toml"]
    run = subprocess.run(
        [sys.executable, "-m", "stream.cli.main", "doctor", "--json", *where, *place],
        capture_output=True, text=True, check=False, env=clean_environment(),
    )  # fmt: skip
    found = [
        check for check in json.loads(run.stdout) if not check["name"].startswith(("disk", "open files", "Python"))
    ]
    return {"exit": run.returncode, "level": {check["level"] for check in found}, "checks": found}


@pytest.mark.timeout(600)
def test_the_demo_has_the_same_numbers_every_time_and_they_are_right(tmp_path):
    command = arguments(tmp_path / "first")
    with subprocess.Popen(
        [*command, "--keep-running"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment()
    ) as process:
        try:
            first = read_document(process)
            where = [
                "--sql-port", first["addresses"]["sql"].rpartition(":")[2],
                "--broker-port", first["addresses"]["kafka"].rpartition(":")[2],
            ]  # fmt: skip
            verified = subprocess.run(
                [sys.executable, "-m", "stream.cli.main", "verify", *where],
                capture_output=True, text=True, check=False, env=clean_environment(),
            )  # fmt: skip
            healthy = doctor(where, first)
        finally:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    again = subprocess.run(
        [*arguments(tmp_path / "second"), "--exit"],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
    )
    assert again.returncode == 0, again.stderr
    second = json.loads(again.stdout)

    assert process.returncode == 0, said
    assert healthy["level"] == {"ok"}, healthy
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert {k: v for k, v in first.items() if k not in OWN} == {k: v for k, v in second.items() if k not in OWN}
    won = won_in_crm()
    for model in MODELS:
        assert sum(Decimal(str(channel["won"][model])) for channel in first["attribution"]) == won
    assert first["proof"]["kept"] == first["proof"]["expected"]
    assert (first["proof"]["unbalanced"], first["proof"]["twice"]) == (0, 0)
    assert {d["live"]["alert"]["account_id"] for d in (first, second)} == {"zebra-instruments.example"}
    assert len(first["attribution"]) >= 10
    assert first["journey"][-1]["what"] == "=> won"


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("do not delete")
    refused = subprocess.run(
        [*arguments(tmp_path), "--exit"], capture_output=True, text=True, check=False, env=clean_environment()
    )
    assert refused.returncode == 2
    assert "is not a folder of the demo" in refused.stderr
    assert (tmp_path / "thesis.txt").read_text() == "do not delete"
