"""What operators say: events of ``schemas.event.OPERATOR_EVENTS`` become claims, merges and retractions.

They travel on the ``events`` topic like everything else, so a replay hears them again and ``touchline verify`` counts
them in. An event enters by the claim's child; merges enter by the tenant's registry.
"""

from typing import Final

import msgspec

from schemas import event as kinds
from schemas.event import Event
from schemas.ids import ACCOUNT, REGISTRY, node
from schemas.messages import BEGINNING, Claim, IdentityMessage, Merge, Retract
from schemas.rejections import RejectReason
from stream.core.identity import precedence
from stream.core.identity.node import acceptable, level, statement
from stream.core.step import Step

SOURCE: Final = "operator"
TYPES: Final = frozenset(kinds.OPERATOR_EVENTS)


class Words(msgspec.Struct, frozen=True, omit_defaults=True):
    """Properties of an operator's event. Nodes are written as tables write them: ``e:ann@acme.com``."""

    claim: str
    """Id of the claim or merge that is made or taken back."""
    parent: str = ""
    """Links: to whom the entry node belongs; merges: the account that stays."""
    loser: str = ""
    """Merges: the account that is merged into ``parent``."""
    since: int | None = None
    """ms; None: always."""
    until: int | None = None
    """ms, not included; None: for good."""
    reason: str = ""
    """Why, for whoever asks later."""


_words: Final = msgspec.json.Decoder(Words)


def registry_of(tenant_id: str) -> str:
    """The node that all merges of a tenant enter by."""
    return node(tenant_id, REGISTRY, "accounts")


def observe(step: Step, event: Event) -> None:
    """Send what an operator's event says, or dead-letter it if it cannot be said."""
    message = _message_of(event)
    if message is None:
        step.reject(event, RejectReason.BAD_VALUE, "an operator's event names its claim, and a parent of a higher kind")
    else:
        step.tell(message)


def _message_of(event: Event) -> IdentityMessage | None:
    if isinstance(event.properties, msgspec.UnsetType):
        return None
    try:
        words = _words.decode(event.properties)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if not words.claim:
        return None
    if event.type == kinds.IDENTITY_UNMERGE:
        return Retract(event.node, event.id, words.claim) if event.node == registry_of(event.tenant) else None
    if event.type == kinds.IDENTITY_UNLINK:
        # What a CRM object says is claimed under another number whenever a version of it comes late: the number that the
        # operator saw must not count, or the order of events would.
        return Retract(event.node, event.id, statement(words.claim)) if level(event.node) >= 0 else None
    return _merge(event, words) if event.type == kinds.IDENTITY_MERGE else _link(event, words)


def _link(event: Event, words: Words) -> Claim | None:
    claim = Claim(
        event.node,
        event.id,
        id=words.claim,
        parent=f"{event.tenant}/{words.parent}",
        precedence=precedence.OPERATOR,
        at=event.at,
        since=BEGINNING if words.since is None else words.since,
        until=words.until,
        source=SOURCE,
    )
    return claim if acceptable(claim) else None


def _merge(event: Event, words: Words) -> Merge | None:
    ends = (words.loser, words.parent)
    if event.node != registry_of(event.tenant) or words.loser == words.parent:
        return None
    if not all(end.startswith(f"{ACCOUNT}:") and len(end) > len("a:") for end in ends):
        return None
    loser, winner = (f"{event.tenant}/{end}" for end in ends)
    return Merge(event.node, event.id, words.claim, loser, winner, precedence.OPERATOR, event.at)
