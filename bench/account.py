"""Cost of one touch in the account stage on a journey of 10 and of 10,000 touches, in the same run.

    python -m bench.account [--rounds N]

On the worker's own partition store (RocksDB in a temporary folder). ``core`` is the decision alone, ``stored`` adds
encoding the changed state and writing it. CPU time of the worker's thread; rounds of the two sizes alternate and the
fastest counts, so that what else the machine does hits neither side.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from schemas import topics
from schemas.codec import lines
from schemas.messages import Account, Conversion, ConversionPut, Touch, TouchPut
from schemas.rules import Rules
from stream.core.account import frame_step
from stream.core.step import Step
from stream.stages.store import PartitionStore

_DAY = 86_400_000
_NOW = 1_760_000_000_000
_SIZES = (10, 10_000)
_ACCOUNTS = 10
"""One message to each makes a record, about what one frame of events gives one partition."""
_RULES = Rules()
_CHANNELS = ("Direct", "Email", "Organic Search", "Paid Search")


def touch(number: int, at: int) -> Touch:
    return Touch(
        id=f"{number:032x}",
        at=at,
        type="session",
        channel=_CHANNELS[number % 4],
        person=f"default/e:person{number % 20}@example.com",
        node=f"default/v:{number % 40}",
        utm_source="newsletter",
        utm_campaign="spring",
        session_id=f"{number:032x}",
        points=1000 + number % 7 * 1000,
        last_at=at + 60_000,
    )


class Partition:
    """A partition with journeys of one size, each with a deal won at its end; touches go on after it."""

    def __init__(self, size: int, folder: Path) -> None:
        self.store = PartitionStore(folder / str(size))
        self.accounts = [f"default/a:company-{size}-{n}" for n in range(_ACCOUNTS)]
        self.told: list[bytes] = []
        """What accounts told themselves."""
        self.number = size
        self.at = _NOW
        for account in self.accounts:
            spacing = 150 * _DAY // size
            first = _NOW - 150 * _DAY
            self.apply([TouchPut(account, _NOW, "e", "new", touch(n, first + n * spacing)) for n in range(size)])
            deal = Conversion("deal-" + account, _NOW - 1, "won", "default/e:person1@example.com", "o", 100_00, "EUR")
            self.apply([ConversionPut(account, _NOW, "e", "new", deal)])
        while self.told:  # a large journey is booked in turns; then its ledger is no longer behind
            told, self.told = self.told, []
            for frame in told:
                self.apply_frame(frame)

    def apply(self, messages: list[Account]) -> tuple[float, float]:
        """Seconds of the core, and of the core with storing."""
        return self.apply_frame(lines(messages))

    def apply_frame(self, frame: bytes) -> tuple[float, float]:
        """The same of messages as they lie on the log."""
        start = time.thread_time()
        step = Step(self.store, _RULES, partition=0, partitions=1, offset=self.store.next_offset, at=_NOW)
        frame_step(step, frame)
        decided = time.thread_time()
        self.store.advance(self.store.next_offset + 1)
        self.store.commit(self.store.seal())
        stored = time.thread_time()
        self.told += step.sends.get((topics.ACCOUNTS, 0), [])
        return decided - start, stored - start

    def new_touches(self, records: int) -> Iterator[list[Account]]:
        """A touch after the last conversion to each account: the common case."""
        for _ in range(records):
            self.number += 1
            self.at += 600_000
            t = touch(self.number, self.at)
            yield [TouchPut(account, self.at, "e", "new", t) for account in self.accounts]

    def updated_touches(self, records: int) -> Iterator[list[Account]]:
        """The newest session goes on: the same touch with more points."""
        for n in range(records):
            t = touch(self.number, self.at)
            grown = Touch(**{f: getattr(t, f) for f in t.__struct_fields__} | {"points": t.points + n + 1})
            yield [TouchPut(account, self.at, "e", "changed", grown) for account in self.accounts]

    def late_touches(self, records: int) -> Iterator[list[Account]]:
        """A touch that is 40 days late, on a journey whose only conversion was before it."""
        for n in range(records):
            self.number += 1
            t = touch(self.number, _NOW + n)
            yield [TouchPut(account, self.at + 40 * _DAY, "e", "late", t) for account in self.accounts]


def measure(
    partitions: list[Partition], what: Callable[[Partition, int], Iterator[list[Account]]], rounds: int
) -> None:
    """Fastest round per size, alternating."""
    best = [(9e9, 9e9)] * len(partitions)
    for _ in range(rounds):
        for i, partition in enumerate(partitions):
            records = list(what(partition, 40))
            times = [partition.apply(record) for record in records]
            messages = sum(map(len, records))
            best[i] = tuple(min(b, sum(t) / messages) for b, t in zip(best[i], zip(*times, strict=True), strict=True))
    (small_core, small), (large_core, large) = best
    print(
        f"{what.__name__:16}  core {small_core * 1e6:6.1f} and {large_core * 1e6:6.1f} us  x{large_core / small_core:.2f}"
        f"    stored {small * 1e6:6.1f} and {large * 1e6:6.1f} us  x{large / small:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    folder = Path(tempfile.mkdtemp(prefix="touchline-bench-"))
    try:
        partitions = [Partition(size, folder) for size in _SIZES]
        print(f"one touch put, on journeys of {_SIZES[0]} and {_SIZES[1]:,} touches")
        for what in (Partition.new_touches, Partition.updated_touches, Partition.late_touches):
            measure(partitions, what, rounds)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
