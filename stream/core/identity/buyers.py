"""People who buy without an account (self-service, shops): each becomes a journey of its own.

A leaf tells the person of each conversion that is on no account. A person with any is its own account of last resort,
and all who belong to it hear that as they hear of any other change of owner: so the touches of all devices follow.
"""

from schemas.ids import ACCOUNTS, kind
from schemas.messages import Owner, Sold
from stream.core.hits import Item
from stream.core.step import Step


def follow(step: Step, item: Item, owner: Owner | None, cause: str) -> None:
    """The conversion ``item``, still with the owner that it had, is now ``owner``'s; None: it is no more."""
    before = _buyer(item.account, item.person)
    after = "" if owner is None else _buyer(owner.account, owner.person)
    if before == after:
        return
    if before:
        step.tell(Sold(before, cause, -1))
    if after:
        step.tell(Sold(after, cause, 1))


def _buyer(account: str, person: str) -> str:
    return person if person and not (account and kind(account) in ACCOUNTS) else ""
