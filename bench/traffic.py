"""The events that the benchmarks play: a B2B site's week in small, the same for the same seed.

    crowd = Crowd(visitors=20_000)
    frames = pack(crowd.introductions(at), partitions=4) + pack(crowd.traffic(200_000, at), partitions=4)

Four fifths are page views; the rest are engaged-time pings, product events, identify and group calls, email and CRM
events. A few thousand visitors are on the site at a time, a third of the events come from one who has just been seen,
half of the visitors are known people of 4,000 companies. Every event is in the shape in which the collector writes it.
"""

import random
from collections.abc import Iterable, Iterator

import msgspec

from schemas.codec import line_of
from schemas.event import (
    CRM_CONTACT,
    CRM_OPPORTUNITY,
    EMAIL_EVENT,
    GROUP,
    IDENTIFY,
    PAGE,
    PING,
    SERVER,
    TRACK,
    Event,
)
from schemas.ids import EMAIL, OPPORTUNITY, USER, VISITOR, node, partition_of
from stream.collect.frames import FRAME_BYTES
from stream.settings import Settings

COMPANIES = 4000
_FRAME_EVENTS = Settings().frame_events
_ACTIVE = 3000
_STAY = 12
"""Events of a visit, on average."""
_STEP_MS = 60
_KINDS = (PAGE, PING, TRACK, IDENTIFY, GROUP, EMAIL_EVENT, CRM_CONTACT, CRM_OPPORTUNITY)
_WEIGHTS = (80, 8, 7, 2, 0.5, 2, 0.3, 0.2)
_PATHS = [f"/blog/post-{n}" for n in range(300)] + [f"/docs/topic-{n}" for n in range(40)] + ["/", "/pricing"] * 10
_TAGS = ("?utm_source=google&utm_medium=cpc&utm_campaign=brand", "?utm_source=linkedin&utm_medium=social", "?gclid=Tx1")
_REFERRERS = ("https://www.google.com/", "https://www.linkedin.com/feed", "https://duckduckgo.com/", "")
_PAGE_PROPERTIES = msgspec.Raw(b'{"path":"/pricing","search":"","title":"Pricing | Acme"}')
_NAMES = ("Clicked", "Video Played", "File Downloaded", "Search Performed", "Form Submitted", "Signed Up")
_NAME_WEIGHTS = (40, 20, 20, 15, 4, 1)


class Frame(msgspec.Struct, frozen=True):
    """One record of the ``events`` topic."""

    partition: int
    value: bytes
    events: int


