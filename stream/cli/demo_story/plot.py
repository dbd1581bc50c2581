"""What happens: who visits when and how, who says who they are, which companies buy, and what the sales team notes."""

from random import Random
from typing import Final, Literal

import msgspec

from stream.cli.demo_story.arrivals import DISCOVERY, RETURN, any_of
from stream.cli.demo_story.cast import DAY, DAYS, Company, Person
from stream.cli.demo_story.visits import Form, Visit, visit

Outcome = Literal["won", "lost", ""]
HOUR: Final = 3_600_000
_FORMS: Final = ("Form Submitted", "Form Submitted", "Signed Up")


class Deal(msgspec.Struct, frozen=True):
    """An opportunity: when it was opened, when the proposal went out, how and when it ended (0: it is open)."""

    opened_at: int
    proposed_at: int
    ended_at: int
    outcome: Outcome
    first_cents: int
    cents: int
    """At the end: what was asked first is rarely what is signed."""


class Course(msgspec.Struct, frozen=True):
    """All that one company does."""

    company: Company
    visits: list[Visit]
    known: dict[str, int]
    """Address -> since when we know it (ms)."""
    deal: Deal | None
    meetings: list[int]


def course(seed: int, company: Company, starts_at: int) -> Course:
    """What ``company`` does in the story that starts at ``starts_at`` (ms)."""
    chance = Random(f"{seed}/{company.number}")  # noqa: S311 - a story, no secret
    began = starts_at + int(chance.uniform(*_start(company)) * DAY)
    deal = _deal(chance, began, starts_at) if company.kind == "deal" else None
    until = min(
        starts_at + DAYS * DAY - 2 * HOUR, deal.ended_at + 4 * DAY if deal and deal.ended_at else began + 70 * DAY
    )
    told = Course(company, [], {}, deal, [])
    for number, person in enumerate(company.people):
        joined = began if number == 0 else int(chance.uniform(began, began + 0.6 * (until - began)))
        _research(chance, told, person, (joined, until), champion=number == 0)
    if deal is not None:
        last = deal.ended_at or starts_at + DAYS * DAY
        told.meetings.extend(
            sorted(_office(chance, chance.uniform(deal.opened_at, last - DAY)) for _ in range(chance.randint(1, 3)))
        )
    return told


def _start(company: Company) -> tuple[float, float]:
    """Days between which it begins. Every eighth company that does not buy yet turns up in the last three weeks."""
    if company.kind == "deal":
        return 1, 135
    return (DAYS - 20, DAYS - 3) if company.number % 8 == 0 else (1, DAYS - 25)


def _deal(chance: Random, began: int, starts_at: int) -> Deal:
    opened = _office(chance, began + chance.uniform(12, 40) * DAY)
    proposed = _office(chance, opened + chance.uniform(6, 20) * DAY)
    ended = _office(chance, proposed + chance.uniform(6, 35) * DAY)
    first = chance.randint(60, 900) * 10_000
    cents = round(first * chance.uniform(0.72, 1.15))
    if ended > starts_at + (DAYS - 1) * DAY:
        return Deal(opened, min(proposed, starts_at + (DAYS - 2) * DAY), 0, "", first, first)
    return Deal(opened, proposed, ended, "won" if chance.random() < 0.62 else "lost", first, cents)  # noqa: PLR2004


def _research(chance: Random, told: Course, person: Person, span: tuple[int, int], *, champion: bool) -> None:
    """One person's visits; somewhere in them a form, from which on we know who it is."""
    joined, until = span
    deal, company = told.deal, told.company
    most = {"deal": 8, "engaged": 7, "light": 2}[company.kind]
    times = sorted(
        {_waking(chance, joined), *(_waking(chance, t) for t in _spread(chance, span, chance.randint(1, most)))}
    )
    says_at = chance.randrange(len(times)) if champion or chance.random() < 0.55 else -1  # noqa: PLR2004
    for number, at in enumerate(times):
        if at >= until:
            break
        form = None
        if number == says_at:
            form = _form(chance, person, wants_demo=False)
            told.known[person.email] = at
        account = company.crm_id if form is not None and form.event == "Signed Up" else ""
        arrival = any_of(chance, DISCOVERY if number == 0 else RETURN)
        device = person.devices[0] if form or number == 0 else chance.choice(person.devices)
        keen = 0.35 if deal else 0.15
        told.visits.append(visit(chance, device, at, arrival, keen=keen, form=form, account=account))
    if champion and deal is not None:
        at = _waking(chance, deal.opened_at - chance.uniform(0.5, 3) * DAY)
        told.known[person.email] = min(told.known.get(person.email, at), at)
        form = _form(chance, person, wants_demo=True)
        told.visits.append(visit(chance, person.devices[0], at, any_of(chance, RETURN), keen=0.6, form=form))
    if len(person.devices) > 1 and person.email in told.known and told.known[person.email] < until - 2 * DAY:
        # Clicks a link in a mail on the phone and signs in there: the phone's past is the person's, too.
        at = _waking(chance, chance.uniform(told.known[person.email] + DAY, until))
        if at < until:
            form = Form("Form Submitted", person.email, {"form": "preferences"})
            told.visits.append(visit(chance, person.devices[1], at, any_of(chance, RETURN), form=form))


def _form(chance: Random, person: Person, *, wants_demo: bool) -> Form:
    if wants_demo:
        return Form("Demo Requested", person.email, {"form": "demo", "team_size": chance.choice((5, 20, 80, 300))})
    event = chance.choice(_FORMS)
    return Form(event, person.email, {"form": chance.choice(("guide", "webinar", "newsletter"))})


def _spread(chance: Random, span: tuple[int, int], count: int) -> list[float]:
    """Moments that come in bursts: most within days of each other."""
    first, last = span
    centre = chance.uniform(first, last)
    return [
        min(max(chance.gauss(centre, 6 * DAY), first) if chance.random() < 0.6 else chance.uniform(first, last), last)  # noqa: PLR2004
        for _ in range(count)
    ]


def _waking(chance: Random, near: float) -> int:
    """A moment of the same day between 7 and 20 UTC, to the millisecond."""
    return int(near // DAY) * DAY + chance.randint(7 * HOUR, 20 * HOUR)


def _office(chance: Random, near: float) -> int:
    return int(near // DAY) * DAY + chance.randint(9 * HOUR, 17 * HOUR)
