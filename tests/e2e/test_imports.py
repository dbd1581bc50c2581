"""Exports of HubSpot and Salesforce, costs, rates and events through ``touchline import`` into a running machine, and what SQL
says of them. Every expected number is worked out by hand from the files in ``exports``; the sums are in the comments.

The machine is one for the module, and the tests tell one story in their order.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.machine import Machine

EXPORTS = Path(__file__).parent / "exports"


class Imports:
    """A machine, and a folder with copies of the exports."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.folder = folder

    def take(self, name: str, kind: str, *options: str, code: int = 0) -> dict[str, Any]:
        """Import a file; its summary."""
        done = self.machine.touchline("import", str(self.folder / name), "--kind", kind, "--json", *options)
        assert done.returncode == code, done.stderr
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [
            tuple(row.values()) for row in self.machine.rows(f"{sql} SETTINGS output_format_json_quote_decimals = 1")
        ]

    def eventually(self, sql: str, wanted: list[tuple[Any, ...]]) -> None:
        """The rows of a query once everything has arrived."""
        deadline = time.monotonic() + 60
        while (found := self.rows(sql)) != wanted and time.monotonic() < deadline:
            time.sleep(0.3)
        assert found == wanted


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imports]:
    folder = tmp_path_factory.mktemp("imports")
    shutil.copytree(EXPORTS, folder / "exports")
    machine = Machine(folder / "data")
    machine.start()
    yield Imports(machine, folder / "exports")
    machine.stop()


CONVERSIONS = (
    "SELECT opportunity_id, stage, formatDateTime(occurred_at, '%F %T') AS at, amount, currency FROM v_conversions"
    " WHERE account_id = '{}' ORDER BY opportunity_id, at, stage"
)


def test_hubspots_companies_contacts_and_deals(imports: Imports) -> None:
    assert imports.take("events.ndjson", "events")["sent"] == 5
    assert imports.take("hubspot-companies.csv", "accounts", "--map", "hubspot")["sent"] == 2
    contacts = imports.take("hubspot-contacts.csv", "contacts", "--map", "hubspot", code=1)
    assert (contacts["sent"], contacts["bad"], contacts["reasons"]) == (2, 1, {"email: missing field": 1})
    assert (imports.folder / "hubspot-contacts.bad.csv").read_text().splitlines()[1].endswith(",4,email: missing field")
    assert imports.take("hubspot-deals.csv", "opportunities", "--map", "hubspot")["sent"] == 3
    imports.eventually(
        CONVERSIONS.format("501"),
        [
            ("9001", "appointment_scheduled", "2026-01-15 09:00:00", "12500.01", "USD"),
            ("9001", "open", "2026-01-15 09:00:00", "12500.01", "USD"),
            ("9001", "won", "2026-04-20 16:40:00", "12500.01", "USD"),
            ("9003", "open", "2026-05-11 10:00:00", "0", "EUR"),
            ("9003", "appointment_scheduled", "2026-05-12 09:30:00", "0", "EUR"),
        ],
    )
    imports.eventually(
        CONVERSIONS.format("502"),
        [
            ("9002", "appointment_scheduled", "2026-03-10 10:00:00", "4000", "EUR"),
            ("9002", "open", "2026-03-10 10:00:00", "4000", "EUR"),
            ("9002", "lost", "2026-05-01 12:00:00", "4000", "EUR"),
        ],
    )
    imports.eventually(
        "SELECT account_id, name, domain, owner FROM v_accounts WHERE account_id LIKE '50%' ORDER BY account_id",
        [("501", "Acme Robotics", "acme-robotics.com", "Kim Lee"), ("502", "Globex", "globex.com", "Kim Lee")],
    )


def test_salesforces_accounts_contacts_opportunities_and_history(imports: Imports) -> None:
    for name, kind, sent in (
        ("salesforce-Account.csv", "accounts", 1),
        ("salesforce-Contact.csv", "contacts", 1),
        ("salesforce-Opportunity.csv", "opportunities", 2),
        ("salesforce-OpportunityHistory.csv", "opportunities", 4),
    ):
        assert imports.take(name, kind, "--map", "salesforce")["sent"] == sent
    # Lost in March and re-opened in April: prospecting counts from there. The duplicate is deleted.
    imports.eventually(
        CONVERSIONS.format("001A1"),
        [
            ("006D1", "open", "2026-02-01 08:00:00", "8000", "GBP"),
            ("006D1", "prospecting", "2026-04-01 09:00:00", "9000", "GBP"),
            ("006D1", "won", "2026-05-10 12:00:00", "9000", "GBP"),
        ],
    )


def test_a_website_that_is_an_address_of_a_page_is_the_accounts_domain(imports: Imports) -> None:
    # The file says https://www.initech.com/about. Milton is none of the CRM's contacts.
    call = {"type": "identify", "userId": "milton", "traits": {"email": "milton@initech.com"}}
    imports.machine.post("/v1/batch", json.dumps({"batch": [call]}).encode())
    imports.eventually("SELECT domain FROM v_accounts WHERE account_id = '001A1'", [("initech.com",)])
    imports.eventually("SELECT account_id FROM v_identity WHERE node = 'e:milton@initech.com'", [("001A1",)])


