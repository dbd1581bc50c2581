"""Which protecting rules keep a node from belonging to anybody: what an explanation says where no claim decides.

A pure function of a ``Book``, whose ``Decider`` decided by the same rules (docs/identity.md#shared-devices).
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from schemas.ids import ACCOUNT, DOMAIN, EMAIL, VISITOR, value
from stream.core.identity.book import TOO_MANY_MERGED, Book, Known
from stream.core.identity.domains import is_role_address, list_with
from stream.core.identity.node import MOST_CLAIMS, MOST_DOMAINS, MOST_IDS, MOST_USERS, statements
from stream.core.identity.registry import MOST_MERGED
from stream.core.identity.resolution import Decider, linked

_LISTS: Final = {
    "freemail": "the shipped list of freemail domains",
    "disposable": "the shipped list of disposable addresses' domains",
    "relay": "the shipped list of relay domains",
    "provider": "the shipped list of internet providers' domains",
    "tenants": "the shipped list of services that name hosts for their customers",
    "reserved": "the list of hosts that nobody has",
    "freemail_domains": "freemail_domains in the rules",
}


class Protection(msgspec.Struct, frozen=True):
    """A rule that holds for a node, and in words why."""

    node: str
    rule: str
    """limit, shared_device, freemail, disposable, relay, provider, tenants, reserved, freemail_domains or role_address."""
    why: str


def protections(book: Book, name: str, via: str = "") -> Iterator[Protection]:
    """The rules that hold for the node ``name``; ``via`` is the user of the visitor's session in question."""
    decider = book.decider(name)
    letter = decider.kind
    if letter == ACCOUNT and _is_full(book, name):
        yield Protection(name, "limit", f"{MOST_MERGED} accounts are merged into one: further merges do not count")
    for why in _limits(decider, book.known.get(name, ())):
        yield Protection(name, "limit", why)
    users = len(linked(decider.state)) if letter == VISITOR and not via else 0
    if users > 1:
        why = f"{users} users share this device: a session belongs to who signed in there, one without a user to nobody"
        yield Protection(name, "shared_device", why)
    if letter in {EMAIL, DOMAIN}:
        host = value(name).rpartition("@")[2]
        found = list_with(host, decider.rules)
        if found:
            yield Protection(name, found, f"{host} is on {_LISTS.get(found, found)}: it owns nothing")
    if letter == EMAIL and is_role_address(value(name)):
        yield Protection(name, "role_address", "several people read it: it gives an account, never a person")


def _is_full(book: Book, account: str) -> bool:
    """Whether a merge into the account, or of it, does not count since so many would be one."""
    merges = (claim for claims in book.known.values() for claim in claims if claim.live and claim.is_merge)
    return any(book.refusal(merge) == TOO_MANY_MERGED for merge in merges if account in (merge.node, merge.held.parent))


def _limits(decider: Decider, known: Sequence[Known]) -> Iterator[str]:
    if decider.shared and decider.state.children > MOST_IDS:
        yield f"more than {MOST_IDS} visitors and users belong to it: a constant, no person"
    elif decider.shared:
        yield f"work addresses of more than {MOST_DOMAINS} companies belong to it: a shared login, no person"
    if sum(claim.is_session and claim.limited for claim in known) > MOST_USERS:
        yield f"more than {MOST_USERS} users share it: a constant, no device; for good, only an operator's word counts"
    # What was taken back counts, too, and what came afterwards was not booked: so the forest counted the same.
    made = [claim.id for claim in known if not (claim.is_no_claim or claim.is_merge)]
    if statements(decider.name, made) > MOST_CLAIMS:
        yield f"more than {MOST_CLAIMS} claims were made about it: for good, only an operator's word counts"
