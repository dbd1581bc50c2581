"""What a partition's store keeps in memory is bounded in bytes, whatever single records grow to."""

import weakref

import msgspec
import pytest

from stream.stages.store import _CACHED_OBJECTS, PartitionStore

RECORD = 100 << 10
RECORDS = 400
AT_MOST = 2 * (4 << 20) // RECORD + 2 * 10
"""Two generations of 4 MiB, each with what one save of ten records may add."""


class Record(msgspec.Struct, weakref=True):
    body: bytes


@pytest.fixture
def store(tmp_path):
    opened = PartitionStore(tmp_path / "0")
    yield opened
    opened.close()


def save(store):
    store.advance(store.next_offset + 1)
    store.commit(store.seal())


def fill(store):
    """RECORDS large records, saved ten at a time; weak references to them."""
    alive = []
    for number in range(RECORDS):
        record = Record(number.to_bytes(4) * (RECORD // 4))
        store.put(f"k{number}", record)
        alive.append(weakref.ref(record))
        del record
        if number % 10 == 9:
            save(store)
    return alive


def kept(references):
    return sum(reference() is not None for reference in references)


def test_what_was_written_is_kept_as_its_bytes_and_large_records_are_let_go(store):
    alive = fill(store)

    remembered = {**store._old, **store._young}
    assert kept(alive) == 0
    assert all(type(packed) is bytes for packed in remembered.values())
    assert 0 < len(remembered) <= AT_MOST


def test_an_object_that_was_saved_is_read_again_from_its_bytes(store):
    store.put("k", Record(b"saved"))
    save(store)

    first = store.get("k", Record)
    assert first == Record(b"saved")
    assert store.get("k", Record) is first


def test_large_records_that_were_read_are_let_go(store):
    fill(store)

    alive = []
    for number in range(RECORDS):
        alive.append(weakref.ref(store.get(f"k{number}", Record)))
        if number % 10 == 9:
            save(store)

    assert 0 < kept(alive) <= AT_MOST


def test_what_was_let_go_is_read_again(store):
    fill(store)

    assert [store.get(f"k{number}", Record).body[:4] for number in range(RECORDS)] == [
        number.to_bytes(4) for number in range(RECORDS)
    ]


def test_many_large_records_of_one_scan_are_let_go(store):
    fill(store)

    alive = [weakref.ref(record) for _, record in store.scan("k", Record)]
    save(store)
    for _ in range(2):
        store.put("other", Record(bytes(9 << 20)))
        save(store)

    assert kept(alive) == 0


def test_what_was_put_as_bytes_is_one_object_for_all_who_get_it_though_the_cache_let_it_go(store):
    """Else what one of them changes and puts would be lost when the other puts, too."""
    store.put("k", msgspec.msgpack.encode(Record(b"first")))
    first = store.get("k", Record)
    for _ in range(2):
        store.put("other", Record(bytes(9 << 20)))
        store._grow_old()

    assert store.get("k", Record) is first


def test_of_one_large_save_those_are_kept_that_came_last(store):
    for number in range(200):
        store.put(f"k{number:03}", b"%03d" % number * (RECORD // 3))
    save(store)

    remembered = {**store._old, **store._young}
    assert sorted(remembered) == [f"k{number:03}" for number in range(78, 200)], "122 of 100 kB are 12 MiB"
    assert all(store.get_packed(f"k{number:03}")[:3] == b"%03d" % number for number in range(200))


def test_a_step_gets_the_object_again_that_it_has_in_its_hands_however_many_it_reads_meanwhile(store):
    store.put("held", Record(b"of this step"))
    for number in range(_CACHED_OBJECTS):
        store.put(f"k{number}", b"%5d" % number * 100)
    save(store)
    held = store.get("held", Record)
    for number in range(_CACHED_OBJECTS):
        store.get_packed(f"k{number}")
    assert store.get("held", Record) is held
