"""The ingest paths: one row each, path -> adapter. A new source is a new row."""

from typing import Literal

import msgspec

from stream.collect.adapters import cost, crm, fx, pixel, posthog, redirect, segment, snowplow, tracker, unsubscribe
from stream.collect.request import Adapter
from stream.collect.webhooks.provider import Provider
from stream.collect.webhooks.registry import PROVIDERS

Answer = Literal["json", "ok", "gif", "redirect", "page"]
"""What success looks like: ``{"success": true}``, ``ok``, a transparent pixel, 302 to where a link leads, or HTML."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One path."""

    path: str
    """aiohttp's pattern; ``{name}`` is the webhook's name."""
    summary: str
    events_of: Adapter
    method: Literal["GET", "POST"] = "POST"
    answer: Answer = "json"
    key_needed: bool = False
    """Answer 401 to an unknown write key. Never for SDKs: they drop their data on 401."""
    network_cookie: bool = False
    """Give the browser Snowplow's cookie ``sp``."""
    provider: Provider | None = None
    """Webhooks only: whose signature is checked first."""


_SEGMENT_CALLS = ("track", "page", "screen", "identify", "group", "alias", "batch")
_POSTHOG_PATHS = {"/batch": "a batch", "/capture": "one event", "/i/v0/e": "one event"}

ENDPOINTS: tuple[Endpoint, ...] = (
    *(
        Endpoint(path=f"/v1/{name}", summary=f"Segment and RudderStack: {call}", events_of=segment.events_of)
        for call in _SEGMENT_CALLS
        for name in (call, call[0])
    ),
    Endpoint(path="/v1/import", summary="Segment: batch, by its SDKs for Ruby and Java", events_of=segment.events_of),
    Endpoint(
        path="/i",
        method="GET",
        summary="Snowplow: one event as parameters",
        events_of=snowplow.events_of,
        answer="gif",
        network_cookie=True,
    ),
    Endpoint(
        path="/com.snowplowanalytics.snowplow/tp2",
        summary="Snowplow: a batch",
        events_of=snowplow.events_of,
        answer="ok",
        network_cookie=True,
    ),
    *(
        Endpoint(path=path + slash, summary=f"PostHog: {what}", events_of=posthog.events_of)
        for path, what in _POSTHOG_PATHS.items()
        for slash in ("/", "")
    ),
    Endpoint(path="/t", summary="t.js: a batch", events_of=tracker.events_of),
    Endpoint(path="/px.gif", method="GET", summary="Pixel: one event", events_of=pixel.events_of, answer="gif"),
    Endpoint(path="/r", method="GET", summary="Link in an email", events_of=redirect.events_of, answer="redirect"),
    Endpoint(
        path="/u", method="GET", summary="Unsubscribe: a page that asks", events_of=unsubscribe.ask, answer="page"
    ),
    Endpoint(
        path="/u", summary="Unsubscribe with one click (RFC 8058)", events_of=unsubscribe.events_of, answer="page"
    ),
    *(
        Endpoint(path=f"/v1/crm/{objects}", summary=f"CRM: {objects}", events_of=crm.events_of, key_needed=True)
        for objects in ("accounts", "contacts", "opportunities", "activities")
    ),
    Endpoint(path="/v1/costs", summary="Ad cost", events_of=cost.events_of, key_needed=True),
    Endpoint(path="/v1/fx", summary="Exchange rates", events_of=fx.events_of, key_needed=True),
    *(
        Endpoint(
            path=f"/webhooks/{provider.name}/{{name}}",
            summary=provider.title,
            events_of=provider.events_of,
            provider=provider,
        )
        for provider in PROVIDERS
    ),
)
