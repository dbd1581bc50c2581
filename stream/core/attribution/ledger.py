"""The ledger: after every record, the signed rows that turn what was booked into what now holds.

Per conversion and model the credits of all rows ever booked sum to 1 and the amounts to the value (to 0 once it is
withdrawn); a report is a plain sum, a report as of a date the sum of what was recorded until then.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from operator import neg
from typing import Final

import msgspec

from schemas.facts import BookingRow
from schemas.messages import BEGINNING, AccountMessage, Conversion
from schemas.money import exponent
from stream.core.attribution.allocation import CREDIT_PLACES, Allocation, Shares, allocation
from stream.core.attribution.arithmetic import fixed_texts
from stream.core.attribution.debt import (
    AGAIN_AT_ONCE,
    AT_ONCE,
    Debt,
    Payment,
    Said,
    close,
    debts,
    go_on,
    is_calm,
    is_nearly_calm,
    keep,
    note,
    pages_between,
    payment_of,
)
from stream.core.attribution.terms import Terms, store_terms, stored_terms, terms_of
from stream.core.engagement import DAY_MS
from stream.core.journey import END, ConversionChange, Journey, StoredConversion, StoredTouch, TouchChange
from stream.core.state import time_part
from stream.core.step import Step

MOVED: Final = "moved"
"""``AccountMessage.reason`` of what left or came because identity changed."""

REASONS: Final = (
    "conversion_withdrawn", "conversion_moved", "new_conversion", "amount_change",
    "touch_moved", "touch_withdrawn", "late_touch", "touch_changed",
)  # fmt: skip
"""Why rows were booked. If a record gives a conversion several reasons, the first of these that applies is the reason."""
_TOUCHES_FIRST: Final = "touch_moved"
"""The first of those that a touch gives; those that the conversion itself gives come before."""


_TOGETHER_MS: Final = 30 * DAY_MS
"""Windows of payments are read from a multiple of this on, so that a deal's conversions read the same touches."""
_SHARES_A_ROW: Final = 250
"""Touches of a booking: more are several rows, since a row has to fit into a record, campaigns and all."""


class Restatement(msgspec.Struct, gc=False):
    """One conversion that the record affects: itself before and after, and the touch changes in its window."""

    before: StoredConversion | None
    after: StoredConversion | None
    message: AccountMessage | None
    """What changed the conversion itself, if anything did."""
    touches: Iterable[TouchChange] = ()

    @property
    def content(self) -> Conversion:
        """The conversion, whichever side of the change has it."""
        stored = self.after or self.before
        assert stored is not None, "a restatement has a conversion"
        return stored.content


def book(step: Step, journey: Journey) -> None:
    """Book the differences of one account and record. Touches after the last conversion cost a comparison.

    Where that would take long, or rows are behind already, it is noted as a debt for ``pay`` (``attribution.debt``).

    Args:
        step: takes the ledger rows.
        journey: settled.
    """
    header = journey.header
    # The record may have withdrawn the last conversion, so the header alone is not enough; its own changes come anyway.
    counting = {name: c for name, c in journey.touches.items() if c.at <= header.last_conversion_at and _counts(c)}
    if not (counting or journey.conversions or header.owing):
        return
    terms = terms_of(step.rules)
    reach = max(header.reach_ms, terms.longest_lookback_ms())
    restatements = _restatements(journey, list(counting.values()), terms, reach)
    if restatements:
        header.reach_ms = reach
    elif not header.owing:
        return
    again = sum(r.before is not None for r in restatements.values())
    if header.owing or header.entries * len(restatements) > AT_ONCE or header.entries * again > AGAIN_AT_ONCE:
        # Of a conversion that is gone nothing says which touches it had, so all are noted.
        counting = {name: c for name, c in journey.touches.items() if _counts(c)}
        note(step, journey, {name: (r.before, r.message) for name, r in restatements.items()}, counting)
    else:
        first, last = _window(journey, restatements.values(), terms)
        now = journey.touches_between(first, last)
        befores = {name: c.before for name, c in journey.touches.items() if first <= c.at <= last}
        history = _History(journey.prefix, undone(now, befores), now)
        _restate_all(step, journey, restatements, history, terms)


def pay(step: Step, journey: Journey) -> bool:
    """Bring rows up to what holds now: of a conversion, one model or a few small ones. Messages bring the rest, one by one.

    Returns: whether the account has come to rest; while parts of a move still come in, it waits.
    """
    terms = terms_of(step.rules)
    if payment_of(journey) is None and not is_calm(journey):
        if is_nearly_calm(journey) and journey.header.entries >= AT_ONCE:
            _read_ahead(journey, terms)
        go_on(step, journey)
        return not journey.header.owing
    done = 0
    while (payment := payment_of(journey) or _begin(step, journey, terms)) is not None:
        done += _book_models(step, journey, payment)
        if payment.models or done >= AT_ONCE:
            break
    go_on(step, journey)
    return True


