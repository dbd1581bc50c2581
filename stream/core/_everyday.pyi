from collections.abc import Callable, Sequence
from typing import Self

from stream.core.state import Records

LAYOUT: dict[str, str]
SOURCES: str
ALERTS: int
LONGEST_HALF_LIFE_MS: int

def line_ends(frame: bytes, /) -> int: ...
def split(total: int, weights: tuple[float, ...], /) -> tuple[int, ...] | None: ...
def fixed_texts(numbers: Sequence[int], places: int, /) -> list[str] | None: ...

class Decay:
    def __new__(cls, *, half_life_ms: int, growth: tuple[bytes, ...]) -> Self: ...
    def weights(self, ages: tuple[int, ...], /) -> tuple[int, ...] | None: ...

class Frame:
    def go_on(
        self, event_rows: int, session_rows: int, /
    ) -> tuple[
        bytes,
        int,
        bytes,
        int,
        list[tuple[int, bytes]],
        list[tuple[str, int, bytes]],
        list[tuple[str, int, bytes]],
        bool,
        tuple[str, list[tuple[int, bytes]]] | None,
    ]: ...

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
        blank: bytes,
        page_of: Callable[[bytes], tuple[object, ...] | None],
        company_of: Callable[[bytes], tuple[bytes] | None],
        origin_of: Callable[[bytes], tuple[bytes, bytes, bytes] | None],
        owner_of: Callable[[bytes], tuple[bytes, bytes, bytes] | None],
        user_of: Callable[[bytes], tuple[bytes] | None],
        known_since: Callable[[bytes], tuple[int] | None],
    ) -> Self: ...
    def frame(
        self,
        value: bytes,
        records: Records,
        at: int,
        forgotten: bytes,
        offset: int,
        address: bytes,
        version_and_address: str,
        /,
    ) -> Frame | None: ...

class Touches:
    def go_on(
        self, engagement_rows: int, account_rows: int, /
    ) -> tuple[
        bytes,
        int,
        bytes,
        int,
        bool,
        list[tuple[str, int, int, bytes, bytes, int]],
        tuple[str, list[tuple[int, bytes]]] | None,
    ]: ...

class Journeys:
    def __new__(
        cls,
        *,
        half_life_ms: int,
        half_life_days: bytes,
        growth: tuple[bytes, ...],
        rules_name: bytes,
        alerts: tuple[tuple[bytes, int, int], ...],
        blank: bytes,
        log2: Callable[[float], float],
        of_thousand: float,
    ) -> Self: ...
    def frame(
        self,
        value: bytes,
        records: Records,
        version_and_address: str,
        /,
    ) -> Touches | None: ...
