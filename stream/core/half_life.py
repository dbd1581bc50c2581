"""Exact powers of two for everything that decays: integers, so that no platform's ``exp`` can move a number.

A weight that doubles every half-life is ``unit(t, h)``: the integer ``2**(t / h)`` scaled by 2**30. Sums of such
integers do not depend on the order in which they are added, and what was added can be taken away again without a trace.

    >>> unit(14, 7) == 4 * unit(0, 7) == 4 << SCALE_BITS
    True
"""

from functools import lru_cache
from math import isqrt
from typing import Final

SCALE_BITS: Final = 30
"""A unit at time 0 is ``1 << SCALE_BITS``; the error of any unit is below 2e-9 of it."""
_TABLE_BITS: Final = 10
_FIXED: Final = 60
"""Fraction bits of the tables' fixed point: twice SCALE_BITS, so three roundings stay far below the result's last bit."""


def _tables() -> tuple[tuple[int, ...], ...]:
    """``2**(i / 2**10)``, ``2**(i / 2**20)`` and ``2**(i / 2**30)`` for i < 1024, from integer square roots."""
    precision = 2 * _FIXED
    roots = [2 << precision]
    for _ in range(3 * _TABLE_BITS):
        roots.append(isqrt(roots[-1] << precision))
    tables = []
    for level in (1, 2, 3):
        table = [1 << precision]
        for bit in range(_TABLE_BITS):
            root = roots[level * _TABLE_BITS - bit]
            table += [entry * root >> precision for entry in table]
        tables.append(tuple(entry >> (precision - _FIXED) for entry in table))
    return tuple(tables)


GROWTH: Final = _tables()
"""Coarse, middle and fine, in fixed point; less than 2**61."""
PACKED_GROWTH: Final = tuple(b"".join(entry.to_bytes(8, "big") for entry in table) for table in GROWTH)
"""The same as C takes it."""
_COARSE, _MIDDLE, _FINE = GROWTH
_LOW: Final = (1 << _TABLE_BITS) - 1
_DROP: Final = 3 * _FIXED - SCALE_BITS
_HALF: Final = 1 << (_DROP - 1)


@lru_cache(maxsize=1 << 12)
def growth(time: int, half_life: int) -> tuple[int, int]:
    """``2**(time / half_life)`` as ``(m, e)``: it is ``m * 2**(e - SCALE_BITS)``, m in [2**30, 2**31].

    Args:
        time: any integer, in the unit of ``half_life`` (ms).
        half_life: > 0.
    """
    whole, rest = divmod(time, half_life)
    fraction = (rest << SCALE_BITS) // half_life
    product = (
        _COARSE[fraction >> (2 * _TABLE_BITS)] * _MIDDLE[(fraction >> _TABLE_BITS) & _LOW] * _FINE[fraction & _LOW]
    )
    return (product + _HALF) >> _DROP, whole


@lru_cache(maxsize=1 << 14)
def unit(time: int, half_life: int) -> int:
    """``2**(time / half_life)`` in units of ``2**-SCALE_BITS``. ``time`` >= 0 (an older weight would lose its bits)."""
    mantissa, whole = growth(time, half_life)
    return mantissa << whole
