"""From one input record to its outputs: the pure middle of a stage, between the log and the core.

Decodes the record, lets the core decide, packs what it decided into output records. No I/O: state is behind the store,
and what to send is returned. The same record on the same state gives the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas import topics
from schemas.address import MAX_PARTS, address, parts
from schemas.codec import json_encoder, line_of
from schemas.errors import Fatal
from schemas.ids import derived_id
from schemas.messages import Control
from schemas.rejections import Rejected, RejectReason, dead_letter
from schemas.rules import Rules
from stream.core.frames import line_ends
from stream.core.lines import Lines
from stream.core.step import Step
from stream.stages.admission import Home
from stream.stages.store import PartitionStore

LARGEST_INPUT: Final = 4 << 20
"""Bytes of a frame that we read; a larger one (never ours) is dead-lettered whole."""
_MOST_BUGS: Final = 100
"""Items of one record that our own code may fail on before the worker stops: then it is not the data."""
_MOST_LINES: Final = 10_000
"""Lines of an event or control record; ours have 2,000. Each may become a dead letter, and an address has 65,536 parts.
Messages come from our stages only, and none of them becomes one."""
_KEPT: Final = 512 << 10
"""Bytes of a refused line that its dead letter keeps; the log has the rest, at the letter's address."""
_control = msgspec.json.Decoder(Control)
Sources = list[tuple[str, int, int]]
"""Source, order and bytes of each part of a record (``schemas.address``)."""
Part = tuple[str, int, bytes]
"""Source, order and value of one that was not applied before."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of an input topic."""

    offset: int
    at: int
    """Append time, ms."""
    value: bytes
    headers: dict[str, bytes]
    home: Home | None = None
    """The partition that it lies in, if it is computed as of another one (``touchline verify`` makes one of all)."""


class Output(msgspec.Struct, frozen=True, gc=False):
    """One record to produce."""

    topic: str
    partition: int
    value: bytes
    headers: list[tuple[str, bytes]]


class Stage(msgspec.Struct, frozen=True):
    """What makes a stage: its topics, the shape of its items by record kind, and the core's functions for them."""

    name: str
    input: str
    facts: str
    state: str
    default_kind: str
    decoders: dict[str, msgspec.json.Decoder[Any]]
    apply: dict[str, Callable[[Step, Any], None]]
    rules_of: Callable[[PartitionStore], Rules]
    admit: Callable[[Any, int, Home], Rejected | None] | None = None
    """(item, append time, home) -> why it is refused: for event frames that our collector did not pack."""
    raw: frozenset[str] = frozenset()
    """Kinds whose items the core decodes itself: it gets all of them as canonical lines; an empty line is none."""
    tells: bool = False
    """Whether its tokens make messages for others."""
    largest_facts: int = 1 << 20
    """Bytes of a record of facts: so much is compressed in a few ms. The topics take eight times that."""
    largest_messages: int = 256 << 10
    """Bytes of a record of messages: the account stage takes so many in 20 ms."""


class Work:
    """A record being computed: collects what comes of it. ``step`` is where it is computed."""

    def __init__(self, stage: Stage, store: PartitionStore, record: Record, parts: list[Part], step: Step) -> None:
        self.stage = stage
        self.store = store
        self.record = record
        self.parts = parts
        self.step = step

    def reject(self, line: int, rejected: Rejected) -> None:
        """Dead-letter one line, with its address."""
        where = f"{self.stage.input}/{self.step.partition}/{self.record.offset}/{line}"
        letter = dead_letter(
            msgspec.structs.replace(rejected, body=rejected.body[:_KEPT]),
            letter_id=derived_id("dead", where),
            received_at=self.record.at,
            tenant="default",
            source=self.stage.name,
            address=where,
        )
        self.step.sends.setdefault((topics.DEAD_LETTERS, self.step.partition), []).append(json_encoder.encode(letter))


