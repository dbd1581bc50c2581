"""Explanations and predictions in people's words: from what the core says to the shapes of ``answered``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from schemas.ids import ACCOUNT, kind, value
from schemas.messages import BEGINNING
from stream.collect import clock
from stream.collect.identity import answered
from stream.collect.identity.family import Family
from stream.core.identity.book import Known
from stream.core.identity.composition import AccountMerge, Composition, NamedDomain
from stream.core.identity.explanation import Edge, Explanation, Reason
from stream.core.identity.names import WORDS, spoken
from stream.core.identity.precedence import confidence
from stream.core.identity.prediction import Move
from stream.core.identity.protection import Protection

Said = Mapping[str, Mapping[str, Any]]
"""Event id -> its time, source and the reason that an operator gave."""
_RULES = {
    "domain": "a work address belongs to its domain",
    "identify": "the only user that this visitor ever had",
}


def explanation_shown(
    found: Explanation, said: Said, *, made_of: answered.MadeOf | None = None, warnings: Sequence[str] = ()
) -> answered.Explanation:
    """``GET /v1/identity/{node}``."""
    return answered.Explanation(
        node=spoken(found.node),
        at=time_shown(found.at),
        account_id=value(found.account) if found.account else "",
        account=spoken(found.account),
        person=spoken(found.person),
        rank=found.rank,
        source=found.source,
        session_user=spoken(found.via),
        steps=[_step(edge, said) for edge in found.edges],
        protections=_protections(found.protections),
        taken_back=[answered.Claim(node=spoken(known.node), **_claim(known, said)) for known in found.taken_back],
        more_taken_back=found.more_taken_back,
        made_of=UNSET if made_of is None else made_of,
        warnings=list(warnings),
    )


def made_of_shown(composition: Composition, family: Family, said: Said) -> answered.MadeOf:
    """What an account is made of."""
    return answered.MadeOf(
        family.name,
        family.people,
        family.touches,
        _parent(family, said),
        [answered.Child(_account(child.account_id), child.name) for child in family.children],
        family.more_children,
        [_domain(domain, said) for domain in composition.domains],
        composition.more_domains,
        [answered.Direct(WORDS[direct.letter], direct.source, direct.nodes) for direct in family.direct],
        [_merge(merge, said) for merge in composition.merges],
        composition.more_merges,
    )


def moves_shown(moves: Iterable[Move]) -> list[answered.Move]:
    """``POST /v1/identity/preview``."""
    return [
        answered.Move(
            source=move.source,
            target=move.target,
            touches=move.touches,
            conversions=move.conversions,
            other_person=move.people,
            credit=[
                answered.Credit(amount.model, amount.currency, str(amount.credit), str(amount.amount))
                for amount in sorted(move.credits, key=lambda a: (a.model, a.currency))
            ],
        )
        for move in moves
    ]


def time_shown(at: int | None) -> str | None:
    """ISO 8601; None for "always" and "for good"."""
    if at is None or at <= BEGINNING:
        return None
    return clock.text_of(at)


def _step(edge: Edge, said: Said) -> answered.Step:
    return answered.Step(
        node=spoken(edge.node),
        belongs_to=spoken(edge.reason.parent),
        role=edge.role,
        because=_reason(edge.reason, said),
        lost=[_reason(reason, said) for reason in edge.lost],
        more_lost=edge.more_lost,
    )


def _protections(found: Iterable[Protection]) -> list[answered.Protection]:
    return [answered.Protection(spoken(p.node), p.rule, p.why) for p in found]


def _parent(family: Family, said: Said) -> answered.Parent | None:
    if not family.parent_id:
        return None
    event = said.get(family.parent_event, {})
    return answered.Parent(
        _account(family.parent),
        _account(family.parent_id),
        family.problem,
        time_shown(event.get("at")),
        event.get("source", ""),
        family.parent_event,
    )


def _account(account_id: str) -> str:
    """Only CRM accounts are above or below others."""
    return spoken(f"{ACCOUNT}:{account_id}") if account_id else ""


def _domain(found: NamedDomain, said: Said) -> answered.Domain:
    return answered.Domain(
        spoken(found.domain),
        found.counts,
        spoken(found.owner),
        [_reason(reason, said) for reason in found.claims],
        found.more_claims,
        None if found.instead is None else _reason(found.instead, said),
        _protections(found.protections),
    )


def _merge(found: AccountMerge, said: Said) -> answered.AccountMerge:
    return answered.AccountMerge(spoken(found.loser), spoken(found.winner), found.counts, _reason(found.reason, said))


def _reason(reason: Reason, said: Said) -> answered.Reason:
    beside: dict[str, Any] = {
        "why": reason.note or UNSET,
        "account_id": value(reason.account) if reason.account else UNSET,
    }
    if reason.claim is not None:
        return answered.Reason(**_claim(reason.claim, said), **beside)
    rule = "merged" if kind(reason.parent) == ACCOUNT and reason.source == "merge" else _RULES.get(reason.source, "")
    belongs_to = spoken(reason.parent)
    return answered.Reason(source=reason.source, rank=reason.rank, belongs_to=belongs_to, rule=rule, **beside)


def _claim(known: Known, said: Said) -> dict[str, Any]:
    """What ``answered.Claim`` and ``answered.Reason`` have in common."""
    held = known.held
    event = said.get(known.cause, {})
    return {
        "claim": known.id.replace("\0", " #"),
        "source": held.source,
        "rank": held.precedence,
        "confidence": confidence(held.precedence),
        "belongs_to": spoken(held.parent),
        "since": time_shown(held.since),
        "until": time_shown(held.until),
        "said_at": time_shown(event.get("at")),
        "said_by": event.get("source", ""),
        "reason": event.get("reason", ""),
        "known_since": time_shown(known.recorded_at),
        "event_id": known.cause,
    }
