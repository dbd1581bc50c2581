"""Money in the currency of reports, for any amounts, currencies and rates: what the views say is what exact fractions say."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.facts import TABLES
from schemas.money import split
from sinks.clickhouse.client import ClickHouse
from tests.support.fact_rows import put
from tests.support.shares import book

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = {"EUR": 2, "JPY": 0, "BHD": 3}
RATES = st.decimals(min_value="0.000001", max_value="999", places=6)
DAYS = st.integers(0, 40)


@st.composite
def worlds(draw):
    """(reporting currency, rates by (currency, day), conversions (currency, day, amount in cents, weights of touches))."""
    currency = draw(st.sampled_from(list(PLACES)))
    rates = draw(st.dictionaries(st.tuples(st.sampled_from(["USD", "GBP"]), DAYS), RATES, max_size=5))
    conversion = st.tuples(
        st.sampled_from(["USD", "GBP", currency]), DAYS, st.integers(-(10**9), 10**9),
        st.lists(st.integers(1, 9), min_size=1, max_size=6),
    )  # fmt: skip
    return currency, rates, draw(st.lists(conversion, min_size=1, max_size=4))


def exact_rate(rates, currency, reporting, day, max_age):
    """The latest rate until then that is not too old; None if there is none."""
    if currency == reporting:
        return Fraction(1)
    known = [(d, r) for (c, d), r in rates.items() if c == currency and d <= day]
    if not known or (max_age and day - max(known)[0] > max_age):
        return None
    return Fraction(max(known)[1])


def parts_of(lines, rate, places):
    """Largest remainder over exact fractions: whole units towards zero first, then one each by the greatest rest."""
    exact = [Fraction(amount, 100) * rate * 10**places for amount in lines]
    parts = [int(x) for x in exact]
    left = round(sum(exact)) - sum(parts)
    for n in sorted(range(len(exact)), key=lambda n: (-abs(exact[n] - parts[n]), n))[: abs(left)]:
        parts[n] += 1 if left > 0 else -1
    return parts


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds(), st.sampled_from([0, 7]))
def test_the_views_say_what_exact_fractions_say(database: ClickHouse, world, max_age) -> None:
    reporting, rates, conversions = world
    for table in TABLES:
        database.command(f"TRUNCATE TABLE {table}")
    places = PLACES[reporting]
    put(database, "reporting", {"currency": reporting, "decimal_places": places, "fx_max_age_days": max_age})
    for (currency, day), rate in rates.items():
        when = (FIRST + timedelta(days=day)).date().isoformat()
        put(database, "fx_rates", {"base": currency, "quote": reporting, "day": when, "rate": str(rate)})
    channels: dict[str, int | None] = defaultdict(int)
    values: dict[str, int | None] = {}
    for number, (currency, day, amount, weights) in enumerate(conversions):
        at = int((FIRST + timedelta(days=day, hours=12)).timestamp() * 1000)
        lines = split(amount, weights)
        rate = exact_rate(rates, currency, reporting, day, max_age) if amount else Fraction(1)
        parts = [None] * len(lines) if rate is None else parts_of(lines, rate, places)
        values[str(number)] = None if rate is None else round(Fraction(amount, 100) * rate * 10**places)
        same = {"conversion_id": str(number), "currency": currency, "stage": "won", "account_id": "a"}
        put(
            database, "conversions", same | {"occurred_at": at, "amount": str(Decimal(amount) / 100), "version": 1},
        )  # fmt: skip
        for place, (line, part) in enumerate(zip(lines, parts, strict=True)):
            name = f"{number}/{place}"
            # A line of nothing needs no rate, as a conversion of nothing needs none.
            channels[name] = 0 if line == 0 else part
            book(
                database,
                same | {"model": "linear", "conversion_at": at, "touch_id": name, "channel": name, "touch_at": at - 99 + place,
                        "credit": "0.1", "amount": str(Decimal(line) / 100), "recorded_at": at},
            )  # fmt: skip
    scale = 10**places
    seen = dict(database.rows("SELECT channel, reporting_amount FROM v_attribution_reporting"))
    assert {c: None if x is None else int(x * scale) for c, x in seen.items()} == dict(channels)
    totals = dict(database.rows("SELECT conversion_id, reporting_amount FROM v_conversions_reporting"))
    assert {c: None if x is None else int(x * scale) for c, x in totals.items()} == values
