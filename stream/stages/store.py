"""State of one partition in RocksDB: the ``State`` that the core sees, with the frame's offset in the same batch.

Layers, newest first: objects that frames changed, what earlier ones changed, encoded (``Layer``), RocksDB. Objects stay in a
bounded cache, decoded or as bytes, as they were last read or put, and as bytes once they are saved: whoever asks for the other
form gets it made. Several frames may be sealed together: a visitor who does something in each of them is encoded and written
once. A batch is committed when every output of its frames is durable, and its layer goes as a whole; a crash in between loses
it whole, and the log gives the frames again.

    >>> import tempfile
    >>> store = PartitionStore(Path(tempfile.mkdtemp()))
    >>> store.put("k", Example(7)); store.advance(1); store.commit(store.seal())
    >>> store.next_offset, store.get("k", Example)
    (1, Example(count=7))
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from schemas.codec import state_encoder
from stream.core.state import Example, Records
from stream.stages.state_format import STATE_FORMAT, UNNUMBERED

S = TypeVar("S", bound=msgspec.Struct)

__all__ = ["Batch", "Example", "PartitionStore", "saved"]

# Keys of the shell sort before all keys of the core.
OFFSET_KEY: Final = b"\x01o"
MARKS_KEY: Final = b"\x01m"
FORMAT_KEY: Final = b"\x01f"
UNSAVED_PREFIX: Final = b"\x01u"
UNSAVED_END: Final = b"\x01v"

_CACHED_OBJECTS: Final = 20_000
"""Objects per generation and partition, decoded or as bytes ..."""
_CACHED_BYTES: Final = 4 << 20
"""... and the bytes, encoded, that it may have read and written by then. A visitor's record grows from 1 kB to 20 kB (16 of
hits, 4 of ids): by number alone, eight partitions could keep 6 GB. An account's records are small and many: 20,000 take 11 MB."""
_KEPT_BYTES: Final = 12 << 20
"""Of a large save so much is remembered. One of 10,000 visitors' records may have 20 MB, and ten times that some day; with 4 MB
both stages take 1 to 2 % more CPU."""
_OBJECT_BYTES: Final = 500
"""What a decoded object is taken for: about what it would have, encoded."""
_KNOWN_ABSENT: Final = 1 << 15
"""Names per partition that are remembered to be in no layer: most visitors have no identity node, and are asked about."""
_LARGE: Final = 500
"""Objects from which on a scan is remembered; this many took a millisecond to find."""
_KEPT: Final = 30_000
"""Objects of remembered scans: 10 MB and more."""
_MANY: Final = 64
"""Names of an owner in the overlay from which on their order is worth keeping."""
_NOTHING: Final[dict[str, None]] = {}
_Asked = tuple[str, str, bool, int | None]
"""Prefix, start, order and limit of a scan."""
_decoders: dict[type[msgspec.Struct], msgspec.msgpack.Decoder[msgspec.Struct]] = {}
_block_cache: Cache | None = None


class Batch(msgspec.Struct):
    """The effects of frames on the state: encoded values (None = deleted), marks if they moved, the next offset."""

    next_offset: int
    values: dict[str, bytes | None]
    marks: bytes | None


class Layer(msgspec.Struct):
    """Changes that RocksDB has yet to see: encoded values, and their names by owner (``_group``)."""

    values: dict[str, bytes | None]
    owners: dict[str, dict[str, None]]

    def cover(self, newer: "Layer") -> None:
        """Become both of them."""
        self.values |= newer.values
        for owner, names in newer.owners.items():
            self.owners[owner] = self.owners.get(owner, _NOTHING) | names


