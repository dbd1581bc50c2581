"""A long run in goes: what processes spend on events over a minute and more, with room for a yardstick between the goes.

    idle = idle_shares(processes)                                  # with nothing to do yet
    for worked in long_run(installation, processes, idle, EVERYTHING, goes):
        ...                                                        # the yardstick runs here

All that a process does is in it, so also what falls between two goes: checkpoints are up to a minute apart and go on after the
last event. Only its polling is not, by its share of a core while it has nothing to do.
"""

import time
from collections.abc import Iterable, Iterator

import msgspec

from bench.place import Installation
from bench.processes import Process
from bench.traffic import Frame

_SETTLED_S = 2.0
_IDLE_S = 8.0


class Worked(msgspec.Struct, frozen=True):
    """One go, and what came between it and the one before."""

    events: int
    cpu_s: list[float]
    """Of each process."""
    wall_s: float
    """From the first frame until everything that follows is committed."""


def idle_shares(processes: list[Process]) -> list[float]:
    """CPU seconds a second of processes that have nothing to do. Takes ten seconds."""
    time.sleep(_SETTLED_S)
    before, began = _spent(processes), time.monotonic()
    time.sleep(_IDLE_S)
    return [now / (time.monotonic() - began) for now in _since(before, processes)]


def long_run(
    installation: Installation,
    processes: list[Process],
    idle: list[float],
    groups: Iterable[tuple[str, Iterable[str]]],
    goes: Iterable[list[Frame]],
) -> Iterator[Worked]:
    """Each go at once, as soon as whoever iterates asks for it. Before the first, the installation has to be settled."""
    before, ended = _spent(processes), time.monotonic()
    for frames in goes:
        began = time.monotonic()
        installation.fill(frames)
        installation.settle(groups)
        spent = _since(before, processes)
        polling = [share * (began - ended) for share in idle]
        before, ended = _spent(processes), time.monotonic()
        cpu_s = [max(all_ - own, 0.0) for all_, own in zip(spent, polling, strict=True)]
        yield Worked(sum(frame.events for frame in frames), cpu_s, ended - began)


def per_cpu_s(run: Iterable[Worked], process: int = 0) -> float:
    """Events per CPU second of one of the processes, over a whole run."""
    goes = list(run)
    return sum(go.events for go in goes) / sum(go.cpu_s[process] for go in goes)


def per_wall_s(run: Iterable[Worked]) -> float:
    """Events per second of the goes."""
    goes = list(run)
    return sum(go.events for go in goes) / sum(go.wall_s for go in goes)


def _spent(processes: list[Process]) -> list[float]:
    return [process.cpu_s for process in processes]


def _since(before: list[float], processes: list[Process]) -> list[float]:
    return [now - then for now, then in zip(_spent(processes), before, strict=True)]
