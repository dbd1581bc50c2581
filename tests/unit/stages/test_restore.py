"""Restoring from the state topic: whole checkpoints only, and none that compaction may have thinned out."""

import asyncio
import random

import pytest

from stream.core.state import Example, key
from stream.stages.checkpoint import checkpoint, restore
from stream.stages.store import PartitionStore
from tests.support.state_topic import StateTopic
from tests.support.toy import TOY


async def cut_short(path, hours: int) -> tuple[int, Example | None]:
    """State restored ``hours`` after the second of two checkpoints lost its saved position to a crash."""
    topic = StateTopic()
    store = PartitionStore(path / "first")
    for offset, count in ((1, 5), (2, 6)):
        store.put("k", Example(count))
        store.advance(offset)
        store.commit(store.seal())
        saved = topic.saved
        await checkpoint(TOY, 0, store, topic, 1)
        if offset == 2:
            topic.saved = saved
    if hours:
        topic.age(hours * 3_600_000)
        topic.compact()
    empty = PartitionStore(path / "second")
    await restore(TOY, 0, empty, topic)
    return empty.next_offset, empty.get("k", Example)


def test_a_checkpoint_that_was_just_cut_short_does_not_count(tmp_path):
    assert asyncio.run(cut_short(tmp_path, 0)) == (1, Example(5))


def test_after_compaction_of_one_that_was_cut_short_the_whole_log_is_replayed(tmp_path):
    assert asyncio.run(cut_short(tmp_path, 2)) == (0, None)


def test_records_of_a_state_from_ahead_of_the_mark_are_not_taken_into_it(tmp_path):
    """Somebody who did not know that he had lost the partition wrote them, before its new owner wrote any."""

    async def run() -> int:
        topic = StateTopic()
        ahead, behind = PartitionStore(tmp_path / "ahead"), PartitionStore(tmp_path / "behind")
        for store, offset in ((ahead, 3), (behind, 2)):
            store.put(f"k{offset}", Example(offset))
            store.advance(offset)
            store.commit(store.seal())
        with topic.lost_after(1):
            await checkpoint(TOY, 0, ahead, topic, 1)
        assert [record.key for record in topic.records] == [b"k3"]
        assert await checkpoint(TOY, 0, behind, topic, 2) == 1
        empty = PartitionStore(tmp_path / "empty")
        await restore(TOY, 0, empty, topic)
        assert empty.empty
        return empty.next_offset

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize("seed", range(4))
def test_what_is_restored_is_the_state_whatever_was_deleted_between_its_keys(tmp_path, seed):
    """Single keys, and runs of more than a cursor passes over, in several files of RocksDB."""
    rng, topic = random.Random(seed), StateTopic()
    names = [key("t", f"a{account}", f"{number:04}") for account in range(6) for number in range(400)]
    store, live = PartitionStore(tmp_path / "first"), {}

    async def run() -> None:
        for offset in range(1, 7):
            for name in rng.sample(names, rng.choice([30, 800])):
                live[name] = offset
                store.put(name, Example(offset))
            first = rng.randrange(len(names))
            for name in {*names[first : first + rng.choice([1, 5, 700])], *rng.sample(names, 20)}:
                live.pop(name, None)
                store.delete(name)
            store.advance(offset)
            store.commit(store.seal())
            if rng.random() < 0.5:
                store.flush()
            if rng.random() < 0.7 or offset == 6:
                await checkpoint(TOY, 0, store, topic, 1)
        empty = PartitionStore(tmp_path / "second")
        await restore(TOY, 0, empty, topic)
        assert {name: found.count for name in names if (found := empty.get(name, Example))} == live

    asyncio.run(run())
