"""A stitch stage in memory: partitions with their logs, accounts that apply what they are told, tables as views show them."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from schemas import topics
from schemas.codec import lines
from schemas.event import Event
from schemas.facts import TABLES
from schemas.ids import partition_of
from schemas.messages import (
    Account,
    ConversionPut,
    ConversionWithdrawn,
    Identity,
    Profile,
    RulesChanged,
    Tick,
    TouchPut,
    TouchWithdrawn,
)
from schemas.rules import Rules
from stream.core.state import MemoryState
from stream.core.step import Step
from stream.core.stitch import control_step, events_step, messages_step, rules_of

_DEFAULTS = {
    table: {f.name: f.default for f in msgspec.structs.fields(shape) if f.default in ("", 0)}
    for table, shape in TABLES.items()
}
"""What ClickHouse fills in where a row leaves a column out."""
_OWN = {"tenant": "default", "platform": "web", "properties": {}, "traits": {}}


def _filled(table, row):
    """A row as the table has it."""
    if table == "events":
        row = {n: v for n, v in row.items() if n in TABLES["events"].__struct_fields__}
        row = {n: {str: "", int: 0, bool: bool(row.get("bot"))}.get(t) for n, t in _EVENT_TYPES.items()} | _OWN | row
        return row | {"node": row["node"].partition("/")[2]}
    return _DEFAULTS[table] | row


_EVENT_TYPES = {field.name: field.type for field in msgspec.structs.fields(TABLES["events"])}
IDS = {"sessions": "session_id", "touches": "touch_id", "identity": "node", "events": "event_id"}


def step_of(state, rules=None, *, offset=0, at=0, partition=0, partitions=1):
    """A step on ``state`` as the shell makes it."""
    return Step(state, rules or rules_of(state), partition=partition, partitions=partitions, offset=offset, at=at)


def take_events(step, events):
    """Events as the log has them: canonical lines."""
    events_step(step, lines(events))


def _session_touch(row):
    shown = {n: row[n] for n in TABLES["touches"].__struct_fields__ if n in row}
    return _DEFAULTS["touches"] | shown | {"occurred_at": row["started_at"], "type": "session"}


class Stage:
    """Partitions 0..n-1. Frames are put on their logs; ``run`` works the logs off, messages between partitions included."""

    def __init__(self, partitions: int = 1, rules: Rules | None = None) -> None:
        self.partitions = partitions
        self.states = [MemoryState() for _ in range(partitions)]
        self.logs: list[list[tuple[str, Sequence[Any]]]] = [[] for _ in range(partitions)]
        self.done = [0] * partitions
        self.at = 1_800_000_000_000
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.touches: dict[str, dict[str, Any]] = {}
        self.conversions: dict[str, dict[str, Any]] = {}
        self.profiles: dict[str, Profile] = {}
        self.told: list[Any] = []
        self.rejected: list[dict[str, Any]] = []
        if rules is not None:
            for log in self.logs:
                log.append((topics.CONTROL_FRAME, [RulesChanged(rules)]))

    def put(self, events: Iterable[Event]) -> None:
        """One frame for each partition that the events belong to."""
        frames: dict[int, list[Event]] = {}
        for event in events:
            frames.setdefault(partition_of(event.node, self.partitions), []).append(event)
        for partition, frame in frames.items():
            self.logs[partition].append((topics.EVENT_FRAME, frame))

    def tick(self, at: int) -> None:
        self.at = at
        for log in self.logs:
            log.append((topics.CONTROL_FRAME, [Tick(at)]))

    def run(self, order: Sequence[int] = ()) -> "Stage":
        """Work off all logs; ``order`` says which partition goes next while it lasts."""
        turns = list(order)
        while any(self.done[p] < len(self.logs[p]) for p in range(self.partitions)):
            wanted = turns.pop(0) % self.partitions if turns else 0
            ready = [p for p in range(self.partitions) if self.done[p] < len(self.logs[p])]
            self._advance(wanted if wanted in ready else ready[0])
        return self

    def _advance(self, partition: int) -> None:
        offset = self.done[partition]
        kind, items = self.logs[partition][offset]
        self.done[partition] += 1
        step = step_of(
            self.states[partition], offset=offset, at=self.at, partition=partition, partitions=self.partitions
        )
        {
            topics.EVENT_FRAME: take_events,
            topics.MESSAGE_FRAME: messages_step,
            topics.CONTROL_FRAME: control_step,
        }[kind](step, items)
        self._collect(step)

    def _collect(self, step: Step) -> None:
        for table, rows in step.rows.items():
            self.rows.setdefault(table, []).extend(_filled(table, msgspec.json.decode(row)) for row in rows)
        for (topic, target), messages in step.sends.items():
            if topic == topics.EVENTS:
                self.logs[target].append(
                    (topics.MESSAGE_FRAME, [msgspec.json.decode(m, type=Identity) for m in messages])
                )
            elif topic == topics.ACCOUNTS:
                for line in messages:
                    self._tell(msgspec.json.decode(line, type=Account))
            elif topic == topics.DEAD_LETTERS:
                self.rejected += [msgspec.json.decode(line) for line in messages]

    def _tell(self, message: Any) -> None:
        self.told.append(message)
        match message:
            case TouchPut():
                before = self.touches.get(message.to, {}).get(message.touch.id)
                assert before is None or before.at == message.touch.at, "accounts keep touches by their time"
                self.touches.setdefault(message.to, {})[message.touch.id] = message.touch
            case TouchWithdrawn():
                gone = self.touches[message.to].pop(message.id)
                assert gone.at == message.touched_at
            case ConversionPut():
                self.conversions.setdefault(message.to, {})[message.conversion.id] = message.conversion
            case ConversionWithdrawn():
                gone = self.conversions[message.to].pop(message.id)
                assert gone.at == message.converted_at
            case Profile():
                self.profiles[message.to] = message

    def table(self, name: str) -> dict[str, dict[str, Any]]:
        """Present rows by id: the latest version, without deleted ones, versions and addresses."""
        rows: dict[str, dict[str, Any]] = {}
        for row in self.rows.get(name, []):
            rows[row[IDS[name]]] = row
        if name == "touches":  # as v_touches
            sessions = {row["session_id"]: row for row in self.rows.get("sessions", [])}
            rows |= {row["touch_id"]: _session_touch(row) for row in sessions.values()}
        hidden = {"version", "_p", "_o", "_i", "recorded_at", "cause_event_id"}
        return {
            name: {k: v for k, v in row.items() if k not in hidden}
            for name, row in rows.items()
            if not row.get("deleted")
        }

    def mails(self) -> list[dict[str, Any]]:
        """Rows of ``email`` as ``v_email`` shows them."""
        gone = {(r["row_p"], r["row_o"], r["row_i"]) for r in self.rows.get("events_superseded", [])}
        verdicts = {(r["row_p"], r["row_o"], r["row_i"]): r for r in self.rows.get("email_verdicts", [])}
        shown = []
        for row in self.rows.get("email", []):
            address = (row["_p"], row["_o"], row["_i"])
            if address not in gone:
                verdict = verdicts.get(address)
                if verdict is not None and verdict["is_machine"]:
                    row = row | {"is_machine": True, "reason": verdict["reason"]}  # noqa: PLW2901
                shown.append({name: value for name, value in row.items() if name not in {"_p", "_o", "_i"}})
        return sorted(shown, key=lambda row: (row["occurred_at"], row["event_id"], row["node"]))

    def result(self) -> dict[str, Any]:
        """Everything that must not depend on order, duplicates and frames."""
        return {
            "sessions": self.table("sessions"),
            "touch rows": self.table("touches"),
            "touches": {account: found for account, found in self.touches.items() if found},
            "conversions": {account: found for account, found in self.conversions.items() if found},
            "profiles": {
                a: (p.name, p.domain, p.stage, p.parent, p.owner, p.profile_at) for a, p in self.profiles.items()
            },
        }