ATTRIBUTION = (
    "SELECT stage, channel, amount, currency, reporting_amount, unconverted FROM v_attribution_reporting"
    " WHERE model = 'linear' AND stage = 'won' ORDER BY currency, channel"
)


def test_without_rates_money_is_missing_and_says_so(imports: Imports) -> None:
    # 12,500.01 over two touches before 20 April: 6,250.01 and 6,250.00. 9,000 on the one session of Peter.
    imports.eventually(
        ATTRIBUTION,
        [
            ("won", "Organic Social", "9000", "GBP", None, "9000"),
            ("won", "Email", "6250", "USD", None, "6250"),
            ("won", "Paid Search", "6250.01", "USD", None, "6250.01"),
        ],
    )
    missing = (
        "SELECT currency, toString(day), amount FROM v_fx_missing WHERE what = 'conversions' ORDER BY currency, day"
    )
    imports.eventually(
        missing,
        [
            ("GBP", "2026-02-01", "8000"),
            ("GBP", "2026-04-01", "9000"),
            ("GBP", "2026-05-10", "9000"),
            ("USD", "2026-01-15", "25000.02"),
            ("USD", "2026-04-20", "12500.01"),
        ],
    )


def test_central_bank_rates_convert_to_the_cent(imports: Imports) -> None:
    assert imports.take("eurofxref-hist.csv", "fx", "--map", "ecb")["sent"] == 6
    # 12,500.01 / 1.25 = 10,000.008 = 10,000.01: 5,000.008 and 5,000.00, the cent to the greater remainder.
    # 9,000 / 0.90 of the Friday before that Sunday = 10,000.00.
    imports.eventually(
        ATTRIBUTION,
        [
            ("won", "Organic Social", "9000", "GBP", "10000", "0"),
            ("won", "Email", "6250", "USD", "5000", "0"),
            ("won", "Paid Search", "6250.01", "USD", "5000.01", "0"),
        ],
    )
    # On 1 April the newest rate of the pound was that of 15 January, 76 days old: too old for a report.
    imports.eventually(
        "SELECT currency, toString(day), amount FROM v_fx_missing ORDER BY day", [("GBP", "2026-04-01", "9000")]
    )
    imports.eventually(
        "SELECT stage, reporting_amount FROM v_conversions_reporting WHERE account_id = '501' AND currency = 'USD'"
        " ORDER BY stage",
        # 12,500.01 / 1.10 = 11,363.6454...
        [("appointment_scheduled", "11363.65"), ("open", "11363.65"), ("won", "10000.01")],
    )


def test_a_refund_books_the_difference_and_the_report_of_before_stays(imports: Imports) -> None:
    before = imports.rows("SELECT toString(now64(3, 'UTC')) AS at")[0][0]
    time.sleep(0.1)
    refund = {"id": "9001", "amount": "10000.01", "updated_at": "2026-06-10T08:00:00Z"}
    imports.machine.post("/v1/crm/opportunities", json.dumps(refund).encode())
    # 10,000.01 / 1.25 = 8,000.008 = 8,000.01
    won = "model = 'linear' AND stage = 'won' AND currency = 'USD'"
    report = f"SELECT channel, reporting_amount FROM {{}} WHERE {won} ORDER BY channel"
    imports.eventually(report.format("v_attribution_reporting"), [("Email", "4000"), ("Paid Search", "4000.01")])
    as_of = f"v_attribution_reporting_as_of(as_of = '{before}')"
    assert imports.rows(report.format(as_of)) == [("Email", "5000"), ("Paid Search", "5000.01")]
    why = f"SELECT sum(amount), sum(reporting_amount) FROM v_ledger_reporting WHERE {won} AND reason = 'amount_change'"
    assert imports.rows(why) == [("-2500", "-2000")]


def test_restated_cost_shows_what_it_was(imports: Imports) -> None:
    first, second = imports.folder / "spend.csv", imports.folder / "spend-corrected.csv"
    os.utime(first, (1_768_000_000, 1_768_000_000))
    os.utime(second, (1_769_000_000, 1_769_000_000))
    mapping = "--map", str(imports.folder / "spend.toml")
    assert imports.take("spend.csv", "costs", *mapping)["sent"] == 2
    question = "SELECT toString(day), channel, utm_campaign, amount, currency FROM v_costs ORDER BY day"
    tenth, eleventh = ("2026-01-10", "Paid Search", "robots"), ("2026-01-11", "Paid Search", "robots")
    imports.eventually(question, [(*tenth, "1234.5", "EUR"), (*eleventh, "10", "EUR")])
    between = imports.rows("SELECT toString(now64(3, 'UTC')) AS at")[0][0]
    time.sleep(0.1)
    imports.take("spend-corrected.csv", "costs", *mapping)
    imports.eventually(question, [(*tenth, "1200", "EUR"), (*eleventh, "10", "EUR")])
    imports.take("spend.csv", "costs", *mapping)  # an older version, once more: nothing changes
    imports.eventually(
        "SELECT toString(day), amount, reason FROM v_cost_ledger ORDER BY day, recorded_at",
        [
            ("2026-01-10", "1234.5", "new_cost"),
            ("2026-01-10", "-34.5", "restated"),
            ("2026-01-11", "10", "new_cost"),
        ],
    )
    as_of = f"SELECT sum(amount) FROM v_costs_as_of(as_of = '{between}')"
    assert imports.rows(as_of) == [("1244.5",)]


