"""Step functions of time, and the claims that decide one.

A step function is a tuple of ``(start_ms, value)``; starts ascend, the first is ``BEGINNING``, and it is canonical: no
two neighbours are equal, so two functions are the same exactly if the tuples are (forest rules 3, 4).

    >>> value_at(canonical([(BEGINNING, "a"), (10, "a"), (20, "b")]), 15)
    'a'
"""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import TypeVar

from schemas.messages import BEGINNING
from stream.core.identity.precedence import OPERATOR
from stream.core.nodes import Held

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


def strongest(claims: Sequence[tuple[str, Held]]) -> Steps[Held | None]:
    """At each time the claim with the highest (precedence, event time, id) of those that hold then.

    The first one also holds before its own beginning (back-stitching); after the last end there is none. An operator's
    claim is never stretched: who says "from June on" leaves May as it was.

    Args:
        claims: pairs of id and claim, in any order.
    """
    if len(claims) == 1:
        only = claims[0][1]
        if only.until is None and (only.precedence < OPERATOR or only.since == BEGINNING):
            return ((BEGINNING, only),)
    ranked = sorted(
        ((held.precedence, held.at, claim_id, held) for claim_id, held in claims if held.holds_ever()), reverse=True
    )
    if not ranked:
        return ((BEGINNING, None),)
    held = [found for _, _, _, found in ranked]
    first = min((found.since for found in held if found.precedence < OPERATOR), default=BEGINNING)
    return canonical(_sweep(held, first))


def _sweep(ranked: list[Held], first: int) -> list[tuple[int, Held | None]]:
    """Walk the boundaries upwards with a heap of the claims that have begun, best first.

    Args:
        ranked: claims, best first.
        first: where the earliest claim of no operator begins: those that begin there reach back for ever.
    """
    stretched = [held.since if held.precedence >= OPERATOR or held.since > first else BEGINNING for held in ranked]
    begins = sorted((since, rank) for rank, since in enumerate(stretched))
    cuts = sorted({BEGINNING, *stretched} | {held.until for held in ranked if held.until is not None})
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
    return steps


def _over(held: Held, at: int) -> bool:
    return held.until is not None and held.until <= at
