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
