"""Explanations and predictions as JSON says them: identifiers and times in people's words."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.ids import kind, value
from schemas.messages import BEGINNING
from stream.core.identity.book import Known
from stream.core.identity.explanation import Edge, Explanation, Reason
from stream.core.identity.names import spoken
from stream.core.identity.precedence import confidence
from stream.core.identity.prediction import Move

Said = Mapping[str, Mapping[str, Any]]
"""Event id -> its time, source and the reason that an operator gave."""
_RULES = {
    "domain": "a work address belongs to its domain",
    "identify": "the only user that this visitor ever had",
}


def explanation_shown(found: Explanation, said: Said) -> dict[str, Any]:
    """``GET /v1/identity/{node}``."""
    return {
        "node": spoken(found.node),
        "at": time_shown(found.at),
        "account_id": value(found.account) if found.account else "",
        "account": spoken(found.account),
        "person": spoken(found.person),
        "rank": found.rank,
        "source": found.source,
        "session_user": spoken(found.via),
        "steps": [_edge(edge, said) for edge in found.edges],
        "protections": [{"node": spoken(p.node), "rule": p.rule, "why": p.why} for p in found.protections],
        "taken_back": [_claim(known, said) | {"node": spoken(known.node)} for known in found.taken_back],
    }


def moves_shown(moves: Iterable[Move]) -> list[dict[str, Any]]:
    """``POST /v1/identity/preview``."""
    return [
        {
            "from": move.source,
            "to": move.target,
            "touches": move.touches,
            "conversions": move.conversions,
            "other_person": move.people,
            "credit": [
                {
                    "model": amount.model,
                    "currency": amount.currency,
                    "credit": str(amount.credit),
                    "amount": str(amount.amount),
                }
                for amount in sorted(move.credits, key=lambda a: (a.model, a.currency))
            ],
        }
        for move in moves
    ]


def time_shown(at: int | None) -> str | None:
    """ISO 8601; None for "always" and "for good"."""
    if at is None or at <= BEGINNING:
        return None
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _edge(edge: Edge, said: Said) -> dict[str, Any]:
    return {
        "node": spoken(edge.node),
        "belongs_to": spoken(edge.reason.parent),
        "as": edge.role,
        "because": _reason(edge.reason, said),
        "lost": [_reason(reason, said) | {"belongs_to": spoken(reason.parent)} for reason in edge.lost],
    }


def _reason(reason: Reason, said: Said) -> dict[str, Any]:
    shown: dict[str, Any] = {"source": reason.source, "rank": reason.rank}
    if reason.note:
        shown["why"] = reason.note
    if reason.account:
        shown["account_id"] = value(reason.account)
    if reason.claim is None:
        rule = "merged" if kind(reason.parent) == "a" and reason.source == "merge" else _RULES.get(reason.source, "")
        return shown | {"rule": rule}
    return shown | _claim(reason.claim, said)


def _claim(known: Known, said: Said) -> dict[str, Any]:
    held = known.held
    event = said.get(known.cause, {})
    return {
        "claim": known.id.replace("\0", " #"),
        "source": held.source,
        "rank": held.precedence,
        "confidence": confidence(held.precedence),
        "belongs_to": spoken(held.parent),
        "from": time_shown(held.since),
        "to": time_shown(held.until),
        "said_at": time_shown(event.get("at")),
        "said_by": event.get("source", ""),
        "reason": event.get("reason", ""),
        "known_since": time_shown(known.recorded_at),
        "event_id": known.cause,
    }
