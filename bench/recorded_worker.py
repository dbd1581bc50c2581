"""A worker process whose core is a recording: what the real one decided for the same records, looked up.

    python -m bench.recorded_worker record FILE     the real worker, which also notes what its core does (and is slower)
    python -m bench.recorded_worker play FILE       the real worker, with a look-up in the place of its core

The worker is that of ``stream.stages``: Faust, fetches, partitions, store, producer and checkpoints. While it plays, a
record's lines are not decoded; the names that the core asked the state for are asked for, what it put is put, and its
rows and messages go out, all as the same bytes. Control records are few, and the real core takes them.
"""

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.codec import state_encoder
from stream.core.lines import Lines
from stream.core.state import Records, S, State, asking
from stream.core.step import Step
from stream.settings import Settings
from stream.stages import bundles, heap
from stream.stages.compute import Stage
from stream.stages.definitions import STAGES
from stream.stages.worker import main

Key = tuple[str, int, bytes, bytes]
"""A record without its place, which is another in each run: stage, number of lines, the first and the last of them."""
Scan = tuple[str, str, bool, int | None]
"""Prefix, start, reverse, limit."""
_LENGTH: Final = 4
_RAW: Final = msgspec.json.Decoder(msgspec.Raw)


class Unrecorded(BaseException):
    """A record that the recording does not have. No Exception: the worker would take it for a bug of the core."""


class Effects(msgspec.Struct):
    """What the core did on one record."""

    key: Key
    reads: list[str]
    scans: list[Scan]
    puts: list[tuple[str, bytes]]
    deletes: list[str]
    rows: dict[str, Lines]
    sends: list[tuple[str, int, list[bytes]]]


class Noted:
    """A ``State`` that notes what is asked of it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.reads: dict[str, None] = {}
        self.scans: list[Scan] = []
        self.changes: dict[str, msgspec.Struct | bytes | None] = {}

    @property
    def records(self) -> Records:
        """See ``State.records``."""
        return asking(self)

    def get(self, name: str, type_: type[S], /) -> S | None:
        """See ``State.get``."""
        self.reads[name] = None
        return self._state.get(name, type_)

    def get_packed(self, name: str, /) -> bytes | None:
        """See ``State.get_packed``."""
        self.reads[name] = None
        return self._state.get_packed(name)

    def put(self, name: str, value: msgspec.Struct | bytes, /) -> None:
        """See ``State.put``."""
        self.changes[name] = value
        self._state.put(name, value)

    def delete(self, name: str, /) -> None:
        """See ``State.delete``."""
        self.changes[name] = None
        self._state.delete(name)

    def scan(
        self, prefix: str, type_: type[S], /, *, start: str = "", reverse: bool = False, limit: int | None = None
    ) -> list[tuple[str, S]]:
        """See ``State.scan``."""
        self.scans.append((prefix, start, reverse, limit))
        return self._state.scan(prefix, type_, start=start, reverse=reverse, limit=limit)

    def effects(self, key: Key, step: Step) -> Effects:
        """All of a step that is done."""
        changes = self.changes.items()
        return Effects(
            key=key,
            reads=list(self.reads),
            scans=self.scans,
            puts=[
                (name, value if isinstance(value, bytes) else state_encoder.encode(value))
                for name, value in changes
                if value is not None
            ],
            deletes=[name for name, value in changes if value is None],
            rows=step.rows,
            sends=[(topic, partition, lines) for (topic, partition), lines in step.sends.items()],
        )


class Recorder:
    """Writes what the core does into a file, record by record."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)  # a worker may end without closing anything

    def recorded(self, stage: Stage) -> Stage:
        """``stage``, observed."""
        return _replaced(stage, {kind: self._observed(stage, kind) for kind in stage.decoders})

    def _observed(self, stage: Stage, kind: str) -> Callable[[Step, Any], None]:
        core, decode = stage.apply[kind], stage.decoders[kind].decode

        def observe(step: Step, items: Sequence[Any] | bytes) -> None:
            state = step.state
            noted = step.state = Noted(state)
            core(step, items if isinstance(items, bytes) else [decode(item) for item in items])
            step.state = state
            assert not step.refused, "the events of a benchmark are all good"
            packed = state_encoder.encode(noted.effects(_key(stage, items), step))
            self._file.write(len(packed).to_bytes(_LENGTH) + packed)

        return observe


class Ready(msgspec.Struct):
    """The same effects as ``Effects``, as the store and the step take them."""

    reads: list[str]
    scans: list[Scan]
    puts: list[tuple[str, bytes]]
    deletes: list[str]
    rows: dict[str, Lines]
    sends: dict[tuple[str, int], list[bytes]]


class Player:
    """Does what a recording says. Records of equal content are equal in what is done, or take turns."""

    def __init__(self, path: Path) -> None:
        self._ready: dict[Key, deque[Ready]] = {}
        self._done: list[Ready] = []
        """Kept: a heap of its holes makes every allocation slow, a seventh of all that was measured."""
        decoder = msgspec.msgpack.Decoder(Effects)
        with path.open("rb") as file:
            while length := file.read(_LENGTH):
                found = decoder.decode(file.read(int.from_bytes(length)))
                sends = {(topic, partition): lines for topic, partition, lines in found.sends}
                ready = Ready(found.reads, found.scans, found.puts, found.deletes, found.rows, sends)
                self._ready.setdefault(found.key, deque()).append(ready)

    def played(self, stage: Stage) -> Stage:
        """``stage``, without its core."""
        return _replaced(stage, {kind: self._recalled(stage, kind) for kind in stage.decoders})

    def _recalled(self, stage: Stage, kind: str) -> Callable[[Step, Any], None]:
        def recall(step: Step, items: Sequence[Any] | bytes) -> None:
            waiting = self._ready.get(_key(stage, items))
            if not waiting:
                raise Unrecorded(f"{stage.name}: {step.partition}/{step.offset}, a {kind}")
            found, state = waiting.popleft(), step.state
            self._done.append(found)
            undecoded: Any = msgspec.Raw
            for name in found.reads:
                state.get_packed(name)
            for prefix, start, reverse, limit in found.scans:
                state.scan(prefix, undecoded, start=start, reverse=reverse, limit=limit)
            for name, put in found.puts:
                state.put(name, put)
            for name in found.deletes:
                state.delete(name)
            step.rows, step.sends = found.rows, found.sends

        return recall


def _key(stage: Stage, items: Sequence[Any] | bytes) -> Key:
    lines = items.split(b"\n") if isinstance(items, bytes) else items
    return stage.name, len(lines), bytes(lines[0]), bytes(lines[-1])


def _replaced(stage: Stage, apply: Mapping[str, Callable[[Step, Any], None]]) -> Stage:
    raw = dict.fromkeys(stage.decoders, _RAW)
    return msgspec.structs.replace(stage, decoders=raw, apply={**stage.apply, **apply})


if __name__ == "__main__":
    heap.use_jemalloc()
    mode, where = sys.argv[1], Path(sys.argv[2])
    bundles.LARGEST = 0  # what is bundled with what differs from run to run, and would not be found again
    replaced = Recorder(where).recorded if mode == "record" else Player(where).played
    main(Settings.from_env(os.environ), {name: replaced(stage) for name, stage in STAGES.items()})
