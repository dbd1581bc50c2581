import random
import threading
from pathlib import Path

import pytest

from stream.embedded.broker import codes, compaction, configs, records, upkeep
from stream.embedded.broker.configs import TopicConfig
from stream.embedded.broker.partition import Partition, now_ms
from tests.support.kafka_wire import batch

HOUR_MS = 3_600_000


def config(**given: str) -> TopicConfig:
    own = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0"}
    return configs.resolve(own | {name.replace("_", "."): value for name, value in given.items()})


def append(partition: Partition, raw: bytes, segment_bytes: int = 2000) -> None:
    answer = partition.append(memoryview(bytearray(raw)), max_bytes=1 << 20, segment_bytes=segment_bytes, stamp=False)
    assert answer.error == codes.NONE


def everything(partition: Partition) -> list[records.Record]:
    """All records, read as a consumer does, whose position must reach the end."""
    found: list[records.Record] = []
    offset = partition.start
    while offset < partition.next:
        _, chunk = partition.read(offset, 1 << 20)
        assert chunk, "a reader's position must reach the end of the log"
        for pos, header in records.batches(memoryview(chunk)):
            found += [r for r in records.open_batch(chunk[pos : pos + header.size]) or [] if r.offset >= offset]
            offset = header.end
    return found


def latest(found: list[records.Record]) -> dict[bytes | None, bytes]:
    view: dict[bytes | None, bytes] = {}
    for record in found:
        if record.value is None:
            view.pop(record.key, None)
        else:
            view[record.key] = record.value
    return view


def one_pass(partition: Partition, settings: TopicConfig, at_ms: int | None = None, **limits: int) -> bool:
    task = upkeep.compaction_task(partition, settings, at_ms or now_ms())
    if task is None:
        return False
    cleaned = compaction.clean(task._replace(**limits), threading.Event())
    for fresh, end in cleaned.files:
        partition.replace(fresh, end)
    partition.remember_cleaned(cleaned.cleaned_to, task.sources[-1].end)
    return True


@pytest.mark.parametrize("max_keys", [compaction.MAX_KEYS, 20])
@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
def test_the_latest_value_of_every_key_stays_and_older_ones_go(tmp_path: Path, codec: int, max_keys: int) -> None:
    chance = random.Random(codec)
    partition = Partition(tmp_path, strict=False)
    want: dict[bytes | None, bytes] = {}
    for turn in range(150):
        rows: list[tuple[bytes | None, bytes | None]] = []
        for number in range(10):
            key = b"k%d" % chance.randrange(40)
            value = None if chance.random() < 0.1 else b"%d-%d" % (turn, number)
            rows.append((key, value))
            want.pop(key, None)
            if value is not None:
                want[key] = value
        append(partition, batch(rows, codec=codec))
        if turn % 30 == 29:
            one_pass(partition, config(delete_retention_ms="0"), now_ms() + 1000, max_keys=max_keys)
            assert latest(everything(partition)) == want
    partition.roll()
    for _ in range(100 if max_keys == 20 else 1):
        partition.cleaned_end = 0
        one_pass(partition, config(delete_retention_ms="0"), now_ms() + 1000, max_keys=max_keys)
    found = everything(partition)
    assert latest(found) == want
    assert [r.offset for r in found] == sorted({r.offset for r in found})
    keys, last_batch = 40, 10
    assert len(found) <= keys + last_batch
    partition.close()
    reopened = Partition(tmp_path, strict=False)
    assert everything(reopened) == found
    assert reopened.next == 1500


def test_records_younger_than_the_lag_are_left_alone(tmp_path: Path) -> None:
    partition = Partition(tmp_path, strict=False)
    for number in range(100):
        append(partition, batch([(b"same", b"%d" % number)]))
    partition.roll()
    settings = config(min_compaction_lag_ms=str(HOUR_MS))
    assert not one_pass(partition, settings, now_ms() + HOUR_MS - 60_000)
    assert len(everything(partition)) == 100
    assert one_pass(partition, settings, now_ms() + HOUR_MS + 60_000)
    assert len(everything(partition)) <= 2