def _begin(step: Step, journey: Journey, terms: Terms) -> Payment | None:
    """Begin to pay the debt that is oldest, from what holds now; None if there is none left."""
    for name, debt in debts(journey):
        payment = _payment(step, journey, name, debt, terms)
        close(journey, name, payment)
        if payment is not None:
            # These terms may look further back than those that held when the debt was noted.
            journey.header.reach_ms = max(journey.header.reach_ms, terms.longest_lookback_ms())
            _note_terms(step, name, payment.after, payment.terms)
            return payment
        if debt.before is not None:  # withdrawn, and back as it was: its rows stand
            _note_terms(step, name, step.state.get(name, StoredConversion), debt.before.terms)
    return None


def _note_terms(step: Step, name: str, stored: StoredConversion | None, terms: str) -> None:
    """Store under which terms a conversion that is there has its rows, by their name."""
    if stored is not None and stored.terms != terms:
        step.state.put(name, StoredConversion(stored.content, terms))


def _payment(step: Step, journey: Journey, name: str, debt: Debt, terms: Terms) -> Payment | None:
    """What one debt comes to; None if nothing of the conversion's rows has changed."""
    before, after = debt.before, journey.state.get(name, StoredConversion)
    if before is None and after is None:
        return None
    restatement = Restatement(before, after, None)
    if debt.said is not None:
        message = debt.said.message(journey.account)
        if _restates(ConversionChange(restatement.content.at, before, after, message)):
            restatement.message = message
    until = journey.header.pages
    if restatement.message is None:  # else that is the reason, whatever the touches did
        changes = _touch_changes(journey, debt.since, until, *_window(journey, [restatement], terms))
        change = next(changes, None)
        if change is None:
            return None
        restatement.touches = chain((change,), changes)
    reason, message = reason_of(restatement)
    models: list[str] = list(terms.models) if after is not None else []
    if before is not None:
        models += [model for model in stored_terms(step.state, before.terms).models if model not in models]
    said = Said(message.at, message.cause, message.reason)
    return Payment(debt.since, until, before, after, store_terms(step.state, terms), reason, said, models)


def _book_models(step: Step, journey: Journey, payment: Payment) -> int:
    """Book some of a payment's models. Returns: shares that were worked out and touches that were looked at."""
    terms = stored_terms(step.state, payment.terms)
    restatement = Restatement(payment.before, payment.after, None)
    first, last = _window(journey, [restatement], terms)
    now = _touches_now(journey, first, last)
    later = _befores(journey, payment.until, journey.header.pages, first, last)
    then: Pairs = []
    if payment.before is not None:
        then = undone(now, later | _befores(journey, payment.since, payment.until, first, last))
    history = _History(journey.prefix, then, undone(now, later))
    desk = _Desk(step, journey, payment.reason, payment.said.message(journey.account))
    written = 0
    while payment.models:
        written += _restate(desk, restatement, history, terms, payment.models[:1])
        del payment.models[0]
        if written >= AT_ONCE:
            break
    keep(journey, payment)
    return 1 + written + len(history.now) + len(history.then)


def _read_ahead(journey: Journey, terms: Terms) -> None:
    """Read what the payment that is about to begin will book. The state remembers so many, so the step that begins is shorter."""
    for name, debt in debts(journey)[:1]:
        restatement = Restatement(debt.before, journey.state.get(name, StoredConversion), None)
        if restatement.before is not None or restatement.after is not None:
            _touches_now(journey, *_window(journey, [restatement], terms))


def _touches_now(journey: Journey, first: int, last: int) -> "Pairs":
    """All touches of that time, and perhaps some before it."""
    entries = journey.header.entries
    if not entries:
        return []  # nothing is left of a journey that moved away, but RocksDB would look for it
    return journey.touches_between(first - first % _TOGETHER_MS, last, entries)


def _touch_changes(journey: Journey, since: int, until: int, first: int, last: int) -> Iterator[TouchChange]:
    """Changes on these pages of touches of that time, if they matter; each touch once, with the last message about it."""
    befores = _befores(journey, since, until, first, last)
    latest = {was.name: was for was in pages_between(journey, since, until) if was.name in befores}
    for name, was in latest.items():
        now = journey.state.get(name, StoredTouch)
        change = TouchChange(was.at, befores[name], now, was.said.message(journey.account))
        if _counts(change):
            yield change


