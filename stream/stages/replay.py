"""Both stages along their own logs, partition by partition: what the numbers are if every record counts where it lies.

``stream.stages.recompute`` takes the events alone, in an order of its own, and works as long as the order does not matter.
It does once rules have changed in mid-stream: then each number depends on which side of the change a record lies, on its
own partition. So here nothing is reordered. Messages are taken from the log where their reader found them, and what each
record says to others is compared with what lies there (``exchange``). If both agree, nothing on the log is there but the
events, the rules and what follows from them. ``touchline verify`` gives it ``IN_PYTHON``, as ``recompute`` says.

    replay = Replay(path, IN_PYTHON, partitions=4, on_output=outputs.append)
    replay.apply("accounts", 3, record)       every record of a partition, from its first one on
    replay.finish("accounts", 3)
    replay.exchange.differences()
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from schemas import topics
from stream.stages.compute import Output, Record, Sources, Stage, compute, sources_of, unapplied
from stream.stages.exchange import Exchange
from stream.stages.store import PartitionStore


class Replay:
    """``on_output`` gets what leaves the pipeline: facts, alerts, dead letters."""

    def __init__(
        self, path: Path, stages: Mapping[str, Stage], *, partitions: int, on_output: Callable[[Output], None]
    ) -> None:
        self.path = path
        self.partitions = partitions
        self.on_output = on_output
        self.exchange = Exchange()
        self._stages = {stage.input: stage for stage in stages.values()}
        self._stores: dict[tuple[str, int], PartitionStore] = {}

    def apply(self, topic: str, partition: int, record: Record) -> None:
        """Apply the next record of ``events`` or ``accounts``."""
        stage = self._stages[topic]
        store = self._store(stage, partition)
        for source, order, value in unapplied(store.marks, record.value, _told(stage, record)):
            self.exchange.found(topic, partition, source, order, value)
        for output in compute(stage, store, record, partition=partition, partitions=self.partitions):
            if output.topic in self._stages:
                self.exchange.sent(output)
            else:
                self.on_output(output)
        store.commit(store.seal())

    def finish(self, topic: str, partition: int) -> None:
        """Give up the state of a partition whose records are all applied."""
        store = self._stores.pop((topic, partition), None)
        if store is not None:
            store.close()

    def close(self) -> None:
        """Give up all state."""
        for topic, partition in list(self._stores):
            self.finish(topic, partition)

    def _store(self, stage: Stage, partition: int) -> PartitionStore:
        place = (stage.input, partition)
        if place not in self._stores:
            self._stores[place] = PartitionStore(self.path / stage.name / str(partition))
        return self._stores[place]


def _told(stage: Stage, record: Record) -> Sources:
    """Where a message comes from; nothing of what is none. One without a source is refused and changes nothing."""
    kind = record.headers.get(topics.KIND_HEADER) or stage.default_kind.encode()
    return [] if kind != topics.MESSAGE_FRAME.encode() else sources_of(record) or []
