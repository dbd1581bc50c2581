"""Both stages over events, in one thread: whose the touches and conversions are, and what is booked, in short words."""

import random
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

from schemas import topics
from schemas.codec import lines
from schemas.event import Event
from schemas.ids import partition_of
from schemas.messages import RulesChanged
from schemas.rules import Rules
from stream.stages.compute import Output
from stream.stages.definitions import IN_PYTHON
from stream.stages.recompute import Recompute
from tests.support.events import T0
from tests.support.rows import FactReader
from tests.support.shares import WHICH


class Outcome:
    """What is in the tables after some frames of events."""

    def __init__(self, reader: FactReader) -> None:
        self.tables = reader.tables()
        self.claim_rows = list(reader.claims.values())

    def touches(self) -> list[tuple[int, str, str]]:
        """(time since T0, account, person) of each touch."""
        found = self.tables.get("touches", {}).values()
        return sorted((t["occurred_at"] - T0, t["account_id"], t["person_id"]) for t in found)

    def conversions(self) -> list[tuple[str, str, str]]:
        """(stage, account, person) of each conversion."""
        found = self.tables.get("conversions", {}).values()
        return sorted((c["stage"], c["account_id"], c["person_id"]) for c in found)

    def credit(self, model: str = "linear") -> dict[tuple[str, int], Decimal]:
        """(account, time of the touch since T0) -> credit by one model, over all conversions."""
        found: Counter[tuple[str, int]] = Counter()
        for key, credit in self.tables["credits"].items():
            row = dict(zip(WHICH, key, strict=True))
            if row["model"] == model and row["touch_id"]:
                found[row["account_id"], row["touch_at"] - T0] += credit
        return {place: credit for place, credit in found.items() if credit}


def outcome(*frames: list[Event], rules: Rules | None = None, partitions: int = 1) -> Outcome:
    """Apply frames one after the other."""
    reader = FactReader()

    def take(output: Output) -> None:
        if output.topic in (topics.STITCH_FACTS, topics.ACCOUNT_FACTS):
            reader.read(output.value)

    with tempfile.TemporaryDirectory() as folder:
        again = Recompute(Path(folder), IN_PYTHON, partitions=partitions, on_output=take)
        try:
            if rules is not None:
                control = {topics.KIND_HEADER: topics.CONTROL_FRAME.encode()}
                for topic in (topics.EVENTS, topics.ACCOUNTS):
                    for partition in range(partitions):
                        again.feed(topic, partition, lines([RulesChanged(rules)]), at=T0, headers=control)
            for frame in frames:
                for event in frame:
                    headers = {topics.PACKER_HEADER: topics.PACKED}
                    place = _partition(event, partitions)
                    again.feed(topics.EVENTS, place, lines([event]), at=T0 + 10**9, headers=headers)
                again.settle()
        finally:
            again.close()
    return Outcome(reader)


def _partition(event: Event, partitions: int) -> int:
    return partition_of(event.node, partitions)


def in_many_orders(events: list[Event], *, rules: Rules | None = None) -> list[Outcome]:
    """The outcome as given, reversed, shuffled, in two partitions, and with everything twice."""
    found = [outcome(events, rules=rules), outcome(events[::-1], rules=rules), outcome(events + events, rules=rules)]
    for seed in range(3):
        shuffled = random.Random(seed).sample(events, len(events))
        found.append(outcome(*([event] for event in shuffled), rules=rules, partitions=1 + seed % 2))
    return found
