"""What a leaf remembers: hits (what people did on a site or in an app) and items (touches and conversions).

A hit is the compact form of an event that sessions are folded from. An item is a touch or conversion of its own: a form
in a session, a reply to an email, a meeting, a stage reached. Both are state: fields are only ever appended.
"""

from typing import Final

import msgspec

from schemas.messages import Conversion, Touch
from stream.core.sources import Source

PING: Final = 0
VIEW: Final = 1
"""A page or screen view."""
ACTION: Final = 2
"""Anything else that somebody did."""


class Item(msgspec.Struct, array_like=True, gc=False):
    """One touch or one conversion (exactly one of the two is set).

    ``touch.person`` and ``conversion.person`` stay "": the person is filled in when it is sent.
    """

    id: str
    at: int
    event: str
    """The event that it comes from; "" for folds over several."""
    touch: Touch | None = None
    conversion: Conversion | None = None
    user: str = ""
    """Visitors, outside sessions: node of the user that the event names."""
    eligible: bool = True
    account: str = ""
    """To whom it was last sent; "" nobody."""
    person: str = ""
    held: bool = True
    """Not shown yet, or changed since: its owner was not known."""
    by_network: bool = False
    """Whether it was last sent to its account for no better reason than the network."""

    def same_content(self, other: "Item") -> bool:
        """Whether both say the same, whoever owns them."""
        return self.touch == other.touch and self.conversion == other.conversion and self.at == other.at


class Hit(msgspec.Struct, array_like=True, gc=False):
    """One event of a visitor on the web or in an app."""

    at: int
    id: str
    kind: int
    url: str = ""
    user: str = ""
    """Node of the user that the event names; "" if it names none."""
    engaged_ms: int = 0
    points: int = 0
    key: bool = False
    """A key event: makes the session engaged."""
    source: Source | None = None
    """Only if it is an external one."""
    items: list[Item] | None = None
    company: str = ""
    """Domain node of the company whose network it came from; "" if unknown."""

    def order(self) -> tuple[int, str]:
        """The order of the fold."""
        return self.at, self.id
