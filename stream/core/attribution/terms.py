"""Terms: the part of the rules that the ledger books under, remembered so that what was booked can be taken back.

Every conversion names the terms of its present rows. If the rules have changed when the conversion is next restated, its
rows under the old terms are reversed and it is booked anew, each row with its own ``model_version``.
"""

import msgspec

from schemas.codec import state_encoder
from schemas.ids import derived_id
from schemas.rules import Model, Rules
from stream.core.engagement import DAY_MS
from stream.core.journey import END
from stream.core.opportunity_stages import stage_name
from stream.core.state import State, key


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """Models and their parameters."""

    version: str
    models: tuple[Model, ...]
    half_life_days: float
    """Of the time-decay model."""
    lookback_days: int
    lookback_days_by_stage: tuple[tuple[str, int], ...]

    def lookback_ms(self, stage: str) -> int:
        """How long before a conversion to ``stage`` a touch still counts; END if unlimited (0 in the rules)."""
        days = dict(self.lookback_days_by_stage).get(stage, self.lookback_days)
        return days * DAY_MS if days > 0 else END

    def longest_lookback_ms(self) -> int:
        """Of any stage."""
        return max(self.lookback_ms(stage) for stage in ("", *dict(self.lookback_days_by_stage)))


def terms_of(rules: Rules) -> Terms:
    """The terms that ``rules`` set. An opportunity's stage may be written there as the CRM has it."""
    by_stage = {stage_name(name): days for name, days in rules.lookback_days_by_stage.items()}
    return Terms(
        rules.version,
        rules.models,
        rules.time_decay_half_life_days,
        rules.lookback_days,
        tuple(sorted((by_stage | rules.lookback_days_by_stage).items())),
    )


def store_terms(state: State, terms: Terms) -> str:
    """Make sure that ``state`` has the terms. Returns their name there."""
    name = derived_id("terms", state_encoder.encode(terms).hex())
    if state.get(key("terms", name), Terms) is None:
        state.put(key("terms", name), terms)
    return name


def stored_terms(state: State, name: str) -> Terms:
    """The terms of that name, which a booked conversion has."""
    terms = state.get(key("terms", name), Terms)
    assert terms is not None, "terms are stored before the first conversion that is booked under them"
    return terms