class PartitionStore:
    """Ordered map of one partition; see ``stream.core.state.State`` for the contract of get, put, delete, scan.

    Attributes:
        next_offset: offset that the next frame must have.
        saved_offset: the same, as the last ``savepoint`` has it.
        sealed_offset: the same, as the last batch has it.
        committed_offset: the same, as RocksDB has it.
        marks: highest applied order per source (``schemas.address``).
        format: of what RocksDB has (``stream.stages.state_format``); ours from the first batch on.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.db = Rdict(str(path), _options())
        self.db.set_write_options(_unlogged())
        self.next_offset = self.saved_offset = self.sealed_offset = self.committed_offset = 0
        self.marks: dict[str, int] = {}
        self._marks_moved = False
        self._young: dict[str, msgspec.Struct | bytes] = {}
        self._old: dict[str, msgspec.Struct | bytes] = {}
        self._young_bytes = 0
        self._absent: set[str] = set()
        self._changed: dict[str, msgspec.Struct | bytes | None] = {}
        self._objects: set[str] = set()
        """Names that ``_changed`` may have an object of: all others are encoded."""
        self._owners: dict[str, dict[str, None]] = {}
        """What ``_changed`` has, by owner."""
        self._layers: list[Layer] = []
        """Of savepoints and of batches that are not committed, newest first."""
        self._unsealed: Layer | None = None
        """The newest of them, if it is in no batch yet."""
        self._order_of = ""
        """The owner whose names in the overlay are ``_names``, and ``_order``."""
        self._names: Mapping[str, object] = {}
        self._order: list[str] = []
        self._scans: dict[_Asked, list[tuple[str, Any]]] = {}
        """Large ones, in the order in which they were read."""
        self.reload()

    # -- what the core uses ---------------------------------------------------------------------------------------

    @property
    def records(self) -> Records:
        """See ``State.records``."""
        return Records(self.get_packed, self.put, self._young, self._changed, self._scans)

    def get(self, name: str, type_: type[S], /) -> S | None:
        """See ``State.get``."""
        found = self._young.get(name)
        if found is None:
            found = self._found(name)
        if found.__class__ is bytes:
            found = _decode(found, type_)
            if name in self._changed:
                self._changed[name] = found  # one object for the name, whoever changes it next
                self._objects.add(name)
            self._young[name] = found
        return found  # type: ignore[return-value]

    def get_packed(self, name: str, /) -> bytes | None:
        """See ``State.get_packed``."""
        found = self._young.get(name)
        if found is None:
            found = self._found(name)
        if found is None or found.__class__ is bytes:
            return found
        return state_encoder.encode(found)

    def put(self, name: str, value: msgspec.Struct | bytes, /) -> None:
        """See ``State.put``."""
        if name not in self._changed:
            self._absent.discard(name)
            self._overlaid(name)
            if isinstance(value, bytes):
                self._young_bytes += len(value)
        if not isinstance(value, bytes):
            self._objects.add(name)
        if self._scans:
            self._forget_scans_of(name)
        self._changed[name] = value
        self._cache(name, value)

    def delete(self, name: str, /) -> None:
        """See ``State.delete``."""
        if name not in self._changed:
            self._absent.discard(name)
            self._overlaid(name)
        if self._scans:
            self._forget_scans_of(name)
        self._changed[name] = None
        self._young.pop(name, None)
        self._old.pop(name, None)

    def scan(
        self, prefix: str, type_: type[S], /, *, start: str = "", reverse: bool = False, limit: int | None = None
    ) -> list[tuple[str, S]]:
        """See ``State.scan``."""
        asked = prefix, start, reverse, limit
        known = self._scans.get(asked)
        if known is not None:
            return list(known)
        hidden = self._overlay(prefix)
        names = self._live(hidden, prefix, start, reverse=reverse, limit=limit) if hidden else []
        stored = {}
        for raw, packed in self._stored(prefix, start, reverse=reverse):
            name = raw.decode()
            if name not in hidden:
                stored[name] = packed
                if limit is not None and len(stored) >= limit:
                    break
        names += stored
        names.sort(reverse=reverse)
        found = [(name, self._object(name, stored, type_)) for name in names[:limit]]
        if len(found) >= _LARGE:
            self._keep_scan(asked, found)
        return found

    # -- what the shell uses --------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Take offset and marks from RocksDB, after ``__init__`` or a restore; nothing may be in flight."""
        offset = int(self.db.get(OFFSET_KEY) or b"0")
        self.next_offset = self.saved_offset = self.sealed_offset = self.committed_offset = offset
        self.format = int(self.db.get(FORMAT_KEY) or UNNUMBERED)
        self._saved_marks: bytes | None = self.db.get(MARKS_KEY)
        self._take_saved_marks()
        self._absent = set()

    @property
    def empty(self) -> bool:
        """Whether RocksDB has nothing. It has something, but no offset, where a restore was cut short."""
        cursor = self.db.iter()
        cursor.seek_to_first()
        return not cursor.valid()

    @property
    def changes(self) -> int:
        """How many objects wait for the next ``seal``."""
        return len(self._changed)

    def mark(self, source: str, order: int) -> None:
        """Remember that everything from ``source`` up to ``order`` has been applied."""
        self.marks[source] = order
        self._marks_moved = True

    def advance(self, next_offset: int) -> None:
        """End a step: the frame before ``next_offset`` is applied. Its effects are visible; ``seal`` gives them out."""
        self.next_offset = next_offset

    def savepoint(self) -> None:
        """Encode what was changed, so that a ``rollback`` returns to here. What cannot be encoded raises and changes nothing."""
        values, young = self._changed, self._young
        objects = [
            (name, value)
            for name in self._objects
            if (value := values[name]) is not None and not isinstance(value, bytes)
        ]
        encoded = [(name, state_encoder.encode(value)) for name, value in objects]
        for name, packed in encoded:
            values[name] = packed
            self._young_bytes += len(packed)
            if name in young:
                young[name] = packed  # smaller than the object, and most are next asked for as bytes
        if self._young_bytes > _CACHED_BYTES:
            self._grow_old_after_save()
        if values:
            layer = Layer(values, self._owners)  # type: ignore[arg-type]
            if self._unsealed is None:
                self._lay(layer)
            else:
                self._unsealed.cover(layer)
            self._begin()
        if self._marks_moved:
            self._saved_marks = state_encoder.encode(self.marks)
        self.saved_offset = self.next_offset

    def seal(self) -> Batch:
        """All effects since the last ``seal``, encoded; ``commit`` makes them durable."""
        self.savepoint()
        layer = self._unsealed or self._lay(Layer({}, {}))
        batch = Batch(self.next_offset, layer.values, self._saved_marks if self._marks_moved else None)
        self._unsealed = None
        self.sealed_offset = self.next_offset
        self._marks_moved = False
        return batch

    def rollback(self) -> None:
        """Return to the last ``savepoint``: our own code failed.

        The objects in the cache may be half changed, so all of them go.
        """
        self._begin()
        self._forget_young()
        self._old = {}
        self._absent.clear()
        self._scans.clear()
        self.next_offset = self.saved_offset
        self._take_saved_marks()

    def commit(self, batch: Batch) -> None:
        """Write a sealed batch and its offset atomically. Batches are committed in the order they were sealed."""
        write = WriteBatch(raw_mode=True)
        for name, packed in batch.values.items():
            if packed is None:
                write.delete(name.encode())
            else:
                write.put(name.encode(), packed)
        write.put(OFFSET_KEY, b"%d" % batch.next_offset)
        if self.format != STATE_FORMAT:
            self.format = STATE_FORMAT
            write.put(FORMAT_KEY, b"%d" % STATE_FORMAT)
        if batch.marks is not None:
            write.put(MARKS_KEY, batch.marks)
        if batch.values:
            write.put(UNSAVED_PREFIX + b"%016x" % batch.next_offset, state_encoder.encode(list(batch.values)))
        self.db.write(write)
        self.committed_offset = batch.next_offset
        self._layers.pop()
        self._order_of = ""

    def flush(self) -> None:
        """Begin to write out what is committed, so that a crash leaves it. A few ms; goes on in the background."""
        self.db.flush(wait=False)

    def clear(self) -> None:
        """Remove everything: the state will be built anew from the log. Nothing may be in flight."""
        self.db.delete_range(b"", b"\xff")
        self.rollback()
        self.reload()

    def close(self) -> None:
        """Write out what is committed and give the files up; the store must not be used afterwards."""
        self.db.close()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _take_saved_marks(self) -> None:
        packed = self._saved_marks
        self.marks = msgspec.msgpack.decode(packed, type=dict[str, int]) if packed else {}

    def _begin(self) -> None:
        """Nothing is changed any more, since it went into a layer or is undone."""
        self._changed, self._objects, self._owners = {}, set(), {}
        self._order_of = ""

    def _lay(self, layer: Layer) -> Layer:
        """Put it on top of the others."""
        self._unsealed = layer
        self._layers.insert(0, layer)
        return layer

    def _found(self, name: str) -> msgspec.Struct | bytes | None:
        """What lies under a name that is not among the young, as it is there. From now on it is among them."""
        if name in self._absent:
            return None
        found: msgspec.Struct | bytes | None
        if name in self._changed:
            found = self._changed[name]
        else:
            found = self._old.get(name)
            if found is None:
                found = self._packed(name)
                if found is None:
                    if len(self._absent) >= _KNOWN_ABSENT:
                        self._absent.clear()
                    self._absent.add(name)
                    return None
                self._young_bytes += len(found)
        if found is not None:
            self._cache(name, found)
        return found

    def _cache(self, name: str, value: msgspec.Struct | bytes) -> None:
        young = self._young
        if len(young) >= _CACHED_OBJECTS and name not in young:
            self._grow_old()
        young[name] = value

    def _grow_old(self) -> None:
        """Two generations: cheaper than keeping an order of use, and as good at forgetting.

        All become old, since a step may have some of them in its hands and ask for them again.
        """
        self._old = self._young.copy()
        self._forget_young()

    def _grow_old_after_save(self) -> None:
        """Of what a save leaves, which may be much more than ``_CACHED_BYTES``, only those become old that came last."""
        old: dict[str, msgspec.Struct | bytes] = {}
        room = _KEPT_BYTES
        for name in reversed(self._young):
            value = self._young[name]
            room -= len(value) if isinstance(value, bytes) else _OBJECT_BYTES
            if room < 0:
                break
            old[name] = value
        self._old = old
        self._forget_young()

    def _forget_young(self) -> None:
        """It stays the same dict: a step may have it in its hands."""
        self._young.clear()
        self._young_bytes = 0

    def _packed(self, name: str) -> bytes | None:
        for layer in self._layers:
            if name in layer.values:
                return layer.values[name]
        found: bytes | None = self.db.get(name.encode())
        return found

    def _waiting(self, name: str) -> bytes | None:
        """What a layer has under a name."""
        return next(layer.values[name] for layer in self._layers if name in layer.values)

    def _overlay(self, prefix: str) -> Mapping[str, object]:
        """Names that RocksDB does not know the truth of: all those below ``prefix``, and perhaps others."""
        if prefix.count("\x00") <= 1:
            everything: dict[str, object] = dict(self._changed)
            for layer in self._layers:
                everything |= layer.values
            return everything
        owner = _group(prefix)
        if owner == self._order_of:
            return self._names
        names = self._owners.get(owner, _NOTHING)
        for layer in self._layers:
            if owner in layer.owners:
                names = names | layer.owners[owner] if names else layer.owners[owner]
        return names

    def _keep_scan(self, asked: _Asked, found: list[tuple[str, Any]]) -> None:
        """Remember a large scan until something below its prefix changes.

        A large journey is booked in a dozen steps, and each looks at all of its touches; those of the account that it moved
        from and of the one that it moved to take turns.
        """
        if len(found) > _KEPT or not _group(asked[0]):
            return
        self._scans[asked] = found[:]
        while sum(map(len, self._scans.values())) > _KEPT:
            del self._scans[next(iter(self._scans))]

    def _forget_scans_of(self, name: str) -> None:
        for asked in [asked for asked in self._scans if name.startswith(asked[0])]:
            del self._scans[asked]

    def _live(
        self, hidden: Mapping[str, object], prefix: str, start: str, *, reverse: bool, limit: int | None
    ) -> list[str]:
        """The first of the names in the overlay that a scan finds, in its order."""
        order = self._ordered(hidden, prefix)
        low, high = bisect_left(order, prefix), bisect_left(order, prefix[:-1] + chr(ord(prefix[-1]) + 1))
        if start:
            low, high = (
                (low, min(high, bisect_right(order, start))) if reverse else (max(low, bisect_left(order, start)), high)
            )
        changed = self._changed
        live = (
            name
            for name in (reversed(order[low:high]) if reverse else order[low:high])
            if (changed[name] if name in changed else self._waiting(name)) is not None
        )
        return list(islice(live, limit))

    def _ordered(self, hidden: Mapping[str, object], prefix: str) -> list[str]:
        """Sorted; that of the last large owner is kept, since an account's history is looked at day by day."""
        if len(hidden) < _MANY:
            return sorted(hidden)
        if self._order_of != (owner := _group(prefix)) or not owner:
            self._order_of, self._names, self._order = owner, hidden, sorted(hidden)
        return self._order

    def _overlaid(self, name: str) -> None:
        """Note a name whose truth is not in RocksDB; single records (``_group``) are never scanned for by owner."""
        owner = _group(name)
        if owner:
            if owner == self._order_of:
                self._order_of = ""
            names = self._owners.get(owner)
            if names is None:
                self._owners[owner] = {name: None}
            else:
                names[name] = None

    def _stored(self, prefix: str, start: str, *, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        low = prefix.encode()
        high = low + b"\xff"
        # Without its bound a cursor walks on over all that was deleted behind the last of ours. SURPRISE: rocksdict takes a
        # lower bound for an upper one, so downwards there is none.
        bound = ReadOptions()
        bound.set_iterate_upper_bound(high)
        begin = start.encode() if start else high if reverse else low
        for raw, packed in self.db.items(backwards=reverse, from_key=begin, read_opt=bound):
            if not raw.startswith(low):
                return
            yield raw, packed

    def _object(self, name: str, stored: dict[str, bytes], type_: type[S]) -> S:
        live = self._young.get(name) or self._old.get(name)
        if live is None or live.__class__ is bytes:
            packed = stored.get(name) if live is None else None
            if packed is None:
                found = self.get(name, type_)
                assert found is not None
                return found
            live = _decode(packed, type_)
            self._young_bytes += len(packed)
            self._cache(name, live)
        return live  # type: ignore[return-value]


def saved(path: Path) -> tuple[int, int]:
    """Format and next offset of the store in ``path``, zeros if there is none. Some milliseconds; changes nothing there."""
    if not (path / "CURRENT").exists():
        return UNNUMBERED, 0
    db = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())
    try:
        return int(db.get(FORMAT_KEY) or UNNUMBERED), int(db.get(OFFSET_KEY) or 0)
    finally:
        db.close()


