"""Broken messages and broken records of accounts for what is in C: it refuses them, or does what Python does with them.

    python -m tests.support.everyday_touches_fuzz [--rounds N] [--seed N] [--module PATH]

``--module`` as in ``tests.support.everyday_fuzz``.
"""

import random

import msgspec

from tests.support.everyday_fuzz import broken, copy_of, main, random_changes  # isort: skip - it chooses the build
from schemas.codec import json_encoder, state_encoder
from schemas.messages import Touch, TouchPut
from schemas.rules import AlertRule, Rules
from stream.core.account import frame_step, rules_of
from stream.core.engagement import PersonTally
from stream.core.everyday_touches import left_to_python, take_in_c
from stream.core.intent import Day
from stream.core.journey import Header, StoredTouch
from stream.core.state import MemoryState
from stream.core.step import Step

START = 1_790_000_000_000
TYPES = {"h": Header, "t": StoredTouch, "p": PersonTally, "g": Day}
"""Records of an account, by the first letter of their keys."""


class Scene:
    """An account after six touches, and what comes next: touches that go on and new ones."""

    def __init__(self, account, *, people=("default/e:ann@acme.example",), points=(1000,), apart=60_000):
        self.account, self.people, self.points, self.apart = account, people, points, apart
        self.state = MemoryState()
        for number in range(6):
            step_with(self.state, [self.line(number)], left_to_python)

    def line(self, number):
        at = START + number * self.apart
        person, points = self.people[number % len(self.people)], self.points[number % len(self.points)]
        said = Touch(
            f"t{number}", at, "session", "Email", person, "default/v:1", utm_source="news", utm_campaign="frühling",
            session_id="s", points=points, last_at=at + 9, eligible=number != 3,
        )  # fmt: skip
        return json_encoder.encode(TouchPut(self.account, at, "e1", "new", said))

    def next(self):
        """Goes on with the last touch, and two new ones."""
        again = self.line(5).replace(b'"last_at":', b'"last_at":1')
        return [again, self.line(6), self.line(7)]


def step_with(state, lines, way):
    step = Step(state, rules_of(state), partition=0, partitions=1, offset=9, at=START)
    step.rules = RULES
    frame_step(step, b"\n".join(lines), first=way)
    return step


def effects_of(step):
    """What is stored is compared decoded: what was not in its shortest form is copied by one way, and encoded by the other."""
    stored = {}
    for name, packed in step.state.encoded.items():
        type_ = TYPES.get(name[0])
        stored[name] = msgspec.msgpack.decode(packed, type=type_) if type_ else packed
    rows = [(table, list(rows)) for table, rows in step.rows.items()]
    return stored, rows, step.sends, step.refused, step.counts


def effects_by(way, state, lines):
    """Or what is raised: then the step has none."""
    try:
        return effects_of(step_with(copy_of(state), lines, way))
    except (ValueError, IndexError, TypeError, OverflowError, msgspec.MsgspecError) as error:
        return type(error)


def in_python(state, lines):
    return effects_by(left_to_python, state, lines)


def only_c(step, frame):
    """C alone: what it leaves is not done."""
    if list(take_in_c(step, frame)):
        raise ValueError
    return ()


def in_c(state, lines):
    """By C, and Python for what it leaves. Returns: the effects, and whether C took all."""
    left = []

    def way(step, frame):
        for account, own in take_in_c(step, frame):
            left.append(account)
            yield account, own

    return effects_by(way, state, lines), not left


def check_line(scene, changes, which=0):
    """A broken message has the same effects as without C. Returns: whether C took it."""
    lines = scene.next()
    lines[which] = broken(lines[which], changes)
    found, taken = in_c(scene.state, lines)
    assert found == in_python(scene.state, lines), lines
    return taken


def check_record(scene, name, changes):
    """A broken record: the same, as far as Python can read and write it at all. Returns: whether C took it."""
    other = copy_of(scene.state)
    other.encoded[name] = broken(other.encoded[name], changes)
    lines = scene.next()
    try:
        record = msgspec.msgpack.decode(other.encoded[name], type=TYPES[name[0]])
        state_encoder.encode(record)
    except (msgspec.MsgspecError, UnicodeError, OverflowError):
        record = None
    if record is None or int.from_bytes(getattr(record, "score", b"")[:4], "little") > 1 << 16:
        # Nothing to compare with: Python cannot read it, or makes numbers of a billion digits.
        return not isinstance(effects_by(only_c, other, lines), type)
    found, taken = in_c(other, lines)
    assert found == in_python(other, lines), (name, other.encoded[name])
    return taken


def byte_by_byte(scene):
    """Every byte of a message and of the records, changed in some ways. Returns: how many C took."""
    taken = 0
    for place, old in enumerate(scene.next()[0]):
        for new in {old ^ 1, old ^ 32, old ^ 128, *b'"\\}0'} - {old}:
            taken += check_line(scene, lambda text, at=place, new=new: text[:at] + bytes([new]) + text[at + 1 :])
    for name, packed in scene.state.encoded.items():
        if name[0] == "t" and not name.endswith("t5"):
            continue
        for place, old in enumerate(packed):
            for new in {old ^ 1, old ^ 128, *b"\xc0\xff\x00"} - {old}:
                changed = packed[:place] + bytes([new]) + packed[place + 1 :]
                taken += check_record(scene, name, lambda _, changed=changed: changed)
    return taken


def fuzz(rounds, seed):
    """Break messages and records at random. Returns: how many of each there were that C took."""
    rng = random.Random(seed)
    taken = {"messages": 0, "records": 0}
    for scene in SCENES:
        assert check_line(scene, []), "whole messages are taken"
    for _ in range(rounds):
        scene = rng.choice(SCENES)
        changes = random_changes(rng)
        taken["messages"] += check_line(scene, changes, rng.randrange(3))
        taken["records"] += check_record(scene, rng.choice(list(scene.state.encoded)), changes)
    return taken


RULES = Rules(alerts=(AlertRule("hot", 40.0, 0.5), AlertRule("warm", 5.5, 0.3)))
DAY = 86_400_000
SCENES = (
    Scene("default/a:acme"),
    Scene("default/d:bölt.example", people=("default/v:1", "default/u:ann"), points=(500,), apart=DAY // 6),
    Scene("default/e:ann@home.example", people=("default/e:ann@home.example",), points=(1000, -500)),
    Scene("default/a:big", points=(0, 2000, 6000), apart=DAY // 6),
)
"""One with everything on one day; one with two people, on two days; a person without an account, who lost points; one with
an alert that stands, and touches that score nothing."""

if __name__ == "__main__":
    main(__doc__, fuzz, byte_by_byte, SCENES)
