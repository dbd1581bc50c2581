"""Both stages in one thread, without a broker: what the numbers are if everything is computed again from ``events``.

The same ``compute`` as in a worker, over in-memory logs, run until nothing is left to do. ``touchline verify`` compares
the result with ClickHouse; the simulation tests compare it with runs that crashed. Both give it ``IN_PYTHON``, the stages
without what is compiled (``stream.core.everyday``), so that what workers made in C is checked by what Python makes.

    recompute = Recompute(path, IN_PYTHON, partitions=1, on_output=outputs.append)
    recompute.feed("events", 0, value, at=..., headers={})
    recompute.settle()
"""

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from schemas import topics
from schemas.address import parse
from stream.stages.admission import Home
from stream.stages.compute import Output, Record, Stage, compute
from stream.stages.store import PartitionStore

_SETTLE_EVERY: Final = 2000
"""Frames fed before the messages between partitions are worked off: bounds memory, changes no number."""
_JOINED_BYTES: Final = 2 << 20
"""Of messages to accounts that are applied as one record."""
Waiting = tuple[int, bytes, dict[str, bytes], Home | None]
"""A record that is to be applied: append time, value, headers, home."""


class Recompute:
    """The pipeline as a plain object. ``on_output`` gets what leaves it: facts, alerts, dead letters."""

    def __init__(
        self, path: Path, stages: Mapping[str, Stage], *, partitions: int, on_output: Callable[[Output], None]
    ) -> None:
        self.partitions = partitions
        self.on_output = on_output
        self._stages = {stage.input: stage for stage in stages.values()}
        self._stores = {
            (stage.input, number): PartitionStore(path / stage.name / str(number))
            for stage in stages.values()
            for number in range(partitions)
        }
        self._queues: dict[tuple[str, int], deque[Waiting]] = {place: deque() for place in self._stores}
        self._waiting = 0

    def feed(
        self,
        topic: str,
        partition: int,
        value: bytes,
        *,
        at: int,
        headers: dict[str, bytes],
        home: Home | None = None,
    ) -> None:
        """Append a record to ``events`` or ``accounts``; ``home`` is the partition that it really lies in."""
        self._queues[topic, partition % self.partitions].append((at, value, headers, home))
        self._waiting += 1
        if self._waiting >= _SETTLE_EVERY:
            self.settle()

    def settle(self) -> None:
        """Work until every queue is empty."""
        self._waiting = 0
        busy = True
        while busy:
            busy = False
            for place, queue in self._queues.items():
                while queue:
                    busy = True
                    self._advance(place, *(_joined(queue) if place[0] == topics.ACCOUNTS else queue.popleft()))

    def close(self) -> None:
        """Give up the state."""
        for store in self._stores.values():
            store.close()

    def _advance(
        self, place: tuple[str, int], at: int, value: bytes, headers: dict[str, bytes], home: Home | None
    ) -> None:
        topic, partition = place
        store = self._stores[place]
        record = Record(store.next_offset, at, value, headers, home)
        outputs = compute(self._stages[topic], store, record, partition=partition, partitions=self.partitions)
        for output in outputs:
            if output.topic in (topics.EVENTS, topics.ACCOUNTS):
                self._queues[output.topic, output.partition].append((at, output.value, dict(output.headers), None))
            else:
                self.on_output(output)
        store.commit(store.seal())


def _joined(queue: deque[Waiting]) -> Waiting:
    """The next records of one source as one, up to ``_JOINED_BYTES``.

    Out of order, every late touch moves credit of all touches of its account. Taken together, the account is restated
    once: the same sums in a fraction of the rows.
    """
    at, value, headers, home = queue.popleft()
    values, size = [value], len(value)
    while queue and size + len(queue[0][1]) < _JOINED_BYTES and _source(queue[0][2]) == _source(headers) is not None:
        at, value, headers, home = queue.popleft()
        values.append(value)
        size += len(value)
    return at, b"\n".join(values), headers, home


def _source(headers: dict[str, bytes]) -> tuple[str, bytes | None] | None:
    address = headers.get(topics.SOURCE_HEADER)
    return None if address is None else (parse(address)[0], headers.get(topics.KIND_HEADER))
