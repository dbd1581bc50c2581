"""HTTP content codings, both ways: gzip, deflate, zstd and lz4. Bodies are unpacked piece by piece."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import lz4.frame

from stream import zstd
from stream.embedded.sql.errors import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, QueryError

SMALLEST_BYTES: Final = 1024
"""Shorter answers are sent as they are: packing them costs more than it saves."""

_PIECE_BYTES: Final = 1 << 20
_LEVEL: Final = 3
_PACK: Final[dict[str, Callable[[bytes], bytes]]] = {
    # In order of preference: on loopback and LAN the fastest wins.
    "lz4": lz4.frame.compress,
    "zstd": lambda body: zstd.compress(body, _LEVEL),
    "gzip": lambda body: gzip.compress(body, _LEVEL),
    "deflate": lambda body: zlib.compress(body, _LEVEL),
}
_UNPACK: Final[dict[str, Callable[[], Any]]] = {
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    "deflate": zlib.decompressobj,
}


def chosen(accept: str) -> str:
    """Coding of the answer for an ``Accept-Encoding`` header; "" for none."""
    wanted = set()
    for part in accept.lower().split(","):
        name, _, rest = part.strip().partition(";")
        if rest.replace(" ", "") not in ("q=0", "q=0.0"):
            wanted.add(name.strip())
    return next((name for name in _PACK if name in wanted), "")


def pack(body: bytes, coding: str) -> bytes:
    """``body`` in a coding that ``chosen`` gave."""
    return _PACK[coding](body)


class Unpacker:
    """Takes a coded body in chunks and gives it plain in pieces of at most 1 MiB, whatever a chunk unpacks to."""

    def __init__(self, coding: str) -> None:
        """Raises QueryError for a coding that we do not know."""
        if coding not in _UNPACK and coding not in ("", "identity"):
            raise QueryError(NOT_IMPLEMENTED, f"Content-Encoding {coding} is not supported; use {', '.join(_UNPACK)}")
        self._coding = coding
        self._codec = _UNPACK[coding]() if coding in _UNPACK else None
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Plain pieces of the next chunk; raises QueryError if it is not in the coding."""
        if self._codec is None:
            yield chunk
            return
        self._begun = True
        try:
            while not self._codec.eof:
                yield self._codec.decompress(chunk, _PIECE_BYTES)
                chunk = getattr(self._codec, "unconsumed_tail", b"")
                if not chunk and getattr(self._codec, "needs_input", True):
                    return
        except (zlib.error, zstd.ZstdError, RuntimeError, EOFError) as error:
            raise QueryError(CANNOT_DECOMPRESS, f"The body is not {self._coding}: {error}") from None

    def finish(self) -> None:
        """Raises QueryError if the coded body ended early; no body at all is a whole one."""
        if self._begun and self._codec is not None and not self._codec.eof:
            raise QueryError(CANNOT_DECOMPRESS, f"The {self._coding} body is cut short.")
