"""The whole pipeline on a deterministic log: whatever crashes, repeats, comes late or overtakes, the numbers are the batch's.

Each stage partition computes, has outputs in flight, commits when they are delivered, writes checkpoints; at any effect it may
crash, losing or delivering part of what was in flight or cutting a checkpoint short, and start again from what it committed,
or with an empty disk from its last checkpoint. Readers drop by address. At the end the folded facts must equal those of a run
that sorts the events and computes them in one thread.
"""

import asyncio
import gc
import random
import shutil
import tempfile
from collections import deque
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.codec import lines
from schemas.event import Event
from schemas.ids import partition_of
from stream.core.attribution import debt, ledger
from stream.stages.bundles import bundled, companions
from stream.stages.checkpoint import checkpoint, restore, written_ahead
from stream.stages.compute import Output, Record, compute
from stream.stages.definitions import IN_PYTHON, STAGES
from stream.stages.recompute import Recompute
from stream.stages.store import Batch, PartitionStore
from tests.support.rows import FactReader
from tests.support.state_topic import StateTopic
from tests.support.world import START, histories


class Runner:
    """One partition of one stage: a process that can die."""

    def __init__(self, stage, number, partitions, path):
        self.stage, self.number, self.partitions, self.path = stage, number, partitions, path
        self.flying: deque[tuple[Batch | None, deque[Output]]] = deque()
        self.topic = StateTopic()
        self.owner = self.ahead = 0
        self.store = PartitionStore(path)

    def can_step(self, log):
        return self.store.next_offset < len(log) and len(self.flying) < 3

    def step(self, log, *, save):
        """Compute the next frame; ``save`` whether a batch ends with it."""
        offset = self.store.next_offset
        at, value, headers = log[offset]
        record = Record(offset, at, value, headers)
        outputs = compute(self.stage, self.store, record, partition=self.number, partitions=self.partitions)
        self.flying.append((self.store.seal() if save else None, deque(outputs)))

    def undelivered(self):
        return [outputs for _, outputs in self.flying if outputs]

    def can_commit(self):
        return bool(self.flying) and not self.flying[0][1]

    def commit(self):
        batch, _ = self.flying.popleft()
        if batch is not None:
            self.store.commit(batch)

    def checkpoint(self, patience):
        """A checkpoint, of which the topic gets ``patience`` records: with fewer than it has, it is cut short."""
        writing = checkpoint(self.stage, self.number, self.store, self.topic, self.owner, not_before=self.ahead)
        with self.topic.lost_after(patience):
            asyncio.run(writing)

    def crash(self, *, wiped):
        self.store.close()
        self.flying.clear()
        gc.collect()  # what was cut short has a snapshot in its traceback, and with it the files
        if wiped:
            shutil.rmtree(self.path)
        self.store = PartitionStore(self.path)
        asyncio.run(self._take_over())

    async def _take_over(self):
        self.owner += 1
        if self.store.next_offset == 0:
            await restore(self.stage, self.number, self.store, self.topic)
        self.ahead = await written_ahead(self.stage, self.number, self.topic)


