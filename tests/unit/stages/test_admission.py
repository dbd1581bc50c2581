"""What foreign producers put on ``events``: their good events count, all else is a dead letter, and nothing stops."""

import json
import tempfile
from pathlib import Path

import msgspec
import pytest

from schemas import topics
from schemas.codec import lines
from schemas.event import COLUMNS, Event
from schemas.ids import partition_of
from schemas.rejections import DeadLetter
from stream.stages.compute import Record, compute
from stream.stages.definitions import STITCH
from stream.stages.store import PartitionStore

NOW = 1_790_000_000_000
HOME = partition_of("default/v:x", 4)
GOOD = Event(id="e1", node="default/v:x", type="page", at=NOW, received_at=NOW, visitor="x", url="https://acme.com/")


@pytest.fixture
def store():
    opened = PartitionStore(Path(tempfile.mkdtemp()))
    yield opened
    opened.close()


def run(store, value, *, partition=HOME, headers=None, home=None, at=NOW):
    record = Record(store.next_offset, at, value, headers or {}, home)
    partitions = 4 if home is None else 1
    outputs = compute(STITCH, store, record, partition=partition, partitions=partitions)
    store.commit(store.seal())
    facts = b"".join(o.value for o in outputs if o.topic == topics.STITCH_FACTS)
    letters = [msgspec.json.decode(o.value, type=DeadLetter) for o in outputs if o.topic == topics.DEAD_LETTERS]
    return facts, letters


def changed(**fields) -> bytes:
    said = msgspec.to_builtins(GOOD) | {COLUMNS.get(name, name): value for name, value in fields.items()}
    return json.dumps(said, separators=(",", ":")).encode()


def test_a_single_event_keyed_by_its_entry_node_counts(store):
    facts, letters = run(store, lines([GOOD]))
    assert b'"event_id":"e1"' in facts
    assert letters == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "identity.link", "properties": {"claim": "k", "parent": "a:mine"}}, "unsupported"),
        ({"type": "identity.merge", "node": "default/r:accounts", "visitor": ""}, "unsupported"),
        ({"at": 2**62}, "bad_time"),
        ({"at": -1}, "bad_time"),
        ({"at": 10**400}, "bad_time"),
        ({"received_at": NOW + 2 * 86_400_000}, "bad_time"),
        ({"received_at": 0}, "bad_time"),
        ({"sent_at": 2**63}, "bad_time"),
        ({"engaged_ms": -5}, "bad_value"),
        ({"engaged_ms": 2**70}, "bad_value"),
        ({"id": ""}, "missing_field"),
        ({"id": "a\x00b"}, "bad_value"),
        ({"user": "u\n1"}, "bad_value"),
        ({"url": "https://acme.com/" + "a" * 10_000}, "bad_value"),
        ({"node": "x"}, "bad_value"),
        ({"node": "default/z:1"}, "bad_value"),
        ({"node": "default/v:"}, "bad_value"),
        ({"node": "/v:x"}, "bad_value"),
        ({"node": "default/v:x\x00"}, "bad_value"),
        ({"visitor": "y"}, "bad_value"),
        ({"tenant": "other"}, "bad_value"),
        ({"node": "default/u:u1", "user": "u1"}, "bad_value"),
        ({"type": "pageview"}, "unsupported"),
        ({"platform": "toaster"}, "bad_value"),
        ({"properties": [1]}, "malformed"),
        ({"traits": "text"}, "malformed"),
        ({"at": "yesterday"}, "malformed"),
        ({"node": 5}, "malformed"),
    ],
)
def test_a_bad_event_is_a_dead_letter_and_its_neighbours_count(store, fields, reason):
    facts, letters = run(store, changed(**fields) + b"\n" + changed(id="e2"))
    assert [letter.reason for letter in letters] == [reason]
    assert b'"event_id":"e2"' in facts
    assert b'"event_id":"e1"' not in facts


def test_an_event_in_a_partition_that_is_not_its_own_is_refused_also_when_all_are_computed_as_one(store):
    wrong = (HOME + 1) % 4
    facts, letters = run(store, lines([GOOD]), partition=wrong)
    again, letters_again = run(store, lines([GOOD]), partition=0, home=(wrong, 4))
    assert (facts, again) == (b"", b"")
    assert [letter.reason for letter in letters + letters_again] == ["bad_value"] * 2
    assert b'"event_id":"e1"' in run(store, lines([GOOD]), partition=0, home=(HOME, 4))[0]


def test_messages_that_no_stage_sent_are_refused(store):
    message = b'{"m":"C","to":"default/v:x","id":"1","parent":"default/u:2"}'
    facts, letters = run(store, message, headers={topics.KIND_HEADER: b"messages"})
    assert (facts, [letter.reason for letter in letters]) == (b"", ["unsupported"])


@pytest.mark.parametrize("value", [b"{}\n" * 1_000_000, b"\n" * 4_000_000])
@pytest.mark.parametrize("kind", [b"events", b"control"])
def test_a_million_lines_are_one_dead_letter(store, value, kind):
    facts, letters = run(store, value, headers={topics.KIND_HEADER: kind})
    assert (facts, [letter.reason for letter in letters]) == (b"", ["too_many"])
    assert len(letters[0].body) < 1 << 20


def test_what_our_own_encoders_cannot_say_stops_nothing_even_under_our_name(store):
    value = changed(id="e2") + b"\n" + changed(engaged_ms=10**50)
    facts, letters = run(store, value, headers={topics.PACKER_HEADER: topics.PACKED})
    assert b'"event_id":"e2"' in facts
    assert [letter.reason for letter in letters] == ["bug"]
