"""Exact dedupe: which event ids an entry node has taken in during the last 30 days, and what became of each.

Of two contents with one id the smaller counts, by (digest of the content, receipt, time), whichever came first; so the
result does not depend on the order. The node's record is written whole whenever it does something, so of an id it has what
tells whether another is the same, 8 bytes of hash. The entries, 44 bytes each, are asked for by repetitions only: 32 of
them are a sheet, which has a key of its own and is dropped when the last of its ids is forgotten. A node with more than 256
ids keeps the older ones under keys of their own, which a tick sweeps away in the order of their time.
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
_NO_HASH: Final = bytes(HASH_BYTES)
"""Of an id that was forgotten."""
_PACKED: Final = 256
"""Ids in the node's own record. Their hashes are 2 kB, as much as one wants to write for one event."""
PACKED_BYTES: Final = _PACKED * HASH_BYTES
"""Their hashes, in bytes."""
_SHEET: Final = 32
"""Entries that lie together under a key of their own; the record has fewer. Fewer keys, larger records: 32 cost least."""
_SPILLED_SHEETS: Final = 4
"""Of half of the ids in a record; so many are spilled at once."""
_ENTRY: Final = Struct(">qIIqqqI")
"""Log time, digest, size, receipt, event time, offset and number of the row. Fixed width, so that it can be indexed."""
SHEET_BYTES: Final = _SHEET * _ENTRY.size
_TIME_BYTES: Final = 8
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
    """Of the last ids, those that fill no sheet."""
    spilled: bool = False
    newest: Cluster | None = None
    """The visitor's newest cluster of hits."""
    node: NodeState | None = None
    """What it remembers as a node of the identity forest; None until somebody says something of it."""
    spread: bool = False
    """Whether it may have more under keys of their own: older clusters, single touches. Most have not."""
    crm: bytes | None = b""
    """What the CRM said of it and its people (``stream.core.identity.folds``), encoded; None if it has a key of its own."""
    sheets: bytes = b""
    """Latest log time of each sheet's ids, 8 bytes. The first of them has the entries of the first hashes."""
    first_sheet: int = 0
    """Number of the first sheet."""


def record_key(node: str) -> str:
    """State key of a node's record."""
    return "x\x00" + node


class Sheet(msgspec.Struct, array_like=True, gc=False):
    """Entries of ids that followed each other."""

    entries: bytes


class Spilled(msgspec.Struct, array_like=True, gc=False):
    """One id of a node that has very many."""

    entry: bytes


class Due(msgspec.Struct, array_like=True, gc=False):
    """Names a spilled id by the time of its removal; all there is to know is in the key."""


def id_hash(event_id: str) -> bytes:
    """8 bytes that stand for an id within its node."""
    return blake2b(event_id.encode(), digest_size=HASH_BYTES).digest()


def find(state: State, node: str, seen: Seen, hashed: bytes, forgotten: bytes) -> Entry | None:
    """The entry of an id, None if it is new, or if its time is over (``forgotten_before``) and it is as if it were new."""
    index = _index(seen, hashed)
    if index is not None:
        _, entries, begin = _place(state, node, seen, index)
        if entries[begin : begin + _TIME_BYTES] < forgotten:
            return None
        return Entry(*_ENTRY.unpack_from(entries, begin))
    if seen.spilled:
        spilled = state.get(_spilled_key(node, hashed), Spilled)
        if spilled is not None and spilled.entry[:_TIME_BYTES] >= forgotten:
            return Entry(*_ENTRY.unpack(spilled.entry))
    return None


def remember(state: State, node: str, seen: Seen, hashed: bytes, *entry: int) -> None:
    """Add an id that is new to the node; ``entry`` are the fields of its ``Entry``."""
    before = _index(seen, hashed)
    if before is not None:  # forgotten, but its sheet is not: it must be found once only
        begin = before * HASH_BYTES
        seen.hashes = seen.hashes[:begin] + _NO_HASH + seen.hashes[begin + HASH_BYTES :]
    elif seen.spilled:
        _forget_spilled(state, node, hashed)
    seen.hashes += hashed
    seen.entries += _ENTRY.pack(*entry)
    fill_sheets(state, node, seen)
    if len(seen.hashes) > PACKED_BYTES:
        _spill(state, node, seen)


def replace(state: State, node: str, seen: Seen, hashed: bytes, entry: Entry) -> None:
    """Put ``entry`` in the place of what is known of the id; its log time stays."""
    index = _index(seen, hashed)
    if index is None:
        name = _spilled_key(node, hashed)
        spilled = state.get(name, Spilled)
        log_at = entry.log_at if spilled is None else _log_at(spilled.entry)
        state.put(name, Spilled(_ENTRY.pack(*entry._replace(log_at=log_at))))
        return
    name, entries, begin = _place(state, node, seen, index)
    packed = _ENTRY.pack(*entry._replace(log_at=_log_at(entries, begin)))
    entries = entries[:begin] + packed + entries[begin + _ENTRY.size :]
    if name:
        state.put(name, Sheet(entries))
    else:
        seen.entries = entries


pack: Final = _ENTRY.pack
"""The fields of an ``Entry``, packed as ``Seen.entries`` has them."""


