"""Money without floats: minor units of a currency, and splitting them so that the parts sum to the whole.

>>> minor_units("19.99", "EUR"), minor_units("1000", "JPY"), decimal_text(1999, "EUR")
(1999, 1000, '19.99')
>>> split(10000, (1, 1, 1))
(3334, 3333, 3333)
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from fractions import Fraction
from itertools import islice
from math import lcm
from typing import Final

# ISO 4217 currencies whose minor unit is not 1/100 (list of the ISO maintenance agency).
_EXPONENTS: Final = (
    dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    )
    | dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)
    | dict.fromkeys(["CLF", "UYW"], 4)
)
_FEW: Final = 16
"""Weights up to which counting those that are alike costs more than it saves."""
LARGEST: Final = 10**15
"""Amounts beyond this many whole units are data errors; they would not fit the ledger's Decimal either."""


def exponent(currency: str) -> int:
    """Decimal places of the currency's minor unit (2 where unknown)."""
    return _EXPONENTS.get(currency, 2)


def minor_units(amount: object, currency: str) -> int:
    """``amount`` (a number or text in whole units) in minor units, half-even.

    Raises: ValueError if it is not a finite number or larger than LARGEST.
    """
    try:
        whole = Decimal(str(amount))
    except InvalidOperation:
        raise ValueError("the amount is not a number") from None
    if not whole.is_finite() or abs(whole) > LARGEST:
        raise ValueError(f"the amount is not between -{LARGEST} and {LARGEST}")
    return int(whole.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_EVEN))


def decimal_text(units: int, currency: str) -> str:
    """Minor units as a decimal in whole units, as ClickHouse and people read it."""
    return fixed_text(units, exponent(currency))


def fixed_text(units: int, places: int) -> str:
    """Units of ``10**-places`` as a decimal with so many places.

    >>> fixed_text(-5, 2), fixed_text(12345, 2), fixed_text(7, 0)
    ('-0.05', '123.45', '7')
    """
    digits = str(abs(units)).zfill(places + 1)
    sign = "-" if units < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else sign + digits


def split(total: int, weights: Sequence[float]) -> tuple[int, ...]:
    """``total`` in parts by ``weights`` that sum to ``total`` exactly: largest remainder, ties to the earliest.

    Args:
        total: units, any sign.
        weights: >= 0, at least one > 0; their scale does not count.
    Returns: as many integers as weights.
    Source: Hamilton's method of apportionment.
    """
    whole_numbers = _in_proportion(weights)
    whole = sum(whole_numbers)
    if whole <= 0:
        raise ValueError("split needs a positive weight")
    many = len(whole_numbers)
    if whole_numbers.count(whole_numbers[0]) == many:  # alike, or one alone
        part, left = divmod(abs(total), many)
        sign = 1 if total >= 0 else -1
        return (sign * (part + 1),) * left + (sign * part,) * (many - left)
    counts = Counter(whole_numbers) if many > _FEW else None
    if counts is not None and 2 * len(counts) < many:  # most share evenly: thousands with three weights
        parts = _split_alike(abs(total), whole_numbers, counts, whole)
    else:
        parts = _split_each(abs(total), whole_numbers, whole)
    return tuple(parts) if total >= 0 else tuple([-part for part in parts])


def _split_each(size: int, weights: Sequence[int], whole: int) -> list[int]:
    found = [divmod(size * weight, whole) for weight in weights]
    parts = [part for part, _ in found]
    left = size - sum(parts)
    if left:
        rests = [rest for _, rest in found]
        for i in sorted(range(len(parts)), key=rests.__getitem__, reverse=True)[:left]:
            parts[i] += 1
    return parts


def _split_alike(size: int, weights: Sequence[int], counts: Mapping[int, int], whole: int) -> list[int]:
    """The same, for few different weights: worked out once for each of them."""
    quotients = {weight: divmod(size * weight, whole) for weight in counts}
    share = {weight: part for weight, (part, _) in quotients.items()}
    left = size - sum(part * counts[weight] for weight, part in share.items())
    last: frozenset[int] = frozenset()
    for rest in sorted({rest for _, rest in quotients.values()}, reverse=True):
        last = frozenset(weight for weight, found in quotients.items() if found[1] == rest)
        many = sum(counts[weight] for weight in last)
        if left < many:
            break
        left -= many
        for weight in last:
            share[weight] += 1
    parts = list(map(share.__getitem__, weights))
    for place in islice((i for i, weight in enumerate(weights) if weight in last), left):
        parts[place] += 1
    return parts


def _in_proportion(weights: Sequence[float]) -> Sequence[int]:
    """Whole numbers in exactly the proportions of ``weights``."""
    if set(map(type, weights)) == {int}:
        return weights  # type: ignore[return-value]
    exact = [Fraction(w) for w in weights]
    common = lcm(*(w.denominator for w in exact))
    return [int(w * common) for w in exact]
