"""Plays records to the account stage and reads its rows the way ClickHouse would: latest version, sums of the ledger."""

from collections import defaultdict
from decimal import Decimal

import msgspec

from schemas import topics
from schemas.alerts import Alert
from schemas.codec import json_encoder, state_encoder
from schemas.facts import TABLES
from schemas.messages import (
    Account,
    Conversion,
    ConversionPut,
    ConversionWithdrawn,
    RulesChanged,
    Touch,
    TouchPut,
    TouchWithdrawn,
)
from schemas.rules import Rules
from stream.core.account import control_step, frame_step, rules_of
from stream.core.everyday_touches import FirstTouches, first
from stream.core.state import MemoryState
from stream.core.step import Step
from tests.support.shares import shares_of

ACCOUNT = "default/a:acme"
DAY = 86_400_000
START = 1_700_006_400_000
"""2023-11-15T00:00:00Z."""
KEYS = {
    "accounts": ("tenant", "account_id"),
    "engagement": ("tenant", "account_id", "person_id"),
    "conversions": ("tenant", "account_id", "conversion_id"),
    "alerts": ("tenant", "alert_id"),
}
_account = msgspec.json.Decoder(Account)


class LiveState(MemoryState):
    """Hands out the same objects again and again, as the worker's cache does, and knows if one was changed unseen."""

    def __init__(self) -> None:
        super().__init__()
        self.live = {}

    def get(self, name, type_, /):
        if name not in self.live:
            found = super().get(name, type_)
            if found is None:
                return None
            self.live[name] = found
        return self.live[name]

    def put(self, name, value, /) -> None:
        super().put(name, value)
        if isinstance(value, bytes):
            self.live.pop(name, None)
        else:
            self.live[name] = value

    def delete(self, name, /) -> None:
        super().delete(name)
        self.live.pop(name, None)

    def scan(self, prefix, type_, /, *, start="", reverse=False, limit=None):
        found = super().scan(prefix, type_, start=start, reverse=reverse, limit=limit)
        return [(name, self.get(name, type_)) for name, _ in found]

    def unsaved(self) -> list[str]:
        """Names of live objects that differ from what was put."""
        return [name for name, value in self.live.items() if state_encoder.encode(value) != self.encoded[name]]


