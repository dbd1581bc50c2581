"""What identity costs in the stitch stage: its part of the CPU time, on traffic like a real site's.

    python -m bench.identity_share [--events N]

The traffic of ``bench.stage`` (three in ten visitors are known people of 4,000 companies), on four partitions, so that
most messages between nodes go through the log as in a worker (``bench.identity_work``). py-spy looks at its stack from
outside, 1,000 times a second: a timer within the process is heard only where a Python function begins, and would blame
that function for the calls into C before it.

Identity is: everything within ``stream/core/identity`` and ``leaf.settle`` (claims, links, owners, messages, rows of
``identity``), whole records of messages with their decoding and packing, and of saving state the part of its bytes
that are nodes (they lie in the records), subscribers or registries. The sessions' and touches' own work is not,
though each asks whose it is; that question is.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.command import run
from bench.figure import Figure
from bench.place import Broker
from bench.processes import answer
from bench.scale import Scale

_MOST_EVENTS = 200_000
_EVERY = 1000
"""Looks a second."""
_FOLDER = "stream/core/identity/"
_SETTLE = "settle (stream/core/leaf.py"


def measure(_broker: Broker, scale: Scale) -> Iterator[Figure]:
    """One figure; it needs no broker."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as folder:
        stacks = Path(folder) / "stacks"
        spy = str(Path(sys.executable).with_name("py-spy")), *f"record -r {_EVERY} -f raw -o {stacks} --".split()
        worked = answer("bench.identity_work", str(min(scale.events, _MOST_EVENTS)), within=spy, timeout_s=600)
        spent = _spent(stacks.read_text())
    yield _figure(spent, worked)


def _spent(stacks: str) -> Counter[str]:
    """Looks by what was going on: ``identity``, ``other``, ``saving``."""
    spent: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        what = _doing(stack.split(";"))
        if what:
            spent[what] += int(count)
    return spent


def _doing(frames: list[str]) -> str:
    """What a stack does, outermost function first; "" before and after the measured part."""
    names = {frame.partition(" ")[0] for frame in frames}
    if "work" not in names:
        return ""
    if "saved" in names:
        return "saving"
    if "message_frame" in names:
        return "identity"
    if "event_frame" not in names:
        return ""
    return "identity" if any(_FOLDER in frame or frame.startswith(_SETTLE) for frame in frames) else "other"


def _figure(spent: Counter[str], worked: dict[str, float]) -> Figure:
    part = worked["identity_part_of_saved_bytes"]
    ours = (spent["identity"] + spent["saving"] * part) / spent.total()
    us = 1e6 * worked["cpu_s"] / worked["events"]
    return Figure(
        name="identity's share", value=100 * ours, unit=" %", must=10, more_is_better=False,
        measured=f"{ours * us:.1f} of {us:.1f} us an event of the stitch stage, {worked['events']:,.0f} events",
        details={f"{what}_us": round(us * count / spent.total(), 2) for what, count in spent.items()} | {
            "identity_part_of_saved_bytes": round(part, 3), "samples": float(spent.total()),
            "messages_per_event": round(worked["messages"] / worked["events"], 3),
        },
    )  # fmt: skip


if __name__ == "__main__":
    run("identity_share")
