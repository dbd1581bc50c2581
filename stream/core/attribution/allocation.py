"""Allocation: one conversion's credit and value over its eligible touches, for every model of its terms.

A pure function of (touches in the window, conversion, terms); the ledger books differences between two of them.
"""

from collections.abc import Collection, Sequence
from itertools import compress
from typing import Final

from schemas.ids import derived_id
from schemas.messages import Conversion
from schemas.money import split
from stream.core.attribution.models import weights
from stream.core.attribution.terms import Terms
from stream.core.engagement import DAY_MS
from stream.core.journey import StoredTouch

WHOLE: Final = 10**9
"""Credit is counted in billionths of a conversion."""
UNATTRIBUTED: Final = "Unattributed"


Share = tuple[StoredTouch, int, int]
"""What one touch gets of one conversion by one model: credit in billionths (those of a conversion and model sum to WHOLE) and
amount in minor units (they sum to its value). A plain tuple, since a large journey has tens of thousands."""

Allocation = dict[str, list[Share]]
"""Shares by model, in order of (at, id); touches that get nothing are left out."""


def allocation(
    conversion: Conversion, touches: Sequence[StoredTouch], terms: Terms, models: Collection[str] | None = None
) -> Allocation:
    """Who gets what.

    Args:
        conversion: what is shared out.
        touches: the eligible ones, ``conversion.at - lookback <= at <= conversion.at``, in order of (at, id). With none,
            a synthetic touch of channel "Unattributed" takes the whole.
        terms: models and parameters.
        models: those that are asked for, if not all of the terms.
    """
    eligible = touches or (unattributed(conversion),)
    half_life = max(1, round(terms.half_life_days * DAY_MS))
    return {
        model: _shares(eligible, weights(model, eligible, conversion.at, half_life), conversion.amount)
        for model in terms.models
        if models is None or model in models
    }


def _shares(touches: Sequence[StoredTouch], by_touch: Sequence[int], value: int) -> list[Share]:
    if 0 in by_touch:
        touches, by_touch = list(compress(touches, by_touch)), list(filter(None, by_touch))
    credits_ = split(WHOLE, by_touch)
    shares = list(zip(touches, credits_, split(value, by_touch), strict=True))
    return [share for share in shares if share[1] or share[2]] if 0 in credits_ else shares


def unattributed(conversion: Conversion) -> StoredTouch:
    """The synthetic touch of a conversion that has no eligible one, so that totals still reconcile."""
    touch_id = derived_id("unattributed", conversion.id)
    return StoredTouch(touch_id, conversion.at, "", UNATTRIBUTED, "", 0, conversion.at, "", "", "")
