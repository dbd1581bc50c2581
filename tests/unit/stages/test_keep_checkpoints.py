"""Checkpoints go on after one that the broker did not take."""

import asyncio

from stream.core.state import Example
from stream.stages.checkpoint import MARK_KEY, keep_checkpoints
from stream.stages.store import PartitionStore
from tests.support.state_topic import StateTopic
from tests.support.toy import TOY


def test_what_a_failed_checkpoint_would_have_saved_goes_with_the_next(tmp_path):
    async def run() -> list[bytes]:
        store, topic = PartitionStore(tmp_path), StateTopic()
        topic.patience = 0
        store.put("k", Example(1))
        store.advance(1)
        store.commit(store.seal())
        keeper = asyncio.create_task(keep_checkpoints(TOY, 0, store, topic, 0.01))
        await topic.refused.wait()
        topic.patience = float("inf")
        await asyncio.wait({keeper, asyncio.create_task(topic.whole.wait())}, return_when=asyncio.FIRST_COMPLETED)
        assert not keeper.done(), "the keeper gave up"
        keeper.cancel()
        return [record.key for record in topic.records]

    assert asyncio.run(run()) == [b"k", MARK_KEY]
