"""Who is in the story: companies by what becomes of them, and the people in them with their devices.

Names are placeholders (the spelling alphabet and an industry) and all domains end in ``.example``.
"""

from random import Random
from typing import Final, Literal

import msgspec

Kind = Literal["deal", "engaged", "light"]
Protocol = Literal["tracker", "segment", "snowplow"]

DAY: Final = 86_400_000
DAYS: Final = 180
"""Length of the story."""

_LETTERS: Final = (
    "Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett", "Kilo", "Lima", "Mike",
    "November", "Oscar", "Papa", "Quebec", "Romeo", "Sierra", "Tango", "Uniform", "Victor", "Whiskey", "Yankee", "Zulu",
)  # fmt: skip
_INDUSTRIES: Final = (
    "Foods", "Robotics", "Freight", "Energy", "Textiles", "Clinics", "Insurance", "Optics", "Paper", "Software",
    "Tools", "Travel", "Seeds",
)  # fmt: skip
_NAMES: Final = (
    "ann", "ben", "cleo", "dan", "eva", "finn", "gia", "hugo", "ida", "jon", "kim", "leo", "mia", "nils", "ola", "pia",
    "quinn", "rosa", "sam", "tess", "uma", "vera", "will", "xenia", "yara", "zoe",
)  # fmt: skip
_CHROME: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Safari/537.36"
AGENTS: Final = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME}",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME}",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:152.0) Gecko/20100101 Firefox/152.0",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Edg/149.0.0.0",
)
PHONES: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Mobile Safari/537.36",
)
_PROTOCOLS: Final[tuple[Protocol, ...]] = ("tracker", "tracker", "segment", "segment", "segment")
_PEOPLE: Final[dict[Kind, tuple[int, int]]] = {"deal": (4, 9), "engaged": (2, 5), "light": (1, 3)}


class Device(msgspec.Struct, frozen=True):
    """A browser: its first-party id, what it calls itself, and which SDK the pages it sees are tagged with."""

    visitor: str
    agent: str
    protocol: Protocol


class Person(msgspec.Struct, frozen=True):
    """Somebody with a work address and one or two devices."""

    email: str
    devices: tuple[Device, ...]


class Company(msgspec.Struct, frozen=True):
    """A company and who of it turns up."""

    number: int
    name: str
    domain: str
    kind: Kind
    people: tuple[Person, ...]

    @property
    def crm_id(self) -> str:
        """What the CRM calls it."""
        return f"crm-{self.number:03d}"


def companies(seed: int) -> list[Company]:
    """All companies of the story, in a fixed order.

    >>> [company.domain for company in companies(7)][:2] == [company.domain for company in companies(7)][:2]
    True
    """
    chance = Random(f"{seed}/cast")  # noqa: S311 - a story, no secret
    names = [f"{letter} {industry}" for letter in _LETTERS for industry in _INDUSTRIES]
    chance.shuffle(names)
    kinds: list[Kind] = [*["deal"] * 95, *["engaged"] * 95, *["light"] * 110]  # type: ignore[list-item]
    return [_company(chance, number, names[number], kind) for number, kind in enumerate(kinds)]


def strangers(seed: int, count: int) -> list[Device]:
    """Devices of people who never say who they are."""
    chance = Random(f"{seed}/strangers")  # noqa: S311
    return [_device(chance, f"anon-{number:04d}", chance.choice((*_PROTOCOLS, "snowplow"))) for number in range(count)]


def _company(chance: Random, number: int, name: str, kind: Kind) -> Company:
    domain = name.lower().replace(" ", "-") + ".example"
    least, most = _PEOPLE[kind]
    first = chance.randrange(len(_NAMES))
    people = []
    for n in range(chance.randint(least, most)):
        nickname = _NAMES[(first + n) % len(_NAMES)]
        protocol = chance.choice(_PROTOCOLS)
        devices = [_device(chance, f"v{number:03d}-{n}", protocol)]
        if chance.random() < 0.3:  # noqa: PLR2004 - a share
            devices.append(Device(f"v{number:03d}-{n}-phone", chance.choice(PHONES), protocol))
        people.append(Person(f"{nickname}@{domain}", tuple(devices)))
    return Company(number, name, domain, kind, tuple(people))


def _device(chance: Random, visitor: str, protocol: Protocol) -> Device:
    return Device(visitor, chance.choice(AGENTS), protocol)
