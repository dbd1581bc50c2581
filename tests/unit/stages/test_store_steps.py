"""RocksDB keeps what was deleted for a while, and a cursor walks over it: how many keys the store steps over in vain."""

import asyncio
from collections.abc import Iterator

import pytest
from rocksdict import Options

from stream.core.state import Example
from stream.stages import store as store_module
from stream.stages.checkpoint import checkpoint
from stream.stages.store import PartitionStore
from tests.support.state_topic import StateTopic
from tests.support.toy import TOY

MANY = 4000


@pytest.fixture
def options(monkeypatch) -> Options:
    """Those of the stores to come, which count."""
    options = store_module._options()
    options.enable_statistics()
    monkeypatch.setattr(store_module, "_options", lambda: options)
    return options


def stepped_over(options: Options) -> int:
    ticker = "rocksdb.number.iter.skip "
    return int(next(line for line in options.get_statistics().splitlines() if line.startswith(ticker)).split()[-1])


def put_and_delete(store: PartitionStore, names: list[str]) -> Iterator[int]:
    """After each of the two, yield the offset."""
    for offset, change in enumerate((lambda name: store.put(name, Example(1)), store.delete), start=1):
        for name in names:
            change(name)
        store.advance(offset)
        store.commit(store.seal())
        yield offset


def test_what_was_deleted_is_checkpointed_as_such_without_stepping_over_its_neighbours(tmp_path, options):
    """With a cursor each deleted key walks over all the deleted ones behind it: 4,000 take 4,000 times 2,000 steps."""
    names = [f"t\0acme\0{number:06d}" for number in range(MANY)]
    topic, store = StateTopic(), PartitionStore(tmp_path)
    for _ in put_and_delete(store, names):
        assert asyncio.run(checkpoint(TOY, 0, store, topic, 1)) == MANY
    assert [record.value for record in topic.records[-1 - MANY : -1]] == [None] * MANY
    assert stepped_over(options) < 100


def test_a_scan_ends_before_what_was_deleted_behind_it(tmp_path, options):
    store = PartitionStore(tmp_path)
    store.put("t\0acme\0000001", Example(7))
    for _ in put_and_delete(store, [f"t\0bolt\0{number:06d}" for number in range(MANY)]):
        pass
    assert store.scan("t\0acme\0", Example) == [("t\0acme\0000001", Example(7))]
    assert stepped_over(options) < 100
