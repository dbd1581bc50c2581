"""Rules that change in mid-stream: a replay along the log finds the same numbers, and a log that lies is named.

The pipeline runs on any schedule, with crashes; new rules fall on each partition of each topic at a moment of its own.
"""

import random
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.codec import lines
from schemas.messages import RulesChanged, Tick
from schemas.rules import EventConversion, PointRule, Rules
from stream.stages.compute import Record
from stream.stages.definitions import IN_PYTHON
from stream.stages.exchange import LOG, RECOMPUTED, Untold
from stream.stages.recompute import Recompute
from stream.stages.replay import Replay
from tests.simulation.test_pipeline import World
from tests.support.events import MINUTE, T0, page, track
from tests.support.rows import FactReader
from tests.support.shares import WHICH
from tests.support.world import START, histories

CONTROL = {topics.KIND_HEADER: topics.CONTROL_FRAME.encode()}
MODEL, VERSION = WHICH.index("model"), WHICH.index("model_version")
BEFORE = Rules(version="before")
AFTER = Rules(
    version="after",
    models=("first", "linear"),
    lookback_days=7,
    score_half_life_days=3,
    session_gap_s=900,
    points=(PointRule(points=5),),
    conversions=(EventConversion(event="Clicked", stage="lead"),),
    freemail_domains=("acme.com",),
)


def publish(world: World, rules: Rules, *, apart: bool = False) -> None:
    """Put rules on every partition; ``apart``: with the pipeline at work in between."""
    for place in world.logs:
        world.append(*place, lines([RulesChanged(rules)]), CONTROL)
        if apart:
            world.run(0, steps=world.chance.randrange(12))


def replayed(logs, partitions: int, path: Path) -> tuple[dict, Replay]:
    """Tables by a replay of logs, and the replay."""
    reader = FactReader()

    def take(output):
        if output.topic in (topics.STITCH_FACTS, topics.ACCOUNT_FACTS):
            reader.read(output.value)

    replay = Replay(path, IN_PYTHON, partitions=partitions, on_output=take)
    for (topic, number), log in logs.items():
        for offset, record in enumerate(log):
            replay.apply(topic, number, Record(offset, *record))
        replay.finish(topic, number)
    return reader.tables(), replay


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.integers(1, 3), st.integers(0, 4), st.integers(0, 2**32))
def test_rules_that_change_at_any_moment_are_replayed_at_that_moment(events, partitions, crashes, seed):
    with tempfile.TemporaryDirectory() as folder:
        world = World(partitions, random.Random(seed), Path(folder) / "world")
        try:
            publish(world, BEFORE)
            middle = len(events) // 2
            world.feed(events[:middle])
            world.run(crashes, steps=world.chance.randrange(60))
            publish(world, AFTER, apart=True)
            world.feed(events[middle:])
            world.run(crashes)
        finally:
            world.close()

        tables, replay = replayed(world.logs, partitions, Path(folder) / "replay")
        assert tables == world.facts.tables()
        assert replay.exchange.differences() == []


def sale(tmp_path: Path) -> World:
    """Ann of Acme visits and signs up under the old rules; after the change nothing of it is touched again."""
    world = World(2, random.Random(1), tmp_path / "world")
    begin = START - T0
    publish(world, BEFORE)
    world.feed(
        [
            page("p1", begin),
            track("s1", begin + MINUTE, "Signed Up", email="ann@acme.com"),
            page("p2", begin, "bob"),
            track("s2", begin + MINUTE, "Clicked", "bob", email="bob@globex.com"),
        ]
    )
    world.run(0)
    # Who is whose stays as it is; else identity would touch it.
    publish(world, msgspec.structs.replace(AFTER, freemail_domains=()))
    world.run(0)
    world.close()
    return world


def test_what_nothing_touches_after_the_change_stays_as_it_was_booked(tmp_path):
    world = sale(tmp_path)

    tables, replay = replayed(world.logs, 2, tmp_path / "replay")

    assert replay.exchange.differences() == []
    assert tables == world.facts.tables()
    found = {(row["account_id"], row["stage"]) for row in tables["conversions"].values()}
    assert found == {("acme.com", "signup")}  # and Bob's "Clicked" was none yet
    versions = {(key[MODEL], key[VERSION]) for key in tables["credits"]}
    assert versions == {(model, "before") for model in BEFORE.models}


