"""One ingest request from its bytes to its answer: read, adapt, put on the log, answer.

The answer 200 says that every event is on the log and every refusal in the dead letters.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from aiohttp import web

from schemas.errors import Retryable
from schemas.rejections import Rejected, RejectReason
from stream.collect import access, answers, network_id, privacy
from stream.collect.bodies import Unfit
from stream.collect.compression import decompressed
from stream.collect.dead_letters import DeadLetters
from stream.collect.endpoints import Endpoint
from stream.collect.frames import Frames
from stream.collect.metrics import Metrics
from stream.collect.request import Enrich, Parsed, Request
from stream.collect.webhooks.gate import Gate
from stream.collect.webhooks.provider import Provider
from stream.collect.webhooks.verification import DETAILS, Delivery
from stream.settings import ANALYTICS_CONSENT, Config, Settings, Source, Webhook

logger = structlog.get_logger(__name__)

BODY_S: Final = 30.0
"""A sender that needs longer for its body is broken or hostile; mobile networks deliver 500 KB in less."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Unanswerable(Exception):
    """Thrown and caught here: the request got its error answer already."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Ingest:
    """Turns endpoints into aiohttp handlers."""

    def __init__(
        self,
        settings: Settings,
        config: Config,
        *,
        enrich: Enrich,
        frames: Frames,
        dead_letters: DeadLetters,
        metrics: Metrics,
        gate: Gate,
    ) -> None:
        self._settings = settings
        self._sources: Mapping[str, Source] = {source.key: source for source in config.sources}
        self._blocked = frozenset(config.rules.blocked_ids)
        self._webhooks = {(hook.provider, hook.name): hook for hook in config.webhooks}
        self._enrich = enrich
        self._frames = frames
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._gate = gate

    def handler(self, endpoint: Endpoint) -> Handler:
        """The handler of one endpoint."""
        ingest = self._ingest
        clock = time.perf_counter
        answered = self._metrics.answered

        async def handle(request: web.Request) -> web.StreamResponse:
            started = clock()
            try:
                response = await ingest(endpoint, request)
            except Unanswerable as unanswerable:
                response = unanswerable.answer
            except Retryable as refused:
                response = answers.come_again(refused, request.headers.get("Origin"))
            except Exception:
                logger.exception("a request failed: this is a bug", path=endpoint.path)
                response = answers.error(
                    500, "bug", "the collector failed on this request", request.headers.get("Origin")
                )
            answered(response.status, clock() - started)
            return response

        return handle

    async def _ingest(self, endpoint: Endpoint, http: web.Request) -> web.Response:
        origin = http.headers.get("Origin")
        body = await read_body(http, self._settings.max_body_bytes) if endpoint.method == "POST" else b""
        received_at = time.time_ns() // 1_000_000
        webhook = await self._webhook(endpoint.provider, http, body, received_at) if endpoint.provider else None
        request = self._request(endpoint, http, received_at, webhook)
        parsed = self._parsed(endpoint, body, request, origin)
        if parsed.fault is not None:
            return answers.bad_request(parsed.fault, origin)
        if parsed.location:
            await self._keep_if_possible(endpoint, parsed, request)
            return answers.sent_on(parsed.location)
        await self._keep(endpoint, parsed, request)
        if parsed.visit:
            await self._gate.confirm(parsed.visit)
        if parsed.page:
            return answers.page(parsed.page)
        response = answers.success(endpoint.answer, origin)
        if request.network_id:
            network_id.give(response, request.network_id)
        return response

    def _request(self, endpoint: Endpoint, http: web.Request, received_at: int, webhook: Webhook | None) -> Request:
        """What the adapter may know. Raises: Unanswerable with 401."""
        headers = http.headers
        source = access.source_of(headers, self._sources)
        if endpoint.key_needed and source is None:
            raise Unanswerable(answers.error(401, "unknown_key", "Authorization needs the write key of a source"))
        return Request(
            received_at=received_at,
            source=source,
            sources=self._sources,
            webhook=webhook,
            is_head=http.method == "HEAD",
            path=endpoint.path,
            query=http.rel_url.raw_query_string if endpoint.method == "GET" or endpoint.answer == "page" else "",
            headers=headers,
            address=access.address_of(http, trust_forwarded=self._settings.trust_forwarded),
            network_id=network_id.of(headers) if endpoint.network_cookie else "",
            max_event_bytes=self._settings.max_event_bytes,
            max_batch_events=self._settings.max_batch_events,
            enrich=self._enrich,
        )

    def head(self, provider: Provider) -> Handler:
        """The handler of HEAD: whether such a webhook is configured."""

        async def handle(http: web.Request) -> web.StreamResponse:
            known = (provider.name, http.match_info["name"]) in self._webhooks
            return web.Response(status=200 if known else 404)

        return handle

    async def _webhook(self, provider: Provider, http: web.Request, body: bytes, now: int) -> Webhook:
        """The webhook that a genuine delivery is for. Raises: Unanswerable with 401 or 404, Retryable."""
        webhook = self._webhooks.get((provider.name, http.match_info["name"]))
        if webhook is None:
            raise Unanswerable(answers.error(404, "unknown_webhook", "no such webhook is configured"))
        delivery = Delivery(body=body, headers=http.headers, query=http.rel_url.raw_query_string, now=now)
        refusal = await self._gate.admit(provider, delivery, webhook)
        if refusal is not None:
            self._metrics.refused[provider.name, refusal.value] += 1
            raise Unanswerable(answers.error(401, refusal.value, DETAILS[refusal]))
        return webhook

    def _parsed(self, endpoint: Endpoint, body: bytes, request: Request, origin: str | None) -> Parsed:
        try:
            parsed = endpoint.events_of(body, request)
        except Exception:
            # A bug of ours must not make SDKs send the same bytes for ever: the dead letters keep them for the repair.
            logger.exception("an adapter failed: this is a bug", path=endpoint.path)
            return Parsed([], [Rejected(RejectReason.BUG, endpoint.path, body)], source=request.source)
        if not access.may_send(parsed.source, origin):
            return Parsed([], [Rejected(RejectReason.BAD_VALUE, "Origin", body)], source=parsed.source)
        privacy.respect(parsed.events, ANALYTICS_CONSENT if parsed.source is None else parsed.source.analytics_consent)
        if self._blocked:
            parsed.events, nobody = privacy.without_blocked(parsed.events, self._blocked)
            parsed.rejected = [*parsed.rejected, *nobody]
        return parsed

    async def _keep_if_possible(self, endpoint: Endpoint, parsed: Parsed, request: Request) -> None:
        """Put a click on the log. A reader goes on to the page even if the broker is away, and the click is lost."""
        try:
            await self._keep(endpoint, parsed, request)
        except Retryable as refused:
            self._metrics.lost_clicks += len(parsed.events)
            logger.warning("a click was not kept, its reader was sent on", why=str(refused))

    async def _keep(self, endpoint: Endpoint, parsed: Parsed, request: Request) -> None:
        """Put everything on the log. Raises: Retryable."""
        letters = [*parsed.rejected, *parsed.noted]
        if letters:
            await asyncio.gather(
                self._frames.submit(parsed.events),
                self._dead_letters.submit(
                    letters, request.received_at, parsed.source, path=endpoint.path, gpc=request.gpc
                ),
            )
            self._metrics.rejected.update(refusal.reason.value for refusal in letters)
        else:
            await self._frames.submit(parsed.events)
        self._metrics.accepted[endpoint.path] += len(parsed.events)
        if parsed.ignored:
            self._metrics.ignored[endpoint.path] += parsed.ignored


async def read_body(http: web.Request, limit: int) -> bytes:
    """The decompressed body. Raises: Unanswerable with 400 if it is too large, broken, or does not come."""
    try:
        body = await _received(http, limit)
        encoding = http.headers.get("Content-Encoding")
        return body if encoding is None else decompressed(body, encoding, limit)
    except Unfit as unfit:
        fault = Rejected(unfit.reason, unfit.detail)
    raise Unanswerable(answers.bad_request(fault, http.headers.get("Origin")))


async def _received(http: web.Request, limit: int) -> bytes:
    try:
        if http.content.is_eof():
            # It is all here already, which is the rule: no need to wait, nor to copy it together.
            body = http.content.read_nowait()
            if len(body) <= limit:
                return body
            raise Unfit(RejectReason.TOO_LARGE, "the body is larger than the limit")
        async with asyncio.timeout(BODY_S):
            return await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise Unfit(RejectReason.TOO_LARGE, "the body is larger than the limit") from None
    except TimeoutError:
        raise Unfit(RejectReason.MALFORMED, f"the body did not come within {BODY_S:g} s") from None
    except (web.RequestPayloadError, web.HTTPException):
        raise Unfit(RejectReason.MALFORMED, "the body ends early") from None