def _befores(journey: Journey, since: int, until: int, first: int, last: int) -> dict[str, StoredTouch | None]:
    """Touches of that time that changed on these pages, as they were before."""
    befores: dict[str, StoredTouch | None] = {}
    for was in pages_between(journey, since, until):
        if first <= was.at <= last:
            befores.setdefault(was.name, was.before)
    return befores


def _restate_all(
    step: Step, journey: Journey, restatements: dict[str, Restatement], history: "_History", terms: Terms
) -> None:
    name = store_terms(step.state, terms)
    for conversion_key, restatement in restatements.items():
        _restate(_Desk(step, journey, *reason_of(restatement)), restatement, history, terms)
        _note_terms(step, conversion_key, restatement.after, name)


def _counts(change: TouchChange) -> bool:
    """Whether the change matters to an allocation: the touch came, went or changed its channel or campaign."""
    before, after = change.before, change.after
    was, now = before is not None and before.eligible, after is not None and after.eligible
    if was != now:
        return True
    return was and before is not None and after is not None and not _same_source(before, after)


def _same_source(a: StoredTouch, b: StoredTouch) -> bool:
    return (
        a.at == b.at
        and a.channel == b.channel
        and a.utm_source == b.utm_source
        and a.utm_medium == b.utm_medium
        and a.utm_campaign == b.utm_campaign
    )


def _restatements(journey: Journey, changed: list[TouchChange], terms: Terms, reach: int) -> dict[str, Restatement]:
    """The conversions concerned, by state key: those that changed and those with a changed touch in their window."""
    found = {name: Restatement(c.before, c.after, c.message) for name, c in journey.conversions.items() if _restates(c)}
    if changed:
        first, last = min(c.at for c in changed), max(c.at for c in changed)
        for name, stored in journey.conversions_between(first, min(last + reach, END)):
            start = stored.content.at - _widest(journey, stored, terms)
            touches = [c for c in changed if start <= c.at <= stored.content.at]
            if touches:
                found.setdefault(name, Restatement(stored, stored, None)).touches = touches
    return dict(sorted(found.items()))


def _restates(change: ConversionChange) -> bool:
    """Whether a changed conversion changes rows: another person or event behind it does not."""
    if change.before is None or change.after is None:
        return True
    a, b = change.before.content, change.after.content
    return (a.amount, a.currency, a.stage) != (b.amount, b.currency, b.stage)


def _widest(journey: Journey, stored: StoredConversion, terms: Terms) -> int:
    """The longer lookback of a conversion: of the terms it was booked under and of those it will be."""
    stage = stored.content.stage
    booked = stored_terms(journey.state, stored.terms).lookback_ms(stage) if stored.terms else 0
    return max(booked, terms.lookback_ms(stage))


def _window(journey: Journey, restatements: Iterable[Restatement], terms: Terms) -> tuple[int, int]:
    """First and last time of the touches that any of the conversions can have."""
    sides = [side for r in restatements for side in (r.before, r.after) if side is not None]
    first = min(side.content.at - _widest(journey, side, terms) for side in sides)
    return max(first, BEGINNING), max(side.content.at for side in sides)


Pairs = list[tuple[str, StoredTouch]]
"""Touches with their state keys, by (at, id)."""


def undone(now: Pairs, befores: Mapping[str, StoredTouch | None]) -> Pairs:
    """Touches as they were before some changed: ``befores`` has those, None for one that was not there."""
    if not befores:
        return now
    kept = [pair for pair in now if pair[0] not in befores]
    return sorted(kept + [(name, before) for name, before in befores.items() if before is not None], key=_first)


class _History:
    """The touches around the conversions concerned, read once: as their rows have them, and as they will."""

    def __init__(self, prefix: str, then: Pairs, now: Pairs) -> None:
        self.prefix = prefix
        self.then = then
        self.now = now

    def eligible(self, conversion: Conversion, lookback_ms: int, *, before: bool) -> list[StoredTouch]:
        """The conversion's eligible touches, as of ``before`` the record or after it."""
        pairs = self.then if before else self.now
        prefix = self.prefix
        low = prefix + time_part(max(conversion.at - lookback_ms, BEGINNING))
        high = prefix + time_part(conversion.at + 1)
        return [
            touch
            for _, touch in pairs[bisect_left(pairs, low, key=_first) : bisect_left(pairs, high, key=_first)]
            if touch.eligible
        ]


def _first(pair: tuple[str, StoredTouch]) -> str:
    return pair[0]