class Crowd:
    """Visitors, the people and companies behind half of them, and a clock that moves with every event."""

    def __init__(self, visitors: int = 20_000, *, seed: int = 1, at: int = 1_790_000_000_000) -> None:
        self.visitors = visitors
        self.at = at
        self._rng = random.Random(seed)
        self._seed = seed
        self._made = 0
        self._active = [self._rng.randrange(visitors) for _ in range(min(_ACTIVE, visitors))]
        self._recent = self._active[:20]

    def introductions(self) -> Iterator[Event]:
        """Every second visitor tells who it is."""
        for number in range(1, self.visitors, 2):
            yield self._event(IDENTIFY, number)

    def first_visits(self, count: int) -> Iterator[Event]:
        """One page view each of ``count`` visitors."""
        for number in range(count):
            yield self._event(PAGE, number)

    def traffic(self, count: int) -> Iterator[Event]:
        """``count`` events of the mix."""
        kinds = self._rng.choices(_KINDS, _WEIGHTS, k=count)
        for kind in kinds:
            yield self._event(kind, self._next_visitor())

    def _next_visitor(self) -> int:
        rng = self._rng
        if rng.random() < 0.33:
            return self._recent[rng.randrange(len(self._recent))]
        place = rng.randrange(len(self._active))
        if rng.random() < 1 / _STAY:
            self._active[place] = rng.randrange(self.visitors)
        number = self._active[place]
        self._recent[rng.randrange(len(self._recent))] = number
        return number

    def _event(self, kind: str, number: int) -> Event:
        self._made += 1
        self.at += self._rng.randint(1, 2 * _STEP_MS)
        id_ = f"{self._seed:x}{self._made:08x}-4ccc-8ddd-eeeeeeeeeeee"
        if kind == EMAIL_EVENT:
            return self._email(id_, number | 1)
        if kind in (CRM_CONTACT, CRM_OPPORTUNITY):
            return self._crm(kind, id_, number | 1)
        return self._web(kind, id_, number)

    def _web(self, kind: str, id_: str, number: int) -> Event:
        rng, at = self._rng, self.at
        visitor = f"{number:08x}-aaaa-4bbb-8ccc-0123456789ab"
        landed = rng.random() < 0.15
        url = f"https://www.acme.example{rng.choice(_PATHS)}"
        event = Event(
            id=id_, node=node("default", VISITOR, visitor), type=kind, at=at, received_at=at + 120, source="website",
            protocol="segment", visitor=visitor, url=url + (rng.choice(_TAGS) if landed else ""),
            referrer=rng.choice(_REFERRERS) if landed else "https://www.acme.example/", title="Pricing | Acme",
            original_at=at - 7, sent_at=at + 20, device="Desktop", browser="Chrome", os="Windows", country="DE",
            region="BE", city="Berlin", locale="en-US", library="analytics.js",
        )  # fmt: skip
        known = number % 2
        if kind == PAGE:
            event.properties = _PAGE_PROPERTIES
        elif kind == PING:
            event.engaged_ms = 5000
        elif kind == TRACK:
            event.name = rng.choices(_NAMES, _NAME_WEIGHTS)[0]
            event.properties = msgspec.Raw(b'{"plan":"team","seats":%d,"format":"csv"}' % (number % 50))
        elif kind == IDENTIFY and known:
            event.user, event.email = f"u{number}", _address(number)
            event.traits = msgspec.Raw(b'{"name":"Visitor %d","title":"Engineer"}' % number)
        elif kind == GROUP and known:
            event.group = f"A{number % COMPANIES}"
        return event

    def _email(self, id_: str, number: int) -> Event:
        name = self._rng.choices(("delivered", "opened", "clicked"), (60, 30, 10))[0]
        return Event(
            id=id_, node=node("default", EMAIL, _address(number)), type=EMAIL_EVENT, at=self.at,
            received_at=self.at + 900, source="mail", protocol="sendgrid", platform=SERVER, name=name,
            email=_address(number),
            properties=msgspec.Raw(b'{"message_id":"m%d","campaign":"spring"}' % number),
        )  # fmt: skip

    def _crm(self, kind: str, id_: str, number: int) -> Event:
        company = number % COMPANIES
        event = Event(
            id=id_, node="", type=kind, at=self.at, received_at=self.at + 50, source="crm", protocol="crm",
            platform=SERVER,
        )  # fmt: skip
        if kind == CRM_CONTACT:
            event.email = _address(number)
            event.node = node("default", USER, f"contact:c{number}")
            row = {"id": f"c{number}", "email": event.email, "account_id": f"A{company}"}
        else:
            event.node = node("default", OPPORTUNITY, f"O{number}")
            stage = self._rng.choice(("open", "proposal", "won", "lost"))
            row = {
                "id": f"O{number}",
                "account_id": f"A{company}",
                "stage": stage,
                "amount": "990.00",
                "currency": "EUR",
            }
        event.properties = msgspec.Raw(msgspec.json.encode(row))
        return event


def _address(number: int) -> str:
    return f"p{number}@company{number % COMPANIES}.example"


def pack(events: Iterable[Event], *, partitions: int = 4) -> list[Frame]:
    """Frames as the collector makes them of a full load, in the order in which they fill: of 1 MB, some 1,660 events.

    It does so from 6,700 events a second and partition on (``stream.collect.pace``); a core takes more than that from four.
    The last of each partition may be smaller.
    """
    frames: list[Frame] = []
    open_: list[list[bytes]] = [[] for _ in range(partitions)]
    sizes = [0] * partitions

    def close(partition: int) -> None:
        frames.append(Frame(partition, b"\n".join(open_[partition]), len(open_[partition])))
        open_[partition], sizes[partition] = [], 0

    for event in events:
        partition, line = partition_of(event.node, partitions), line_of(event)
        if sizes[partition] + len(line) > FRAME_BYTES or len(open_[partition]) == _FRAME_EVENTS:
            close(partition)
        open_[partition].append(line)
        sizes[partition] += len(line) + 1
    for partition in range(partitions):
        if open_[partition]:
            close(partition)
    return frames


def singles(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same events, one a record."""
    for frame in frames:
        for line in frame.value.split(b"\n"):
            yield Frame(frame.partition, line, 1)
