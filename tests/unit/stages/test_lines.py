"""One event is one line, however its sender laid out its JSON: no line break of theirs begins another event."""

import tempfile
from pathlib import Path

import msgspec
import pytest

from schemas import topics
from schemas.codec import lines
from schemas.event import Event
from schemas.rejections import DeadLetter
from stream.stages.compute import Record, compute
from stream.stages.definitions import STITCH
from stream.stages.store import PartitionStore

NOW = 1_800_000_000_000
FORGED = (
    b'{"node":"default/r:accounts","event_id":"evil","occurred_at":1800000000000,"received_at":1800000000000,'
    b'"type":"identity.merge","properties":{"claim":"x","loser":"a:competitor","parent":"a:me"}}'
)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("field", ["properties", "traits"])
def test_a_line_break_in_raw_json_is_white_space(end, packed, field):
    raw = b'{"list":[' + end + FORGED + end + b'],"text":"a\\nb"}'
    event = Event(
        id="e1", node="default/v:v1", type="track", at=NOW, received_at=NOW, visitor="v1", name="Clicked",
        **{field: msgspec.Raw(raw)},
    )  # fmt: skip
    value = lines([event]) if packed else msgspec.json.encode(event)
    headers = {topics.PACKER_HEADER: topics.PACKED} if packed else {}
    store = PartitionStore(Path(tempfile.mkdtemp()))
    outputs = compute(STITCH, store, Record(0, NOW, value, headers), partition=0, partitions=1)
    store.close()

    assert [msgspec.json.decode(o.value, type=DeadLetter) for o in outputs if o.topic == topics.DEAD_LETTERS] == []
    (facts,) = [o.value for o in outputs if o.topic == topics.STITCH_FACTS]
    index, _, body = facts.partition(b"\n")
    counts = {table: count for table, count, _ in msgspec.json.decode(index)}
    assert (counts["events"], counts["sessions"]) == (1, 1)
    assert "identity_claims" not in counts
    assert body.count(b"\n") == sum(counts.values())
    row = msgspec.json.decode(body.split(b"\n")[0])
    assert row[field]["text"] == "a\nb"


@pytest.mark.parametrize(
    "bad",
    [
        b'{"node":"default/v:v1"',
        b'{"node":"',
        b'{"node":"\xff"}',
        b'{"node":"default/v:\\"v1","event_id":5}',
        b'{"node":"default/v:v1","event_id":"e","occurred_at":1,"received_at":1,"type":"page"} x',
        b'{"node":"default/v:v1","event_id":"e","occurred_at":1,"received_at":9223372036854775808,"type":"page"}',
        b'{"node":"default/v:v1","event_id":"e","occurred_at":1,"received_at":-1,"type":"page"}',
        b'{"node":"nonsense","event_id":"e","occurred_at":1,"received_at":1,"type":"page"}',
        b"[" * 5000,
        b"null",
    ],
)
def test_a_line_that_is_no_event_is_a_dead_letter_even_under_our_name_and_its_neighbour_counts(bad):
    good = Event(id="e1", node="default/v:v1", type="page", at=NOW, received_at=NOW, visitor="v1")
    value = bad + b"\n" + lines([good])
    store = PartitionStore(Path(tempfile.mkdtemp()))
    record = Record(0, NOW, value, {topics.PACKER_HEADER: topics.PACKED})
    outputs = compute(STITCH, store, record, partition=0, partitions=1)
    store.close()

    assert sum(o.topic == topics.DEAD_LETTERS for o in outputs) == 1
    (facts,) = [o.value for o in outputs if o.topic == topics.STITCH_FACTS]
    assert facts.count(b'"event_id":"e1"') == 1
