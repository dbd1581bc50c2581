"""What we send is packed in a way that aiokafka has no setting for."""

import random

import cramjam
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from stream.kafka import ZSTD_OPTIONS
from stream.zstd import compress

ZSTD = DefaultRecordBatch.CODEC_ZSTD


def test_a_batch_is_packed_in_our_way_and_read_by_everybody():
    words = random.Random(7).choices([f"word{number}" for number in range(300)], k=20_000)
    value = " ".join(words).encode()
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=ZSTD,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    builder.append(0, timestamp=5, key=b"k", value=value, headers=[])
    packed = bytes(builder.build())

    batch = DefaultRecordBatch(bytearray(packed))
    assert [record.value for record in batch] == [value]
    header = 61
    plain = bytes(cramjam.zstd.decompress(packed[header:]))
    ours, theirs = len(compress(plain, options=ZSTD_OPTIONS)), len(bytes(cramjam.zstd.compress(plain, level=3)))
    assert ours != theirs, "they can be told apart"
    assert len(packed) - header == ours