def fill_sheets(state: State, node: str, seen: Seen) -> None:
    """Leave fewer entries in the record than fill a sheet."""
    while len(seen.entries) >= SHEET_BYTES:
        filled, seen.entries = seen.entries[:SHEET_BYTES], seen.entries[SHEET_BYTES:]
        put_sheet(state, node, seen.first_sheet + len(seen.sheets) // _TIME_BYTES, filled)
        times = [filled[begin : begin + _TIME_BYTES] for begin in range(0, SHEET_BYTES, _ENTRY.size)]
        seen.sheets += max(times)  # of the last id, unless the log's clock was set back


def put_sheet(state: State, node: str, number: int, entries: bytes) -> None:
    """Store a sheet; one without entries is forgotten."""
    if entries:
        state.put(_sheet_key(node, number), Sheet(entries))
    else:
        state.delete(_sheet_key(node, number))


def forgotten_before(now: int) -> bytes:
    """What ``Seen.sheets``, or ``Seen.entries`` if there are no sheets, are less than if the first time in them is over.

    ``now`` is a time of the log, not negative.
    """
    return max(0, now - KEEP_MS).to_bytes(_TIME_BYTES, "big")


def overdue(seen: Seen, forgotten: bytes) -> tuple[int, int]:
    """Sheets, and ids that are on none, whose time is over (``forgotten_before``): of a sheet when it is for all of its ids."""
    sheets, ids = seen.sheets, seen.entries
    while sheets and sheets < forgotten:
        sheets = sheets[_TIME_BYTES:]
    if not sheets:
        while ids and ids < forgotten:
            ids = ids[_ENTRY.size :]
    return (len(seen.sheets) - len(sheets)) // _TIME_BYTES, (len(seen.entries) - len(ids)) // _ENTRY.size


def hash_bytes(sheets: int, ids: int) -> int:
    """Of the ids of so many sheets, and of so many more."""
    return (sheets * _SHEET + ids) * HASH_BYTES


def forget(state: State, node: str, seen: Seen, sheets: int, ids: int) -> None:
    """Drop that many of the first sheets, and of the first ids that are on none if there is no sheet left."""
    for number in range(seen.first_sheet, seen.first_sheet + sheets):
        put_sheet(state, node, number, b"")
    seen.hashes = seen.hashes[hash_bytes(sheets, ids) :]
    seen.entries = seen.entries[ids * _ENTRY.size :]
    seen.sheets = seen.sheets[sheets * _TIME_BYTES :]
    seen.first_sheet += sheets


def sweep(state: State, now: int) -> None:
    """Forget spilled ids whose time is over, at most ``_SWEPT_AT_ONCE``."""
    for name, _ in state.scan(key("y", ""), Due, limit=_SWEPT_AT_ONCE):
        _, log_at, spilled = name.split("\x00", 2)
        if log_at >= time_part(now - KEEP_MS):
            return
        state.delete(key("x", spilled))
        state.delete(name)


def _index(seen: Seen, hashed: bytes) -> int | None:
    """Which of the ids in the record it is."""
    place = seen.hashes.find(hashed)
    while place % HASH_BYTES:  # -1, too
        if place == -1:
            return None
        place = seen.hashes.find(hashed, place + 1)
    return place // HASH_BYTES


def _place(state: State, node: str, seen: Seen, index: int) -> tuple[str, bytes, int]:
    """Where the entry of an id in the record is: name of its sheet ("" if it is in the record), entries, and its first byte."""
    sheet, place = divmod(index, _SHEET)
    sheets = len(seen.sheets) // _TIME_BYTES
    if sheet >= sheets:
        return "", seen.entries, (index - sheets * _SHEET) * _ENTRY.size
    name = _sheet_key(node, seen.first_sheet + sheet)
    found = state.get(name, Sheet)
    assert found is not None, "what the record names is stored with it"
    return name, found.entries, place * _ENTRY.size


def _log_at(entries: bytes, begin: int = 0) -> int:
    return int.from_bytes(entries[begin : begin + _TIME_BYTES], "big", signed=True)


def _spill(state: State, node: str, seen: Seen) -> None:
    for sheet in range(_SPILLED_SHEETS):
        _, entries, _ = _place(state, node, seen, sheet * _SHEET)
        hashes = seen.hashes[hash_bytes(sheet, 0) :]
        for n in range(_SHEET):
            hashed, packed = hashes[n * HASH_BYTES :][:HASH_BYTES], entries[n * _ENTRY.size :][: _ENTRY.size]
            if hashed != _NO_HASH:
                name = _spilled_key(node, hashed)
                state.put(name, Spilled(packed))
                state.put(_due_key(name, packed), Due())
    forget(state, node, seen, _SPILLED_SHEETS, 0)
    seen.spilled = True


def _forget_spilled(state: State, node: str, hashed: bytes) -> None:
    """Drop an id whose time is over before a tick does: the tick would take a later one with it."""
    name = _spilled_key(node, hashed)
    spilled = state.get(name, Spilled)
    if spilled is not None:
        state.delete(_due_key(name, spilled.entry))
        state.delete(name)


def _due_key(name: str, entry: bytes) -> str:
    return key("y", time_part(_log_at(entry)), name[2:])


def _spilled_key(node: str, hashed: bytes) -> str:
    return key("x", node, hashed.hex())


def _sheet_key(node: str, number: int) -> str:
    return key("e", node, f"{number:08x}")
