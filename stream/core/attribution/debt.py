"""What the ledger is behind with: large restatements wait for their turn, so that other accounts have theirs in between.

One touch more changes the credit of every touch in a conversion's window, so a change of identity that moves 10,000
touches in several records would book hundreds of thousands of rows, most of them taken back by the next record. Instead
the account notes what changed, sends itself a message through the log, and books the difference to what holds when that
message comes: once, one model of a conversion at a time.

``d, account, c, conversion`` is a conversion whose rows are behind: as they were booked, and since which page.
``d, account, j, page`` has touches that changed, as they were before. What a conversion's rows were booked from is what
the account has now, with the pages since then undone, oldest last.
``d, account, p`` is the payment under way: from what to what one conversion's rows are brought, and the models that are left.
What changes meanwhile is on later pages, and another debt.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from schemas.messages import AccountMessage, Owing
from stream.core.journey import Journey, StoredConversion, StoredTouch, TouchChange
from stream.core.state import key
from stream.core.step import Step

AT_ONCE: Final = 1000
"""Shares that a record may work out and book at once, some 20 ms; more wait for a message of their own."""
AGAIN_AT_ONCE: Final = 200
"""The same of conversions that are booked already: of 300 people who move one by one each would have them restated. To wait costs
an account some seven messages to itself, as much as 350 shares."""
CALM: Final = 6
"""So many messages to itself without a change make an account sure that it heard everything of what moves it. A busy worker lets
others work before each of them."""
PATIENCE: Final = 100
"""After so many it pays all the same: some accounts are never calm."""
_PAGE: Final = 500
"""Changes on a page: some 100 kB."""


class Said(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is kept of the message that changed something."""

    at: int
    cause: str
    reason: str

    def message(self, account: str) -> AccountMessage:
        """As the ledger asks for it."""
        return AccountMessage(account, self.at, self.cause, self.reason)


class Was(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A touch before it changed; ``before`` is None if it was not there."""

    name: str
    at: int
    before: StoredTouch | None
    said: Said


class Page(msgspec.Struct, array_like=True, gc=False):
    """``d, account, j, page``: changes of one record, in its order."""

    changes: list[Was]


class Debt(msgspec.Struct, array_like=True, gc=False):
    """``d, account, c, conversion key``: a conversion whose rows are behind."""

    since: int
    """First page with changes that its rows do not know of."""
    before: StoredConversion | None
    """As its rows have it; None if it has none."""
    said: Said | None = None
    """What changed the conversion itself, last."""


class Payment(msgspec.Struct, array_like=True, gc=False):
    """``d, account, p``: a conversion whose rows are being brought up, a model or a few at a time."""

    since: int
    """The rows know of no change from this page on ..."""
    until: int
    """... and will know of those before this one."""
    before: StoredConversion | None
    after: StoredConversion | None
    terms: str
    """Those of the rows to come (``attribution.terms``)."""
    reason: str
    said: Said
    models: list[str]
    """Still to be booked."""


def note(
    step: Step,
    journey: Journey,
    concerned: Mapping[str, tuple[StoredConversion | None, AccountMessage | None]],
    touches: Mapping[str, TouchChange],
) -> None:
    """Note a record's changes instead of booking them, and send for ``ledger.pay`` unless that is under way.

    Args:
        step: of the record.
        journey: of the account.
        concerned: by state key: conversions whose rows it changes, as they were, and what changed them themselves.
        touches: by state key: all changes that can matter to an allocation.
    """
    state, header = journey.state, journey.header
    header.calm = 0
    for name, (before, message) in concerned.items():
        debt = state.get(_debt_key(journey, name), Debt) or Debt(header.pages, before)
        if message is not None:
            debt.said = _said(message)
        state.put(_debt_key(journey, name), debt)
    changes = [Was(name, c.at, c.before, _said(c.message)) for name, c in touches.items()]
    for begin in range(0, len(changes), _PAGE):
        state.put(_page_key(journey, header.pages), Page(changes[begin : begin + _PAGE]))
        header.pages += 1
    if not header.owing:
        header.owing = True
        step.tell_account(Owing(journey.account, step.at))


def debts(journey: Journey) -> list[tuple[str, Debt]]:
    """All of the account's, by state key of the conversion; those that are longest behind come first."""
    prefix = _debt_key(journey, "")
    found = [(name[len(prefix) :], debt) for name, debt in journey.state.scan(prefix, Debt)]
    return sorted(found, key=lambda pair: (pair[1].since, pair[0]))


def pages_between(journey: Journey, since: int, until: int) -> Iterator[Was]:
    """Changes on the pages from ``since`` to before ``until``, in their order."""
    end = _page_key(journey, until)
    for name, page in journey.state.scan(_page_key(journey, None), Page, start=_page_key(journey, since)):
        if name >= end:
            return
        yield from page.changes


def is_calm(journey: Journey) -> bool:
    """Whether to begin to pay now: to pay between two parts of a move would book rows that the next part takes back."""
    header = journey.header
    header.calm += 1
    header.waited += 1
    if header.calm <= CALM and header.waited <= PATIENCE:
        return False
    header.waited = 0
    return True


def is_nearly_calm(journey: Journey) -> bool:
    """Whether the next message to itself, if nothing comes before it, is one with which it pays."""
    return journey.header.calm == CALM or journey.header.waited == PATIENCE


def payment_of(journey: Journey) -> Payment | None:
    """The one under way."""
    return journey.state.get(_payment_key(journey), Payment)


def close(journey: Journey, conversion_key: str, payment: Payment | None) -> None:
    """The conversion's debt is over: its rows are as they should be, or ``payment`` will make them so."""
    journey.state.delete(_debt_key(journey, conversion_key))
    if payment is not None:
        journey.state.put(_payment_key(journey), payment)


def keep(journey: Journey, payment: Payment) -> None:
    """Store what is left of a payment."""
    if payment.models:
        journey.state.put(_payment_key(journey), payment)
    else:
        journey.state.delete(_payment_key(journey))


def go_on(step: Step, journey: Journey) -> None:
    """Forget the pages that nobody needs any more; if something is still owed, come back to it."""
    header, payment = journey.header, payment_of(journey)
    needed = [debt.since for _, debt in debts(journey)] + ([payment.since] if payment else [])
    first = min(needed, default=header.pages)
    for page in range(header.pages_forgotten, first):
        journey.state.delete(_page_key(journey, page))
    header.pages_forgotten = first
    header.owing = bool(needed)
    if needed:
        step.tell_account(Owing(journey.account, step.at))


def _said(message: AccountMessage) -> Said:
    return Said(message.at, message.cause, message.reason)


def _debt_key(journey: Journey, conversion_key: str) -> str:
    return key("d", journey.account, "c", conversion_key)


def _payment_key(journey: Journey) -> str:
    return key("d", journey.account, "p")


def _page_key(journey: Journey, page: int | None) -> str:
    return key("d", journey.account, "j", "" if page is None else f"{page:016x}")
