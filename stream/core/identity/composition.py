"""What an account is made of: the domains that were named for it and the merges, with what became of each.

A pure function of a ``Book``. What was merged into the account belongs to it with everything that was named for that.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.ids import DOMAIN, node, tenant, value
from stream.core.identity.book import Book, Known
from stream.core.identity.domains import work_host
from stream.core.identity.explanation import MOST_SHOWN, Reason, explain, why_weaker
from stream.core.identity.protection import Protection, protections
from stream.core.identity.timeline import value_at

MOST_CLAIMS: Final = 5
"""Of one domain: a CRM that changes its mind makes a new claim each time."""


class Named(msgspec.Struct, frozen=True):
    """What was ever named for an account, or for those that were merged into it."""

    domains: list[str]
    """Domain nodes with claims."""
    more: int = 0
    """Those that are left out."""
    hosts: list[str] = []
    """Hosts that the CRM names now. What is everybody's makes no claim, but the account's owner may wonder."""


class NamedDomain(msgspec.Struct, frozen=True):
    """A domain that somebody named for the account, or for one that was merged into it."""

    domain: str
    counts: bool
    """Whether it is this account's at the time in question."""
    owner: str
    """Account that it belongs to; "" if nobody's."""
    claims: list[Reason]
    """What named it, what decides first, at most ``MOST_CLAIMS``. A note says why one does not count."""
    more_claims: int
    """Those that are left out."""
    instead: Reason | None
    """What decides where the domain is another's."""
    protections: list[Protection]


class AccountMerge(msgspec.Struct, frozen=True):
    """A merge of two accounts, one of which is the account or was merged into it."""

    loser: str
    winner: str
    counts: bool
    reason: Reason


class Composition(msgspec.Struct, frozen=True):
    """Domains and merges, what counts first, no more than ``MOST_SHOWN`` of each."""

    domains: list[NamedDomain]
    more_domains: int
    """Those that are left out, as ``more_merges``."""
    merges: list[AccountMerge]
    more_merges: int


def merged_into(book: Book, account: str) -> list[str]:
    """The account and all that were merged into it, directly or by way of others, as the merges now stand."""
    losers: dict[str, list[str]] = {}
    for loser, merge_id in book.merged.items():
        losers.setdefault(_winner(book, loser, merge_id), []).append(loser)
    found = [account]
    for name in found:  # grows meanwhile; accepted merges close no circle
        found += losers.get(name, ())
    return found


def compose(book: Book, account: str, named: Named, at: int) -> Composition:
    """What ``account`` is made of at ``at`` (ms).

    Args:
        book: all merges, and closed upwards from the domains.
        account: its node.
        named: for it.
        at: ms.
    """
    together = merged_into(book, account)
    refused = [_refused(book, node(tenant(account), DOMAIN, host)) for host in named.hosts if not work_host(host)]
    found = [_named(book, domain, together, at) for domain in named.domains] + refused
    found.sort(key=lambda d: (not d.counts, d.domain))
    merges = _merges(book, account, together)
    return Composition(
        found[:MOST_SHOWN], named.more + len(found[MOST_SHOWN:]), merges[:MOST_SHOWN], len(merges[MOST_SHOWN:])
    )


def _named(book: Book, domain: str, together: Sequence[str], at: int) -> NamedDomain:
    explained = explain(book, domain, at)
    edge = next((e for e in explained.edges if e.node == domain), None)
    counts = edge is not None and edge.reason.parent in together
    known = [k for k in book.known.get(domain, ()) if k.held.parent in together]
    claims = [_reason(book, domain, k, at) for k in known]
    claims.sort(key=lambda r: (r.note != "", r.claim is None or not r.claim.live, -r.rank))
    instead = edge.reason if edge is not None and not counts else None
    return NamedDomain(
        domain,
        counts,
        explained.account,
        claims[:MOST_CLAIMS],
        len(claims[MOST_CLAIMS:]),
        instead,
        list(protections(book, domain)),
    )


def _refused(book: Book, domain: str) -> NamedDomain:
    why = list(protections(book, domain)) or [
        Protection(domain, "suffix", f"{value(domain)} is no company's: it owns nothing")
    ]
    return NamedDomain(domain, counts=False, owner="", claims=[], more_claims=0, instead=None, protections=why)


def _reason(book: Book, domain: str, known: Known, at: int) -> Reason:
    held = known.held
    return Reason(held.parent, held.source, held.precedence, claim=known, note=_why_not(book, domain, known, at))


def _why_not(book: Book, domain: str, known: Known, at: int) -> str:
    """Why a claim does not decide; "" if it does."""
    won = value_at(book.decider(domain).owns, at)
    if not known.live:
        return "its domain has too many claims" if known.limited else "taken back"
    if any(rule.rule != "limit" for rule in protections(book, domain)):
        return "the domain owns nothing"
    if won is known.held:
        return ""
    if known.held.since > at or (known.held.until is not None and known.held.until <= at):
        return "does not hold at that time"
    return why_weaker(known.held, won)


def _merges(book: Book, account: str, together: Sequence[str]) -> list[AccountMerge]:
    winners = set(together)
    found = [
        _merge(book, known)
        for claims in book.known.values()
        for known in claims
        if known.is_merge and (known.node == account or known.held.parent in winners)
    ]
    latest_first = sorted(found, key=lambda m: m.reason.claim.recorded_at if m.reason.claim else 0, reverse=True)
    return sorted(latest_first, key=lambda m: not m.counts)


def _merge(book: Book, known: Known) -> AccountMerge:
    counts = known.live and book.merged.get(known.node) == known.id
    note = "" if counts else book.refusal(known) if known.live else "taken back"
    reason = Reason(known.held.parent, known.held.source, known.held.precedence, claim=known, note=note)
    return AccountMerge(known.node, known.held.parent, counts, reason)


def _winner(book: Book, loser: str, merge_id: str) -> str:
    return next(known.held.parent for known in book.known[loser] if known.live and known.id == merge_id)
