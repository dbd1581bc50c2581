"""Exact dedupe: which event ids an entry node has taken in during the last 30 days, and what became of each.

Of two contents with one id the smaller counts, by (digest of the content, receipt, time), whichever came first; so the
result does not depend on the order. Ids are kept packed, 8 bytes of hash and 36 of entry each. A node with more than 256
of them keeps the older ones under keys of their own, which a tick sweeps away in the order of their time.
"""

from _blake2 import blake2b  # hashlib's wrapper costs another 0.3 µs a call
from struct import Struct
from typing import Final, NamedTuple

import msgspec

from stream.core.clusters import Cluster
from stream.core.nodes import NodeState
from stream.core.state import State, key, time_part

KEEP_MS: Final = 30 * 86_400_000
"""How long an id is remembered, by the time of the log."""
HASH_BYTES: Final = 8
_PACKED: Final = 256
"""Ids in the node's own record. 256 are 11 KB, as much as one wants to write for one event."""
PACKED_BYTES: Final = _PACKED * HASH_BYTES
"""Their hashes, in bytes."""
_SPILLED_AT_ONCE: Final = 128
_ENTRY: Final = Struct(">qIIqqqI")
"""Log time, digest, size, receipt, event time, offset and number of the row. Fixed width, so that it can be indexed."""
_SWEPT_AT_ONCE: Final = 5000
"""Spilled ids that one tick removes: about 50 ms."""


class Entry(NamedTuple):
    """What is remembered of one event. The fields ``digest`` to ``at`` are the order of contents."""

    log_at: int
    digest: int
    size: int
    received_at: int
    at: int
    row_o: int
    row_i: int

    def content(self) -> tuple[int, int, int, int]:
        """The total order of contents of one id."""
        return self.digest, self.size, self.received_at, self.at


class Seen(msgspec.Struct, array_like=True, gc=False):
    """The record of a node: ids of its own events, what it is in the forest, what those events need. One read and one write."""

    hashes: bytes = b""
    entries: bytes = b""
    spilled: bool = False
    newest: Cluster | None = None
    """The visitor's newest cluster of hits."""
    node: NodeState | None = None
    """What it remembers as a node of the identity forest; None until somebody says something of it."""
    spread: bool = False
    """Whether it may have more under keys of their own: older clusters, single touches. Most have not."""
    crm: bytes | None = b""
    """What the CRM said of it and its people (``stream.core.identity.folds``), encoded; None if it has a key of its own."""


def record_key(node: str) -> str:
    """State key of a node's record."""
    return "x\x00" + node


class Spilled(msgspec.Struct, array_like=True, gc=False):
    """One id of a node that has very many."""

    entry: bytes


class Due(msgspec.Struct, array_like=True, gc=False):
    """Names a spilled id by the time of its removal; all there is to know is in the key."""


def id_hash(event_id: str) -> bytes:
    """8 bytes that stand for an id within its node."""
    return blake2b(event_id.encode(), digest_size=HASH_BYTES).digest()


def find(state: State, node: str, seen: Seen, hashed: bytes) -> Entry | None:
    """The entry of an id, None if it is new."""
    hashes = seen.hashes
    place = hashes.find(hashed)
    if place == -1 and not seen.spilled:
        return None
    while place != -1:
        if place % HASH_BYTES == 0:
            return Entry(*_ENTRY.unpack_from(seen.entries, place // HASH_BYTES * _ENTRY.size))
        place = hashes.find(hashed, place + 1)
    if seen.spilled:
        spilled = state.get(_spilled_key(node, hashed), Spilled)
        if spilled is not None:
            return Entry(*_ENTRY.unpack(spilled.entry))
    return None


def remember(state: State, node: str, seen: Seen, hashed: bytes, *entry: int) -> None:
    """Add an id that is new to the node; ``entry`` are the fields of its ``Entry``."""
    seen.hashes += hashed
    seen.entries += _ENTRY.pack(*entry)
    if len(seen.hashes) > PACKED_BYTES:
        _spill(state, node, seen)


def replace(state: State, node: str, seen: Seen, hashed: bytes, entry: Entry) -> None:
    """Put ``entry`` in the place of what is known of the id; its log time stays."""
    for place in range(0, len(seen.hashes), HASH_BYTES):
        if seen.hashes[place : place + HASH_BYTES] == hashed:
            begin = place // HASH_BYTES * _ENTRY.size
            kept = Entry(*_ENTRY.unpack_from(seen.entries, begin))
            packed = _ENTRY.pack(*entry._replace(log_at=kept.log_at))
            seen.entries = seen.entries[:begin] + packed + seen.entries[begin + _ENTRY.size :]
            return
    name = _spilled_key(node, hashed)
    spilled = state.get(name, Spilled)
    log_at = entry.log_at if spilled is None else Entry(*_ENTRY.unpack(spilled.entry)).log_at
    state.put(name, Spilled(_ENTRY.pack(*entry._replace(log_at=log_at))))


pack: Final = _ENTRY.pack
"""The fields of an ``Entry``, packed as ``Seen.entries`` has them."""


def forgotten_before(now: int) -> bytes:
    """What ``Seen.entries`` is less than if its first id's time is over at ``now`` (log time, not negative)."""
    return max(0, now - KEEP_MS).to_bytes(8, "big")


def is_due(seen: Seen, now: int) -> bool:
    """Whether an id's time is over. They lie in the order of log time, so this looks at one."""
    entries = seen.entries
    return bool(entries) and int.from_bytes(entries[:8], "big", signed=True) < now - KEEP_MS


def expire(seen: Seen, now: int) -> None:
    """Forget ids whose time is over."""
    if is_due(seen, now):
        seen.hashes, seen.entries = unexpired(seen, now)


def unexpired(seen: Seen, now: int) -> tuple[bytes, bytes]:
    """Hashes and entries of the ids whose time is not over."""
    entries = seen.entries
    count = 0
    while count * _ENTRY.size < len(entries) and _log_at(entries, count) < now - KEEP_MS:
        count += 1
    return seen.hashes[count * HASH_BYTES :], entries[count * _ENTRY.size :]


def sweep(state: State, now: int) -> None:
    """Forget spilled ids whose time is over, at most ``_SWEPT_AT_ONCE``."""
    for name, _ in state.scan(key("y", ""), Due, limit=_SWEPT_AT_ONCE):
        _, log_at, spilled = name.split("\x00", 2)
        if log_at >= time_part(now - KEEP_MS):
            return
        state.delete(key("x", spilled))
        state.delete(name)


def _log_at(entries: bytes, index: int) -> int:
    begin = index * _ENTRY.size
    return int.from_bytes(entries[begin : begin + 8], "big", signed=True)


def _spill(state: State, node: str, seen: Seen) -> None:
    for i in range(_SPILLED_AT_ONCE):
        hashed = seen.hashes[i * HASH_BYTES : (i + 1) * HASH_BYTES]
        packed = seen.entries[i * _ENTRY.size : (i + 1) * _ENTRY.size]
        name = _spilled_key(node, hashed)
        state.put(name, Spilled(packed))
        state.put(key("y", time_part(_log_at(packed, 0)), name[2:]), Due())
    seen.hashes = seen.hashes[_SPILLED_AT_ONCE * HASH_BYTES :]
    seen.entries = seen.entries[_SPILLED_AT_ONCE * _ENTRY.size :]
    seen.spilled = True


def _spilled_key(node: str, hashed: bytes) -> str:
    return key("x", node, hashed.hex())
