"""Which protecting rules keep a node from belonging to anybody: what an explanation says where no claim decides.

A pure function of a ``Decider``, which decided by the same rules (docs/identity.md#shared-devices).
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.ids import DOMAIN, EMAIL, VISITOR, value
from stream.core.identity.domains import is_role_address, list_with
from stream.core.identity.node import MOST_DOMAINS, MOST_IDS
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


def protections(decider: Decider, via: str = "") -> Iterator[Protection]:
    """The rules that hold for the decider's node; ``via`` is the user of the visitor's session in question."""
    name, letter = decider.name, decider.kind
    if decider.shared:
        yield Protection(name, "limit", _limit(decider))
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


def _limit(decider: Decider) -> str:
    if decider.state.children > MOST_IDS:
        return f"more than {MOST_IDS} visitors and users belong to it: a constant, no person"
    return f"work addresses of more than {MOST_DOMAINS} companies belong to it: a shared login, no person"
