"""``touchline verify`` once rules have changed in mid-stream, as a user changes them: edit the file, ``touchline setup``.

The tests tell one story in their order.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.machine import Machine

BEFORE = """
[[sources]]
name = "website"
key = "dev"

[rules]
version = "spring"
models = ["first", "last"]
lookback_days = 30
"""
AFTER = """
[[sources]]
name = "website"
key = "dev"

[rules]
version = "autumn"
models = ["last", "linear"]
score_half_life_days = 3

[[rules.conversions]]
event = "Trial Started"
stage = "trial"

[[rules.points]]
type = "page"
points = 4
"""


class Site:
    """A machine, its configuration, and people who come by."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "touchline.toml"
        self.config.write_text(BEFORE)
        self.machine = Machine(folder / "data", config=str(self.config))
        self.machine.start()

    def visit(self, name: str, event: str, number: int) -> None:
        """Somebody reads the prices, says who they are, and does something."""
        who = {"anonymousId": f"v-{name}", "userId": f"u-{name}"}
        page = {"url": "https://x.example/pricing", "referrer": "https://www.google.com/"}
        for path, body in (
            ("page", {"context": {"page": page}}),
            ("identify", {"traits": {"email": f"{name}@{name}-corp.com"}}),
            ("track", {"event": event}),
        ):
            said = who | {"messageId": f"{name}-{number}-{path}"} | body
            self.machine.post(f"/v1/{path}", json.dumps(said).encode())

    def booked(self) -> list[tuple[Any, ...]]:
        """(account, model, version) of what holds."""
        query = (
            "SELECT account_id, model, model_version FROM v_ledger GROUP BY ALL HAVING sum(credit) != 0 ORDER BY ALL"
        )
        return [tuple(row.values()) for row in self.machine.rows(query)]

    def until_booked(self, wanted: list[tuple[Any, ...]]) -> None:
        deadline = time.monotonic() + 60
        while (found := self.booked()) != wanted and time.monotonic() < deadline:
            time.sleep(0.3)
        assert found == wanted

    def verify(self, *options: str) -> Any:
        done = self.machine.touchline("verify", "--json", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("verify"))
    yield site
    site.machine.stop()


def rules(account: str, version: str) -> list[tuple[Any, ...]]:
    models = {"spring": ("first", "last"), "autumn": ("last", "linear")}[version]
    return [(f"{account}-corp.com", model, version) for model in models]


def test_while_rules_never_changed_the_order_of_events_does_not_matter(site: Site) -> None:
    site.visit("ann", "Demo Requested", 1)
    site.visit("bob", "Signed Up", 1)
    site.until_booked(rules("ann", "spring") + rules("bob", "spring"))

    assert site.verify()["order"] == "any"
    assert site.verify("--order", "log")["order"] == "log"


def test_after_a_change_of_rules_each_number_is_verified_under_those_it_was_booked_by(site: Site) -> None:
    site.config.write_text(AFTER)
    done = site.machine.touchline("setup")
    assert "rules autumn hold from here on" in done.stdout, done.stdout + done.stderr
    site.machine.kill("worker")  # what it says again after its return is heard once
    site.visit("joe", "Trial Started", 1)
    site.visit(
        "ann", "Demo Requested", 2
    )  # no conversion any more; a touch after the first one's changes nothing of it
    site.until_booked(rules("ann", "spring") + rules("bob", "spring") + rules("joe", "autumn"))

    verified = site.verify()

    assert verified["order"] == "log"
    compared = {table["table"]: table for table in verified["tables"]}
    assert compared["messages"]["rows"] == compared["messages"]["recomputed"] > 0
    assert compared["ledger"]["rows"] > 0
    assert compared["ledger_history"]["rows"] >= compared["ledger"]["rows"]


def test_the_table_says_how_it_was_recomputed(site: Site) -> None:
    done = site.machine.touchline("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Recomputed in the log's order" in done.stdout
    assert "ClickHouse says what the log says." in done.stdout


def test_an_order_of_its_own_is_refused_once_it_matters(site: Site) -> None:
    done = site.machine.touchline("verify", "--order", "any")
    assert done.returncode == 2
    assert "--order log" in done.stderr
