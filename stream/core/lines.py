"""Encoded lines on their way out of a step."""

from collections.abc import Iterator

import msgspec


class Lines(msgspec.Struct, eq=False, gc=False):
    """Lines in order. Those that were made together lie in one piece, so that nobody handles each.

    >>> lines = Lines()
    >>> lines.append(b"1"); lines.extend(b"2\\n3", 2)
    >>> len(lines), list(lines)
    (3, [b'1', b'2', b'3'])
    """

    pieces: list[bytes] = msgspec.field(default_factory=list)
    """Each is a line or several, with line ends between them."""
    count: int = 0

    def append(self, line: bytes) -> None:
        """Add a line. It has no end of its own."""
        self.pieces.append(line)
        self.count += 1

    def extend(self, piece: bytes, count: int) -> None:
        """Add ``count`` lines with ends between them; nothing if there are none."""
        if count:
            self.pieces.append(piece)
            self.count += count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            yield from piece.split(b"\n")

    def __eq__(self, other: object) -> bool:
        """Whether they are the same lines, however they are pieced together."""
        return isinstance(other, Lines) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]
