"""What the rules say of stages, for the names that opportunities' stages have in the tables."""

import pytest

from schemas.rules import Rules
from stream.core.attribution.terms import terms_of
from stream.core.engagement import DAY_MS


@pytest.mark.parametrize("written", ["Needs Analysis", "needs_analysis", "needs-analysis"])
def test_a_lookback_of_a_stage_holds_however_the_stage_is_written(written):
    terms = terms_of(Rules(lookback_days=180, lookback_days_by_stage={written: 30}))
    assert [terms.lookback_ms(stage) for stage in ("needs_analysis", "won")] == [30 * DAY_MS, 180 * DAY_MS]


def test_a_stage_of_a_product_event_is_as_the_rules_write_it():
    terms = terms_of(Rules(lookback_days=180, lookback_days_by_stage={"Sign-Up": 30, "sign_up": 60}))
    assert [terms.lookback_ms(stage) for stage in ("Sign-Up", "sign_up")] == [30 * DAY_MS, 60 * DAY_MS]