def test_salesforces_calls_are_their_leads_and_contacts(imports: Imports) -> None:
    # The calls come first. The fourth has not taken place; the fifth is with nobody, so it is a bad row.
    calls = imports.take("salesforce-Task.csv", "activities", "--map", "salesforce", code=1)
    assert (calls["sent"], calls["bad"]) == (4, 1)
    assert imports.take("salesforce-Lead.csv", "contacts", "--map", "salesforce")["sent"] == 3
    contact = {
        "id": "003P2",
        "email": "dinesh@piper.example",
        "account_id": "001A2",
        "updated_at": "2026-03-03T08:00:00Z",
    }
    imports.machine.post("/v1/crm/contacts", json.dumps(contact).encode())
    # The lead that was merged is Dinesh's second address, and so on his account.
    imports.eventually(
        "SELECT toString(toDate(occurred_at)) AS day, account_id, person_id FROM v_touches WHERE type = 'call' ORDER BY day",
        [
            ("2026-02-20", "001A2", "d.chugtai@piper.example"),
            ("2026-03-01", "hooli.com", "gavin@hooli.com"),
            ("2026-03-05", "001A2", "dinesh@piper.example"),
        ],
    )


def test_what_hubspot_merged_is_one_and_a_deal_without_company_is_its_contacts(imports: Imports) -> None:
    # 711 and 712 went into 799, so its row is three contacts; 9101 and 9102 into 9199.
    assert imports.take("hubspot-deals-merged.csv", "opportunities", "--map", "hubspot")["sent"] == 4
    summary = imports.take("hubspot-contacts-merged.csv", "contacts", "--map", "hubspot")
    assert (summary["rows"], summary["sent"]) == (3, 5)
    imports.eventually(
        "SELECT node, account_id FROM v_identity WHERE node LIKE 'e:%@initrode.example' ORDER BY node",
        [(f"e:{name}@initrode.example", "504") for name in ("s.smith", "sue.smith", "sue")],
    )
    imports.eventually(
        CONVERSIONS.format("504"),
        [("9199", "open", "2026-03-04 09:00:00", "300", "EUR"), ("9199", "won", "2026-03-12 09:00:00", "300", "EUR")],
    )


def test_importing_it_all_again_changes_nothing(imports: Imports) -> None:
    count = "SELECT count() FROM v_events"
    before, ledger = imports.rows(count), imports.rows("SELECT count(), sum(amount) FROM v_ledger")
    for name, kind, mapping in (
        ("events.ndjson", "events", ""),
        ("hubspot-deals.csv", "opportunities", "hubspot"),
        ("salesforce-OpportunityHistory.csv", "opportunities", "salesforce"),
        ("salesforce-Lead.csv", "contacts", "salesforce"),
        ("hubspot-deals-merged.csv", "opportunities", "hubspot"),
        ("eurofxref-hist.csv", "fx", "ecb"),
    ):
        imports.take(name, kind, *(("--map", mapping) if mapping else ()))
    verified = imports.machine.touchline("verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert imports.rows(count) == before
    assert imports.rows("SELECT count(), sum(amount) FROM v_ledger") == ledger


def test_an_import_outlives_the_death_of_everything_it_sends_to(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(
        "id,account_id,stage,amount,currency,updated_at\n"
        + "".join(f"o{n},a{n % 7},Closed Won,{n}.00,EUR,2026-01-31T09:00:00Z\n" for n in range(8000))
    )
    machine = Machine(tmp_path / "data")
    machine.start()
    command = [sys.executable, "-m", "stream.cli.main", "import", str(path), "--kind", "opportunities", "--json"]
    running = subprocess.Popen(command, env=machine.environment, stdout=subprocess.PIPE, text=True)
    bookmark, deadline = tmp_path / "deals.csv.import.json", time.monotonic() + 60
    while not bookmark.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    machine.kill_all()
    assert running.poll() is None, "it was to be killed while it runs"
    machine.start()
    summary = json.loads(running.communicate(timeout=120)[0])
    assert (running.returncode, summary["sent"], summary["waits"] > 0) == (0, 8000, True)
    verified = machine.touchline("verify", "--wait", "120")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    # 0 + 1 + ... + 7999
    (won,) = machine.rows("SELECT count() AS deals, sum(amount) AS amount FROM v_conversions WHERE stage = 'won'")
    assert (int(won["deals"]), float(won["amount"])) == (8000, 31_996_000)
    machine.stop()
