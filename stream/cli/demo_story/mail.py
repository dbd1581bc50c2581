"""The newsletter: every other week to everybody whose address is known, and what SendGrid reports of it.

Some mail programs fetch images by themselves and some gateways follow every link: such opens and clicks are in the
reports, too, as they are in life.
"""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Final

import msgspec

from stream.cli.demo_story.arrivals import NEWSLETTER, SITE
from stream.cli.demo_story.cast import DAY, DAYS, Device
from stream.cli.demo_story.visits import Visit, visit

_HOUR: Final = 3_600_000
_EVERY_DAYS: Final = 14
_APPLE: Final = "Mozilla/5.0"
_GATEWAY: Final = "Barracuda Sentinel (EE)"
_LINK: Final = SITE + NEWSLETTER.path


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event of SendGrid's webhook, by SendGrid's own names. ``timestamp`` in s."""

    email: str
    timestamp: int
    event: str
    sg_event_id: str
    sg_message_id: str
    category: list[str]
    useragent: str = ""
    url: str = ""
    sg_machine_open: bool | None = None
    reason: str = ""


def issues(
    seed: int, starts_at: int, known: Mapping[str, int], devices: Mapping[str, Device]
) -> Iterator[tuple[list[Report], list[Visit]]]:
    """Every issue: its reports, and the visits of those who clicked.

    Args:
        seed: of the story.
        starts_at: start of the story, ms.
        known: address -> since when it is known, ms.
        devices: address -> where its mail is read.
    """
    gone: set[str] = set()
    for number, day in enumerate(range(_EVERY_DAYS, DAYS, _EVERY_DAYS), start=1):
        sent_at = starts_at + day * DAY + 9 * _HOUR
        chance = Random(f"{seed}/issue/{number}")  # noqa: S311 - a story, no secret
        reports: list[Report] = []
        visits: list[Visit] = []
        for email in sorted(address for address, since in known.items() if since < sent_at and address not in gone):
            found, clicked_at = _fate(chance, email, number, sent_at)
            reports += found
            if clicked_at:
                visits.append(visit(chance, devices[email], clicked_at + 1_500, NEWSLETTER))
            if found[-1].event in ("unsubscribe", "bounce"):
                gone.add(email)
        reports.sort(key=lambda report: report.timestamp)
        yield reports, visits


def _fate(chance: Random, email: str, number: int, sent_at: int) -> tuple[list[Report], int]:
    """What becomes of one copy, and when its reader clicked (ms, 0: never)."""
    found: list[Report] = []
    message = f"n{number}-{email.replace('@', '.')}"

    def add(event: str, after_s: float, useragent: str = "", url: str = "", reason: str = "") -> int:
        at = sent_at // 1000 + int(after_s)
        machine = True if useragent == _APPLE else None
        found.append(
            Report(
                email,
                at,
                event,
                f"{message}-{len(found)}",
                f"{message}.recvd",
                [f"product-news-{number:02d}"],
                useragent,
                url,
                machine,
                reason,
            )
        )
        return at

    if chance.random() < 0.012:  # noqa: PLR2004 - shares, here and below
        add("bounce", 3, reason="550 5.1.1 no such mailbox")
        return found, 0
    delivered_s = chance.uniform(2, 90)
    add("delivered", delivered_s)
    if chance.random() < 0.18:  # noqa: PLR2004
        add("open", delivered_s + 4, _APPLE)
    if chance.random() < 0.05:  # noqa: PLR2004
        add("click", delivered_s + 9, _GATEWAY, _LINK)
    clicked_at = 0
    if chance.random() < 0.34:  # noqa: PLR2004
        read_s = delivered_s + chance.expovariate(1 / 20_000)
        agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/149.0.0.0 Safari/537.36"
        add("open", read_s, agent)
        if chance.random() < 0.3 and read_s < 2 * 86_400:  # noqa: PLR2004
            clicked_at = add("click", read_s + 20, agent, _LINK) * 1000
        elif chance.random() < 0.02:  # noqa: PLR2004
            add("unsubscribe", read_s + 30)
    return found, clicked_at
