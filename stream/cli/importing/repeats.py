"""Costs and rates that a file names twice: one replaces the other, so rows that were meant to be summed would lose money."""

import json
from collections.abc import Collection
from decimal import Decimal

from schemas.event import Event


class Repeats:
    """The costs or rates of a file so far: of each, hashes of its key with its version, and of what it says.

    >>> Repeats("date").fault([])
    ''
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._said: dict[int, int] = {}

    def fault(self, events: Collection[Event]) -> str:
        """Why the row that becomes the events cannot be sent beside those before it; "" if it can."""
        row = {hash((event.node, event.at)): _said(event) for event in events}
        if any(self._said.get(name, said) != said for name, said in row.items()):
            return (
                f"same {self._key} as a row before it, another value: only one would count. Sum them or tell them apart"
            )
        self._said |= row
        return ""


def _said(event: Event) -> int:
    fields = json.loads(bytes(event.properties or b"{}"))
    return hash((fields.get("base"), Decimal(fields["rate"] if "rate" in fields else fields["amount"])))
