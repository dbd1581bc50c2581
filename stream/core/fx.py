"""Exchange rates: facts with a date. The latest word on a pair and day counts, in whichever direction it was given.

    event of type fx -> restate -> rows of ``fx_rates``, one for each direction

Nothing is converted here: the views do it with the rates that are there when somebody asks (docs/adr/0004).
"""

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

from schemas.event import Event
from schemas.facts import FxRateRow, ReportingRow
from schemas.money import exponent
from schemas.rejections import RejectReason
from stream.core.items import currency_of, properties_or_reject, text_of
from stream.core.restated import Restatement, restate
from stream.core.step import Step

PLACES: Final = 18
"""Decimal places of a rate. The inverse of a rate within LARGEST keeps at least nine digits."""
LARGEST: Final = 10**9
_SMALLEST: Final = Decimal("1e-9")
_ONE: Final = 10**PLACES
_DAY_LETTERS: Final = 10
_BETWEEN: Final = "\x1f"


def rate_units(rate: object) -> int:
    """A rate (number or text) in units of ``10**-PLACES``, half-even.

    Raises: ValueError if it is no number in [1 / LARGEST, LARGEST].
    """
    try:
        exact = Decimal(str(rate))
    except InvalidOperation:
        raise ValueError("the rate is not a number") from None
    # Compared as decimals: as a fraction 1e999999999 would be a number of a billion digits.
    if not exact.is_finite() or not _SMALLEST <= exact <= LARGEST:
        raise ValueError(f"the rate is not between 1/{LARGEST} and {LARGEST}")
    return round(Fraction(exact) * _ONE)


def inverse_units(units: int) -> int:
    """The inverse of a rate, half-even, both in units of ``10**-PLACES``.

    >>> inverse_units(2 * 10**18) == 5 * 10**17
    True
    """
    return round(Fraction(_ONE * _ONE, units))


def rate_text(units: int) -> str:
    """Decimal text of ``rate_units``."""
    return f"{units // _ONE}.{units % _ONE:0{PLACES}d}"


def take_rate(step: Step, event: Event) -> None:
    """Fold a rate in and book what it changes. One that is none goes to the dead letters."""
    name, figure = "", None
    try:
        name, figure = _said(step, event)
    except ValueError as error:
        step.reject(event, RejectReason.BAD_VALUE, str(error))
    for change in restate(step, event, name, figure):
        _book(step, event, change)


def _said(step: Step, event: Event) -> tuple[str, str]:
    """What a rate is of (pair and day) and what it is (direction and units). Raises: ValueError."""
    properties = properties_or_reject(step, event)
    day = text_of(properties, "day", "date")[:_DAY_LETTERS]
    base, quote = (currency_of(text_of(properties, name)) for name in ("base", "quote"))
    units = rate_units(text_of(properties, "rate"))
    if not base or not quote or base == quote:
        raise ValueError("base and quote are two currencies (ISO 4217)")
    low, high = sorted((base, quote))
    return _BETWEEN.join((low, high, day.replace(_BETWEEN, " "))), f"{base}{_BETWEEN}{units}"


def _book(step: Step, event: Event, change: Restatement) -> None:
    low, high, day = change.key.split(_BETWEEN)
    base, _, given = (change.after or change.before or "").partition(_BETWEEN)
    quote = high if base == low else low
    units = int(given)
    for one, other, rate in ((base, quote, units), (quote, base, inverse_units(units))):
        row = FxRateRow(
            event.tenant, one, other, day, rate_text(rate), change.after is None, event.id, step.at,
            step.partition, step.offset, step.next_row("fx_rates"),
        )  # fmt: skip
        step.fact("fx_rates", row)


def reporting_row(step: Step) -> ReportingRow:
    """What the rules that hold from now on say of reports."""
    rules = step.rules
    return ReportingRow(
        rules.version, rules.reporting_currency, exponent(rules.reporting_currency), rules.fx_max_age_days,
        step.at, step.partition, step.offset, step.next_row("reporting"),
    )  # fmt: skip
