"""Reading ``sink_ledger``: each question of ``sinks.operations`` as a query that reads a few granules."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sinks.clickhouse.client import ClickHouse
from sinks.operations import Entry, ReadBlock, ReadClaims, ReadLast, ReadNewest, ReadVerdict
from sinks.ranges import Place

Question = ReadClaims | ReadLast | ReadBlock | ReadVerdict | ReadNewest

_CLAIMS: Final = (
    "SELECT topic, partition, max((epoch, owner)) FROM sink_ledger"
    " WHERE sink = {sink:String} AND topic IN {topics:Array(String)} AND kind = 'claim'"
    " GROUP BY topic, partition"
)
# One partition and kind at a time: the newest row is the last one in key order, so the server reads one granule.
_LAST: Final = (
    "SELECT sink, topic, partition, toString(kind), epoch, owner, seq, first_offset, next_offset, marks_before,"
    " marks_after FROM sink_ledger"
    " WHERE sink = {sink:String} AND topic = {topic:String} AND partition = {partition:UInt16} AND kind = {kind:String}"
    " ORDER BY sink DESC, topic DESC, partition DESC, kind DESC, epoch DESC, owner DESC, seq DESC LIMIT 1"
)
_BLOCK: Final = (
    "SELECT sink, topic, partition, toString(kind), epoch, owner, seq, first_offset, next_offset, marks_before,"
    " marks_after FROM sink_ledger"
    " WHERE sink = {sink:String} AND kind = 'block' AND owner = {owner:String} AND seq = {seq:UInt64}"
)
_VERDICT: Final = (
    "SELECT toString(kind) FROM sink_ledger WHERE sink = {sink:String} AND topic = '' AND partition = 0"
    " AND kind IN ('go', 'void') AND owner = {owner:String} AND seq = {seq:UInt64}"
)
_NEWEST: Final = (
    "SELECT max(seq) FROM sink_ledger"
    " WHERE sink = {sink:String} AND kind IN ('start', 'block') AND owner = {owner:String}"
)


# A recovery asks for each partition's newest claim and newest start or block, for all rows and the verdict of such a block,
# and for the newest start or block of its owner.
_NEWEST_OF_PLACES: Final = (
    "SELECT DISTINCT tupleElement(newest, 2), tupleElement(newest, 3) FROM (SELECT max((epoch, owner, seq)) AS newest"
    " FROM sink_ledger WHERE sink = {sink:String} AND kind IN ('start', 'block') GROUP BY topic, partition)"
)
_NEWEST_OF_OWNERS: Final = (
    "SELECT owner, max(seq) FROM sink_ledger WHERE sink = {sink:String} AND kind IN ('start', 'block')"
    " AND has({owners:Array(String)}, owner) GROUP BY owner"
)
_NEWEST_CLAIMS: Final = (
    "SELECT DISTINCT tupleElement(newest, 1), tupleElement(newest, 2) FROM (SELECT max((epoch, owner)) AS newest"
    " FROM sink_ledger WHERE sink = {sink:String} AND kind = 'claim' GROUP BY topic, partition)"
)
# Asked beforehand: in a deletion from a replicated table, ClickHouse refuses functions whose answer changes.
_NOW: Final = "SELECT toUnixTimestamp64Milli(now64(3))"
_PRUNE: Final = (
    "DELETE FROM sink_ledger WHERE sink = {sink:String} AND recorded_at < fromUnixTimestamp64Milli({before:Int64})"
    " AND if(kind = 'claim', NOT has({claims:Array(String)}, concat(toString(epoch), '/', owner)),"
    " NOT has({entries:Array(String)}, concat(owner, '/', toString(seq))))"
)


def answer(database: ClickHouse, question: Question) -> Any:
    """What the ledger says; the type is told at each question.

    Raises: Retryable.
    """
    match question:
        case ReadClaims(sink, places):
            return _claims(database, sink, places)
        case ReadLast(sink, places):
            return _last(database, sink, places)
        case ReadBlock(sink, owner, seq):
            return [_entry(row) for row in database.rows(_BLOCK, sink=sink, owner=owner, seq=seq)]
        case ReadVerdict(sink, owner, seq):
            verdicts = {str(verdict) for (verdict,) in database.rows(_VERDICT, sink=sink, owner=owner, seq=seq)}
            return max(verdicts, default=None)  # "void" is greater than "go"
        case ReadNewest(sink, owner):
            return int(database.rows(_NEWEST, sink=sink, owner=owner)[0][0])


def prune(database: ClickHouse, sink: str, age_s: int) -> None:
    """Carry out ``sinks.operations.Prune``.

    Raises: Retryable.
    """
    newest = [(str(owner), int(seq)) for owner, seq in database.rows(_NEWEST_OF_PLACES, sink=sink)]
    owners = sorted({owner for owner, _ in newest})
    newest += [(str(owner), int(seq)) for owner, seq in database.rows(_NEWEST_OF_OWNERS, sink=sink, owners=owners)]
    claims = [f"{epoch}/{owner}" for epoch, owner in database.rows(_NEWEST_CLAIMS, sink=sink)]
    entries = [f"{owner}/{seq}" for owner, seq in newest]
    before = int(database.rows(_NOW)[0][0]) - 1000 * age_s
    database.command(_PRUNE, sink=sink, before=before, claims=claims, entries=entries)


def _claims(database: ClickHouse, sink: str, places: Sequence[Place]) -> dict[Place, tuple[int, str]]:
    rows = database.rows(_CLAIMS, sink=sink, topics=sorted({place.topic for place in places}))
    claims = {Place(str(topic), int(part)): (int(claim[0]), str(claim[1])) for topic, part, claim in rows}
    return {place: claims[place] for place in places if place in claims}


def _last(database: ClickHouse, sink: str, places: Iterable[Place]) -> dict[Place, Entry]:
    newest: dict[Place, Entry] = {}
    for place in places:
        for kind in ("start", "block"):
            parameters = {"sink": sink, "topic": place.topic, "partition": place.partition, "kind": kind}
            for row in database.rows(_LAST, **parameters):
                entry = _entry(row)
                known = newest.get(place)
                if known is None or _age(entry) > _age(known):
                    newest[place] = entry
    return newest


def _age(entry: Entry) -> tuple[int, str, int]:
    return entry.epoch, entry.owner, entry.seq


def _entry(row: Sequence[Any]) -> Entry:
    sink, topic, partition, kind, epoch, owner, seq, first, following, before, after = row
    return Entry(
        str(sink), str(topic), int(partition), str(kind), int(epoch), str(owner), int(seq), int(first), int(following),
        dict(before), dict(after),
    )  # fmt: skip
