"""The state of one partition as the core sees it: an ordered map from text keys to Structs.

The core reads and writes through ``State`` and knows nothing of what is beneath: RocksDB in a worker
(``stream.stages.store``), a dict here for tests. Keys are made with ``key``; NUL separates their parts, so no part may
contain it (the edge sees to that), and a prefix scan over ``key("s", node, "")`` finds the parts below ``node`` only.

    >>> state = MemoryState()
    >>> state.put(key("n", "default/u:7"), Example(1))
    >>> state.scan(key("n", ""), Example)
    [('n\\x00default/u:7', Example(count=1))]
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from schemas.codec import state_encoder

S = TypeVar("S", bound=msgspec.Struct)


class Example(msgspec.Struct):
    """A state object for the doctest above."""

    count: int


def key(*parts: str) -> str:
    """Join the parts of a state key. ``key("s", node, "")`` is the prefix of everything below ``node``."""
    return "\x00".join(parts)


def time_part(at_ms: int) -> str:
    """A time as part of a key, so that key order is time order. ``at_ms`` in [-2**62, 2**62]."""
    return f"{at_ms + 2**62:016x}"


class Records(NamedTuple):
    """A state's records in MessagePack, for C. What is at hand it looks up by itself.

    Attributes:
        get: ``State.get_packed``.
        put: ``State.put``.
        at_hand: records that ``get`` would find, by their names. Objects among them have to be asked for.
        changed: names that ``put`` noted as changed, with their records. The next one is put there and at hand, and that is all
            as long as there are no ``scans``.
        scans: those that ``put`` would have to forget.
    """

    get: Callable[[str], bytes | None]
    put: Callable[[str, bytes], None]
    at_hand: dict[str, Any]
    changed: dict[str, Any]
    scans: dict[Any, Any]


def asking(state: "State") -> Records:
    """The records of a state that has none at hand."""
    return Records(state.get_packed, state.put, {}, {}, {})


class State(Protocol):
    """Ordered map of one partition. All effects of a frame are stored together with its offset, or none."""

    @property
    def records(self) -> Records:
        """Until the step ends."""

    def get(self, name: str, type_: type[S], /) -> S | None:
        """The object under ``name``. It is the live one: whoever changes it must ``put`` it in the same step."""

    def get_packed(self, name: str, /) -> bytes | None:
        """The same object as ``put`` stores it, in MessagePack: a copy, and cheap for whoever needs little of it."""

    def put(self, name: str, value: msgspec.Struct | bytes, /) -> None:
        """Store ``value`` under ``name``: an object, or its MessagePack."""

    def delete(self, name: str, /) -> None:
        """Forget ``name``; nothing happens if it is not there."""

    def scan(
        self, prefix: str, type_: type[S], /, *, start: str = "", reverse: bool = False, limit: int | None = None
    ) -> list[tuple[str, S]]:
        """Pairs whose key begins with ``prefix``, in key order, at most ``limit``.

        ``start`` (a whole key) is where to begin, inclusive: upwards, or downwards if ``reverse``.
        """


class MemoryState:
    """A ``State`` in a dict, as strict as the real one: objects are kept encoded between steps."""

    def __init__(self) -> None:
        self.encoded: dict[str, bytes] = {}
        self.order: list[str] = []

    @property
    def records(self) -> Records:
        """See ``State.records``."""
        return asking(self)

    def get(self, name: str, type_: type[S], /) -> S | None:
        """See ``State.get``."""
        found = self.encoded.get(name)
        return None if found is None else msgspec.msgpack.decode(found, type=type_)

    def get_packed(self, name: str, /) -> bytes | None:
        """See ``State.get_packed``."""
        return self.encoded.get(name)

    def put(self, name: str, value: msgspec.Struct | bytes, /) -> None:
        """See ``State.put``."""
        if name not in self.encoded:
            insort(self.order, name)
        self.encoded[name] = value if isinstance(value, bytes) else state_encoder.encode(value)

    def delete(self, name: str, /) -> None:
        """See ``State.delete``."""
        if self.encoded.pop(name, None) is not None:
            del self.order[bisect_left(self.order, name)]

    def scan(
        self, prefix: str, type_: type[S], /, *, start: str = "", reverse: bool = False, limit: int | None = None
    ) -> list[tuple[str, S]]:
        """See ``State.scan``."""
        low = bisect_left(self.order, prefix)
        high = bisect_left(self.order, prefix[:-1] + chr(ord(prefix[-1]) + 1)) if prefix else len(self.order)
        names = self.order[low:high]
        if start:
            names = [n for n in names if (n <= start if reverse else n >= start)]
        if reverse:
            names.reverse()
        return [(n, msgspec.msgpack.decode(self.encoded[n], type=type_)) for n in names[:limit]]
