"""Requests for adapters: one source with key ``dev``, one fixed moment."""

from collections.abc import Mapping
from itertools import count

import msgspec
from hypothesis import HealthCheck, settings

from schemas.event import Event
from stream.collect.enrich import Enricher
from stream.collect.request import Enrich, Request, no_enrichment
from stream.settings import Settings, Source, Webhook

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Hypothesis on a busy machine."""
NOW = 1_767_323_045_678  # 2026-01-02T03:04:05.678Z
DEV = Source("website", "dev")
ENRICHER = Enricher(Settings())
"""Without files. One for all tests: reading the patterns takes longer than a test."""


def request(
    path: str = "/",
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    source: Source | None = None,
    webhook: Webhook | None = None,
    enrich: Enrich = no_enrichment,
    received_at: int = NOW,
    max_batch_events: int = 2500,
) -> Request:
    fresh = count(1)
    return Request(
        received_at=received_at,
        source=source,
        sources={"dev": DEV},
        webhook=webhook,
        path=path,
        query=query,
        headers=headers or {},
        address="203.0.113.77",
        enrich=enrich,
        new_id=lambda: f"fresh-{next(fresh)}",
        max_batch_events=max_batch_events,
    )


def properties(event: Event) -> dict[str, object]:
    decoded: dict[str, object] = msgspec.json.decode(event.properties)
    return decoded
