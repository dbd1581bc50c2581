"""Allocation: one conversion's credit and value over its eligible touches, for every model of its terms.

A pure function of (touches in the window, conversion, terms); the ledger books differences between two of them.
"""

from collections.abc import Collection, Sequence
from itertools import compress
from typing import Final, NamedTuple

from schemas.ids import derived_id
from schemas.messages import Conversion
from schemas.rules import Model
from stream.core.attribution.arithmetic import split
from stream.core.attribution.models import WINNERS, weights
from stream.core.attribution.terms import Terms
from stream.core.engagement import DAY_MS
from stream.core.journey import StoredTouch

CREDIT_PLACES: Final = 9
WHOLE: Final = 10**CREDIT_PLACES
"""Credit is counted in billionths of a conversion."""
UNATTRIBUTED: Final = "Unattributed"


class Shares(NamedTuple):
    """What touches get of one conversion by one model, as parallel arrays: a large journey has tens of thousands of shares."""

    touches: Sequence[StoredTouch]
    """In order of (at, id); those that get nothing are left out."""
    credits: Sequence[int]
    """In billionths; those of a conversion and model sum to WHOLE."""
    amounts: Sequence[int]
    """In minor units; they sum to the conversion's value."""


Allocation = dict[str, Shares]
"""By model."""


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
    asked = [model for model in terms.models if models is None or model in models]
    if len(eligible) == 1:  # as most often: whatever the model, it gets the whole
        whole = Shares(eligible, (WHOLE,), (conversion.amount,))
        return dict.fromkeys(asked, whole)
    half_life = max(1, round(terms.half_life_days * DAY_MS))
    return {model: _shares(model, eligible, conversion, half_life) for model in asked}


def _shares(model: Model, touches: Sequence[StoredTouch], conversion: Conversion, half_life: int) -> Shares:
    value = conversion.amount
    if model in WINNERS:
        return Shares((touches[WINNERS[model](touches)],), (WHOLE,), (value,))
    by_touch = tuple(weights(model, touches, conversion.at, half_life))
    if 0 in by_touch:
        touches, by_touch = list(compress(touches, by_touch)), tuple(filter(None, by_touch))
    shares = Shares(touches, split(WHOLE, by_touch), split(value, by_touch))
    if 0 in shares.credits:
        some = [bool(credit or amount) for credit, amount in zip(shares.credits, shares.amounts, strict=True)]
        touches, credits_, amounts = shares
        shares = Shares(list(compress(touches, some)), list(compress(credits_, some)), list(compress(amounts, some)))
    return shares


def unattributed(conversion: Conversion) -> StoredTouch:
    """The synthetic touch of a conversion that has no eligible one, so that totals still reconcile."""
    touch_id = derived_id("unattributed", conversion.id)
    return StoredTouch(touch_id, conversion.at, "", UNATTRIBUTED, "", 0, conversion.at, "", "", "")
