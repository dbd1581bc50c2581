"""A long run in goes: what processes spend on events over a minute and more, with a yardstick between the goes.

    run = long_run(installation, processes, EVERYTHING, warm, goes)
    compared = beside(run, lambda: floor_rate(broker, goes[0]))       # before the first go and after each
    compared.rate / compared.yardstick

All that a process does is in it, so also what falls between two goes: checkpoints are up to a minute apart and go on after the
last event. Only its polling is not, by its share of a core while it has nothing to do.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from statistics import harmonic_mean

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


class Compared(msgspec.Struct, frozen=True):
    """A run and its yardstick, both in events per CPU second."""

    goes: list[Worked]
    yardsticks: list[float]

    @property
    def rate(self) -> float:
        """Of the first process, over all goes."""
        return per_cpu_s(self.goes)

    @property
    def yardstick(self) -> float:
        """Over all of its runs, which are of one size."""
        return harmonic_mean(self.yardsticks)

    @property
    def spread(self) -> dict[str, float]:
        """How much single goes and single runs of the yardstick differ."""
        rates = [per_cpu_s([go]) for go in self.goes]
        return {
            "first_go": rates[0], "last_go": rates[-1], "slowest_go": min(rates),
            "slowest_yardstick": min(self.yardsticks), "fastest_yardstick": max(self.yardsticks),
        }  # fmt: skip


def beside(run: Iterator[Worked], yardstick: Callable[[], float]) -> Compared:
    """The whole run, with the yardstick before the first go and after each."""
    yardsticks, goes = [yardstick()], []
    for worked in run:
        goes.append(worked)
        yardsticks.append(yardstick())
    return Compared(goes, yardsticks)


def long_run(
    installation: Installation,
    processes: list[Process],
    groups: Iterable[tuple[str, Iterable[str]]],
    warm: list[Frame],
    goes: Iterable[list[Frame]],
) -> Iterator[Worked]:
    """The warm-up, which does not count, and then each go at once, as soon as whoever iterates asks for it.

    The processes have to have nothing to do yet: ten seconds show what they spend on that.
    """
    idle = _idle_shares(processes)
    installation.fill(warm)
    installation.settle(groups)
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


def _idle_shares(processes: list[Process]) -> list[float]:
    """CPU seconds a second of processes that have nothing to do."""
    time.sleep(_SETTLED_S)
    before, began = _spent(processes), time.monotonic()
    time.sleep(_IDLE_S)
    return [now / (time.monotonic() - began) for now in _since(before, processes)]


def _spent(processes: list[Process]) -> list[float]:
    return [process.cpu_s for process in processes]


def _since(before: list[float], processes: list[Process]) -> list[float]:
    return [now - then for now, then in zip(_spent(processes), before, strict=True)]
