"""The registry: one node per tenant that holds all merges of accounts (forest rule 7).

Accounts never subscribe to accounts: merges as claims between them got stuck or went round for ever. Here the live
merges are walked best-first; one counts if its loser has no winner yet and it closes no circle. Each account whose
final root changed is told so.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.ids import ACCOUNT, REGISTRY, kind, tenant
from schemas.messages import BEGINNING, IdentityMessage, Merge, Retract, Root
from stream.core.identity.audit import Action, Stated, book_claim
from stream.core.identity.node import level
from stream.core.identity.precedence import OPERATOR
from stream.core.nodes import Held
from stream.core.state import key
from stream.core.step import Step

MOST_MERGED: Final = 100
"""Accounts merged into one. More is a script that went astray, not a tidy CRM."""


class HeldMerge(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """A live merge. The order of the fields is the total order of contents: of two with one id the smaller counts."""

    loser: str
    winner: str
    precedence: int
    at: int


class RegistryState(msgspec.Struct, array_like=True, gc=False):
    """All merges of a tenant."""

    merges: dict[str, HeldMerge] = msgspec.field(default_factory=dict)
    """Live merges by id."""
    retracted: dict[str, bool] = msgspec.field(default_factory=dict)
    roots: dict[str, str] = msgspec.field(default_factory=dict)
    """Account -> root that it was last told, where it is not itself."""


def is_registry(name: str) -> bool:
    """Whether a message to ``name`` is the registry's."""
    return kind(name) == REGISTRY


def take_in(step: Step, message: IdentityMessage) -> None:
    """Add or retract a merge and tell the accounts whose root it changed."""
    place = key("r", message.to)
    state = step.state.get(place, RegistryState) or RegistryState()
    if isinstance(message, Merge):
        changed = _add(step, state, message)
    elif isinstance(message, Retract) and message.id not in state.retracted:
        state.retracted[message.id] = True
        changed = True
        _book(step, message.id, state.merges.pop(message.id, None), "retract", message.cause)
    else:
        return
    if not changed:
        return
    after = roots(state.merges)
    for account in sorted(after.keys() | state.roots.keys()):
        root = after.get(account, account)
        if root != state.roots.get(account, account):
            step.tell(Root(account, message.cause, root))
    state.roots = {account: root for account, root in after.items() if root != account}
    step.state.put(place, state)


def _add(step: Step, state: RegistryState, merge: Merge) -> bool:
    if not _acceptable(merge):
        return False
    held = HeldMerge(merge.loser, merge.winner, merge.precedence, merge.at)
    if merge.id in state.retracted:
        _book(step, merge.id, held, "late", merge.cause)
        return False
    present = state.merges.get(merge.id)
    if present is not None and present <= held:
        return False
    _book(step, merge.id, present, "retract", merge.cause)
    _book(step, merge.id, held, "claim", merge.cause)
    state.merges[merge.id] = held
    return True


def _book(step: Step, merge_id: str, held: HeldMerge | None, action: Action, cause: str) -> None:
    if held is not None:
        source = "operator" if held.precedence >= OPERATOR else "merge"
        stated = Stated(merge_id, Held(held.winner, held.precedence, held.at, BEGINNING, None, source))
        book_claim(step, held.loser, stated, action, cause)


def _acceptable(merge: Merge) -> bool:
    ends = (merge.loser, merge.winner)
    return merge.loser != merge.winner and all(
        level(end) >= 0 and kind(end) == ACCOUNT and tenant(end) == tenant(merge.to) for end in ends
    )


def accepted(merges: Mapping[str, HeldMerge]) -> dict[str, str]:
    """The merges that count: account that loses -> id of its merge.

    Best first; none that closes a circle, and none that would make one account of more than ``MOST_MERGED`` others.
    """
    found: dict[str, str] = {}
    merged: dict[str, int] = {}

    def top(account: str) -> str:
        while account in found:
            account = merges[found[account]].winner
        return account

    best_first = sorted(((m.precedence, m.at, merge_id) for merge_id, m in merges.items()), reverse=True)
    for _, _, merge_id in best_first:
        merge = merges[merge_id]
        winner = top(merge.winner)
        together = merged.get(winner, 0) + merged.get(merge.loser, 0) + 1
        if merge.loser not in found and winner != merge.loser and together <= MOST_MERGED:
            found[merge.loser] = merge_id
            merged[winner] = together
    return found


def roots(merges: Mapping[str, HeldMerge]) -> dict[str, str]:
    """Final root of every account that loses in an accepted merge."""
    above = {loser: merges[merge_id].winner for loser, merge_id in accepted(merges).items()}
    found: dict[str, str] = {}
    for account, winner in above.items():
        root = winner
        while root in above:
            root = above[root]
        found[account] = root
    return found
