"""What an event costs both stages, in one process on four partitions: as in a worker, but without Faust and Kafka.

    python -m bench.both_stages [--events N] [--before N]

Each record goes through ``compute`` on the worker's own store, which is saved as often as a worker saves; what stages tell
each other comes back as bundles, and everything that is produced is packed. Prints µs of CPU an event by part, as JSON.
To compare two versions run them together (``bench.side_by_side``).
"""

import argparse
import gc
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from bench.traffic import Crowd, Frame, pack
from schemas import topics
from stream import kafka
from stream.stages.bundles import bundled, companions
from stream.stages.compute import Output, Record, Stage, compute
from stream.stages.definitions import ACCOUNT, STITCH
from stream.stages.partition import SAVE_CHANGES
from stream.stages.store import PartitionStore

PARTITIONS: Final = 4
_TOGETHER: Final = 4
"""Frames that come in between two times that messages are delivered."""
_SLICE: Final = 20_000
"""Events that are made at a time."""

Taken = tuple[Stage, int, bytes, dict[str, bytes]]
"""Stage, partition, value and headers of a record."""


class Partitions:
    """Both stages on all partitions, and what was spent on them."""

    def __init__(self, folder: Path) -> None:
        self.spent: Counter[str] = Counter()
        """CPU seconds by part: stitch, account, save, pack."""
        self._stores = {
            stage.name: [PartitionStore(folder / f"{stage.name}-{number}") for number in range(PARTITIONS)]
            for stage in (STITCH, ACCOUNT)
        }

    def work(self, frames: Iterable[Frame], at: int) -> None:
        """Apply frames that came in at ``at`` (ms), and all that follows from them."""
        waiting = [(STITCH, frame.partition, frame.value, {topics.PACKER_HEADER: b"1"}) for frame in frames]
        told: list[Taken] = []
        while waiting or told:
            outputs = [output for taken in waiting[:_TOGETHER] + told for output in self._apply(at, *taken)]
            del waiting[:_TOGETHER]
            told = [
                (stage, output.partition, output.value, dict(output.headers))
                for stage in (STITCH, ACCOUNT)
                for output in bundles([output for output in outputs if output.topic == stage.input])
            ]

    def _apply(self, at: int, stage: Stage, number: int, value: bytes, headers: dict[str, bytes]) -> list[Output]:
        store = self._stores[stage.name][number]
        record = Record(store.next_offset, at, value, headers)
        times = [time.process_time()]
        outputs = compute(stage, store, record, partition=number, partitions=PARTITIONS)
        times.append(time.process_time())
        if store.changes >= SAVE_CHANGES:
            store.commit(store.seal())
        times.append(time.process_time())
        for output in outputs:
            kafka.packed(output.value)
        times.append(time.process_time())
        for part, began, ended in zip((stage.name, "save", "pack"), times, times[1:], strict=False):
            self.spent[part] += ended - began
        return outputs


def bundles(outputs: list[Output]) -> Iterator[Output]:
    """What a worker makes of outputs for one topic; the list is empty after that."""
    while outputs:
        chosen = companions(outputs)
        yield bundled([outputs[number] for number in chosen])
        for number in reversed(chosen):
            del outputs[number]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.both_stages", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=300_000, help="that are measured (default %(default)s)")
    parser.add_argument("--before", type=int, default=100_000, help="that come before (default %(default)s)")
    given = parser.parse_args()
    crowd = Crowd()
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as folder:
        partitions = Partitions(Path(folder))
        partitions.work(pack(crowd.introductions()), crowd.at)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # as a worker
        _play(partitions, crowd, given.before)
        partitions.spent.clear()
        events = _play(partitions, crowd, given.events)
    spent = {part: round(1e6 * seconds / events, 2) for part, seconds in partitions.spent.items()}
    sys.stdout.buffer.write(msgspec.json.encode(spent) + b"\n")


def _play(partitions: Partitions, crowd: Crowd, count: int) -> int:
    """At least ``count`` events; returns how many."""
    slices = -(-count // _SLICE)
    for _ in range(slices):
        frames = pack(crowd.traffic(_SLICE))
        partitions.work(frames, crowd.at)
    return slices * _SLICE


if __name__ == "__main__":
    main()
