from pathlib import Path

import pytest

from stream.embedded.broker import codes, records
from stream.embedded.broker.partition import Appended, Partition
from tests.support.kafka_wire import batch


def append(partition: Partition, raw: bytes, *, segment_bytes: int = 1 << 20, max_bytes: int = 1 << 20) -> Appended:
    return partition.append(memoryview(bytearray(raw)), max_bytes=max_bytes, segment_bytes=segment_bytes, stamp=False)


def contents(partition: Partition) -> list[tuple[int, bytes | None]]:
    """(offset, value) of everything, read as a consumer does."""
    found: list[tuple[int, bytes | None]] = []
    offset = partition.start
    while True:
        error, chunk = partition.read(offset, 1 << 20)
        assert error == codes.NONE
        if not chunk:
            return found
        for pos, header in records.batches(memoryview(chunk)):
            opened = records.open_batch(chunk[pos : pos + header.size])
            assert opened is not None
            found += [(r.offset, r.value) for r in opened if r.offset >= offset]
            offset = header.end


def filled(path: Path, *, segment_bytes: int = 1 << 20) -> Partition:
    """Five batches of three records."""
    partition = Partition(path, strict=False)
    for turn in range(5):
        raw = batch([(b"k", b"%d-%d" % (turn, n)) for n in range(3)])
        assert append(partition, raw, segment_bytes=segment_bytes) == Appended(codes.NONE, 3 * turn)
    return partition


def test_a_log_cut_anywhere_keeps_its_whole_batches_and_goes_on(tmp_path: Path) -> None:
    partition = filled(tmp_path / "p")
    want = contents(partition)
    partition.close()
    (file,) = (tmp_path / "p").glob("*.log")
    raw = file.read_bytes()
    ends = [pos + header.size for pos, header in records.batches(memoryview(raw))]
    for cut in range(len(raw) + 1):
        file.write_bytes(raw[:cut])
        reopened = Partition(tmp_path / "p", strict=False)
        whole = 3 * sum(end <= cut for end in ends)
        assert contents(reopened) == want[:whole]
        assert append(reopened, batch([(None, b"next")])).base == whole
        reopened.close()


def test_a_flipped_bit_ends_the_log_before_the_damaged_batch(tmp_path: Path) -> None:
    partition = filled(tmp_path / "p")
    want = contents(partition)
    partition.close()
    (file,) = (tmp_path / "p").glob("*.log")
    raw = file.read_bytes()
    leader_epoch = range(12, 16)  # the broker's own field, outside the checksum, without a meaning here
    for place in range(len(raw)):
        damaged = bytearray(raw)
        damaged[place] ^= 0x10
        file.write_bytes(damaged)
        reopened = Partition(tmp_path / "p", strict=False)
        found = contents(reopened)
        assert found == want[: len(found)]
        batch_start = max(pos for pos, _ in records.batches(memoryview(raw)) if pos <= place)
        if place - batch_start not in leader_epoch:
            assert len(found) < len(want)
        reopened.close()


def test_reading_crosses_segments_and_begins_at_the_batch_that_holds_the_offset(tmp_path: Path) -> None:
    partition = filled(tmp_path, segment_bytes=200)
    assert len(partition.segments) > 1
    assert [offset for offset, _ in contents(partition)] == list(range(15))
    for offset in range(15):
        _, chunk = partition.read(offset, 1)
        header = records.header_at(chunk)
        assert header.base <= offset < header.end
        assert len(chunk) == header.size  # one batch at least, however small the limit
    assert partition.read(15, 100) == (codes.NONE, b"")
    assert partition.read(16, 100)[0] == partition.read(-1, 100)[0] == codes.OFFSET_OUT_OF_RANGE


def test_what_is_not_on_disk_is_not_visible_when_acknowledgements_wait_for_it(tmp_path: Path) -> None:
    partition = Partition(tmp_path, strict=True)
    woken: list[int] = []
    partition.watchers.add(woken.append)
    append(partition, batch([(None, b"first")]))
    assert (partition.visible, contents(partition), woken) == (0, [], [])
    covered = partition.begin_sync()
    append(partition, batch([(None, b"second")]))
    partition.end_sync(covered.upto)
    assert (partition.visible, contents(partition)) == (1, [(0, b"first")])
    assert len(woken) == 1
    partition.end_sync(partition.begin_sync().upto)
    assert contents(partition) == [(0, b"first"), (1, b"second")]


def test_a_producer_is_remembered_over_segments_and_restarts(tmp_path: Path) -> None:
    partition = Partition(tmp_path, strict=False)
    sent = [batch([(None, b"%d" % n)], pid=9, epoch=0, sequence=n) for n in range(6)]
    for raw in sent:
        append(partition, raw, segment_bytes=150)
    partition.close()
    for lose_snapshot in (False, True):
        if lose_snapshot:
            for file in tmp_path.glob("*.producers"):
                file.write_text("[[torn")
        reopened = Partition(tmp_path, strict=False)
        assert append(reopened, sent[5]) == Appended(codes.NONE, 5)
        assert append(reopened, sent[4]) == Appended(codes.NONE, 4)
        assert reopened.next == 6
        reopened.close()


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", codes.CORRUPT_MESSAGE),
        (b"short", codes.CORRUPT_MESSAGE),
        (b"\0" * 200, codes.UNSUPPORTED_FOR_MESSAGE_FORMAT),
        (batch([(None, b"v")])[:-1], codes.CORRUPT_MESSAGE),
        (batch([(None, b"v")]) + b"x", codes.CORRUPT_MESSAGE),
        (batch([(None, b"v" * 2000)]), codes.MESSAGE_TOO_LARGE),
    ],
    ids=["nothing", "too short", "an old format", "cut off", "with more behind it", "too large"],
)
def test_what_is_not_a_good_batch_is_refused_whole(tmp_path: Path, raw: bytes, error: int) -> None:
    partition = Partition(tmp_path, strict=False)
    assert append(partition, raw, max_bytes=1000).error == error
    assert partition.next == partition.size == 0


def test_the_first_record_at_a_time_is_found_in_any_segment(tmp_path: Path) -> None:
    partition = Partition(tmp_path, strict=False)
    for number in range(50):
        append(partition, batch([(None, b"x" * 50)], at_ms=1000 * number), segment_bytes=1000)
    assert len(partition.segments) > 3
    assert [partition.first_at(at) for at in (-5, 0, 1, 17_000, 17_001, 49_000, 49_001)] == [
        (0, 0),
        (0, 0),
        (1000, 1),
        (17_000, 17),
        (18_000, 18),
        (49_000, 49),
        None,
    ]


def test_a_lost_index_is_rebuilt(tmp_path: Path) -> None:
    partition = filled(tmp_path, segment_bytes=200)
    want = contents(partition)
    partition.close()
    for file in tmp_path.glob("*.index"):
        file.unlink()
    reopened = Partition(tmp_path, strict=False)
    assert contents(reopened) == want


def test_nothing_behind_a_torn_sealed_segment_is_served(tmp_path: Path) -> None:
    """A power failure can lose the end of a segment that was sealed but not synced yet."""
    partition = filled(tmp_path, segment_bytes=200)
    want = contents(partition)
    partition.close()
    second = sorted(tmp_path.glob("*.log"))[1]
    second.write_bytes(second.read_bytes()[:-3])
    reopened = Partition(tmp_path, strict=False)
    found = contents(reopened)
    assert found == want[: len(found)]
    assert reopened.next == len(found)
    assert append(reopened, batch([(None, b"on")])).base == len(found)
