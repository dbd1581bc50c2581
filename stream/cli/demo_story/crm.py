"""What the company's own systems know: CRM accounts, contacts, deals and meetings, and what the ads cost."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from stream.cli.demo_story.cast import DAY, DAYS, Company
from stream.cli.demo_story.plot import Course

Row = dict[str, Any]
ACCOUNTS: Final = "/v1/crm/accounts"
CONTACTS: Final = "/v1/crm/contacts"
OPPORTUNITIES: Final = "/v1/crm/opportunities"
ACTIVITIES: Final = "/v1/crm/activities"
COSTS: Final = "/v1/costs"
CURRENCY: Final = "EUR"
_HOUR: Final = 3_600_000
_OWNERS: Final = ("north", "south", "east", "west")
_BUDGETS: Final = (
    ("google", "cpc", "generic-attribution", 190.0),
    ("google", "cpc", "brand", 45.0),
    ("linkedin", "paid-social", "abm-2026", 240.0),
    ("linkedin", "paid-social", "retargeting-2026", 90.0),
)


def crm_rows(told: Course) -> Iterator[tuple[int, str, Row]]:
    """(at in ms, path, row) of a company that sales knows: those who buy or might, not those who only read."""
    company = told.company
    if not told.known or company.kind == "light":
        return
    first = min(told.known.values())
    yield first, ACCOUNTS, account(company, first, "Target")
    for email, since in told.known.items():
        at = since + 2 * _HOUR
        row = {"id": f"c-{email}", "email": email, "account_id": company.crm_id, "updated_at": iso(at)}
        yield at, CONTACTS, row
    for number, at in enumerate(told.meetings):
        row = {"id": f"m-{company.number}-{number}", "type": "meeting", "account_id": company.crm_id}
        row |= {"email": company.people[0].email, "subject": "Walk-through"}
        yield at, ACTIVITIES, row | {"occurred_at": iso(at), "updated_at": iso(at)}
    yield from _deal(told)


def account(company: Company, at: int, stage: str) -> Row:
    """A version of the company's CRM account."""
    return {
        "id": company.crm_id,
        "name": company.name,
        "domain": company.domain,
        "owner": _OWNERS[company.number % len(_OWNERS)],
        "stage": stage,
        "updated_at": iso(at),
    }


def _deal(told: Course) -> Iterator[tuple[int, str, Row]]:
    deal, company = told.deal, told.company
    if deal is None:
        return

    def version(at: int, stage: str, cents: int) -> tuple[int, str, Row]:
        row = {"id": f"opp-{company.number:03d}", "account_id": company.crm_id, "name": f"{company.name}, yearly plan"}
        amount = f"{cents // 100}.{cents % 100:02d}"
        created = iso(deal.opened_at)
        return at, OPPORTUNITIES, row | {"stage": stage, "amount": amount, "currency": CURRENCY, "created_at": created,
                                         "updated_at": iso(at)}  # fmt: skip

    yield version(deal.opened_at, "Discovery", deal.first_cents)
    yield version(deal.proposed_at, "Proposal", deal.first_cents)
    yield deal.proposed_at, ACCOUNTS, account(company, deal.proposed_at, "Opportunity")
    if deal.outcome:
        yield version(deal.ended_at, "Closed Won" if deal.outcome == "won" else "Closed Lost", deal.cents)
        stage = "Customer" if deal.outcome == "won" else "Lost"
        yield deal.ended_at, ACCOUNTS, account(company, deal.ended_at, stage)


def cost_rows(seed: int, starts_at: int) -> Iterator[tuple[int, str, Row]]:
    """What each campaign cost on each day, reported in the night after."""
    chance = Random(f"{seed}/costs")  # noqa: S311 - a story, no secret
    for day in range(DAYS - 1):
        at = starts_at + (day + 1) * DAY + 2 * _HOUR
        for source, medium, campaign, budget in _BUDGETS:
            row = {"date": iso(starts_at + day * DAY)[:10], "channel": "", "currency": CURRENCY, "updated_at": iso(at)}
            amount = f"{budget * chance.uniform(0.6, 1.3):.2f}"
            row |= {"utm_source": source, "utm_medium": medium, "utm_campaign": campaign, "amount": amount}
            row["channel"] = "Paid Search" if source == "google" else "Paid Social"
            yield at, COSTS, row


def iso(at: int) -> str:
    """ISO 8601 with milliseconds, UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
