"""A stage small enough to know its result by heart: counts lines per name, and tells every name's home partition.

Items are ``{"name": ..., "n": ...}``; messages on ``accounts``-like topics are not used: it talks to itself on ``events``.
``python -m tests.support.toy`` runs a worker with it.
"""

import os
from collections.abc import Sequence

import msgspec

from schemas import topics
from schemas.codec import json_encoder
from schemas.ids import partition_of
from schemas.rules import Rules
from stream.core.state import key
from stream.core.step import Step
from stream.settings import Settings
from stream.stages.compute import Stage
from stream.stages.worker import main


class Item(msgspec.Struct):
    name: str
    n: int
    poison: bool = False


class Tally(msgspec.Struct):
    count: int = 0
    total: int = 0
    forwarded: int = 0


def count(step: Step, items: Sequence[Item]) -> None:
    """One tally a name; each item is forwarded once to the partition of its reversed name."""
    for item in items:
        name = key("n", item.name)
        tally = step.state.get(name, Tally) or Tally()
        tally.count += 1
        tally.total += item.n
        if item.poison:
            raise RuntimeError("a bug")
        step.state.put(name, tally)
        place = (topics.EVENTS, partition_of(item.name[::-1], step.partitions))
        step.sends.setdefault(place, []).append(json_encoder.encode(item))
        step.fact("tallies", Fact(item.name, tally.count, tally.total))


def forwarded(step: Step, items: Sequence[Item]) -> None:
    for item in items:
        name = key("f", item.name)
        tally = step.state.get(name, Tally) or Tally()
        tally.forwarded += item.n
        step.state.put(name, tally)
        step.fact("forwarded", Fact(item.name, 0, tally.forwarded))


def ignored(step: Step, items: Sequence[object]) -> None:
    """Ticks and rules mean nothing to the toy."""


def no_rules(state: object) -> Rules:
    return Rules()


class Fact(msgspec.Struct):
    name: str
    count: int
    total: int


TOY = Stage(
    name="stitch",
    input=topics.EVENTS,
    facts=topics.STITCH_FACTS,
    state=topics.STITCH_STATE,
    default_kind=topics.EVENT_FRAME,
    decoders={topics.EVENT_FRAME: msgspec.json.Decoder(Item), topics.MESSAGE_FRAME: msgspec.json.Decoder(Item)},
    apply={topics.EVENT_FRAME: count, topics.MESSAGE_FRAME: forwarded, topics.CONTROL_FRAME: ignored},
    rules_of=no_rules,
)

if __name__ == "__main__":
    main(Settings.from_env(os.environ, stages="stitch"), {"stitch": TOY})
