"""Requests as the collector would hand them to an adapter, with a fixed clock and counted ids."""

import itertools

from stream.collect.request import Edge, Parsed, Request
from stream.settings import Source

RECEIVED_AT = 1767323045678
"""2026-01-02T03:04:05.678Z"""
DEV = Source("website", "dev")
SHOP = Source("shop", "shop-key", "shop-tenant")


def echo_edge(address: str, user_agent: str) -> Edge:
    """Shows which address and user agent the adapter asked about."""
    return Edge(city=address, browser=user_agent)


def request(path: str = "/v1/batch", **changes: object) -> Request:
    numbers = itertools.count(1)
    given: dict[str, object] = {
        "received_at": RECEIVED_AT,
        "source": DEV,
        "sources": {DEV.key: DEV, SHOP.key: SHOP},
        "path": path,
        "address": "203.0.113.7",
        "headers": {"user-agent": "socket-agent"},
        "enrich": echo_edge,
        "new_id": lambda: f"new-{next(numbers)}",
    }
    return Request(**(given | changes))  # type: ignore[arg-type]


def only(parsed: Parsed):
    """The one event of a body without refusals."""
    assert parsed.fault is None
    assert parsed.rejected == []
    (event,) = parsed.events
    return event
