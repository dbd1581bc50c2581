"""Partitions with durable logs, channels that are in order between two of them, and crashes at any step.

One entry of a log is one frame; what its step sends is one record a target, addressed by the frame's partition and
offset. A reader drops what is not above its mark. A snapshot holds state and marks; it may be used only when all that
was sent before it is durable (forest rules 16, 17). Each of these rules has a switch, to see what happens without it.
"""

import random
from collections import deque
from dataclasses import dataclass, field

import msgspec

from schemas import topics
from schemas.codec import json_encoder
from schemas.facts import IdentityRow
from schemas.ids import partition_of
from schemas.messages import Account, Token, TouchPut
from schemas.rules import Rules
from stream.core import identity
from stream.core.state import MemoryState
from stream.core.step import Step
from tests.simulation.identity.inputs import Hit, Input, SessionUser, decoder
from tests.simulation.identity.leaves import Leaves

accounts_decoder = msgspec.json.Decoder(Account)
rows_decoder = msgspec.json.Decoder(IdentityRow)
Place = tuple[str, int]
OUTSIDE: Place = ("outside", 0)


class Wrong(AssertionError):
    """A law of the world is broken."""


class LiveState(MemoryState):
    """Hands out live objects, as the store's cache does, and notices those that were changed and not put."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[str, msgspec.Struct] = {}

    def get(self, name, type_, /):
        if name not in self.live:
            found = super().get(name, type_)
            if found is None:
                return None
            self.live[name] = found
        return self.live[name]

    def put(self, name, value, /):
        super().put(name, value)
        if isinstance(value, bytes):
            self.live.pop(name, None)
        else:
            self.live[name] = value

    def delete(self, name, /):
        super().delete(name)
        self.live.pop(name, None)

    def check(self) -> None:
        for name, value in self.live.items():
            if msgspec.msgpack.encode(value) != self.encoded[name]:
                raise Wrong(f"{name!r} was changed and not put")


@dataclass
class Entry:
    source: Place
    order: int
    lines: list[bytes]


@dataclass
class Partition:
    """One consumer of one log. ``state``, ``marks``, ``held`` and ``next`` are what a snapshot holds."""

    place: Place
    log: list[Entry] = field(default_factory=list)
    state: MemoryState = field(default_factory=LiveState)
    marks: dict[Place, int] = field(default_factory=dict)
    held: dict[tuple[str, str], tuple[int, str, str]] = field(default_factory=dict)
    """Accounts side: (account, touch) -> what it knows of the touch."""
    next: int = 0
    snapshots: list[tuple] = field(default_factory=list)
    sent: dict[int, object] = field(default_factory=dict)
    rows: dict[str, IdentityRow] = field(default_factory=dict)

    def snapshot(self) -> None:
        kept = dict(self.state.encoded), list(self.state.order), dict(self.marks), dict(self.held), self.next
        self.snapshots.append(kept)

    def restore(self, position: int, *, keep_marks: bool) -> None:
        encoded, order, marks, held, self.next = self.snapshots[position]
        self.state = type(self.state)()
        self.state.encoded, self.state.order = dict(encoded), list(order)
        self.held = dict(held)
        if not keep_marks:
            self.marks = dict(marks)
        del self.snapshots[position + 1 :]


@dataclass
class Laws:
    """What the world keeps. All True is how Touchline runs."""

    in_order: bool = True
    sends_durable_first: bool = True
    marks_roll_back: bool = True
    one_frame_a_step: bool = True


class World:
    """P partitions of nodes and two of accounts."""

    def __init__(
        self,
        partitions: int,
        rng: random.Random,
        *,
        chunk: int = identity.CHUNK,
        rules: Rules | None = None,
        leaves: Leaves | None = None,
        laws: Laws | None = None,
    ) -> None:
        self.partitions = partitions
        self.rng = rng
        self.chunk = chunk
        self.rules = rules or Rules()
        self.leaves = leaves or Leaves()
        self.laws = laws or Laws()
        self.parts = {(t, i): Partition((t, i)) for t in (topics.EVENTS, topics.ACCOUNTS) for i in range(partitions)}
        for part in self.parts.values():
            part.snapshot()
        self.channels: dict[tuple[Place, Place], deque[Entry]] = {}
        self.outside = 0
        self.told: dict[str, int] = {}
        self.crashes = 0

    def put_in(self, *frame: Input) -> None:
        """An outside frame; all inputs of one frame go to one partition."""
        home = (topics.EVENTS, partition_of(frame[0].to, self.partitions))
        assert {partition_of(i.to, self.partitions) for i in frame} == {home[1]}
        self.outside += 1
        self._queue(OUTSIDE, home, Entry(OUTSIDE, self.outside, [json_encoder.encode(i) for i in frame]))

    def _queue(self, source: Place, target: Place, entry: Entry) -> None:
        self.channels.setdefault((source, target), deque()).append(entry)

    # --- steps -------------------------------------------------------------------------------------------------

    def _is_new(self, part: Partition, entry: Entry) -> bool:
        if self.laws.in_order or entry.source == OUTSIDE:
            if entry.order <= part.marks.get(entry.source, -1):
                return False
            part.marks[entry.source] = entry.order
        return True

    def work(self, place: Place) -> None:
        """Let one partition take its next frame (or, against the law, several as one)."""
        part = self.parts[place]
        frames = 1 if self.laws.one_frame_a_step else self.rng.randint(1, 3)
        lines: list[bytes] = []
        while frames and part.next < len(part.log):
            frames -= 1
            entry = part.log[part.next]
            part.next += 1
            if self._is_new(part, entry):
                lines += entry.lines
        offset = part.next - 1
        if place[0] == topics.ACCOUNTS:
            for line in lines:
                self._account(part, line)
        elif lines:
            self._step(part, offset, lines)

    def _step(self, part: Partition, offset: int, lines: list[bytes]) -> None:
        step = Step(
            part.state, self.rules, partition=part.place[1], partitions=self.partitions, offset=offset, at=offset
        )
        for line in lines:
            self._take(step, decoder.decode(line))
        identity.flush(step)
        if isinstance(part.state, LiveState):
            part.state.check()
        for encoded in step.rows.get("identity", []):
            row = rows_decoder.decode(encoded)
            part.rows[row.node] = row
        effects = {target: b"\n".join(found) for target, found in step.sends.items()}, step.rows
        if self.laws.one_frame_a_step and part.sent.setdefault(offset, effects) != effects:
            raise Wrong(f"the replay of {part.place} {offset} is not identical")
        for target, found in step.sends.items():
            self._queue(part.place, target, Entry(part.place, offset, found))

    def _take(self, step: Step, message: object) -> None:
        while True:
            self.told[type(message).__name__] = self.told.get(type(message).__name__, 0) + 1
            if isinstance(message, Hit):
                self.leaves.hit(step, message)
            elif isinstance(message, SessionUser):
                self.leaves.session_user(step, message)
            else:
                identity.handle(step, message, self.leaves.settle, chunk=self.chunk)
            if not step.local:
                return
            message = step.local.popleft()
            if isinstance(message, Token):
                raise Wrong("a token did not go through the log")

    def _account(self, part: Partition, line: bytes) -> None:
        message = accounts_decoder.decode(line)
        if isinstance(message, TouchPut):
            touch = message.touch
            known = touch.at, touch.channel, touch.person
            if part.held.get((message.to, touch.id)) == known:
                raise Wrong(f"{message.to} was told twice of {touch.id}")
            part.held[message.to, touch.id] = known
        elif part.held.pop((message.to, message.id), None) is None:
            raise Wrong(f"{message.to} has {message.id} -1 times")

    def deliver(self, channel: tuple[Place, Place]) -> None:
        queue = self.channels[channel]
        if not self.laws.in_order:
            queue.rotate(self.rng.randrange(len(queue)))
        self.parts[channel[1]].log.append(queue.popleft())

    def crash(self, place: Place, depth: int = 0, *, lose: bool = True) -> None:
        """Go back to a snapshot; what was not yet durable is lost (or arrives twice) and is sent again."""
        self.crashes += 1
        part = self.parts[place]
        pending = [queue for (source, _), queue in self.channels.items() if source == place]
        durable = min((entry.order for queue in pending for entry in queue), default=1 << 60)
        usable = [i for i, kept in enumerate(part.snapshots) if kept[4] <= durable or not self.laws.sends_durable_first]
        if lose:
            for queue in pending:
                queue.clear()
        part.restore(usable[max(0, len(usable) - 1 - depth)], keep_marks=not self.laws.marks_roll_back)

    # --- schedules ---------------------------------------------------------------------------------------------

    def possible(self) -> list[tuple[str, object]]:
        found: list[tuple[str, object]] = [("deliver", c) for c in sorted(self.channels) if self.channels[c]]
        return found + [("work", p) for p in sorted(self.parts) if self.parts[p].next < len(self.parts[p].log)]

    def run(self, crashes: int = 0, limit: int = 20_000) -> None:
        """Do what is possible in random order, with crashes, until nothing is left to do."""
        rng = self.rng
        for _ in range(limit):
            possible = self.possible()
            if not possible:
                return
            if crashes and rng.randrange(6) == 0:
                place = rng.choice(sorted(self.parts))
                if rng.randrange(2):
                    self.parts[place].snapshot()
                else:
                    crashes -= 1
                    self.crash(place, rng.randrange(3), lose=bool(rng.randrange(2)))
                continue
            what, target = possible[rng.randrange(len(possible))]
            self.deliver(target) if what == "deliver" else self.work(target)
        raise Wrong(f"still busy after {limit} steps")

    def drain(self) -> None:
        """Everything in the plainest order."""
        while possible := self.possible():
            what, target = possible[0]
            self.deliver(target) if what == "deliver" else self.work(target)

    # --- what came of it ---------------------------------------------------------------------------------------

    def held(self) -> dict[tuple[str, str], tuple[int, str, str]]:
        """(account, touch) -> (time, content, person)."""
        return {k: v for part in self.parts.values() for k, v in part.held.items()}

    def rows(self) -> dict[str, IdentityRow]:
        return {node: row for part in self.parts.values() for node, row in part.rows.items()}
