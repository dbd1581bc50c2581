"""Checkpoints go on after one that the broker did not take."""

import asyncio

from aiokafka.errors import KafkaConnectionError

from stream.core.state import Example
from stream.stages.checkpoint import MARK_KEY, keep_checkpoints
from stream.stages.store import PartitionStore
from tests.support.toy import TOY


class Restarting:
    """A broker that is away at the first record."""

    def __init__(self) -> None:
        self.away = True
        self.keys: list[bytes] = []
        self.saved = asyncio.Event()

    async def produce_pairs(self, _topic, _partition, pairs, _headers) -> int:
        if self.away:
            self.away = False
            raise KafkaConnectionError("away")
        self.keys += [key for key, _ in pairs]
        return len(self.keys)

    async def save_position(self, _group, _topic, _partition, _offset) -> None:
        self.saved.set()


def test_what_a_failed_checkpoint_would_have_saved_goes_with_the_next(tmp_path):
    async def run() -> list[bytes]:
        store, broker = PartitionStore(tmp_path), Restarting()
        store.put("k", Example(1))
        store.advance(1)
        store.commit(store.seal())
        task = asyncio.create_task(keep_checkpoints(TOY, 0, store, broker, 0.01))
        await asyncio.wait({task, asyncio.create_task(broker.saved.wait())}, return_when=asyncio.FIRST_COMPLETED)
        assert not task.done(), "the keeper gave up"
        task.cancel()
        return broker.keys

    assert asyncio.run(run()) == [b"k", MARK_KEY]
