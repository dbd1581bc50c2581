"""What a restatement works out for each of its touches: in C where it is built and 64 bits are enough, else in Python.

Both give the same to the last digit: ``tests/properties/test_share_arithmetic.py``.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from schemas import money
from stream.core.compiled import WHY_NOT, native
from stream.core.half_life import PACKED_GROWTH, growth

_FORGOTTEN: Final = 256
"""A touch that many half-lives older than the newest has weight 0: its credit is far below a billionth."""


def split(total: int, weights: tuple[int, ...]) -> tuple[int, ...]:
    """See ``schemas.money.split``."""
    parts = None if WHY_NOT else native.split(total, weights)
    return money.split(total, weights) if parts is None else parts


def fixed_texts(numbers: Sequence[int], places: int) -> list[str]:
    """Each as ``schemas.money.fixed_text`` has it."""
    texts = None if WHY_NOT else native.fixed_texts(numbers, places)
    return [money.fixed_text(number, places) for number in numbers] if texts is None else texts


def time_decay(ages_ms: tuple[int, ...], half_life_ms: int) -> tuple[int, ...]:
    """Weights that halve with every half-life of age.

    Args:
        ages_ms: from each touch to the conversion, in any order, n >= 1.
        half_life_ms: > 0.
    Shift-invariant, so only differences of age count.
    """
    decay = _decay(half_life_ms)
    weights = None if decay is None else decay.weights(ages_ms)
    return time_decay_in_python(ages_ms, half_life_ms) if weights is None else weights


@lru_cache(maxsize=4)
def _decay(half_life_ms: int) -> "native.Decay | None":
    if WHY_NOT or half_life_ms >= native.LONGEST_HALF_LIFE_MS:
        return None
    return native.Decay(half_life_ms=half_life_ms, growth=PACKED_GROWTH)


def time_decay_in_python(ages_ms: Sequence[int], half_life_ms: int) -> tuple[int, ...]:
    """``time_decay`` without C."""
    powers = [growth(-age, half_life_ms) for age in ages_ms]
    wholes = [whole for _, whole in powers]
    lowest = max(min(wholes), max(wholes) - _FORGOTTEN)
    return tuple([mantissa << (whole - lowest) if whole >= lowest else 0 for mantissa, whole in powers])
