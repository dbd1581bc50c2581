"""The whole story as requests, in the order in which a collector would have got them.

Networks being what they are, one visit in fifty is sent twice, one in thirty comes when everything else is over, and
some senders send rubbish. Robots read along.
"""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

import msgspec

from stream.cli.demo_story import crm, wire
from stream.cli.demo_story.arrivals import DISCOVERY, RETURN, SITE, any_of
from stream.cli.demo_story.cast import DAY, DAYS, Company, Device, companies, strangers
from stream.cli.demo_story.mail import Report, issues
from stream.cli.demo_story.plot import Course, course
from stream.cli.demo_story.visits import Form, Hit, Visit, visit

MAIL: Final = "/webhooks/sendgrid/demo"
_HOUR: Final = 3_600_000
_STRANGERS: Final = 1_300
_SEGMENT_BATCH: Final = 100
_MAIL_BATCH: Final = 250
_REPEATED: Final = 0.02
_LATE: Final = 0.03
_ROBOTS: Final = (
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.3; +https://openai.com/gptbot)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "python-requests/2.33.0",
)
_RUBBISH: Final = (
    b'{"type":"track","messageId":"bad-1","anonymousId":"x","event":"No such day","timestamp":"2026-02-31T00:00:00Z"}',
    b'{"type":"track","messageId":"bad-2","event":"Nobody did it"}',
    b'{"type":"purchase","messageId":"bad-3","anonymousId":"x"}',
)


class Delivery(msgspec.Struct, frozen=True):
    """One request. ``agent``: the sender's User-Agent; ``signed``: SendGrid signs it when it sends it."""

    at: int
    path: str
    body: bytes
    events: int
    agent: str = ""
    signed: bool = False


class Live(msgspec.Struct, frozen=True):
    """Who comes back while you watch."""

    company: Company
    email: str
    device: Device


class Correction(msgspec.Struct, frozen=True):
    """An address whose domain belongs to nobody sales knows, and the account where it turns out to work."""

    email: str
    company: Company


class Story(msgspec.Struct, frozen=True):
    """All of it. ``refused``: events that no collector should take; ``repeated``: sent a second time."""

    starts_at: int
    ends_at: int
    deliveries: list[Delivery]
    companies: list[Company]
    won_cents: int
    won: int
    lost: int
    open: int
    refused: int
    repeated: int
    live: Live
    correction: Correction

    @property
    def sent(self) -> int:
        """Events in all requests."""
        return sum(delivery.events for delivery in self.deliveries)

    @property
    def kept(self) -> int:
        """Events that must be there in the end: each once."""
        return self.sent - self.repeated - self.refused


def story(seed: int, ends_at: int, key: str = wire.KEY) -> Story:
    """The story of half a year that ends at ``ends_at`` (ms, a midnight UTC), told with the write key ``key``."""
    starts_at = ends_at - DAYS * DAY
    cast = companies(seed)
    courses = [course(seed, company, starts_at) for company in cast]
    live, live_visits = _live(seed, len(cast), ends_at)
    correction, corrected = _correction(seed, courses, starts_at)
    visits = [v for told in courses for v in told.visits]
    visits += [*live_visits, *corrected, *_reading(seed, starts_at), *_robots(seed, starts_at)]
    mailings, clicked = _mailings(seed, starts_at, courses)
    deliveries, repeated = _sent(seed, sorted([*visits, *clicked], key=lambda v: (v.at, v.hits[0].id)), key, ends_at)
    rows = [row for told in courses for row in crm.crm_rows(told)]
    deliveries += [*mailings, *_daily([*rows, *crm.cost_rows(seed, starts_at)])]
    deliveries.append(Delivery(ends_at - DAY, wire.SEGMENT, wire.segment_body([*_RUBBISH], key), len(_RUBBISH)))
    deliveries.sort(key=lambda delivery: delivery.at)
    deliveries.append(_corrected(correction, ends_at))
    deals = [told.deal for told in courses if told.deal and told.known]
    won = [deal.cents for deal in deals if deal.outcome == "won"]
    lost = sum(deal.outcome == "lost" for deal in deals)
    return Story(
        starts_at, ends_at, deliveries, cast, sum(won), len(won), lost, len(deals) - len(won) - lost,
        len(_RUBBISH), repeated, live, correction,
    )  # fmt: skip


def _sent(seed: int, visits: Iterable[Visit], key: str, ends_at: int) -> tuple[list[Delivery], int]:
    """The visits as requests, and how many events are in them a second time."""
    chance = Random(f"{seed}/network")  # noqa: S311 - a story, no secret
    deliveries: list[Delivery] = []
    waiting: list[bytes] = []
    late: list[bytes] = []
    repeated = 0
    for one in visits:
        is_late = chance.random() < _LATE
        again = chance.random() < _REPEATED
        if one.device.protocol == "segment":
            items = wire.segment_items(one) * (1 + again)
            repeated += again * len(items) // 2
            (late if is_late else waiting).extend(items)
            if len(waiting) >= _SEGMENT_BATCH:
                deliveries.append(_batch(waiting, one.at, key))
                waiting = []
            continue
        deliveries += [_visit_delivery(one, ends_at - 1 if is_late else one.at, key)] * (1 + again)
        repeated += again * len(one.hits)
    deliveries += [_batch(some, ends_at - 1, key) for some in (waiting, late) if some]
    return deliveries, repeated


