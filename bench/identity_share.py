"""What identity costs in the stitch stage: its part of the CPU time, on traffic like a real site's.

    python -m bench.identity_share [--events N]

The traffic of ``bench.stage`` (three in ten visitors are known people of 4,000 companies), on four partitions, so that
most messages between nodes go through the log as in a worker. State is warm: every visitor was there once. Each frame
goes through ``compute`` on the worker's own store and is saved as often as a worker saves; while it does, a timer
interrupts every millisecond of CPU time and looks at the stack.

Identity is: everything within ``stream/core/identity`` and ``leaf.settle`` (claims, links, owners, messages, rows of
``identity``), whole records of messages with their decoding and packing, and of saving state the part of its bytes
that are nodes (a visitor's lies in its record), subscribers or registries. The sessions' and touches' own work is not,
though each asks whose it is; that question is.
"""

import gc
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Self

import msgspec

from bench.command import run
from bench.figure import Figure
from bench.place import Broker
from bench.scale import Scale
from bench.stage import FRAME, START, VISITORS, Site, Visit
from schemas import topics
from schemas.codec import lines, state_encoder
from schemas.event import Event
from schemas.ids import partition_of
from stream.core import identity, leaf
from stream.core.seen import Seen, record_key
from stream.stages.compute import Record, compute
from stream.stages.definitions import STITCH
from stream.stages.partition import SAVE_CHANGES
from stream.stages.store import Batch, PartitionStore

_PARTITIONS = 4
_MOST_EVENTS = 100_000
_EVERY_S = 0.001
_FOLDER = str(Path(identity.__file__).parent)
_SETTLE = leaf.settle.__code__
_NODES = ("n\0", "s\0", "r\0")
_DAY = 86_400_000


class Clock:
    """Samples what the interpreter is doing: ``spent["identity"]``, ``["other"]``, ``["saving"]``; "apart" is the load itself."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.doing = "apart"
        """What all the time goes to until further notice; "" decides by the stack."""
        self.cpu_s = 0.0

    def __enter__(self) -> Self:
        self.cpu_s = 0.0
        signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    @contextmanager
    def running(self, doing: str) -> Iterator[None]:
        """The product's own work, which ``doing`` is."""
        self.doing = doing
        began = time.process_time()
        try:
            yield
        finally:
            self.cpu_s += time.process_time() - began
            self.doing = "apart"

    def _tick(self, _number: int, frame: FrameType | None) -> None:
        self.spent[self.doing or ("identity" if is_identity(frame) else "other")] += 1


def is_identity(frame: FrameType | None) -> bool:
    """Whether identity is at work in the innermost function or in one that waits for it."""
    while frame is not None:
        if frame.f_code is _SETTLE or frame.f_code.co_filename.startswith(_FOLDER):
            return True
        frame = frame.f_back
    return False


class Partitions:
    """The stitch stage on all partitions of a topic; what nodes tell each other comes back as records."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.stores = [PartitionStore(folder / str(number)) for number in range(_PARTITIONS)]
        self.clock = clock
        self.saved: Counter[bool] = Counter()
        """Bytes written, by whether they are identity's."""
        self.messages = 0

    def apply(self, at: int, events: list[Event]) -> None:
        """Events of a moment, a frame to each partition, and all that follows."""
        frames: list[list[Event]] = [[] for _ in self.stores]
        for event in events:
            frames[partition_of(event.node, _PARTITIONS)].append(event)
        packed = {topics.PACKER_HEADER: b"1"}
        records = [(number, lines(frame), packed) for number, frame in enumerate(frames) if frame]
        while records:
            number, value, headers = records.pop(0)
            store = self.stores[number]
            record = Record(store.next_offset, at, value, headers)
            with self.clock.running("identity" if topics.KIND_HEADER in headers else ""):
                outputs = compute(STITCH, store, record, partition=number, partitions=_PARTITIONS)
            if store.changes >= SAVE_CHANGES:
                with self.clock.running("saving"):
                    batch = store.seal()
                    store.commit(batch)
                self._count(batch)
            told = [o for o in outputs if o.topic == topics.EVENTS]
            self.messages += sum(o.value.count(b"\n") + 1 for o in told)
            records += [(o.partition, o.value, dict(o.headers)) for o in told]

    def _count(self, batch: Batch) -> None:
        for name, value in batch.values.items():
            size, node = len(name) + len(value or b""), 0
            if name.startswith(_NODES):
                node = size
            elif value and name.startswith(record_key("")) and name.count("\0") == 1:
                visitor = msgspec.msgpack.decode(value, type=Seen).node
                node = 0 if visitor is None else len(state_encoder.encode(visitor))
            self.saved[True] += node
            self.saved[False] += size - node


def measure(_broker: Broker, scale: Scale) -> Iterator[Figure]:
    """One figure; it needs no broker."""
    folder = Path(tempfile.mkdtemp(prefix="touchline-bench-"))
    clock = Clock()
    try:
        partitions = Partitions(folder, clock)
        _warm_up(partitions)
        site = Site(1)
        for _ in range(10):
            partitions.apply(*site.frame(FRAME * _PARTITIONS))
        moments = [
            site.frame(FRAME * _PARTITIONS) for _ in range(min(scale.events, _MOST_EVENTS) // (FRAME * _PARTITIONS))
        ]
        gc.collect()
        gc.freeze()
        partitions.saved.clear()
        partitions.messages = 0
        with clock:
            for at, events in moments:
                partitions.apply(at, events)
    finally:
        gc.unfreeze()
        shutil.rmtree(folder)
    yield _figure(clock, partitions, sum(len(events) for _, events in moments))


def _warm_up(partitions: Partitions) -> None:
    """Every visitor was here a month ago; the known ones said who they are; the CRM has all people and their accounts."""
    at = START - 30 * _DAY
    for begin in range(0, VISITORS, 1000):
        events = []
        for number in range(begin, begin + 1000):
            visit = Visit(Site(number).rng, number)
            visit.left = 5  # so that the second event is the identify of those who have one
            at += 2
            events += [visit.next(f"warm-{number}-{i}", at + i * 40_000) for i in range(2)]
            events.append(_contact(number, at))
        partitions.apply(at, events)


def _contact(person: int, at: int) -> Event:
    email, said = f"person{person}@company{person % 4000}.example", b'{"account_id":"acct-%d"}' % (person % 4000)
    return Event(
        id=f"warm-contact-{person}", node=f"default/e:{email}", type="crm.contact", at=at, received_at=at + 120,
        platform="server", source="crm", protocol="crm", email=email, properties=msgspec.Raw(said),
    )  # fmt: skip


def _figure(clock: Clock, partitions: Partitions, events: int) -> Figure:
    spent, saved = clock.spent, partitions.saved
    del spent["apart"]
    part = saved[True] / max(1, saved.total())
    ours = (spent["identity"] + spent["saving"] * part) / spent.total()
    us = {what: 1e6 * clock.cpu_s * count / spent.total() / events for what, count in spent.items()}
    return Figure(
        name="identity's share", value=100 * ours, unit=" %", must=10, more_is_better=False,
        measured=f"{ours * sum(us.values()):.1f} of {sum(us.values()):.1f} us an event of the stitch stage, {events:,} events",
        details={f"{what}_us": round(cost, 2) for what, cost in us.items()} | {
            "identity_part_of_saved_bytes": round(part, 3), "samples": float(spent.total()),
            "messages_per_event": round(partitions.messages / events, 3),
        },
    )  # fmt: skip


if __name__ == "__main__":
    run("identity_share")