class Unsaved(Exception):
    """Our own code failed on a record, and the state before it is not saved: roll back, apply what is missing, try again."""


def compute(
    stage: Stage, store: PartitionStore, record: Record, *, partition: int, partitions: int, careful: bool = False
) -> list[Output]:
    """Apply ``record`` to ``store`` and list what must be durable before the store's next batch may be committed.

    A record whose source address was already applied changes nothing but the offset, and of a bundle only those parts count
    whose address was not. ``careful`` saves the state after it.

    Raises:
        Unsaved: our own code failed, and frames before this one were not saved (``PartitionStore.savepoint``).
        Fatal: our own code failed on most of the record.
    """
    sources = sources_of(record)
    fresh = unapplied(store.marks, record.value, sources or [])
    if sources and not fresh:
        _end(store, record, careful=careful)
        return []
    for source, position, _ in fresh:
        store.mark(source, position)
    if sources and len(fresh) < len(sources):
        record = msgspec.structs.replace(record, value=b"\n".join(value for _, _, value in fresh))
    rules = stage.rules_of(store)
    step = Step(store, rules, partition=partition, partitions=partitions, offset=record.offset, at=record.at)
    work = Work(stage, store, record, fresh, step)
    kind = (record.headers.get(topics.KIND_HEADER) or stage.default_kind.encode()).decode("ascii", "replace")
    if kind == topics.MESSAGE_FRAME and sources is None:
        work.reject(0, Rejected(RejectReason.UNSUPPORTED, "only the stages themselves send messages", record.value))
        _end(store, record, careful=careful)
        return _outputs(stage, work.step)
    packed = topics.PACKER_HEADER in record.headers
    if (packed or kind == topics.MESSAGE_FRAME) and kind in stage.raw and _fits(record.value, kind):
        _apply(work, kind, record.value, careful=careful)
    else:
        items = _items(work, kind)
        if stage.admit is not None and kind == topics.EVENT_FRAME and not packed:
            items = _admitted(work, stage.admit, items, record.home or (partition, partitions))
        _apply(work, kind, _raw(items) if kind in stage.raw else items, careful=careful)
    for number, rejected in work.step.refused:
        work.reject(number, rejected)
    return _outputs(stage, work.step)


def sources_of(record: Record) -> Sources | None:
    """Where the parts of a record come from; None of what comes from no stage.

    A stranger's header of that name is none: nothing says that it is a repetition.
    """
    header = record.headers.get(topics.SOURCE_HEADER)
    try:
        return None if header is None else parts(header, len(record.value))
    except ValueError:
        return None


def unapplied(marks: Mapping[str, int], value: bytes, sources: Sources) -> list[Part]:
    """Those parts of ``value`` that a reader with these marks has not applied."""
    fresh = []
    last: dict[str, int] = {}
    begin = 0
    for source, position, size in sources:
        if position > last.get(source, marks.get(source, -1)):
            last[source] = position
            fresh.append((source, position, value[begin : begin + size]))
        begin += size + 1
    return fresh


