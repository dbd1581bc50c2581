"""One file of a partition's log: whole batches one after the other, and a sparse index in memory.

The index (offset, position, highest time before it) has an entry every 32 KB: 24 bytes each, 0.07 % of the log. It is
saved when the segment is sealed, so that opening gigabytes takes milliseconds. A reader that comes back where its last
read ended finds the position in ``hints`` and scans nothing.
"""

import mmap
import os
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from stream.embedded.broker import records
from stream.embedded.broker.records import HEADER_BYTES, PREFIX, Header

_INDEX_EVERY: Final = 32 << 10
_HINTS: Final = 64
_SAVED: Final = struct.Struct("=4sqqq")
_SAVED_MAGIC: Final = b"TIX1"
_WINDOW: Final = 64 << 10
_LAST_DELTA: Final = struct.Struct(">i")
NOTHING: Final = memoryview(b"")


class Segment:
    """A segment file, open for append and positioned reads.

    Attributes:
        base: lowest offset it may hold; its name.
        size: bytes of whole batches.
        max_ms: highest record time in it, -1 if empty.
        first_ms: highest time of its first batch, -1 if empty.
    """

    def __init__(self, path: Path, base: int) -> None:
        self.path = path
        self.base = base
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
        self.size = os.fstat(self.fd).st_size
        self.first_ms = -1
        self._clear()

    def _clear(self) -> None:
        self.max_ms = -1
        self.hints: dict[int, int] = {}
        self._offsets, self._positions, self._times = array("q"), array("q"), array("q")
        self._since = _INDEX_EVERY

    def note(self, header: Header, pos: int) -> None:
        """Book the batch at ``pos`` in the index."""
        if self._since >= _INDEX_EVERY:
            self._offsets.append(header.base)
            self._positions.append(pos)
            self._times.append(self.max_ms)
            self._since = 0
        self._since += header.size
        self.max_ms = max(self.max_ms, header.max_ms)
        if pos == 0:
            self.first_ms = header.max_ms

    def write(self, chunk: memoryview) -> None:
        """Append bytes; whole or not at all. Raises: OSError."""
        try:
            done = os.write(self.fd, chunk)
            while done < len(chunk):
                done += os.write(self.fd, chunk[done:])
        except OSError:
            os.ftruncate(self.fd, self.size)
            raise
        self.size += len(chunk)

    # -- index file ---------------------------------------------------------------------------------------------------

    def save_index(self) -> None:
        """Write the index of a sealed segment whose bytes are on disk."""
        scratch = self.path.with_suffix(".index.tmp")
        head = _SAVED.pack(_SAVED_MAGIC, self.size, self.max_ms, len(self._offsets))
        scratch.write_bytes(head + self._offsets.tobytes() + self._positions.tobytes() + self._times.tobytes())
        scratch.replace(self.path.with_suffix(".index"))

    def load_index(self) -> bool:
        """Take over a saved index; False if there is none that fits the file."""
        try:
            raw = self.path.with_suffix(".index").read_bytes()
            magic, size, max_ms, count = _SAVED.unpack_from(raw)
        except (OSError, struct.error):
            return False
        if magic != _SAVED_MAGIC or size != self.size or len(raw) != _SAVED.size + 24 * count:
            return False
        self._clear()
        body = memoryview(raw)[_SAVED.size :]
        for place, column in enumerate((self._offsets, self._positions, self._times)):
            column.frombytes(body[8 * count * place : 8 * count * (place + 1)])
        self.max_ms = max_ms
        return True

    def scan(self, each: Callable[[Header], None] | None = None, *, contiguous: bool) -> tuple[int | None, int]:
        """Rebuild the index from the bytes, checking every checksum.

        Args:
            each: called with every good header.
            contiguous: offsets must follow without a gap (a log that was never compacted).
        Returns: the offset after the last good batch (None: there is none), and the bytes up to there.
        """
        self._clear()
        following: int | None = None
        if not self.size:
            return None, 0
        good = 0
        with mmap.mmap(self.fd, self.size, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as view:
            for pos, header in records.batches(view):
                want = self.base if following is None else following
                if header.base < want or (contiguous and header.base != want):
                    break
                if not records.checksum_holds(view, pos, header):
                    break
                self.note(header, pos)
                if each is not None:
                    each(header)
                following, good = header.end, pos + header.size
        return following, good

    # -- reads --------------------------------------------------------------------------------------------------------

    def position(self, offset: int) -> int:
        """Byte position at or before the batch that holds ``offset``."""
        hint = self.hints.get(offset)
        if hint is not None:
            return hint
        place = bisect_right(self._offsets, offset) - 1
        return self._positions[place] if place >= 0 else 0

    def read(self, offset: int, max_bytes: int, limit: int) -> memoryview:
        """Whole batches from the one that holds ``offset``, those below offset ``limit``.

        One batch at least, however small ``max_bytes`` is; empty if nothing is left in this segment.
        """
        pos = self._find(offset, self.position(offset))
        if pos is None:
            return NOTHING
        chunk = os.pread(self.fd, min(max(max_bytes, _WINDOW), self.size - pos), pos)
        end, following = _cut(chunk, max_bytes, limit)
        if end == 0:
            base, length = PREFIX.unpack_from(chunk)
            if base >= limit:
                return NOTHING
            chunk = os.pread(self.fd, PREFIX.size + length, pos)
            end, following = len(chunk), records.header_at(chunk).end
        if len(self.hints) >= _HINTS:
            del self.hints[next(iter(self.hints))]
        self.hints[following] = pos + end
        return memoryview(chunk)[:end]

    def _find(self, offset: int, pos: int) -> int | None:
        while pos < self.size:
            window = os.pread(self.fd, _WINDOW, pos)
            at = 0
            while at + HEADER_BYTES <= len(window):
                base, length = PREFIX.unpack_from(window, at)
                if base + _LAST_DELTA.unpack_from(window, at + 23)[0] >= offset:
                    return pos + at
                at += PREFIX.size + length
            pos += at
        return None

    def headers(self, pos: int = 0) -> Iterator[tuple[int, Header]]:
        """Positions and headers from ``pos`` on."""
        while pos < self.size:
            header = records.header_at(os.pread(self.fd, HEADER_BYTES, pos))
            yield pos, header
            pos += header.size

    def first_at(self, at_ms: int) -> tuple[int, int] | None:
        """(time, offset) of the first record at or after ``at_ms``; None if all are older."""
        if self.max_ms < at_ms:
            return None
        place = max(bisect_left(self._times, at_ms) - 1, 0)
        for pos, header in self.headers(self._positions[place] if self._positions else 0):
            if header.max_ms < at_ms:
                continue
            opened = records.open_batch(os.pread(self.fd, header.size, pos))
            if opened is None:  # as near as the header says
                return header.max_ms, header.base
            for record in opened:
                if record.at_ms >= at_ms:
                    return record.at_ms, record.offset
        return None

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def delete(self) -> None:
        """Remove the segment's files. The caller has closed it."""
        for suffix in (".log", ".index", ".producers"):
            self.path.with_suffix(suffix).unlink(missing_ok=True)


def _cut(chunk: bytes, max_bytes: int, limit: int) -> tuple[int, int]:
    """End of the whole batches that may go out together, and the offset after them."""
    end, following = 0, -1
    while end + HEADER_BYTES <= len(chunk):
        base, length = PREFIX.unpack_from(chunk, end)
        after = end + PREFIX.size + length
        if after > len(chunk) or base >= limit or (after > max_bytes and end):
            break
        following = base + int(_LAST_DELTA.unpack_from(chunk, end + 23)[0]) + 1
        end = after
    return end, following
