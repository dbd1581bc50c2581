"""Which events are touches or conversions of their own: forms, replies and clicks, configured product events."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from schemas import event as kinds
from schemas.codec import properties_of
from schemas.event import Event
from schemas.ids import derived_id
from schemas.messages import Conversion, Touch
from schemas.money import minor_units
from schemas.rejections import RejectReason
from schemas.rules import EventConversion
from stream.core import channels
from stream.core.hits import Item
from stream.core.rulebook import Rulebook
from stream.core.sources import Source
from stream.core.step import Step

FORM: Final = "form"
_EMAIL_TOUCHES: Final = {
    "clicked": ("email_click", True),
    "replied": ("email_reply", True),
    # They only lower the score: never credited, never shown as touches.
    "unsubscribed": ("email_unsubscribe", False),
    "complained": ("email_complaint", False),
}
_DEALT_WITH: Final = (kinds.CRM_OPPORTUNITY, kinds.CRM_ACTIVITY)
"""What the CRM says of these makes items, too (``stream.core.opportunities``, ``stream.core.activities``)."""
_CURRENCY_LETTERS: Final = 3
_MS_IN_S: Final = 1000
_LEAST_MS: Final = 10**11
"""Numbers below are seconds: 10**11 ms is 1973, 10**11 s is the year 5138."""


def items_of(step: Step, book: Rulebook, event: Event) -> list[Item] | None:
    """Touches and conversions that an event makes beside its session's touch; None for the many that make none."""
    kind = event.type
    if kind == kinds.TRACK:
        is_form = event.name in book.form_events
        conversions = book.conversions.get(event.name)
        if not is_form and conversions is None:
            return None
        items = [_form(book, event)] if is_form else []
        items += [_conversion(step, event, rule) for rule in conversions or ()]
        return items
    if kind == kinds.EMAIL_EVENT:
        return _email(step, book, event)
    return None


def may_make_items(book: Rulebook, event: Event) -> bool:
    """Whether an event that counts, but is no hit, can bring its node items: seldom, and to look for them costs a scan."""
    kind, name = event.type, event.name
    if kind == kinds.TRACK:
        return name in book.form_events or name in book.conversions
    return name in _EMAIL_TOUCHES if kind == kinds.EMAIL_EVENT else kind in _DEALT_WITH


def properties_or_reject(step: Step, event: Event) -> dict[str, object]:
    """The event's properties; {} with a note in the dead letters if they are not an object."""
    try:
        return properties_of(event.properties)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        step.reject(event, RejectReason.MALFORMED, "properties is not a JSON object")
        return {}


def text_of(properties: dict[str, object], *names: str) -> str:
    """The first of the named properties that is a text or number, trimmed; ""."""
    for name in names:
        found = properties.get(name)
        if isinstance(found, str):
            found = found.strip()
            if found:
                return found
        elif isinstance(found, int | float) and not isinstance(found, bool):
            return str(found)
    return ""


def moment_of(given: object) -> int | None:
    """A time as CRMs write it (ISO text, s or ms since 1970) in ms; None if it is none."""
    if isinstance(given, bool):
        return None
    if isinstance(given, int | float) and abs(given) < 2**53:
        return round(given) if abs(given) >= _LEAST_MS else round(given * _MS_IN_S)
    if not isinstance(given, str):
        return None
    try:
        time = datetime.fromisoformat(given)
    except ValueError:
        return None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * _MS_IN_S)


def currency_of(text: str) -> str:
    """A currency code as ISO 4217 writes it; "" if it is none."""
    code = text.strip().upper()
    return code if len(code) == _CURRENCY_LETTERS and code.isascii() and code.isalpha() else ""


def amount_or_reject(step: Step, event: Event, amount: object, currency: str) -> int:
    """Minor units of an amount; 0 with a note in the dead letters if it is no usable number."""
    return minor_units(usable_amount(step, event, amount, currency), currency)


def usable_amount(step: Step, event: Event, amount: object, currency: str) -> str:
    """An amount in whole units as text; "0" with a note in the dead letters if it is no usable number."""
    try:
        minor_units("" if isinstance(amount, bool) else amount, currency)
    except ValueError as error:
        step.reject(event, RejectReason.BAD_VALUE, f"amount counted as 0: {error}")
        return "0"
    return str(amount)


def _touch(event: Event, type_: str, source: Source, points: int, *, eligible: bool = True) -> Item:
    touch_id = derived_id("touch", event.node, event.id)
    touch = Touch(
        touch_id, event.at, type_, source.channel, "", event.node,
        source.source, source.medium, source.campaign, "", event.id, points, event.at, eligible,
    )  # fmt: skip
    return Item(touch_id, event.at, event.id, touch=touch, eligible=eligible)


def _form(book: Rulebook, event: Event) -> Item:
    page = book.page(event)
    source = page.opens or Source(channels.UNASSIGNED)
    return _touch(event, FORM, source, book.points(event.type, event.name, page.path))


def _email(step: Step, book: Rulebook, event: Event) -> list[Item] | None:
    known = _EMAIL_TOUCHES.get(event.name)
    if known is None:
        return None
    campaign = event.utm_campaign or text_of(properties_or_reject(step, event), "campaign")
    source = Source(channels.EMAIL, event.utm_source, event.utm_medium or "email", campaign)
    points = book.points(event.type, event.name, "")
    return [_touch(event, known[0], source, points, eligible=known[1])]


def _conversion(step: Step, event: Event, rule: EventConversion) -> Item:
    amount: object = rule.default_value
    currency = ""
    if rule.value_property:
        properties = properties_or_reject(step, event)
        amount = properties.get(rule.value_property, rule.default_value)
        currency = currency_of(text_of(properties, rule.currency_property))
    units = amount_or_reject(step, event, amount, currency)
    conversion_id = derived_id("event", event.node, event.id, rule.stage)
    conversion = Conversion(conversion_id, event.at, rule.stage, "", event.node, units, currency, event.id)
    return Item(conversion_id, event.at, event.id, conversion=conversion)
