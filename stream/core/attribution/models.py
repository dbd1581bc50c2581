"""Attribution models: who gets how much credit, as integer weights. docs/attribution.md has the formulas for users.

A model sees the eligible touches of a conversion in order of (at, id) and gives one weight >= 0 to each; only their
proportions count. Weights are exact integers, so ``schemas.money.split`` makes the same credits on every machine.

    >>> j_shaped(4), inverse_j_shaped(4)
    ([2, 1, 1, 6], [6, 1, 1, 2])
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Protocol

from schemas.rules import Model
from stream.core.half_life import growth

DIRECT: Final = "Direct"
_FORGOTTEN: Final = 256
"""A touch that many half-lives older than the newest has weight 0: its credit is far below a billionth."""
MANY: Final = 1000
"""Touches from which on what was worked out is remembered: who moves a journey takes the shares from one account and gives the
same ones to another."""


def only(n: int, winner: int) -> list[int]:
    """All to one touch; a negative index counts from the end."""
    weights = [0] * n
    weights[winner] = 1
    return weights


def last_non_direct(channels: Sequence[str]) -> list[int]:
    """All to the last touch that is not Direct; to the last one if all are."""
    n = len(channels)
    return only(n, next((i for i in range(n - 1, -1, -1) if channels[i] != DIRECT), n - 1))


def time_decay(ages_ms: Sequence[int], half_life_ms: int) -> list[int]:
    """Weight halves with every half-life of age.

    Args:
        ages_ms: from each touch to the conversion, in any order, n >= 1.
        half_life_ms: > 0.
    Shift-invariant, so only differences of age count.
    """
    powers = [growth(-age, half_life_ms) for age in ages_ms]
    wholes = [whole for _, whole in powers]
    lowest = max(min(wholes), max(wholes) - _FORGOTTEN)
    return [mantissa << (whole - lowest) if whole >= lowest else 0 for mantissa, whole in powers]


_time_decay_again: Final = lru_cache(maxsize=1)(lambda ages_ms, half_life_ms: tuple(time_decay(ages_ms, half_life_ms)))


def u_shaped(n: int) -> list[int]:
    """40 % first, 40 % last, 20 % over the middle; one touch: all, two: half each."""
    return _ends(n, 2, 2)


def j_shaped(n: int) -> list[int]:
    """20 % first, 60 % last, 20 % over the middle; two touches: 25 and 75 %."""
    return _ends(n, 1, 3)


def inverse_j_shaped(n: int) -> list[int]:
    """60 % first, 20 % last, 20 % over the middle; two touches: 75 and 25 %."""
    return _ends(n, 3, 1)


def _ends(n: int, first: int, last: int) -> list[int]:
    """``first`` : ``last`` in fifths at the ends and one fifth shared by the middle, which is dropped if there is none."""
    if n == 1:
        return [1]
    middle = max(n - 2, 1)
    return [first * middle] + [1] * (n - 2) + [last * middle]


def w_shaped(n: int, milestones: Sequence[int | None]) -> list[int]:
    """30 % each to the touches of the first visit, the lead and the opportunity, 10 % over the rest. See ``by_milestone``."""
    return by_milestone(n, milestones, 300, 100)


def full_path(n: int, milestones: Sequence[int | None]) -> list[int]:
    """22.5 % each to first, lead, opportunity and closed-won, 10 % over the rest. See ``by_milestone``."""
    return by_milestone(n, milestones, 225, 100)


def by_milestone(n: int, milestones: Sequence[int | None], share: int, rest: int) -> list[int]:
    """Weights by the touches that led to milestones.

    Args:
        n: touches, >= 1.
        milestones: index of each milestone's touch (the last one at or before the milestone), None if it is missing.
        share: of each milestone; a touch with several gets the sum, a missing one is dropped.
        rest: shared evenly by the other touches, dropped if there are none.
    Returns: weights of all touches; linear if no milestone has a touch.
    """
    held = [0] * n
    for index in milestones:
        if index is not None:
            held[index] += 1
    others = held.count(0)
    return [share * count * max(others, 1) if count else rest for count in held]


class Touched(Protocol):
    """What a model looks at of a touch."""

    @property
    def at(self) -> int:
        """When, ms."""

    @property
    def channel(self) -> str:
        """Where from."""


def weights(model: Model, touches: Sequence[Touched], converted_at: int, half_life_ms: int) -> Sequence[int]:
    """Weights by one of the models of the rules.

    Args:
        model: its name.
        touches: the eligible ones in order of (at, id), n >= 1.
        converted_at: when the conversion was, ms.
        half_life_ms: of time decay.
    """
    if model == "time_decay":
        ages = tuple([converted_at - touch.at for touch in touches])
        return time_decay(ages, half_life_ms) if len(ages) < MANY else _time_decay_again(ages, half_life_ms)
    if model == "last_non_direct":
        return last_non_direct([touch.channel for touch in touches])
    return _BY_POSITION[model](len(touches))


_BY_POSITION: Final[dict[str, Callable[[int], list[int]]]] = {
    "first": lambda n: only(n, 0),
    "last": lambda n: only(n, -1),
    "linear": lambda n: [1] * n,
    "u_shaped": u_shaped,
}
