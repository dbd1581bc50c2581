"""Record batches (format 2): their header, what makes one acceptable, and the records inside.

A batch is kept as the producer made it, compressed or not: its base offset and leader epoch lie outside the checksum, so
the broker writes them in place. Only compaction and look-ups by time open a batch.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, cast

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from stream.embedded.broker import codes

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES: Final = HEADER.size
PREFIX: Final = struct.Struct(">qi")
"""Base offset, and the number of bytes after these twelve."""
_EPOCH_AT: Final = 12
_CRC_AT: Final = 17
_ATTRIBUTES_AT: Final = 21
_LAST_DELTA_AT: Final = 23
_MAX_TIME_AT: Final = 35
_CODEC_MASK: Final = 0x07
_APPEND_TIME: Final = 0x08
_TRANSACTIONAL_OR_CONTROL: Final = 0x30
_MAGIC: Final = 2


def _crc(body: memoryview) -> int:
    return int(calc_crc32c(body))  # any buffer will do, without a copy


class Header(NamedTuple):
    """Header of a batch. Times are milliseconds; ``length`` counts from byte 12 on."""

    base: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_delta: int
    first_ms: int
    max_ms: int
    pid: int
    epoch: int
    sequence: int
    records: int

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return PREFIX.size + self.length

    @property
    def end(self) -> int:
        """Offset after its last record."""
        return self.base + self.last_delta + 1


def header_at(buf: bytes | memoryview | bytearray | Any, pos: int = 0) -> Header:
    """The header at ``pos``. Raises: struct.error if fewer than ``HEADER_BYTES`` are left."""
    return Header._make(HEADER.unpack_from(buf, pos))


def is_whole(header: Header, left: int) -> bool:
    """Whether this is a format-2 batch that fits into ``left`` bytes."""
    return header.magic == _MAGIC and HEADER_BYTES <= header.size <= left and header.last_delta >= 0


def checksum_holds(buf: memoryview, pos: int, header: Header) -> bool:
    """Whether the bytes of the batch at ``pos`` are those that its producer wrote."""
    return _crc(buf[pos + _ATTRIBUTES_AT : pos + header.size]) == header.crc


def refusal(buf: memoryview, pos: int, header: Header, max_bytes: int) -> int:
    """Why a produced batch is not taken, as an error code; NONE if it is."""
    if header.magic != _MAGIC:
        return codes.UNSUPPORTED_FOR_MESSAGE_FORMAT
    if not is_whole(header, len(buf) - pos) or header.records != header.last_delta + 1:
        return codes.CORRUPT_MESSAGE
    if header.size > max_bytes:
        return codes.MESSAGE_TOO_LARGE
    if header.attributes & _TRANSACTIONAL_OR_CONTROL:
        return codes.INVALID_RECORD
    if not checksum_holds(buf, pos, header):
        return codes.CORRUPT_MESSAGE
    return codes.NONE


def place(buf: memoryview, pos: int, base: int) -> None:
    """Give the batch at ``pos`` its place in the log, in place."""
    struct.pack_into(">q", buf, pos, base)
    struct.pack_into(">i", buf, pos + _EPOCH_AT, 0)


def stamp(buf: memoryview, pos: int, header: Header, now_ms: int) -> Header:
    """Give the batch at ``pos`` the broker's append time, in place (``message.timestamp.type=LogAppendTime``)."""
    struct.pack_into(">h", buf, pos + _ATTRIBUTES_AT, header.attributes | _APPEND_TIME)
    struct.pack_into(">q", buf, pos + _MAX_TIME_AT, now_ms)
    struct.pack_into(">I", buf, pos + _CRC_AT, _crc(buf[pos + _ATTRIBUTES_AT : pos + header.size]))
    return header_at(buf, pos)


class Record(NamedTuple):
    """One record of an opened batch."""

    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def open_batch(batch: bytes | memoryview) -> list[Record] | None:
    """The records of one batch; None if nobody can read them (unknown codec, or rubbish under a right checksum)."""
    try:
        opened: Any = cast("Any", MemoryRecords(bytes(batch))).next_batch()
        return [Record(r.offset, r.timestamp, r.key, r.value, r.headers) for r in opened]
    except Exception:  # noqa: BLE001 - the parser meets bytes of strangers; a batch that cannot be read is a value here
        return None


def rebuilt(batch: bytes, keep: Iterable[Record]) -> bytes:
    """``batch`` with only the records of ``keep``, at their offsets, with the same codec, times and last offset."""
    header = header_at(batch)
    builder = DefaultRecordBatchBuilder(_MAGIC, header.attributes & _CODEC_MASK, 0, -1, -1, -1, 1 << 30)
    for record in keep:
        builder.append(
            record.offset - header.base, record.at_ms, record.key, record.value, [(k, v) for k, v in record.headers]
        )
    built = bytearray(builder.build())
    view = memoryview(built)
    place(view, 0, header.base)
    struct.pack_into(">i", built, _LAST_DELTA_AT, header.last_delta)
    if header.attributes & _APPEND_TIME:
        stamp(view, 0, header_at(built), header.max_ms)
    else:
        struct.pack_into(">I", built, _CRC_AT, _crc(view[_ATTRIBUTES_AT:]))
    return bytes(built)


def batches(buf: memoryview) -> Iterator[tuple[int, Header]]:
    """Positions and headers of the whole batches at the front of ``buf``."""
    pos = 0
    while pos + HEADER_BYTES <= len(buf):
        header = header_at(buf, pos)
        if not is_whole(header, len(buf) - pos):
            return
        yield pos, header
        pos += header.size
