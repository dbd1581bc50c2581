"""The collector's HTTP application: ingest paths, the tracker script, and what operations need.

settings, config -> Collector -> start() -> port
"""

import asyncio
import contextlib
import logging
from importlib import metadata
from typing import Any, Final

import structlog
from aiohttp import web

from stream.collect import answers
from stream.collect.assets import script
from stream.collect.dead_letters import DeadLetters
from stream.collect.endpoints import ENDPOINTS
from stream.collect.enrich import Enricher
from stream.collect.frames import Frames
from stream.collect.front import front
from stream.collect.identity.service import IdentityService
from stream.collect.ingest import Ingest
from stream.collect.log import Log
from stream.collect.metrics import Metrics
from stream.collect.openapi import document
from stream.collect.ticks import send_ticks
from stream.collect.webhooks.certificates import Fetch, fetch
from stream.collect.webhooks.gate import Gate
from stream.collect.webhooks.registry import fault_of
from stream.settings import Config, Settings

logger = structlog.get_logger(__name__)

_SILENT: Final = logging.getLogger("touchline.http")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
IDLE_S: Final = 65.0
"""Idle connections are closed then; also the time a sender has for its request head. Load balancers idle at 60 s."""
DRAIN_S: Final = 1.0
"""Requests in hand at the stop: their frames are at most 20 ms old, so a broker that lives answers well within it."""


class Collector:
    """One collector: an HTTP server, its producer, its ticks. ``start`` and ``stop`` belong to one event loop.

    Args:
        settings: of this installation.
        config: of ``touchline.toml``.
        fetch: how certificates of Amazon SNS are got.
    """

    def __init__(self, settings: Settings, config: Config, *, fetch: Fetch = fetch) -> None:
        self.settings = settings
        self._config = config
        self._log = Log(settings)
        self._frames = Frames(self._log.append, settings)
        self._dead_letters = DeadLetters(self._log.append, settings)
        self._metrics = Metrics(self._frames)
        self._ingest = Ingest(
            settings,
            config,
            enrich=Enricher(settings).edge,
            frames=self._frames,
            dead_letters=self._dead_letters,
            metrics=self._metrics,
            gate=Gate(settings, fetch),
        )
        self._identity = IdentityService(settings, config, self._frames)
        self._runner: web.AppRunner | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Serve. Returns: the port (the one the system chose, if the setting is 0)."""
        for webhook in self._config.webhooks:
            fault = fault_of(webhook)
            if fault:
                logger.warning(
                    "a webhook cannot work: each of its deliveries will be refused",
                    provider=webhook.provider, name=webhook.name, fault=fault,
                )  # fmt: skip
        self._log.start()
        self._ticking = asyncio.create_task(send_ticks(self._log, self.settings), name="ticks")
        runner = web.AppRunner(
            self.application(),
            # Its messages name addresses and are for strangers to provoke; our handlers log what is ours.
            logger=_SILENT,
            access_log=None,
            # SURPRISE: aiohttp's own decompression cannot tell a truncated body, and logs each corrupt one.
            auto_decompress=False,
            keepalive_timeout=IDLE_S,
            shutdown_timeout=DRAIN_S,
        )
        self._runner = runner
        await runner.setup()
        site = web.TCPSite(runner, self.settings.host, self.settings.http_port, backlog=1024)
        await site.start()
        port: int = runner.addresses[0][1]
        logger.info("collecting", host=self.settings.host, port=port)
        return port

    async def stop(self) -> None:
        """Take no more requests, answer those in hand, put everything on the log."""
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        if self._runner is not None:
            await self._runner.cleanup()
        await self._identity.close()
        await self._frames.drain(DRAIN_S)
        await self._log.stop()

    def application(self) -> web.Application:
        """All routes."""
        app = web.Application(client_max_size=self.settings.max_body_bytes)
        paths: dict[str, web.Resource] = {}
        for endpoint in ENDPOINTS:
            resource = paths.get(endpoint.path)
            if resource is None:
                resource = paths[endpoint.path] = app.router.add_resource(endpoint.path)
                resource.add_route("OPTIONS", _preflight)
            resource.add_route(endpoint.method, self._ingest.handler(endpoint))
            if endpoint.method == "GET" and endpoint.answer in {"redirect", "page"}:
                resource.add_route("HEAD", self._ingest.handler(endpoint))
            if endpoint.provider is not None and endpoint.provider.head:
                resource.add_route("HEAD", self._ingest.head(endpoint.provider))
        self._identity.add_routes(app)
        app.router.add_get("/", front)
        app.router.add_get("/t.js", script("t.js"))
        app.router.add_get("/v1/projects/{key}/settings", _segment_settings)
        settings = app.router.add_resource("/sourceConfig/")
        settings.add_route("GET", _rudderstack_settings)
        settings.add_route("OPTIONS", _preflight)
        app.router.add_get("/healthz", _healthy)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._figures)
        app.router.add_get("/openapi.json", self._openapi)
        return app

    async def _ready(self, _request: web.Request) -> web.Response:
        ready = await self._log.reachable()
        return web.json_response({"ready": ready, "broker": ready}, status=200 if ready else 503)

    async def _openapi(self, _request: web.Request) -> web.Response:
        return web.json_response(document(ENDPOINTS, metadata.version("touchline")))

    async def _figures(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})


async def _preflight(request: web.Request) -> web.Response:
    return answers.preflight(request)


async def _healthy(_request: web.Request) -> web.Response:
    return web.json_response({"alive": True})


async def _segment_settings(request: web.Request) -> web.Response:
    """What analytics-next asks its CDN for before it sends: one destination, us."""
    return _settings(request, {"integrations": {"Segment.io": {"apiKey": request.match_info["key"]}}, "plan": {}})


async def _rudderstack_settings(request: web.Request) -> web.Response:
    """What RudderStack's browser SDK asks ``configUrl`` for before it sends: nobody else gets its events from the page."""
    key = request.query.get("writeKey", "")
    return _settings(request, {"source": {"id": key, "enabled": True, "config": {}, "destinations": []}})


def _settings(request: web.Request, settings: dict[str, Any]) -> web.Response:
    response = web.json_response(settings)
    origin = request.headers.get("Origin")
    if origin is not None:
        answers.allow(response.headers, origin)
    return response
