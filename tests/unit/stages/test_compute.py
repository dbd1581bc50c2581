"""From record to outputs: addresses, repetition, poison, size."""

import tempfile
from base64 import b64encode
from pathlib import Path

import msgspec
import pytest

from schemas import topics
from schemas.address import address, order, parse
from schemas.codec import lines
from schemas.errors import Fatal
from schemas.rejections import DeadLetter
from stream.core.state import key
from stream.stages.compute import Record, compute
from stream.stages.store import PartitionStore
from tests.support.toy import TOY, Item, Tally


@pytest.fixture
def store():
    opened = PartitionStore(Path(tempfile.mkdtemp()))
    yield opened
    opened.close()


def run(store, value, *, offset=0, headers=None, stage=TOY):
    record = Record(offset, 1_700_000_000_000, value, headers or {})
    outputs = compute(stage, store, record, partition=1, partitions=4)
    store.commit(store.seal())
    return outputs


def letters(outputs):
    return [msgspec.json.decode(o.value, type=DeadLetter) for o in outputs if o.topic == topics.DEAD_LETTERS]


def test_outputs_carry_the_address_of_their_frame(store):
    outputs = run(store, lines([Item("a", 1), Item("b", 2)]), offset=0)

    assert {dict(o.headers)[topics.SOURCE_HEADER] for o in outputs} == {b"events/1/0/0"}
    assert parse(b"events/1/0/0") == ("events/1", 0)


def test_facts_are_an_index_line_and_blocks(store):
    facts = next(o for o in run(store, lines([Item("a", 1), Item("a", 2)])) if o.topic == topics.STITCH_FACTS)

    block = b'{"name":"a","count":1,"total":1}\n{"name":"a","count":2,"total":3}\n'
    assert facts.value == b'[["tallies",2,%d]]\n' % len(block) + block


@pytest.mark.parametrize("header", [b"", b"billing", b"a/b/c/d", b"events/0/\xff/0", b"a/0/" + b"9" * 40 + b"/0", None])
def test_a_strangers_header_is_no_address_and_holds_nothing_up(store, header):
    for offset in (0, 1):
        run(store, lines([Item("a", 5)]), offset=offset, headers={topics.SOURCE_HEADER: header, "kind": None})

    assert store.get(key("n", "a"), Tally).total == 10


def test_a_record_from_an_applied_address_changes_only_the_offset(store):
    source = {topics.SOURCE_HEADER: address("events", 0, 7, 0), topics.KIND_HEADER: b"messages"}
    run(store, lines([Item("a", 5)]), offset=0, headers=source)

    assert run(store, lines([Item("a", 5)]), offset=1, headers=source) == []
    assert store.get(key("f", "a"), Tally).forwarded == 5
    assert store.next_offset == 2


def test_a_later_part_of_the_same_frame_is_applied(store):
    for part in (0, 1):
        headers = {topics.SOURCE_HEADER: address("events", 0, 7, part), topics.KIND_HEADER: b"messages"}
        run(store, lines([Item("a", 5)]), offset=part, headers=headers)

    assert store.get(key("f", "a"), Tally).forwarded == 10
    assert store.marks == {"events/0": order(7, 1)}


@pytest.mark.parametrize("garbage", [b"{", b"\xff\xfe", b'{"name":1,"n":2}', b'{"name":"\\ud800","n":1}', b"[" * 5000])
def test_an_undecodable_line_is_dead_lettered_and_its_neighbours_count(store, garbage):
    value = lines([Item("a", 1)]) + b"\n" + garbage + b"\n" + lines([Item("b", 2)])
    outputs = run(store, value)

    assert [(letter.reason, letter.address) for letter in letters(outputs)] == [("malformed", "events/1/0/1")]
    assert store.get(key("n", "a"), Tally) == Tally(1, 1)
    assert store.get(key("n", "b"), Tally) == Tally(1, 2)


def test_an_item_that_our_code_fails_on_is_dead_lettered_without_a_trace_in_the_state(store):
    outputs = run(store, lines([Item("a", 1), Item("a", 10, poison=True), Item("b", 2)]))

    assert [letter.reason for letter in letters(outputs)] == ["bug"]
    assert store.get(key("n", "a"), Tally) == Tally(1, 1)
    assert store.get(key("n", "b"), Tally) == Tally(1, 2)
    facts = next(o.value for o in outputs if o.topic == topics.STITCH_FACTS)
    assert facts.count(b'"total"') == 2


def test_a_single_poisonous_item_is_dead_lettered_too(store):
    outputs = run(store, lines([Item("a", 10, poison=True)]))

    assert [letter.reason for letter in letters(outputs)] == ["bug"]
    assert [o.topic for o in outputs] == [topics.DEAD_LETTERS]
    assert store.get(key("n", "a"), Tally) is None


def test_if_our_code_fails_on_nearly_everything_the_worker_stops(store):
    with pytest.raises(Fatal, match="bug, not bad data"):
        run(store, lines(Item("a", n, poison=True) for n in range(200)))


def test_an_unknown_kind_of_record_is_dead_lettered(store):
    outputs = run(store, b"x", headers={topics.KIND_HEADER: b"surprise"})

    assert [letter.reason for letter in letters(outputs)] == ["unsupported"]


def test_facts_larger_than_a_record_become_several_parts(store):
    small = msgspec.structs.replace(TOY, largest_facts=200, largest_messages=200)
    value = lines(Item("a", n) for n in range(20))
    outputs = [o for o in run(store, value, stage=small) if o.topic == topics.STITCH_FACTS]

    assert [dict(o.headers)[topics.SOURCE_HEADER] for o in outputs] == [
        b"events/1/0/%d" % n for n in range(len(outputs))
    ]
    assert sum(o.value.count(b'"total"') for o in outputs) == 20
    assert len(outputs) > 3


def test_of_a_frame_that_our_code_fails_on_each_line_keeps_its_number_and_empty_ones_are_none(store):
    """Of lines that the core decodes itself."""

    def fail(_step, frame):
        assert not frame.rstrip(b"\n").endswith(b"poison"), "a bug"

    stage = msgspec.structs.replace(TOY, apply={topics.EVENT_FRAME: fail}, raw=frozenset({topics.EVENT_FRAME}))
    frame = b"\n" * 150 + b"good\n\npoison\n"
    outputs = run(store, frame, headers={topics.PACKER_HEADER: b"1"}, stage=stage)

    assert [(letter.reason, letter.address, letter.body) for letter in letters(outputs)] == [
        ("bug", "events/1/0/152", b64encode(b"poison").decode())
    ]