class World:
    """Logs and runners, and a schedule drawn from ``chance``."""

    def __init__(self, partitions, chance, path):
        self.partitions, self.chance = partitions, chance
        self.logs = {(stage.input, n): [] for stage in STAGES.values() for n in range(partitions)}
        self.runners = {
            (stage.input, n): Runner(stage, n, partitions, path / f"{stage.name}-{n}")
            for stage in STAGES.values()
            for n in range(partitions)
        }
        self.facts = FactReader()
        self.dead_letters = []
        self.seen: dict[tuple[str, int, bytes], bytes] = {}
        self.clock = START + 10**9

    def feed(self, events: list[Event]):
        for event in events:
            self.append(topics.EVENTS, partition_of(event.node, self.partitions), lines([event]), {})

    def append(self, topic, partition, value, headers):
        self.clock += 1
        self.logs[topic, partition].append((self.clock, value, headers))

    def deliver_next(self, runner: Runner):
        """The next output of a partition: alone, or bundled with what others, and later frames, tell the same one."""
        waiting = runner.undelivered()
        if (waiting[0][0].topic, waiting[0][0].partition) not in self.logs or self.chance.random() < 0.5:
            self.deliver([waiting[0].popleft()])
            return
        others = [other for other in self.runners.values() if other is not runner]
        found = [(outputs, output) for outputs in waiting for output in outputs]
        found += [(outputs, output) for other in others for outputs in other.undelivered() for output in outputs]
        chosen = [found[number] for number in companions(output for _, output in found)]
        chosen = chosen[: self.chance.randint(1, len(chosen))]
        for outputs, output in chosen:
            outputs.remove(output)
        self.deliver([output for _, output in chosen])

    def deliver(self, outputs: list[Output]):
        """Outputs for one partition, as one record."""
        for output in outputs:
            where = output.topic, output.partition, dict(output.headers)[topics.SOURCE_HEADER]
            assert self.seen.setdefault(where, output.value) == output.value, "a replay gives the same bytes"
        output = bundled(outputs)
        headers = dict(output.headers)
        address = headers[topics.SOURCE_HEADER]
        if (output.topic, output.partition) in self.logs:
            self.append(output.topic, output.partition, output.value, headers)
        elif output.topic in (topics.STITCH_FACTS, topics.ACCOUNT_FACTS):
            self.facts.read(output.value, address)
        else:
            self.dead_letters.append(output)

    def run(self, interruptions: int, steps: int | None = None):
        """Until nothing is left to do, or for so many steps."""
        while steps is None or steps > 0:
            steps = None if steps is None else steps - 1
            choices = []
            for place, runner in self.runners.items():
                if runner.can_step(self.logs[place]):
                    choices.append((partial(runner.step, save=self.chance.random() < 0.4), (self.logs[place],)))
                # Order per target partition is kept by the producer: only the oldest frame's outputs, in order.
                if runner.undelivered():
                    choices.append((self.deliver_next, (runner,)))
                if runner.can_commit():
                    choices.append((runner.commit, ()))
            if not choices:
                return
            if interruptions and self.chance.random() < 0.1:
                interruptions -= 1
                self.interrupt(self.chance.choice(list(self.runners.values())))
                continue
            action, arguments = self.chance.choice(choices)
            action(*arguments)

    def interrupt(self, runner: Runner):
        """A checkpoint, whole or cut short, or a crash, or both."""
        match self.chance.randrange(4):
            case 0:
                runner.checkpoint(float("inf"))
            case 1:
                runner.crash(wiped=self.chance.random() < 0.5)
            case _:
                runner.checkpoint(self.chance.choice((1, 2, 4, 8, float("inf"))))
                runner.crash(wiped=True)

    def close(self):
        for runner in self.runners.values():
            runner.store.close()


def batch_tables(events: list[Event], path: Path) -> dict:
    """Sorted, once, in one thread."""
    reader = FactReader()

    def take(output: Output) -> None:
        if output.topic in (topics.STITCH_FACTS, topics.ACCOUNT_FACTS):
            reader.read(output.value)

    again = Recompute(path, IN_PYTHON, partitions=1, on_output=take)
    for event in sorted(events, key=lambda e: (e.at, e.id, lines([e]))):
        again.feed(topics.EVENTS, 0, lines([event]), at=START + 10**9, headers={})
    again.settle()
    again.close()
    return reader.tables()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.integers(1, 3), st.integers(0, 8), st.integers(0, 2**32))
def test_any_schedule_with_crashes_gives_the_batch_result(events, partitions, interruptions, seed):
    _check(events, partitions, interruptions, seed)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.integers(1, 3), st.integers(0, 8), st.integers(0, 2**32))
def test_where_every_restatement_waits_for_its_turn_it_does_too(events, partitions, interruptions, seed):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ledger, "AT_ONCE", -1)
        patched.setattr(debt, "_PAGE", 2)
        patched.setattr(debt, "CALM", 1)
        _check(events, partitions, interruptions, seed)


def _check(events: list[Event], partitions: int, interruptions: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        world = World(partitions, random.Random(seed), path / "world")
        try:
            world.feed(events)
            world.run(interruptions)
        finally:
            world.close()

        assert world.facts.tables() == batch_tables(events, path / "batch")
        assert [letter for letter in world.dead_letters if b'"bug"' in letter.value] == []
