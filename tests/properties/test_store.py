"""The RocksDB store is the ordered map that the core believes in, at every moment between put, seal and commit."""

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from stream.core.state import MemoryState, key, time_part
from stream.stages import store as store_module
from stream.stages.store import Batch, PartitionStore


class Thing(msgspec.Struct):
    n: int


PACK = msgspec.msgpack.encode

NAMES = st.one_of(
    st.builds(
        lambda node, t: key("i", node, time_part(t)), st.sampled_from(["t/v:a", "t/v:b", "t/v:a/b"]), st.integers(-3, 3)
    ),
    st.builds(lambda node: key("n", node), st.sampled_from(["t/v:a", "t/u:ü", "t/v:a/b"])),
    st.just("rules"),
)
PREFIXES = st.sampled_from([key("i", "t/v:a", ""), key("i", "t/v:b", ""), key("n", ""), key("i", "")])


def copied(state):
    other = MemoryState()
    for name, packed in state.encoded.items():
        other.put(name, msgspec.msgpack.decode(packed, type=Thing))
    return other


class StoreMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.path = Path(tempfile.mkdtemp())
        self.store = PartitionStore(self.path)
        self.model = MemoryState()
        self.sealed: list[Batch] = []
        self.committed = MemoryState()
        self.offset = 0
        self.saved = MemoryState()

    @rule(name=NAMES, n=st.integers(0, 9))
    def put(self, name, n):
        self.store.put(name, Thing(n))
        self.model.put(name, Thing(n))

    @rule(name=NAMES, n=st.integers(0, 9))
    def put_packed(self, name, n):
        self.store.put(name, PACK(Thing(n)))
        self.model.put(name, Thing(n))

    @rule(name=NAMES)
    def get_packed_is_the_same(self, name):
        assert self.store.get_packed(name) == self.model.get_packed(name)

    @rule(name=NAMES, n=st.integers(0, 9))
    def whoever_changes_the_live_object_puts_it(self, name, n):
        live = self.store.get(name, Thing)
        if live is not None:
            assert self.store.get(name, Thing) is live
            live.n = n
            self.store.put(name, live)
            self.model.put(name, Thing(n))

    @rule(name=NAMES)
    def delete(self, name):
        self.store.delete(name)
        self.model.delete(name)

    @rule(name=NAMES)
    def get_is_the_same(self, name):
        """Also what lies in the store as bytes."""
        assert self.store.get(name, Thing) == self.model.get(name, Thing)

    @rule(
        prefix=PREFIXES, start=st.one_of(st.just(""), NAMES), reverse=st.booleans(), limit=st.sampled_from([None, 1, 2])
    )
    def scan_is_the_same(self, prefix, start, reverse, limit):
        if not start.startswith(prefix):
            start = ""
        got = self.store.scan(prefix, Thing, start=start, reverse=reverse, limit=limit)
        assert got == self.model.scan(prefix, Thing, start=start, reverse=reverse, limit=limit)
        got.clear()  # the caller's own

    @rule()
    def seal(self):
        self.advance()
        self.sealed.append(self.store.seal())
        self.saved = copied(self.model)

    @rule()
    def advance(self):
        self.offset += 1
        self.store.advance(self.offset)

    @rule()
    def savepoint(self):
        self.store.savepoint()
        self.saved = copied(self.model)

    @rule()
    def rollback_returns_to_the_last_savepoint(self):
        self.store.rollback()
        self.model = copied(self.saved)
        assert self.store.next_offset == self.store.saved_offset
        self.offset = self.store.next_offset

    @rule()
    def commit_oldest(self):
        if self.sealed:
            batch = self.sealed.pop(0)
            self.store.commit(batch)
            for name, packed in batch.values.items():
                if packed is None:
                    self.committed.delete(name)
                else:
                    self.committed.put(name, msgspec.msgpack.decode(packed, type=Thing))

    @rule()
    def crash_keeps_exactly_what_was_committed(self):
        at = self.store.committed_offset
        self.store.close()
        self.store = PartitionStore(self.path)
        assert self.store.next_offset == at
        self.model = self.committed
        self.committed = copied(self.model)
        self.sealed = []
        self.offset = at
        self.saved = copied(self.model)
        everything = self.store.scan(key("i", ""), Thing)
        assert everything == self.model.scan(key("i", ""), Thing)

    def teardown(self):
        self.store.close()


StoreMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestStore = StoreMachine.TestCase


class RememberingMachine(StoreMachine):
    """Every scan is a large one, which is remembered until something below its prefix changes."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("stream.stages.store._LARGE", 1)

    @rule(
        name=NAMES, n=st.one_of(st.none(), st.integers(0, 9)), reverse=st.booleans(), limit=st.sampled_from([None, 2])
    )
    def a_change_shows_in_the_next_scan(self, name, n, reverse, limit):
        prefix = name[: name.rfind("\x00") + 1] or key("i", "")
        self.scan_is_the_same(prefix, "", reverse, limit)
        if n is None:
            self.delete(name)
        else:
            self.put(name, n)
        self.scan_is_the_same(prefix, "", reverse, limit)

    def teardown(self):
        self.patch.undo()
        super().teardown()

    @rule(name=NAMES, n=st.integers(0, 9))
    def what_was_rolled_back_does_not_show(self, name, n):
        prefix = name[: name.rfind("\x00") + 1] or key("i", "")
        self.put(name, n)
        self.scan_is_the_same(prefix, "", reverse=False, limit=None)
        self.rollback_returns_to_the_last_savepoint()
        self.scan_is_the_same(prefix, "", reverse=False, limit=None)


RememberingMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestRememberingStore = RememberingMachine.TestCase


@given(st.dictionaries(st.sampled_from(["events/0", "events/1"]), st.integers(0, 2**60)))
@settings(max_examples=10, deadline=None)
def test_marks_survive_with_the_offset(marks):
    path = Path(tempfile.mkdtemp())
    store = PartitionStore(path)
    for source, order in marks.items():
        store.mark(source, order)
    store.advance(5)
    store.commit(store.seal())
    store.close()
    again = PartitionStore(path)
    assert again.marks == marks
    assert again.next_offset == 5
    again.close()


def test_large_scans_of_several_owners_are_remembered_until_something_below_them_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_LARGE", 1)
    store = PartitionStore(tmp_path)
    one, two = key("i", "t/v:a", ""), key("i", "t/v:b", "")
    for name in (one + "1", one + "2", two + "1"):
        store.put(name, Thing(0))
    store.commit(store.seal())
    first = store.scan(one, Thing), store.scan(two, Thing)

    with monkeypatch.context() as forbidden:
        forbidden.setattr(store, "_stored", None)
        assert (store.scan(one, Thing), store.scan(two, Thing)) == first

    store.put(one + "2", Thing(5))
    assert store.scan(one, Thing) == [(one + "1", Thing(0)), (one + "2", Thing(5))]
    store.delete(two + "1")
    assert store.scan(two, Thing) == []
    store.close()


def test_what_was_read_first_is_forgotten_first(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_LARGE", 1)
    monkeypatch.setattr(store_module, "_KEPT", 1)
    store = PartitionStore(tmp_path)
    one, two = key("i", "t/v:a", ""), key("i", "t/v:b", "")
    for name in (one + "1", two + "1"):
        store.put(name, Thing(0))
    store.commit(store.seal())
    for prefix in (one, two):
        store.scan(prefix, Thing)

    monkeypatch.setattr(store, "_stored", None)
    assert store.scan(two, Thing) == [(two + "1", Thing(0))]
    with pytest.raises(TypeError):
        store.scan(one, Thing)
    store.close()
