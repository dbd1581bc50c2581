"""From the edge's facts to the event's fields."""

from schemas.event import Event
from stream.collect.request import NO_EDGE, Edge


def put_edge(event: Event, edge: Edge) -> None:
    """Write what address and user agent told into the event."""
    if edge is NO_EDGE:
        return
    event.bot, event.bot_reason = edge.bot, edge.bot_reason
    event.device, event.browser, event.os = edge.device, edge.browser, edge.os
    event.country, event.region, event.city, event.company = edge.country, edge.region, edge.city, edge.company