def _decode(packed: bytes, type_: type[S]) -> msgspec.Struct:
    decoder = _decoders.get(type_)
    if decoder is None:
        decoder = _decoders[type_] = msgspec.msgpack.Decoder(type_)
    return decoder.decode(packed)


def _group(name: str) -> str:
    """Kind and owner of a key (``i, node, ...``): scans seldom reach beyond one owner, so the overlay is kept by it.

    "" for the one record of an owner (``n, node``): no prefix with an owner finds it.
    """
    first = name.find("\x00")
    second = name.find("\x00", first + 1)
    return name[:second] if second > first else ""


def _unlogged() -> WriteOptions:
    """For all writes: if some were logged, a crash could leave those without others that came before."""
    options = WriteOptions()
    options.disable_wal = True
    return options


def _options() -> Options:
    """Small: four partitions of two stages share one block cache, and a worker must stay below 200 MB when idle."""
    global _block_cache  # noqa: PLW0603 - one cache for the process
    if _block_cache is None:
        _block_cache = Cache(32 << 20)
    table = BlockBasedOptions()
    table.set_block_cache(_block_cache)
    table.set_bloom_filter(10.0, block_based=False)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    # The youngest files, of 8 MB each, are soon read again to be merged: not compressed, and twice as many at a time as usual.
    options.set_compression_per_level([DBCompressionType.none(), *[DBCompressionType.lz4()] * 6])
    options.set_level_zero_file_num_compaction_trigger(8)
    options.set_write_buffer_size(8 << 20)
    # Most names are not among the youngest: a filter tells so in half the time that looking for them takes.
    options.set_memtable_prefix_bloom_ratio(0.02)
    options.set_memtable_whole_key_filtering(True)
    options.set_max_write_buffer_number(2)
    options.set_max_open_files(128)
    options.set_max_background_jobs(2)
    return options
