from collections.abc import Callable, Sequence
from typing import Self

LAYOUT: dict[str, str]
SOURCES: str
HITS_BYTES: int
ID_BYTES: int

def by_node(lines: Sequence[tuple[int, bytes]], /) -> dict[str, list[tuple[int, bytes]]] | None: ...

class Everyday:
    def __new__(
        cls,
        *,
        gap_ms: int,
        max_ms: int,
        engaged_ms: int,
        engaged_views: int,
        trusting: bool,
        direct: bytes,
        page_of: Callable[[bytes], tuple[object, ...] | None],
        company_of: Callable[[bytes], tuple[bytes] | None],
        origin_of: Callable[[bytes], tuple[bytes, bytes, bytes] | None],
        owner_of: Callable[[bytes], tuple[bytes, bytes, bytes] | None],
        user_of: Callable[[bytes], tuple[bytes] | None],
        known_since: Callable[[bytes], tuple[int] | None],
    ) -> Self: ...
    def go_on(
        self,
        packed: bytes,
        node: str,
        lines: Sequence[tuple[int, bytes]],
        at: int,
        forgotten: bytes,
        offset: int,
        address: bytes,
        event_rows: int,
        version_and_address: str,
        session_rows: int,
        /,
    ) -> tuple[bytes, list[bytes], list[bytes], list[tuple[int, bytes]], list[tuple[int, bytes]]] | None: ...
