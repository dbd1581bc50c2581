"""Versions of a CRM object: all of them are kept, so that what they amount to is a function of their set."""

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Version(Protocol):
    """What the order of versions needs of one."""

    @property
    def at(self) -> int:
        """Event time, ms."""

    @property
    def event(self) -> str:
        """Id of the event that it came by."""


V = TypeVar("V", bound=Version)


def with_version(versions: Iterable[V], version: V) -> list[V]:
    """The versions by (time, event id), with ``version`` in the place of what was known of its event."""
    others = (other for other in versions if other.event != version.event)
    return sorted([*others, version], key=lambda known: (known.at, known.event))
