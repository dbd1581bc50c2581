"""Whoever takes a partition over from its checkpoints has the state of one moment, whatever became of earlier owners."""

import asyncio
import shutil

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.state import Example, key
from stream.stages.checkpoint import checkpoint, restore, written_ahead
from stream.stages.store import PartitionStore
from tests.support.state_topic import StateTopic
from tests.support.toy import TOY

NAMES = [key("n", letter) for letter in "abc"]
DISKS = ("first", "second")


def effect(offset: int) -> tuple[str, int | None]:
    """Which object record ``offset`` writes, and what; every fourth removes one."""
    return NAMES[offset * 7 % 5 % len(NAMES)], None if offset % 4 == 3 else offset


def apply(store: PartitionStore, offset: int) -> None:
    name, count = effect(offset)
    if count is None:
        store.delete(name)
    else:
        store.put(name, Example(count))
    store.advance(offset + 1)


def state_after(end: int) -> dict[str, int]:
    """What the records below ``end`` make: of each object the last that was written, if it was not removed."""
    last = dict(map(effect, range(end)))
    return {name: count for name, count in last.items() if count is not None}


def state_of(store: PartitionStore) -> dict[str, int]:
    return {name: found.count for name in NAMES if (found := store.get(name, Example)) is not None}


class Cluster:
    """A partition that goes from worker to worker; only one of them has it at a time."""

    def __init__(self, path) -> None:
        self.path = path
        self.topic = StateTopic()
        self.whole = 0
        self.owners = 0
        self.store: PartitionStore | None = None

    async def take_over(self, disk: str, *, wiped: bool) -> None:
        """The owner before is killed; the new one has what its disk still knows, or the last checkpoint."""
        if self.store is not None:
            self.store.close()
        if wiped:
            shutil.rmtree(self.path / disk, ignore_errors=True)
        self.owners += 1
        self.store = PartitionStore(self.path / disk)
        if self.store.next_offset == 0:
            await restore(TOY, 0, self.store, self.topic)
            assert self.store.next_offset == self.whole, "the last whole checkpoint is trusted"
        assert state_of(self.store) == state_after(self.store.next_offset)
        self.ahead = await written_ahead(TOY, 0, self.topic)

    def work(self, records: int) -> None:
        """Apply the next records, and save."""
        for _ in range(records):
            apply(self.store, self.store.next_offset)
        self.store.commit(self.store.seal())

    async def checkpoint(self, patience: float) -> None:
        """Write one; the connection is lost after ``patience`` records of it."""
        with self.topic.lost_after(patience):
            if await checkpoint(TOY, 0, self.store, self.topic, self.owners, not_before=self.ahead):
                self.whole = self.store.next_offset


work = st.tuples(st.integers(1, 6), st.one_of(st.just(float("inf")), st.integers(1, 4)))
"""Records that are applied, and how many of the checkpoint after them arrive."""
tenure = st.tuples(st.sampled_from(DISKS), st.booleans(), st.lists(work, min_size=1, max_size=3))


@settings(deadline=None, max_examples=60)
@given(st.lists(tenure, min_size=2, max_size=5))
def test_what_is_restored_is_the_state_at_its_offset(tmp_path_factory, tenures):
    async def run() -> None:
        cluster = Cluster(tmp_path_factory.mktemp("cluster"))
        for disk, wiped, works in tenures:
            await cluster.take_over(disk, wiped=wiped)
            for records, patience in works:
                cluster.work(records)
                await cluster.checkpoint(patience)
        await cluster.take_over("third", wiped=True)
        cluster.store.close()

    asyncio.run(run())
