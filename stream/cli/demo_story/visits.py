"""Visits to the website: the pages somebody sees in one go, how long they read, and the form they fill in."""

from random import Random
from typing import Final

import msgspec

from stream.cli.demo_story.arrivals import SITE, Arrival
from stream.cli.demo_story.cast import Device

_PATHS: Final = (
    "/product", "/product", "/pricing", "/docs", "/docs/quickstart", "/docs/api", "/customers", "/customers/retail",
    "/integrations", "/security", "/compare", "/blog/attribution-that-adds-up", "/about", "/careers",
)  # fmt: skip
_MOST_PAGES: Final = 9


class Form(msgspec.Struct, frozen=True):
    """What was filled in: the event's name, and who said who they are."""

    event: str
    email: str
    properties: dict[str, str | int]


class Hit(msgspec.Struct, frozen=True):
    """One thing that happened in the browser. ``engaged``: ms of attention since the last ping, for pings."""

    id: str
    at: int
    kind: str
    url: str
    referrer: str = ""
    name: str = ""
    engaged: int = 0
    email: str = ""
    properties: dict[str, str | int] = {}
    account: str = ""


class Visit(msgspec.Struct, frozen=True):
    """Hits of one device in one go, ascending."""

    device: Device
    hits: tuple[Hit, ...]

    @property
    def at(self) -> int:
        """When it began, ms."""
        return self.hits[0].at


def visit(
    chance: Random,
    device: Device,
    at: int,
    arrival: Arrival,
    *,
    keen: float = 0.2,
    form: Form | None = None,
    account: str = "",
) -> Visit:
    """One visit that begins at ``at`` (ms).

    Args:
        chance: decides what is read.
        device: of the visitor.
        at: start, ms.
        arrival: how they came.
        keen: share of pages that are the pricing page.
        form: filled in on the page that they came to.
        account: the account of the product that they work in, when signed in.
    """
    landing = arrival.url(chance)
    name = f"{device.visitor}-{at}"
    hits: list[Hit] = []

    def add(kind: str, url: str, **more: object) -> None:
        hits.append(msgspec.convert({"id": f"{name}-{len(hits)}", "at": moment, "kind": kind, "url": url, **more}, Hit))

    moment = at
    add("page", landing, referrer=arrival.referrer)
    before = landing
    if form is not None:
        moment += chance.randint(8_000, 60_000)
        add("identify", landing, referrer=arrival.referrer, email=form.email)
        moment += 40
        add("track", landing, referrer=arrival.referrer, name=form.event, properties=form.properties)
        if account:
            moment += 40
            add("group", landing, account=account)
    for _ in range(min(int(chance.expovariate(0.45)), _MOST_PAGES)):
        read = chance.randint(6_000, 150_000)
        moment += read
        if device.protocol != "segment":
            add("ping", before, engaged=min(read, 15_000))
        url = SITE + ("/pricing" if chance.random() < keen else chance.choice(_PATHS))
        moment += 25
        add("page", url, referrer=before)
        before = url
        if chance.random() < 0.12:  # noqa: PLR2004 - a share
            moment += chance.randint(1_000, 9_000)
            add("track", url, referrer=before, name=chance.choice(("Video Played", "CTA Clicked", "Docs Searched")))
    return Visit(device, tuple(hits))
