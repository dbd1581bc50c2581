"""Step functions of time, and the claims that decide one.

A step function is a tuple of ``(start_ms, value)``; starts ascend, the first is ``BEGINNING``, and it is canonical: no
two neighbours are equal, so two functions are the same exactly if the tuples are (forest rules 3, 4).

    >>> value_at(canonical([(BEGINNING, "a"), (10, "a"), (20, "b")]), 15)
    'a'
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import TypeVar

from schemas.messages import BEGINNING
from stream.core.identity.node import Held

T = TypeVar("T")
Steps = tuple[tuple[int, T], ...]


def canonical(steps: Iterable[tuple[int, T]]) -> Steps[T]:
    """``steps`` (ascending, from ``BEGINNING``) without the ones that change nothing."""
    kept: list[tuple[int, T]] = []
    for start, value in steps:
        if not kept or kept[-1][1] != value:
            kept.append((start, value))
    return tuple(kept)


def value_at(steps: Steps[T], at: int) -> T:
    """The value at ``at`` (ms)."""
    low, high = 0, len(steps)
    while high - low > 1:
        middle = (low + high) // 2
        if steps[middle][0] <= at:
            low = middle
        else:
            high = middle
    return steps[low][1]


def strongest(claims: Iterable[tuple[str, Held]]) -> Steps[Held | None]:
    """At each time the claim with the highest (precedence, event time, id) of those that hold then.

    The first one also holds before its own beginning (back-stitching); after the last end there is none.

    Args:
        claims: pairs of id and claim, in any order.
    """
    ranked = sorted(
        ((held.precedence, held.at, claim_id, held) for claim_id, held in claims if held.holds_ever()), reverse=True
    )
    if not ranked:
        return ((BEGINNING, None),)
    if len(ranked) == 1 and ranked[0][3].until is None:
        return ((BEGINNING, ranked[0][3]),)
    return canonical(_sweep([held for _, _, _, held in ranked]))


def _sweep(ranked: list[Held]) -> list[tuple[int, Held | None]]:
    """Walk the boundaries upwards with a heap of the claims that have begun, best first."""
    begins = sorted((held.since, rank) for rank, held in enumerate(ranked))
    cuts = sorted({held.since for held in ranked} | {held.until for held in ranked if held.until is not None})
    begun: list[int] = []
    steps: list[tuple[int, Held | None]] = []
    position = 0
    for cut in cuts:
        while position < len(begins) and begins[position][0] <= cut:
            heappush(begun, begins[position][1])
            position += 1
        while begun and _over(ranked[begun[0]], cut):
            heappop(begun)
        steps.append((cut, ranked[begun[0]] if begun else None))
    steps[0] = (BEGINNING, steps[0][1])
    return steps


def _over(held: Held, at: int) -> bool:
    return held.until is not None and held.until <= at