class AccountLog:
    """One partition of the account stage and everything that it ever wrote. ``way`` takes what is everyday."""

    def __init__(
        self, rules: Rules | None = None, state: MemoryState | None = None, *, way: FirstTouches = first
    ) -> None:
        self.state = state or MemoryState()
        self.way = way
        self.offset = 0
        self.rows = defaultdict(list)
        self.alerts: list[Alert] = []
        self.waiting: list[Account] = []
        """What the account told itself and has not been played yet."""
        if rules is not None:
            self.control(rules)

    def control(self, rules: Rules) -> None:
        control_step(self._step(START), [RulesChanged(rules)])

    def record(self, *messages: Account) -> dict[str, list]:
        """One record. The messages go through their wire form. Returns its rows by table."""
        step = self._step(messages[-1].at if messages else START)
        frame_step(step, b"\n".join(map(json_encoder.encode, messages)), first=self.way)
        written = {
            table: [msgspec.json.decode(row, type=TABLES[table]) for row in rows] for table, rows in step.rows.items()
        }
        for table, rows in written.items():
            assert [(r._p, r._o, r._i) for r in rows] == [(0, step.offset, i) for i in range(len(rows))]
            self.rows[table] += rows
        if "bookings" in written:
            written["ledger"] = [s for row in written["bookings"] for s in shares_of(msgspec.structs.asdict(row))]
            self.rows["ledger"] += written["ledger"]
        for (topic, _), lines in step.sends.items():
            if topic == topics.ACCOUNTS:
                self.waiting += [_account.decode(line) for line in lines]
            else:
                assert topic == topics.ALERTS
                self.alerts += [msgspec.json.decode(line, type=Alert) for line in lines]
        assert not step.refused
        self.last = step
        return written

    def catch_up(self) -> None:
        """Play what the account told itself until it says no more."""
        for _ in range(1000):
            if not self.waiting:
                return
            self.record(self.waiting.pop(0))
        raise AssertionError("the account never stops talking to itself")

    def latest(self, table: str) -> dict[tuple, object]:
        """The row that counts for each key."""
        found = {}
        for row in self.rows[table]:
            found[tuple(getattr(row, part) for part in KEYS[table])] = row
        return found

    def sums(self) -> dict[tuple, tuple[Decimal, Decimal]]:
        """The ledger as reports see it: everything that names a share -> (credit, amount), zeros left out."""
        found = defaultdict(lambda: (Decimal(0), Decimal(0)))
        for r in self.rows["ledger"]:
            name = (
                r.account_id, r.conversion_id, r.stage, r.model, r.model_version, r.currency, r.conversion_at,
                r.touch_id, r.touch_at, r.channel, r.utm_source, r.utm_medium, r.utm_campaign,
            )  # fmt: skip
            credit, amount = found[name]
            found[name] = (credit + Decimal(r.credit), amount + Decimal(r.amount))
        return {name: sums for name, sums in found.items() if any(sums)}

    def totals(self) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
        """(conversion, model) -> summed (credit, amount)."""
        found = defaultdict(lambda: (Decimal(0), Decimal(0)))
        for r in self.rows["ledger"]:
            credit, amount = found[r.conversion_id, r.model]
            found[r.conversion_id, r.model] = (credit + Decimal(r.credit), amount + Decimal(r.amount))
        return dict(found)

    def credits(self, model: str, conversion: str = "c1") -> dict[str, tuple[str, str]]:
        """Channel -> (credit, amount) of one conversion as plain text, as a report shows it."""
        found = defaultdict(lambda: [Decimal(0), Decimal(0)])
        for name, (credit, amount) in self.sums().items():
            if name[1] == conversion and name[3] == model:
                found[name[9]][0] += credit
                found[name[9]][1] += amount
        return {channel: (f"{c.normalize():f}", f"{a.normalize():f}") for channel, (c, a) in found.items()}

    def _step(self, at: int) -> Step:
        step = Step(self.state, rules_of(self.state), partition=0, partitions=1, offset=self.offset, at=at)
        self.offset += 1
        return step


def touch(touch_id: str, at: int, channel: str = "Email", **fields) -> Touch:
    """A touch of Ann's, one point."""
    given = {"type": "session", "person": "default/e:ann@acme.com", "node": "default/v:1", "points": 1000} | fields
    return Touch(id=touch_id, at=at, channel=channel, **given)


def put(t: Touch, account: str = ACCOUNT, at: int = 0, reason: str = "new") -> TouchPut:
    return TouchPut(account, at or t.at, "cause-" + t.id, reason, t)


def withdraw(t: Touch, account: str = ACCOUNT, at: int = 0, reason: str = "changed") -> TouchWithdrawn:
    return TouchWithdrawn(account, at or t.at, "cause-" + t.id, reason, t.id, t.at)


def conversion(conversion_id: str, at: int, amount: int = 10_000, **fields) -> Conversion:
    """An order of 100 EUR by Ann."""
    given = {"stage": "won", "person": "default/e:ann@acme.com", "node": "default/o:1", "currency": "EUR"} | fields
    return Conversion(id=conversion_id, at=at, amount=amount, **given)


def convert(c: Conversion, account: str = ACCOUNT, at: int = 0, reason: str = "new") -> ConversionPut:
    return ConversionPut(account, at or c.at, "cause-" + c.id, reason, c)


def cancel(c: Conversion, account: str = ACCOUNT, at: int = 0, reason: str = "changed") -> ConversionWithdrawn:
    return ConversionWithdrawn(account, at or c.at, "cause-" + c.id, reason, c.id, c.at)
