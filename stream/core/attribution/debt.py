"""What the ledger is behind with: large restatements wait for their turn, so that other accounts have theirs in between.

One touch more changes the credit of every touch in a conversion's window, so a change of identity that moves 10,000
touches in several records would book hundreds of thousands of rows, most of them taken back by the next record. Instead
the account notes what changed, sends itself a message through the log, and books the difference to what holds when that
message comes: once, one conversion at a time.

``d, account, c, conversion`` is a conversion whose rows are behind: as they were booked, and since which page.
``d, account, j, page`` has touches that changed, as they were before. What a conversion's rows were booked from is what
the account has now, with the pages since then undone, oldest last.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.messages import AccountMessage, Owing
from stream.core.journey import Journey, StoredConversion, StoredTouch, TouchChange
from stream.core.state import key
from stream.core.step import Step

AT_ONCE: Final = 1000
"""Shares that a record may work out and book at once, some 30 ms; more wait for a message of their own."""
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


def changed_since(
    journey: Journey, page: int, first: int, last: int, now: Mapping[str, StoredTouch]
) -> dict[str, TouchChange]:
    """Touches with ``first`` <= at <= ``last`` that changed on this page or later: as they were before it, and as they are.

    Args:
        journey: of the account.
        page: the first one that counts.
        first: ms.
        last: ms.
        now: all touches of that time, by state key.
    """
    changes: dict[str, TouchChange] = {}
    for _, found in journey.state.scan(_page_key(journey, None), Page, start=_page_key(journey, page)):
        for was in found.changes:
            if first <= was.at <= last:
                earlier = changes.get(was.name)
                before = was.before if earlier is None else earlier.before
                message = was.said.message(journey.account)
                changes[was.name] = TouchChange(was.at, before, now.get(was.name), message)
    return changes


def paid(journey: Journey, conversion_key: str) -> None:
    """The rows of this conversion are as they should be."""
    journey.state.delete(_debt_key(journey, conversion_key))


def go_on(step: Step, journey: Journey) -> None:
    """Forget the pages that nobody needs any more; if something is still owed, come back to it."""
    left = debts(journey)
    needed = left[0][1].since if left else journey.header.pages
    for name, _ in journey.state.scan(_page_key(journey, None), Page):
        if name >= _page_key(journey, needed):
            break
        journey.state.delete(name)
    journey.header.owing = bool(left)
    if left:
        step.tell_account(Owing(journey.account, step.at))


def _said(message: AccountMessage) -> Said:
    return Said(message.at, message.cause, message.reason)


def _debt_key(journey: Journey, conversion_key: str) -> str:
    return key("d", journey.account, "c", conversion_key)


def _page_key(journey: Journey, page: int | None) -> str:
    return key("d", journey.account, "j", "" if page is None else f"{page:016x}")
