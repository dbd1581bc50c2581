"""Messages of several records as one: who goes with whom, and that a reader applies each part once however they were bundled."""

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.address import address, bundle, order, parts
from schemas.codec import lines
from stream.core.state import key
from stream.stages.bundles import LARGEST, bundled, companions
from stream.stages.compute import Output, Record, compute
from stream.stages.store import PartitionStore
from tests.support.toy import TOY, Item, Tally

KIND = (topics.KIND_HEADER, topics.MESSAGE_FRAME.encode())


def message(target: int, source: int, offset: int, value: bytes = b"x", topic: str = topics.EVENTS) -> Output:
    """What partition ``source`` of events tells partition ``target`` of a topic."""
    return Output(topic, target, value, [(topics.SOURCE_HEADER, address(topics.EVENTS, source, offset, 0)), KIND])


def test_a_bundle_has_the_address_and_the_bytes_of_each_part():
    one, two = message(3, 0, 5, b'{"a":1}'), message(3, 1, 9, b'{"b":22}\n{"c":3}')

    assert bundled([one, two]) == Output(
        topics.EVENTS,
        3,
        b'{"a":1}\n{"b":22}\n{"c":3}',
        [(topics.SOURCE_HEADER, b"events/0/5/0:7,events/1/9/0:16"), KIND],
    )
    assert bundled([one]) is one


def test_those_for_one_partition_go_together_up_to_so_many_bytes():
    large = b"x" * (LARGEST // 2 - 1)
    outputs = [message(3, 0, 1, large), message(2, 0, 1), message(3, 1, 1, large), message(3, 2, 1)]

    assert companions(outputs) == [0, 2]
    assert companions(outputs[1:]) == [0]
    assert companions([message(3, 0, 1), message(3, 0, 1, topic=topics.ACCOUNTS), message(3, 0, 2)]) == [0, 2]


@pytest.mark.parametrize("alone", [message(3, 3, 2), message(3, 0, 2, b"x" * LARGEST)], ids=["told to itself", "large"])
def test_what_is_alone_is_not_overtaken(alone):
    small = [message(3, 0, 1), message(3, 1, 1), message(3, 0, 3)]

    assert companions([*small[:2], alone, small[2]]) == [0, 1]
    assert companions([alone, small[2]]) == [0]


SIZES = st.lists(st.integers(0, 50), min_size=2, max_size=6)


@given(SIZES)
def test_the_parts_of_a_bundle_are_found_again(sizes):
    header = bundle((address(topics.EVENTS, n, n, 0), size) for n, size in enumerate(sizes))

    assert parts(header, sum(sizes) + len(sizes) - 1) == [
        (f"events/{n}", order(n, 0), size) for n, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    "header",
    [b"events/0/1/0:3", b"events/0/1/0:5,events/1/1/0:-1", b"events/0/1/0:1,events/1/1/0:", b"x:1,y:1", b":", b",:"],
)
def test_parts_that_are_not_the_whole_are_no_bundle(header):
    with pytest.raises(ValueError):  # noqa: PT011 - of what kind does not matter
        parts(header, 4)


def test_a_strangers_bundle_is_refused_and_holds_nothing_up(tmp_path):
    store = PartitionStore(tmp_path)
    headers = {topics.SOURCE_HEADER: b"events/0/1/0:999", topics.KIND_HEADER: b"messages"}
    outputs = compute(TOY, store, Record(0, 0, lines([Item("a", 1)]), headers), partition=1, partitions=4)

    assert [output.topic for output in outputs] == [topics.DEAD_LETTERS]
    assert (store.next_offset, store.marks) == (1, {})
    store.close()


@given(st.data())
def test_each_part_counts_once_however_it_is_bundled_and_sent_again(data):
    """Each of three sources sends its parts in order, perhaps again from an earlier one on, in bundles that differ."""
    told = {
        source: [message(3, source, n, lines([Item("a", 1 << (8 * source + n))])) for n in range(5)]
        for source in range(3)
    }
    sent: list[Output] = []
    waiting = {}
    for source, all_of_it in told.items():
        begins = data.draw(st.lists(st.integers(0, len(all_of_it)), max_size=2))
        waiting[source] = [*all_of_it, *(part for begin in begins for part in all_of_it[begin:])]
    while any(waiting.values()):
        source = data.draw(st.sampled_from([source for source, rest in waiting.items() if rest]))
        sent.append(waiting[source].pop(0))
    with tempfile.TemporaryDirectory() as folder:
        store = PartitionStore(Path(folder))
        offset = 0
        while sent:
            count = data.draw(st.integers(1, len(sent)))
            output = bundled(sent[:count])
            del sent[:count]
            record = Record(offset, 0, output.value, dict(output.headers))
            compute(TOY, store, record, partition=3, partitions=4)
            offset += 1
            if data.draw(st.booleans()):
                store.commit(store.seal())
        assert store.get(key("f", "a"), Tally) == Tally(
            forwarded=sum(1 << (8 * s + n) for s in range(3) for n in range(5))
        )
        store.close()


def test_a_bug_costs_one_line_of_a_bundle_and_the_others_count_once(tmp_path):
    def fails(step, items):
        if any(item.poison for item in items):
            raise RuntimeError("a bug")
        TOY.apply[topics.MESSAGE_FRAME](step, items)

    stage = msgspec.structs.replace(TOY, apply=TOY.apply | {topics.MESSAGE_FRAME: fails})
    store = PartitionStore(tmp_path)
    told = [message(3, 0, 1, lines([Item("a", 1)])), message(3, 1, 1, lines([Item("a", 2, poison=True), Item("a", 4)]))]
    output = bundled(told)
    for offset in range(2):
        outputs = compute(
            stage, store, Record(offset, 0, output.value, dict(output.headers)), partition=3, partitions=4
        )
        assert [o.topic for o in outputs].count(topics.DEAD_LETTERS) == (1 if offset == 0 else 0)

    assert store.get(key("f", "a"), Tally) == Tally(forwarded=5)
    assert store.marks == {"events/0": order(1, 0), "events/1": order(1, 0)}
    store.close()
