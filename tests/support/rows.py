"""Fact records folded as ClickHouse would show them: newest version of what changes, all of what does not, sums of the ledger."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from schemas.address import parse
from schemas.facts import TABLES
from tests.support.shares import WHICH, shares_of

KEYS = {
    "sessions": ("tenant", "session_id"),
    "touches": ("tenant", "touch_id"),
    "identity": ("tenant", "node"),
    "accounts": ("tenant", "account_id"),
    "engagement": ("tenant", "account_id", "person_id"),
    "conversions": ("tenant", "conversion_id", "account_id", "journey"),
    "alerts": ("tenant", "alert_id"),
}
"""Tables whose newest version counts, and what identifies a row."""
VOLATILE = {"_p", "_o", "_i", "version", "recorded_at", "cause_event_id", "fired_at", "score", "evidence"}
"""Where and when something was computed; it may differ between two runs that agree."""


class FactReader:
    """Folds fact values; drops what a source address says was read before, as every reader does."""

    def __init__(self) -> None:
        self.marks: dict[str, int] = {}
        self.latest: dict[tuple[str, tuple[Any, ...]], dict[str, Any]] = {}
        self.kept: dict[str, list[dict[str, Any]]] = {}
        self.claims: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.credits: Counter[tuple[Any, ...]] = Counter()
        self.amounts: Counter[tuple[Any, ...]] = Counter()
        self.costs: Counter[tuple[Any, ...]] = Counter()
        self.rates: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.verdicts: dict[tuple[int, int, int], dict[str, Any]] = {}

    def read(self, value: bytes, source: bytes | None = None) -> None:
        if source is not None:
            origin, order = parse(source)
            if order <= self.marks.get(origin, -1):
                return
            self.marks[origin] = order
        first, _, body = value.partition(b"\n")
        place = 0
        for table, count, size in msgspec.json.decode(first):
            lines = body[place : place + size].splitlines()
            assert len(lines) == count, "the index counts the rows"
            place += size
            for line in lines:
                self._row(table, msgspec.json.decode(line))
        assert place == len(body), "the index covers the value"

    def tables(self) -> dict[str, Any]:
        """What two runs over the same events must agree on."""
        found: dict[str, Any] = {}
        for (table, key), row in self.latest.items():
            if _live(table, row):
                found.setdefault(table, {})[key] = {c: v for c, v in row.items() if c not in VOLATILE}
        for (_, session_id), row in found.get("sessions", {}).items():  # as v_touches
            touch = {c: row[c] for c in TABLES["touches"].__struct_fields__ if c in row}
            touch |= {"occurred_at": row["started_at"], "type": "session", "session_id": session_id}
            found.setdefault("touches", {})[row["tenant"], row["touch_id"]] = touch
        superseded = {(r["row_p"], r["row_o"], r["row_i"]) for r in self.kept.get("events_superseded", ())}
        events = [r for r in self.kept.get("events", ()) if (r["_p"], r["_o"], r["_i"]) not in superseded]
        found["events"] = _bag(events)
        email = [r for r in self.kept.get("email", ()) if (r["_p"], r["_o"], r["_i"]) not in superseded]
        found["email"] = _bag(self._judged(row) for row in email)
        # Ids of CRM claims count versions in the order in which they came.
        hidden = {"claim_id", "action"}
        live = [row for row in self.claims.values() if row["action"] == "claim"]
        found["identity_claims"] = _bag({c: v for c, v in row.items() if c not in hidden} for row in live)
        found["credits"] = {key: value for key, value in self.credits.items() if value}
        found["amounts"] = {key: value for key, value in self.amounts.items() if value}
        found["costs"] = {key: value for key, value in self.costs.items() if value}
        found["rates"] = {key: row["rate"] for key, row in self.rates.items() if not row["deleted"]}
        return found

    def _judged(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of ``email`` as v_email shows it."""
        verdict = self.verdicts.get((row["_p"], row["_o"], row["_i"]))
        if verdict is None or not verdict["is_machine"]:
            return row
        return row | {"is_machine": True, "reason": verdict["reason"]}

    def _row(self, table: str, row: dict[str, Any]) -> None:
        if table == "bookings":
            for share in shares_of(row):
                key = tuple(getattr(share, name) for name in WHICH)
                self.credits[key] += Decimal(share.credit)
                self.amounts[key] += Decimal(share.amount)
        elif table == "cost_ledger":
            self.costs[row["cost_id"], "amount"] += Decimal(row["amount"])
            self.costs[row["cost_id"], "standing"] += row["standing"]
        elif table == "fx_rates":
            self.rates[row["tenant"], row["base"], row["quote"], row["day"]] = row
        elif table == "identity_claims":
            self.claims[row["tenant"], row["node"], row["claim_id"]] = row
        elif table == "email_verdicts":
            self.verdicts[row["row_p"], row["row_o"], row["row_i"]] = row
        elif table in KEYS:
            name = (table, tuple(row[c] for c in KEYS[table]))
            known = self.latest.get(name)
            if known is None or row["version"] >= known["version"]:
                self.latest[name] = row
        else:
            self.kept.setdefault(table, []).append(row)


def _live(table: str, row: dict[str, Any]) -> bool:
    if table == "alerts":
        return not row["withdrawn_at"]
    if table == "identity":
        # A node of which nothing is known any more is like one of which nothing ever was.
        return any(row["account_id"]) or set(row["person_id"]) - {"", row["node"][2:]} != set()
    if table == "engagement":
        return bool(row["touches"] or row["sign"])
    return not row.get("deleted", False)


def _bag(rows: Iterable[dict[str, Any]]) -> Counter[bytes]:
    return Counter(
        msgspec.json.encode({c: v for c, v in row.items() if c not in VOLATILE | {"received_at"}}) for row in rows
    )