def _restate(
    desk: "_Desk", restatement: Restatement, history: _History, terms: Terms, models: Collection[str] | None = None
) -> int:
    """Write a conversion's rows, of these models or of all. Returns: shares that were worked out."""
    before, after = restatement.before, restatement.after
    old: Allocation = {}
    new: Allocation = {}
    old_terms = terms
    if before is not None:
        old_terms = stored_terms(desk.step.state, before.terms)
        lookback = old_terms.lookback_ms(before.content.stage)
        old = allocation(before.content, history.eligible(before.content, lookback, before=True), old_terms, models)
    if after is not None:
        lookback = terms.lookback_ms(after.content.stage)
        new = allocation(after.content, history.eligible(after.content, lookback, before=False), terms, models)
    comparable = (
        before is not None
        and after is not None
        and old_terms == terms
        and (before.content.stage, before.content.currency) == (after.content.stage, after.content.currency)
    )
    if comparable:
        for model, shares in new.items():
            desk.write(restatement.content, model, terms.version, _differences(old[model], shares))
    else:
        if before is not None:
            for model, shares in old.items():
                desk.write(before.content, model, old_terms.version, _taken_back(shares))
        if after is not None:
            for model, shares in new.items():
                desk.write(after.content, model, terms.version, shares)
    return sum(len(shares.touches) for side in (old, new) for shares in side.values())


def reason_of(restatement: Restatement) -> tuple[str, AccountMessage]:
    """Why a conversion is restated (the first of REASONS that applies) and the first message that says so."""
    reasons: dict[str, AccountMessage] = {}
    message = restatement.message
    if message is not None:
        if restatement.before is not None and restatement.after is not None:
            reasons["amount_change"] = message
        elif message.reason == MOVED:
            reasons["conversion_moved"] = message
        else:
            reasons["new_conversion" if restatement.before is None else "conversion_withdrawn"] = message
    for change in () if reasons else restatement.touches:
        reason = _touch_reason(change)
        reasons.setdefault(reason, change.message)
        if reason == _TOUCHES_FIRST:
            break  # no other touch says more, and there may be thousands
    reason = next(r for r in REASONS if r in reasons)
    return reason, reasons[reason]


def _touch_reason(change: TouchChange) -> str:
    if change.before is not None and change.after is not None:
        return "touch_changed"
    if change.message.reason == MOVED:
        return "touch_moved"
    return "late_touch" if change.before is None else "touch_withdrawn"


def _taken_back(shares: Shares) -> Shares:
    return Shares(shares.touches, list(map(neg, shares.credits)), list(map(neg, shares.amounts)))


_NO_SHARES: Final = Shares((), (), ())


def _differences(old: Shares, new: Shares) -> Shares:
    """Signed shares that turn ``old`` into ``new``; a touch whose source changed is taken back and given anew."""
    if old == new:
        return _NO_SHARES
    after = {share[0].id: share for share in zip(*new, strict=True)}
    found: list[tuple[StoredTouch, int, int]] = []
    for touch, was_credit, was_amount in zip(*old, strict=True):
        share = after.pop(touch.id, None)
        if share is None:
            found.append((touch, -was_credit, -was_amount))
            continue
        now, credit, amount = share
        if now is not touch and not _same_source(now, touch):
            found += ((touch, -was_credit, -was_amount), share)
        elif credit != was_credit or amount != was_amount:
            found.append((now, credit - was_credit, amount - was_amount))
    found += after.values()
    return Shares(*zip(*found, strict=True)) if found else _NO_SHARES


class _Desk:
    """Writes the bookings of one restatement."""

    def __init__(self, step: Step, journey: Journey, reason: str, message: AccountMessage) -> None:
        self.step = step
        self.tenant = journey.tenant
        self.account = journey.id
        self.reason = reason
        self.message = message

    def write(self, c: Conversion, model: str, version: str, shares: Shares) -> None:
        """Book the shares, if there are any."""
        step, message = self.step, self.message
        credits_ = fixed_texts(shares.credits, CREDIT_PLACES)
        amounts = fixed_texts(shares.amounts, exponent(c.currency))
        for begin in range(0, len(shares.touches), _SHARES_A_ROW):
            of_row = slice(begin, begin + _SHARES_A_ROW)
            touches = shares.touches[of_row]
            row = BookingRow(
                self.tenant, c.id, self.account, c.stage, model, version, c.currency, c.at,
                [t.id for t in touches], [t.channel for t in touches],
                [t.utm_source for t in touches], [t.utm_medium for t in touches], [t.utm_campaign for t in touches],
                [t.at for t in touches], credits_[of_row], amounts[of_row],
                message.at, self.reason, message.cause,
                step.partition, step.offset, step.next_row("bookings"),
            )  # fmt: skip
            step.fact("bookings", row)
