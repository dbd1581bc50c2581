"""What a killed worker leaves of a store is the state after one of its batches, with all that came before, and nothing else."""

import itertools
import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from stream.stages.checkpoint import _unsaved
from stream.stages.store import UNSAVED_PREFIX, Example, PartitionStore

EACH, KEPT, LISTED = 4, 3, 25
BLOB = bytes(100_000)


def commit(store: PartitionStore, number: int) -> None:
    store.put("number", Example(number))
    store.advance(number)
    store.commit(store.seal())


def blobs(number: int) -> list[str]:
    return [f"blob\x00{number:05}\x00{part}" for part in range(EACH)]


def work(path: Path, told: Connection) -> None:
    """Commit for ever. Memory tables are written out as they fill; checkpoints shorten the list of changed keys."""
    store = PartitionStore(path)
    for number in itertools.count(store.next_offset + 1):
        for name in blobs(number):
            store.put(name, BLOB)
        if number > KEPT:
            store.delete(blobs(number - KEPT)[0])
        commit(store, number)
        if number % LISTED == 0:
            store.db.delete_range(UNSAVED_PREFIX, UNSAVED_PREFIX + b"%016x" % (number + 1))
        told.send(number)


def flush_and_go_on(path: Path, told: Connection) -> None:
    store = PartitionStore(path)
    commit(store, 7)
    store.flush()
    while store.db.property_int_value("rocksdb.num-immutable-mem-table"):
        time.sleep(0.01)
    commit(store, 8)
    told.send(8)
    time.sleep(60)


def killed(target, path: Path, until: int) -> int:
    """Let a process of its own work until it has committed ``until``, and kill it; the last number that it told."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=target, args=(path, theirs))
    process.start()
    theirs.close()
    number = 0
    while number < until:
        number = ours.recv()
    process.kill()
    process.join()
    try:
        while True:
            number = ours.recv()
    except EOFError:
        return number


def test_what_was_flushed_survives_a_kill(tmp_path):
    killed(flush_and_go_on, tmp_path, 8)
    store = PartitionStore(tmp_path)
    assert (store.next_offset, store.get("number", Example)) in ((7, Example(7)), (8, Example(8)))
    store.close()


def test_what_was_closed_is_all_there(tmp_path):
    store = PartitionStore(tmp_path)
    commit(store, 2)
    store.close()
    store = PartitionStore(tmp_path)
    assert (store.next_offset, store.get("number", Example)) == (2, Example(2))
    store.close()


@pytest.mark.parametrize("until", [1, 61, 130])
def test_a_kill_leaves_whole_batches_in_their_order(tmp_path, until):
    begun = 0
    for _ in range(2):  # what is left is gone on with, and killed again
        last = killed(work, tmp_path, begun + until)
        store = PartitionStore(tmp_path)
        offset = store.next_offset
        assert begun <= offset <= last + 1, "of one more it may not have told"
        assert store.get("number", Example) == (Example(offset) if offset else None)
        there = {name for n in range(1, offset + 1) for name in blobs(n)[n <= offset - KEPT :]}
        assert {name.decode() for name, _ in store.db.items() if name.startswith(b"blob")} == there
        listed_from = last - last % LISTED + 1
        changed = {name.encode() for n in range(listed_from, offset + 1) for name in blobs(n)}
        assert changed <= _unsaved(store.db.snapshot())
        store.close()
        begun = offset
    assert until == 1 or begun > 0, "some of it was written out"
