"""Cost of one touch on a journey of 10,000 touches over that on one of 10: decided, encoded and stored.

    python -m bench.account_cost

The common case, a new touch, is the figure; a session that goes on and a touch that comes 40 days late are beside it.
Rounds alternate between the sizes and the fastest counts (``bench.account`` has the setting).
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.account import Partition
from bench.command import run
from bench.figure import Figure
from bench.place import Broker
from bench.scale import Scale

_ROUNDS = 15
_RECORDS = 40
_SIZES = (10, 10_000)
_CASES = (Partition.new_touches, Partition.updated_touches, Partition.late_touches)


def measure(_broker: Broker, _scale: Scale) -> Iterator[Figure]:
    """One figure; it needs no broker."""
    folder = Path(tempfile.mkdtemp(prefix="touchline-bench-"))
    try:
        partitions = [Partition(size, folder) for size in _SIZES]
        costs = {case.__name__: [us * 1e6 for us in fastest(partitions, case)] for case in _CASES}
    finally:
        shutil.rmtree(folder)
    small, large = costs["new_touches"]
    yield Figure(
        name="account cost", value=large / small, unit=" x", must=1.5, aim=1.1, more_is_better=False,
        measured=f"{small:.0f} us a touch at 10 touches, {large:.0f} us at 10,000",
        details={f"{case}_ratio": round(much / little, 3) for case, (little, much) in costs.items()},
    )  # fmt: skip


def fastest(partitions: list[Partition], case: Callable) -> list[float]:
    """Seconds a message, for each size."""
    best = [float("inf")] * len(partitions)
    for _ in range(_ROUNDS):
        for i, partition in enumerate(partitions):
            records = list(case(partition, _RECORDS))
            seconds = sum(partition.apply(record)[1] for record in records)
            best[i] = min(best[i], seconds / sum(map(len, records)))
    return best


if __name__ == "__main__":
    run("account_cost")
