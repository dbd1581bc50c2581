"""Attribution models: who gets how much credit, as integer weights. docs/attribution.md has the formulas for users.

A model sees the eligible touches of a conversion in order of (at, id) and gives one weight >= 0 to each; only their
proportions count. Weights are exact integers, so ``schemas.money.split`` makes the same credits on every machine.

    >>> j_shaped(4), inverse_j_shaped(4)
    ([2, 1, 1, 6], [6, 1, 1, 2])
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from schemas.rules import Model
from stream.core.attribution.arithmetic import time_decay

DIRECT: Final = "Direct"


def only(n: int, winner: int) -> list[int]:
    """All to one touch."""
    weights = [0] * n
    weights[winner] = 1
    return weights


def last_non_direct(touches: Sequence["Touched"]) -> int:
    """Index of the last touch that is not Direct; of the last one if all are."""
    n = len(touches)
    return next((i for i in range(n - 1, -1, -1) if touches[i].channel != DIRECT), n - 1)


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
        return time_decay(tuple([converted_at - touch.at for touch in touches]), half_life_ms)
    if model in _BY_POSITION:
        return _BY_POSITION[model](len(touches))
    return only(len(touches), WINNERS[model](touches))


WINNERS: Final[dict[str, Callable[[Sequence[Touched]], int]]] = {
    "first": lambda _: 0,
    "last": lambda touches: len(touches) - 1,
    "last_non_direct": last_non_direct,
}
"""Models that give one touch everything: its index."""
_BY_POSITION: Final[dict[str, Callable[[int], list[int]]]] = {"linear": lambda n: [1] * n, "u_shaped": u_shaped}
"""Models whose weights depend on the number of touches alone."""