def test_a_tombstone_stays_for_its_time_and_a_deleted_key_never_comes_back(tmp_path: Path) -> None:
    partition = Partition(tmp_path, strict=False)
    append(partition, batch([(b"a", b"1"), (b"b", b"1")]))
    append(partition, batch([(b"a", b"2"), (b"a", None)]))  # the last batch of the range is kept as it is
    partition.roll()
    settings = config(delete_retention_ms=str(HOUR_MS))
    assert one_pass(partition, settings)
    append(partition, batch([(b"c", b"1")]))
    partition.roll()
    assert one_pass(partition, settings)
    assert [(r.key, r.value) for r in everything(partition)] == [(b"b", b"1"), (b"a", None), (b"c", b"1")]
    append(partition, batch([(b"d", b"1")]))
    partition.roll()
    assert one_pass(partition, settings, now_ms() + 2 * HOUR_MS)
    assert [(r.key, r.value) for r in everything(partition)] == [(b"b", b"1"), (b"c", b"1"), (b"d", b"1")]


def test_a_small_log_is_compacted_too_and_its_small_segments_are_merged(tmp_path: Path) -> None:
    settings = config()
    partition = Partition(tmp_path, strict=False)
    for turn in range(20):
        append(partition, batch([(b"k", b"%d" % turn)]))
        assert upkeep.roll_is_due(partition, settings, now_ms() + 700_000)
        partition.roll()
        one_pass(partition, settings)
    cleaned, last, active = partition.segments
    assert (cleaned.base, last.base, active.base) == (0, 19, 20)
    assert [r.value for r in everything(partition)] == [b"18", b"19"]  # the last batch is left alone


def test_a_crash_in_the_middle_of_a_replacement_loses_nothing(tmp_path: Path) -> None:
    partition = Partition(tmp_path, strict=False)
    for number in range(60):
        append(partition, batch([(b"k%d" % (number % 5), b"%d" % number)]), segment_bytes=500)
    partition.roll()
    want = latest(everything(partition))
    task = upkeep.compaction_task(partition, config(), now_ms())
    assert task is not None
    ((fresh, end),) = compaction.clean(task, threading.Event()).files
    partition.close()
    swap = tmp_path / f"{fresh.base:020d}-{end:020d}.swap"
    steps = [lambda: None, lambda: fresh.path.rename(swap)]
    steps += [file.unlink for file in sorted(tmp_path.glob("*.log"))[:3]]
    for step in steps:  # a crash after each step of the replacement
        step()
        copy = tmp_path.with_name("copy")
        copy.mkdir()
        for file in tmp_path.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        reopened = Partition(copy, strict=False)
        assert latest(everything(reopened)) == want
        assert reopened.next == 60
        reopened.close()
        for file in copy.iterdir():
            file.unlink()
        copy.rmdir()
    fresh.close()


def test_a_batch_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    rubbish = bytearray(batch([(b"k", b"not zstd at all" * 3)]))
    rubbish[22] |= 4  # says zstd
    view = memoryview(rubbish)
    rubbish = bytearray(rubbish)
    fixed = records.stamp(memoryview(rubbish), 0, records.header_at(view), 5)  # a right checksum over it
    assert fixed.attributes & 4
    partition = Partition(tmp_path, strict=False)
    append(partition, bytes(rubbish))
    for value in (b"1", b"2", b"3"):
        append(partition, batch([(b"k", value)]))
    partition.roll()
    assert one_pass(partition, config())
    _, chunk = partition.read(0, 1 << 20)
    assert [header.base for _, header in records.batches(memoryview(chunk))] == [0, 2, 3]


def test_old_and_surplus_segments_are_due_for_expiry(tmp_path: Path) -> None:
    partition = Partition(tmp_path, strict=False)
    for number in range(30):
        append(partition, batch([(None, b"x" * 100)], at_ms=number * 1000), segment_bytes=1000)
    by_age = configs.resolve({"retention.ms": "10000"})
    gone = []
    while upkeep.expiry_is_due(partition, by_age, 30_000):
        gone.append(partition.pop_oldest())
    assert max(segment.max_ms for segment in gone) < 20_000 <= partition.segments[0].max_ms
    by_size = configs.resolve({"retention.ms": "-1", "retention.bytes": "1500"})
    while upkeep.expiry_is_due(partition, by_size, 30_000):
        partition.pop_oldest()
    assert 1500 <= partition.size < 2600
    assert partition.read(partition.start - 1, 100)[0] == codes.OFFSET_OUT_OF_RANGE


def test_keep_for_ever_means_for_ever(tmp_path: Path) -> None:
    partition = Partition(tmp_path, strict=False)
    for number in range(30):
        append(partition, batch([(None, b"x" * 100)], at_ms=number), segment_bytes=1000)
    forever = configs.resolve({"retention.ms": "-1"})
    assert not upkeep.expiry_is_due(partition, forever, 1 << 60)