def _items(work: Work, kind: str) -> list[tuple[int, Any]]:
    """The record's items with their line numbers; undecodable lines go to the dead letters."""
    value = work.record.value
    decoder = _control if kind == topics.CONTROL_FRAME else work.stage.decoders.get(kind)
    if decoder is None or len(value) > LARGEST_INPUT:
        reason = RejectReason.UNSUPPORTED if decoder is None else RejectReason.TOO_LARGE
        work.reject(0, Rejected(reason, f"a record of kind {kind[:40]!r} and {len(value)} bytes", value))
        return []
    if kind != topics.MESSAGE_FRAME and value.count(b"\n") >= _MOST_LINES:
        work.reject(0, Rejected(RejectReason.TOO_MANY, f"more than {_MOST_LINES} lines", value))
        return []
    try:
        return list(enumerate(decoder.decode_lines(value)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return list(_line_by_line(work, decoder))


def _fits(frame: bytes, kind: str) -> bool:
    """Whether the core may decode it line by line. If not, ``_items`` says why."""
    return len(frame) <= LARGEST_INPUT and (kind == topics.MESSAGE_FRAME or line_ends(frame) < _MOST_LINES)


def _raw(items: list[tuple[int, Any]]) -> bytes:
    """The items as canonical lines, each at its number."""
    lines = [b""] * (items[-1][0] + 1 if items else 0)
    for number, item in items:
        lines[number] = line_of(item)
    return b"\n".join(lines)


def _admitted(
    work: Work,
    admit: Callable[[Any, int, Home], Rejected | None],
    items: list[tuple[int, Any]],
    home: Home,
) -> list[tuple[int, Any]]:
    """Of a foreign producer's events those that are as our collector's would be; the others go to the dead letters."""
    kept = []
    for number, event in items:
        fault = admit(event, work.record.at, home)
        if fault is None:
            kept.append((number, event))
        else:
            work.reject(number, msgspec.structs.replace(fault, body=_encoded(event)))
    return kept


def _encoded(item: object) -> bytes:
    if isinstance(item, bytes):
        return item  # a raw line
    try:
        return json_encoder.encode(item)
    except (OverflowError, UnicodeEncodeError):  # an integer beyond 64 bits: JSON can say it, our encoders cannot
        return repr(item).encode("utf-8", "backslashreplace")


def _line_by_line(work: Work, decoder: msgspec.json.Decoder[Any]) -> Sequence[tuple[int, Any]]:
    items = []
    for number, line in enumerate(work.record.value.split(b"\n")):
        if not line.strip():
            continue
        try:
            items.append((number, decoder.decode(line)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            work.reject(number, Rejected(RejectReason.MALFORMED, str(error)[:200], line))
    return items


def _apply(work: Work, kind: str, items: list[tuple[int, Any]] | bytes, *, careful: bool) -> None:
    core = work.stage.apply.get(kind)
    if core is not None and items:
        try:
            core(work.step, items if isinstance(items, bytes) else [item for _, item in items])
            if careful:
                work.store.savepoint()
        except Exception as bug:
            if work.store.saved_offset != work.record.offset:
                raise Unsaved from bug
            _one_by_one(work, core, items)
    _end(work.store, work.record, careful=careful)


def _end(store: PartitionStore, record: Record, *, careful: bool) -> None:
    store.advance(record.offset + 1)
    if careful:
        store.savepoint()


def _one_by_one(work: Work, core: Callable[[Step, Any], None], items: list[tuple[int, Any]] | bytes) -> None:
    """Our code failed on the whole: dead-letter the item that it cannot digest, keep all the others."""
    store = work.store
    _roll_back(work)
    work.step = _empty_like(work.step, keep=topics.DEAD_LETTERS)
    bugs = 0
    for number, item in enumerate(items.split(b"\n")) if isinstance(items, bytes) else items:
        if item == b"":
            continue  # no line
        before = _lengths(work.step)
        try:
            core(work.step, b"\n" * number + item if isinstance(items, bytes) else [item])
            store.savepoint()
        except Exception as bug:  # noqa: BLE001 - whatever our own code raises must not cost the neighbours their place
            bugs += 1
            _roll_back(work)
            _truncate(work.step, before)
            _blame(work, number, item, bug, bugs)
    store.advance(work.record.offset + 1)
    store.savepoint()  # so that nobody rolls back into the middle of this record


def _roll_back(work: Work) -> None:
    """Undo what was changed since the last savepoint, but not that what the record is of was applied."""
    work.store.rollback()
    for source, position, _ in work.parts:
        work.store.mark(source, position)


def _blame(work: Work, number: int, item: object, bug: Exception, bugs: int) -> None:
    where = f"{work.stage.input}/{work.step.partition}/{work.record.offset}"
    text = f"{type(bug).__name__} in stage {work.stage.name}"
    if bugs > _MOST_BUGS:
        raise Fatal(f"{text}: our code failed on {bugs} items of {where}; this is a bug, not bad data") from bug
    work.reject(number, Rejected(RejectReason.BUG, text, _encoded(item)))


def _empty_like(step: Step, keep: str) -> Step:
    fresh = Step(
        step.state, step.rules, partition=step.partition, partitions=step.partitions, offset=step.offset, at=step.at
    )
    fresh.sends = {place: list(lines) for place, lines in step.sends.items() if place[0] == keep}
    return fresh


_Lengths = tuple[dict[str, tuple[int, int]], dict[tuple[str, int], int]]
"""Pieces and lines of each table, and how many messages there are for each place."""


def _lengths(step: Step) -> _Lengths:
    return {t: (len(r.pieces), r.count) for t, r in step.rows.items()}, {p: len(s) for p, s in step.sends.items()}


def _truncate(step: Step, before: _Lengths) -> None:
    step.local.clear()
    step.changed.clear()
    for table, rows in step.rows.items():
        pieces, rows.count = before[0].get(table, (0, 0))
        del rows.pieces[pieces:]
    for place, lines in step.sends.items():
        del lines[before[1].get(place, 0) :]


def _outputs(stage: Stage, step: Step) -> list[Output]:
    home = (stage.input, step.partition, step.offset)
    outputs = [
        Output(stage.facts, step.partition, value, _headers(home, part))
        for part, value in enumerate(_fact_values(step.rows, stage.largest_facts))
    ]
    for (topic, partition), lines in step.sends.items():
        # People and other programs read these two: one message a record.
        single = topic in {topics.ALERTS, topics.DEAD_LETTERS}
        values = (
            lines if single else [b"\n".join(run) for run, _, _ in _runs(lines, len(lines), stage.largest_messages)]
        )
        kind = [] if single else [(topics.KIND_HEADER, topics.MESSAGE_FRAME.encode())]
        outputs += [Output(topic, partition, v, _headers(home, part) + kind) for part, v in enumerate(values)]
    return outputs


def _headers(home: tuple[str, int, int], part: int) -> list[tuple[str, bytes]]:
    assert part < MAX_PARTS, "a frame's outputs for one partition are bounded"
    return [(topics.SOURCE_HEADER, address(*home, part))]


def _fact_values(rows: dict[str, Lines], largest: int) -> list[bytes]:
    """Fact records (``schemas.facts``): usually one; more where a conversion books tens of thousands of rows."""
    values = []
    index: list[tuple[str, int, int]] = []
    pieces: list[bytes] = []
    size = 0
    for table, lines in rows.items():
        for run, count, length in _runs(lines.pieces, lines.count, largest):
            if index and size + length > largest:
                values.append(b"\n".join((json_encoder.encode(index), *pieces, b"")))
                index, pieces, size = [], [], 0
            index.append((table, count, length))
            pieces += run
            size += length
    if index:
        values.append(b"\n".join((json_encoder.encode(index), *pieces, b"")))
    return values


def _runs(pieces: list[bytes], count: int, largest: int) -> Iterator[tuple[list[bytes], int, int]]:
    """Lines in runs of at most ``largest`` bytes, each line with its end (a single line is never cut).

    Where runs end depends on the lines alone, not on how they are pieced together: a replay gives the same records.

    Yields: pieces of the run, its lines, their bytes.
    """
    size = sum(map(len, pieces)) + len(pieces)
    if size <= largest:
        if count:
            yield pieces, count, size
        return
    text = b"\n".join((*pieces, b""))
    begin = 0
    while begin < size:
        end = text.rfind(b"\n", begin, begin + largest) if size - begin > largest else size - 1
        if end < 0:
            end = text.index(b"\n", begin)
        run = text[begin:end]
        yield [run], line_ends(run) + 1, end + 1 - begin
        begin = end + 1