def test_rules_before_the_first_event_would_give_other_numbers(tmp_path):
    world = sale(tmp_path)
    reader = FactReader()

    def take(output):
        if output.topic in (topics.STITCH_FACTS, topics.ACCOUNT_FACTS):
            reader.read(output.value)

    again = Recompute(tmp_path / "again", IN_PYTHON, partitions=1, on_output=take)
    for topic in (topics.ACCOUNTS, topics.EVENTS):
        for number in range(2):
            for at, value, headers in world.logs[topic, number]:
                control = headers.get(topics.KIND_HEADER) == topics.CONTROL_FRAME.encode()
                if control or (topic == topics.EVENTS and topics.SOURCE_HEADER not in headers):
                    again.feed(topic, 0, value, at=at, headers=headers, home=(number, 2))
    again.settle()
    again.close()

    assert {key[VERSION] for key in reader.tables()["credits"]} == {"after"}
    assert reader.tables() != world.facts.tables()


def messages(logs, topic: str) -> list[tuple[int, int]]:
    """(partition, offset) of the messages of a topic that are no bundle."""
    return [
        (number, offset)
        for (name, number), log in logs.items()
        if name == topic
        for offset, (_, _, headers) in enumerate(log)
        if b":" not in headers.get(topics.SOURCE_HEADER, b":")
    ]


@pytest.mark.parametrize("topic", [topics.EVENTS, topics.ACCOUNTS])
def test_a_lost_message_is_named(tmp_path, topic):
    logs = sale(tmp_path).logs
    number, offset = messages(logs, topic)[-1]
    at, _, headers = logs[topic, number][offset]
    logs[topic, number][offset] = (at, lines([Tick(at)]), CONTROL)

    _, replay = replayed(logs, 2, tmp_path / "replay")

    source = headers[topics.SOURCE_HEADER].decode()
    assert Untold(RECOMPUTED, source, f"{topic}/{number}") in replay.exchange.differences()


def test_a_message_that_no_stage_sent_is_named(tmp_path):
    logs = sale(tmp_path).logs
    number, offset = messages(logs, topics.ACCOUNTS)[0]
    at, value, headers = logs[topics.ACCOUNTS, number][offset]
    logs[topics.ACCOUNTS, number].append((at, value, headers | {topics.SOURCE_HEADER: b"events/0/999/0"}))

    _, replay = replayed(logs, 2, tmp_path / "replay")

    assert replay.exchange.differences() == [Untold(LOG, "events/0/999/0", f"accounts/{number}")]


def test_a_message_that_says_something_else_is_there_twice_once_for_each_side(tmp_path):
    logs = sale(tmp_path).logs
    number, offset = messages(logs, topics.ACCOUNTS)[0]
    at, value, headers = logs[topics.ACCOUNTS, number][offset]
    logs[topics.ACCOUNTS, number][offset] = (at, value.replace(b'"points":', b'"points":1'), headers)
    assert value != logs[topics.ACCOUNTS, number][offset][1]

    _, replay = replayed(logs, 2, tmp_path / "replay")

    source, target = headers[topics.SOURCE_HEADER].decode(), f"accounts/{number}"
    assert replay.exchange.differences() == [Untold(LOG, source, target), Untold(RECOMPUTED, source, target)]


def test_a_repeated_message_counts_once_on_both_sides(tmp_path):
    logs = sale(tmp_path).logs
    number, offset = messages(logs, topics.ACCOUNTS)[0]
    logs[topics.ACCOUNTS, number].append(logs[topics.ACCOUNTS, number][offset])

    _, replay = replayed(logs, 2, tmp_path / "replay")

    assert replay.exchange.differences() == []
    found, sent = replay.exchange.counts
    assert found == sent == len(messages(logs, topics.EVENTS)) + len(messages(logs, topics.ACCOUNTS)) - 1
