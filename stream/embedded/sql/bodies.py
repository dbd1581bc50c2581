"""Bodies of requests: in memory while small, in a file of the spool folder beyond that."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Final

from stream.embedded.sql.codings import Unpacker
from stream.embedded.sql.errors import TOO_LARGE, QueryError
from stream.embedded.sql.statements import HEAD_BYTES

MEMORY_BYTES: Final = 4 << 20
LARGEST_BYTES: Final = 2 << 30
_CHUNK_BYTES: Final = 1 << 20


class Body:
    """A plain (unpacked) body. ``head`` is its beginning; the whole can be read again and again until ``close``."""

    def __init__(self, spool: Path) -> None:
        self._file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(MEMORY_BYTES, dir=str(spool))  # noqa: SIM115  # closed by close()
        self.size = 0

    async def receive(self, chunks: AsyncIterator[bytes], coding: str) -> None:
        """Take all of a request's body; raises QueryError if it is broken or larger than LARGEST_BYTES."""
        unpacker = Unpacker(coding)
        async for chunk in chunks:
            for piece in unpacker.feed(chunk):
                self.size += len(piece)
                if self.size > LARGEST_BYTES:
                    raise QueryError(TOO_LARGE, f"The body is larger than {LARGEST_BYTES} bytes.")
                self._file.write(piece)
        unpacker.finish()

    @property
    def head(self) -> bytes:
        """The first HEAD_BYTES."""
        self._file.seek(0)
        return self._file.read(HEAD_BYTES)

    def whole(self) -> bytes:
        """All of it."""
        self._file.seek(0)
        return self._file.read()

    def chunks(self, start: int) -> Iterator[bytes]:
        """From byte ``start`` on, in chunks."""
        self._file.seek(start)
        while chunk := self._file.read(_CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        """Forget it."""
        self._file.close()
