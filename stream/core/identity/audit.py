"""Rows of ``identity_claims``: who said what belongs to whom, and who took it back, each with the event that caused it.

``v_identity_claims`` shows how each claim stands now; ``book`` (the pure functions behind ``touchline identity explain``
and ``preview``) decides from those rows what the forest decides from its states.
"""

from typing import Final, Literal

import msgspec

from schemas.facts import IdentityClaimRow
from schemas.ids import tenant
from schemas.messages import BEGINNING
from stream.core.identity import precedence
from stream.core.nodes import Held, NodeState
from stream.core.step import Step

Action = Literal["claim", "retract", "late", "limit"]
END: Final = 2**62
"""How the table writes "no end"."""
SESSION: Final = "session"
"""Source of what sessions say of a visitor. They are no claims of their own, but they decide like one."""
NETWORK: Final = "ip"
"""Source of what the network of a visit says: owns the visit if nobody else does."""
LIMIT: Final = "limit"
"""Source of the row that says that a node has too many identifiers to be a person."""
_UNKNOWN: Final = Held("", 0, 0, BEGINNING, None, "")


class Stated(msgspec.Struct, frozen=True, gc=False):
    """A claim with its id; ``held`` is None if only the id is known."""

    id: str
    held: Held | None


def book_claim(step: Step, name: str, stated: Stated, action: Action, cause: str) -> None:
    """Book what became of a claim at the node ``name``."""
    held = stated.held
    known = held or _UNKNOWN
    parent = known.parent
    step.fact(
        "identity_claims",
        IdentityClaimRow(
            tenant=tenant(name),
            node=bare(name),
            claim_id=stated.id,
            action=action,
            parent=bare(parent) if parent else "",
            source=known.source,
            precedence=known.precedence,
            confidence=precedence.confidence(known.precedence) if held else 0.0,
            at=known.at,
            since=known.since,
            until=END if known.until is None else known.until,
            cause_event_id=cause,
            recorded_at=step.at,
            _p=step.partition,
            _o=step.offset,
            _i=step.next_row("identity_claims"),
        ),
    )


def book_session_link(step: Step, visitor: str, user: str, action: Action, cause: str) -> None:
    """The first of a visitor's sessions names ``user``, or the last one that did is gone."""
    held = Held(user, precedence.LINK, 0, BEGINNING, None, SESSION)
    book_claim(step, visitor, Stated(f"{SESSION} {user}", held), action, cause)


def book_network(step: Step, visitor: str, company: str, action: Action, cause: str) -> None:
    """The first of a visitor's sessions came from the network of ``company``, or the last one that did is gone."""
    held = Held(company, precedence.NETWORK, 0, BEGINNING, None, NETWORK)
    book_claim(step, visitor, Stated(f"{NETWORK} {company}", held), action, cause)


def book_shared(step: Step, name: str, action: Action, cause: str) -> None:
    """More identifiers than a person can have belong to the node, or no longer: it is nobody, whatever is claimed."""
    book_claim(step, name, Stated(LIMIT, Held("", precedence.OPERATOR, 0, BEGINNING, None, LIMIT)), action, cause)


def book_crowd(step: Step, name: str, before: NodeState, cause: str) -> None:
    """The node has too many claims: those that it had no longer count."""
    for claim_id, held in before.claims.items():
        if held.precedence < precedence.OPERATOR:
            book_claim(step, name, Stated(claim_id, held), "limit", cause)
    for user in before.links:
        book_session_link(step, name, user, "limit", cause)
    for company in before.companies:
        book_network(step, name, company, "limit", cause)


def bare(name: str) -> str:
    """The node's name as tables write it: without its tenant."""
    return name[name.index("/") + 1 :]