def _batch(items: list[bytes], at: int, key: str) -> Delivery:
    return Delivery(at, wire.SEGMENT, wire.segment_body(items, key), len(items))


def _visit_delivery(one: Visit, at: int, key: str) -> Delivery:
    agent = one.device.agent
    if one.device.protocol == "snowplow":
        return Delivery(at, wire.SNOWPLOW, wire.snowplow_body(one, key), len(one.hits), agent)
    return Delivery(at, wire.TRACKER, wire.tracker_body(one, key), len(one.hits), agent)


def _mailings(seed: int, starts_at: int, courses: list[Course]) -> tuple[list[Delivery], list[Visit]]:
    known = {email: since for told in courses for email, since in told.known.items()}
    devices = {person.email: person.devices[-1] for told in courses for person in told.company.people}
    deliveries: list[Delivery] = []
    visits: list[Visit] = []
    for reports, clicked in issues(seed, starts_at, known, devices):
        visits += clicked
        for n in range(0, len(reports), _MAIL_BATCH):
            some = reports[n : n + _MAIL_BATCH]
            deliveries.append(_reported(some))
    return deliveries, visits


def _reported(reports: list[Report]) -> Delivery:
    return Delivery(reports[-1].timestamp * 1000, MAIL, wire.encode(reports), len(reports), signed=True)


def _daily(rows: Iterable[tuple[int, str, crm.Row]]) -> Iterator[Delivery]:
    """One request a day and path, as a nightly sync sends them."""
    days: dict[tuple[int, str], list[bytes]] = {}
    for at, path, row in sorted(rows, key=lambda given: (given[0], given[1], str(given[2].get("id")))):
        days.setdefault((at // DAY, path), []).append(wire.encode(row))
    for (day, path), lines in days.items():
        yield Delivery((day + 1) * DAY - 2, path, b"\n".join(lines), len(lines))


def _reading(seed: int, starts_at: int) -> Iterator[Visit]:
    """People who never say who they are."""
    chance = Random(f"{seed}/readers")  # noqa: S311
    for device in strangers(seed, _STRANGERS):
        at = starts_at + chance.randint(0, (DAYS - 1) * DAY)
        for number in range(min(1 + int(chance.expovariate(1.2)), 4)):
            arrival = any_of(chance, RETURN if number else DISCOVERY)
            yield visit(chance, device, at, arrival, keen=0.04)
            at += chance.randint(3 * _HOUR, 12 * DAY)
            if at > starts_at + DAYS * DAY - 3 * _HOUR:
                break


def _robots(seed: int, starts_at: int) -> Iterator[Visit]:
    """Robots that run no script and are reported by the server, page by page."""
    chance = Random(f"{seed}/robots")  # noqa: S311
    for number in range(60):
        device = Device(f"robot-{number:02d}", chance.choice(_ROBOTS), "segment")
        at = starts_at + chance.randint(0, (DAYS - 1) * DAY)
        pages = chance.randint(5, 50)
        paths = ("/", "/pricing", "/docs", "/blog/attribution-that-adds-up", "/customers")
        yield Visit(
            device,
            tuple(Hit(f"robot-{number}-{n}", at + n * 900, "page", SITE + chance.choice(paths)) for n in range(pages)),
        )


def _live(seed: int, number: int, ends_at: int) -> tuple[Live, list[Visit]]:
    """A company that has been reading for three weeks, quietly: nobody has called them yet."""
    chance = Random(f"{seed}/live")  # noqa: S311
    device = Device("v-live", strangers(seed, 1)[0].agent, "tracker")
    company = Company(number, "Zebra Instruments", "zebra-instruments.example", "light", ())
    email = f"nora@{company.domain}"
    guide = Form("Newsletter Wanted", email, {"form": "guide"})
    ways = (DISCOVERY[3], RETURN[0], RETURN[1])
    days = (20, 11, 4)
    visits = [
        visit(chance, device, ends_at - day * DAY + 10 * _HOUR, way, keen=0, form=guide if day == days[1] else None)
        for day, way in zip(days, ways, strict=True)
    ]
    return Live(company, email, device), visits


def _correction(seed: int, courses: list[Course], starts_at: int) -> tuple[Correction, list[Visit]]:
    """An adviser with an address of her own, who really works for a company that buys."""
    chance = Random(f"{seed}/correction")  # noqa: S311
    told = next(t for t in courses if t.deal is not None and t.deal.outcome == "won" and t.known)
    assert told.deal is not None
    email = "dana@river-advisers.example"
    device = Device("v-adviser", strangers(seed, 2)[1].agent, "tracker")
    first = max(starts_at, told.deal.opened_at - 9 * DAY)
    form = Form("Form Submitted", email, {"form": "guide"})
    visits = [
        visit(chance, device, first + 20 * _HOUR, DISCOVERY[8], form=form),
        visit(chance, device, first + 4 * DAY, RETURN[3]),
    ]
    return Correction(email, told.company), visits


def _corrected(correction: Correction, ends_at: int) -> Delivery:
    """Sales finds out, at the very end: all she ever did moves to the account, and the credit with it."""
    row = {"id": "c-adviser", "email": correction.email, "account_id": correction.company.crm_id}
    body = wire.encode(row | {"updated_at": crm.iso(ends_at - _HOUR)})
    return Delivery(ends_at, crm.CONTACTS, body, 1)
