"""What ``bench.identity_share`` looks at: the stitch stage on four partitions and a site's traffic, without Faust.

State is warm: every visitor was there a month ago, the known ones said who they are, and the CRM has all people, their
accounts and deals. Then each frame goes through ``compute`` on the worker's own store, which is saved as often as a
worker saves. ``event_frame``, ``message_frame`` and ``saved`` are functions, so that who samples the stack can tell them
apart.

Prints the events, the CPU seconds they took, the messages between partitions, and the part of what was saved that is
identity's.
"""

import gc
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench.both_stages import PARTITIONS, bundles
from bench.stage import DEALS, FRAME, START, VISITORS, Site, Visit, known_deal
from schemas import topics
from schemas.codec import lines, state_encoder
from schemas.event import Event
from schemas.ids import partition_of
from stream.core.seen import Seen, record_key
from stream.stages.compute import Output, Record, compute
from stream.stages.definitions import STITCH
from stream.stages.partition import SAVE_CHANGES
from stream.stages.store import Batch, PartitionStore

_FRAMES_TOGETHER = 2
"""Frames that a worker that is late takes while messages wait for others (``stream.stages.outbox``): 50 ms each."""
_SUBSCRIBERS_AND_REGISTRIES = ("s\0", "r\0")
_DAY = 86_400_000


Taken = tuple[int, bytes, dict[str, bytes]]
"""Partition, value and headers of a record."""


class Partitions:
    """The stitch stage on all partitions of a topic; what nodes tell each other comes back as records."""

    def __init__(self, folder: Path) -> None:
        self.stores = [PartitionStore(folder / str(number)) for number in range(PARTITIONS)]
        self.messages = 0
        self.saved_bytes = {True: 0, False: 0}
        """Bytes written, by whether they are identity's."""

    def apply(self, at: int, events: list[Event]) -> None:
        """Events of a moment, a frame to each partition, and all that follows."""
        frames: list[list[Event]] = [[] for _ in self.stores]
        for event in events:
            frames[partition_of(event.node, PARTITIONS)].append(event)
        packed = {topics.PACKER_HEADER: b"1"}
        waiting = [(number, lines(frame), packed) for number, frame in enumerate(frames) if frame]
        told: list[Taken] = []
        while waiting or told:
            told = self._take(at, waiting[:_FRAMES_TOGETHER] + told)
            del waiting[:_FRAMES_TOGETHER]

    def _take(self, at: int, records: list[Taken]) -> list[Taken]:
        """Records, and what follows from them, bundled as a worker does."""
        told: list[Output] = []
        for number, value, headers in records:
            store = self.stores[number]
            run = message_frame if topics.KIND_HEADER in headers else event_frame
            outputs = run(store, Record(store.next_offset, at, value, headers), number)
            if store.changes >= SAVE_CHANGES:
                self._count(saved(store))
            told += [output for output in outputs if output.topic == topics.EVENTS]
        self.messages += sum(output.value.count(b"\n") + 1 for output in told)
        return [(output.partition, output.value, dict(output.headers)) for output in bundles(told)]

    def _count(self, batch: Batch) -> None:
        for name, value in batch.values.items():
            size, node = len(name) + len(value or b""), 0
            if name.startswith(_SUBSCRIBERS_AND_REGISTRIES):
                node = size
            elif value and name.startswith(record_key("")) and name.count("\0") == 1:
                state = msgspec.msgpack.decode(value, type=Seen).node
                node = 0 if state is None else len(state_encoder.encode(state))
            self.saved_bytes[True] += node
            self.saved_bytes[False] += size - node


def event_frame(store: PartitionStore, record: Record, number: int) -> list[Output]:
    """A frame of events."""
    return compute(STITCH, store, record, partition=number, partitions=PARTITIONS)


def message_frame(store: PartitionStore, record: Record, number: int) -> list[Output]:
    """A frame of messages between nodes: identity, all of it."""
    return compute(STITCH, store, record, partition=number, partitions=PARTITIONS)


def saved(store: PartitionStore) -> Batch:
    """State, encoded and written."""
    batch = store.seal()
    store.commit(batch)
    return batch


def warm_up(partitions: Partitions) -> None:
    """A month ago."""
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
    for begin in range(0, DEALS, 1000):
        partitions.apply(at, [known_deal(number, at) for number in range(begin, begin + 1000)])


def _contact(person: int, at: int) -> Event:
    email, said = f"person{person}@company{person % 4000}.example", b'{"account_id":"acct-%d"}' % (person % 4000)
    return Event(
        id=f"warm-contact-{person}", node=f"default/u:contact:{person}", type="crm.contact", at=at, received_at=at + 120,
        platform="server", source="crm", protocol="crm", email=email, properties=msgspec.Raw(said),
    )  # fmt: skip


def work(partitions: Partitions, moments: list[tuple[int, list[Event]]]) -> None:
    """The measured part."""
    for at, events in moments:
        partitions.apply(at, events)


def main() -> None:
    count = int(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as folder:
        partitions = Partitions(Path(folder))
        warm_up(partitions)
        site = Site(1)
        for _ in range(10):
            partitions.apply(*site.frame(FRAME * PARTITIONS))
        moments = [site.frame(FRAME * PARTITIONS) for _ in range(max(1, count // (FRAME * PARTITIONS)))]
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # as a worker
        partitions.messages, partitions.saved_bytes = 0, {True: 0, False: 0}
        began = time.process_time()
        work(partitions, moments)
        spent = time.process_time() - began
    total = sum(partitions.saved_bytes.values())
    said = {
        "events": sum(len(events) for _, events in moments),
        "cpu_s": spent,
        "messages": partitions.messages,
        "identity_part_of_saved_bytes": partitions.saved_bytes[True] / max(1, total),
    }
    sys.stdout.write(msgspec.json.encode(said).decode() + "\n")


if __name__ == "__main__":
    main()
