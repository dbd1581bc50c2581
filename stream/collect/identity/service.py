"""The handlers of ``/v1/identity``. They check the key, read what they need, let pure functions decide, and answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar
from uuid import uuid4

import msgspec
import structlog
from aiohttp import web

from schemas.codec import json_encoder
from schemas.errors import Retryable
from schemas.ids import ACCOUNT, kind, value
from stream.collect import answers, clock
from stream.collect.frames import Frames
from stream.collect.identity.access import operator_of
from stream.collect.identity.answered import Booked, Previewed, Said
from stream.collect.identity.asked import causes, causes_of, composed, explained, explained_touch, predicted
from stream.collect.identity.audit import Audit, TooMany
from stream.collect.identity.meant import unlinked, unmerged
from stream.collect.identity.orders import Link, Merge, Order, Teller, Unfit, link_of, merge_of, retraction_of
from stream.collect.identity.questions import Questions
from stream.collect.identity.refused import Refused
from stream.collect.identity.shapes import Preview, Unlink, Unmerge
from stream.collect.identity.shown import explanation_shown, made_of_shown, moves_shown
from stream.collect.ingest import Unanswerable, read_body
from stream.core.identity.domains import company_node
from stream.core.identity.explanation import Explanation
from stream.core.identity.names import NoNode, heard, spoken
from stream.core.identity.operators import registry_of
from stream.settings import Config, Operator, Settings

logger = structlog.get_logger(__name__)

_LARGEST_BODY: Final = 64 << 10
_WARNING_S: Final = 2.0
"""Longest wait for what is only a warning."""
_TOUCH: Final = "touch:"
_WHEN_READ: Final = "when the collector started"
"""Who has just written a key there needs to know that."""
T = TypeVar("T", bound=msgspec.Struct)
Answerer = Callable[[web.Request, Operator], Awaitable[web.Response]]


class IdentityService:
    """Says and asks for operators."""

    def __init__(self, settings: Settings, config: Config, frames: Frames) -> None:
        self._config = config
        self._frames = frames
        self._questions = Questions(settings)

    def add_routes(self, app: web.Application) -> None:
        """Mount everything."""
        router = app.router
        router.add_post("/v1/identity/links", self._guarded(self._link))
        router.add_delete("/v1/identity/links", self._guarded(self._unlink))
        router.add_delete("/v1/identity/links/{id}", self._guarded(self._unlink))
        router.add_post("/v1/identity/merges", self._guarded(self._merge))
        router.add_delete("/v1/identity/merges", self._guarded(self._unmerge))
        router.add_delete("/v1/identity/merges/{id}", self._guarded(self._unmerge))
        router.add_post("/v1/identity/preview", self._guarded(self._preview))
        router.add_get("/v1/identity/{node}", self._guarded(self._explain))

    async def close(self) -> None:
        """Let go of ClickHouse."""
        await self._questions.close()

    def _guarded(self, answer: Answerer) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                return await answer(request, self._operator(request))
            except (Refused, Unanswerable) as refused:
                return refused.answer
            except (Unfit, NoNode) as unfit:
                return answers.error(400, "bad_value", str(unfit))
            except TooMany as many:
                return answers.error(422, "too_many", str(many))
            except Retryable as later:
                return answers.come_again(later)
            except Exception:
                logger.exception("an identity request failed: this is a bug", method=request.method)
                return answers.error(500, "bug", "the collector failed on this request")

        return handle

    def _operator(self, request: web.Request) -> Operator:
        if not self._config.operators:
            detail = f"touchline.toml had no [[operators]] {_WHEN_READ}: see docs/identity.md#operators"
            raise Refused(403, "no_operators", detail)
        operator = operator_of(request.headers, self._config.operators)
        if operator is None:
            detail = (
                f"Authorization needs a key that touchline.toml had under [[operators]] {_WHEN_READ}, as Bearer token"
            )
            raise Refused(401, "unknown_key", detail)
        return operator

    def _audit(self, operator: Operator) -> Audit:
        return Audit(self._questions, operator.tenant, self._config.rules)

    # -- what is said ---------------------------------------------------------------------------------------------

    async def _link(self, request: web.Request, operator: Operator) -> web.Response:
        order = link_of(await _body(request, Link), _teller(operator), self._config.rules)
        names = [order.event.node, f"{operator.tenant}/{order.words.parent}"]
        return await self._say([order], await self._warnings(operator, names, "is it misspelt?"))

    async def _merge(self, request: web.Request, operator: Operator) -> web.Response:
        order = merge_of(await _body(request, Merge), _teller(operator), self._config.rules)
        accounts = [f"{operator.tenant}/{name}" for name in (order.words.loser, order.words.parent)]
        return await self._say([order], await self._warnings(operator, accounts, "it counts once something is"))

    async def _warnings(self, operator: Operator, names: list[str], hint: str) -> list[str]:
        """That nobody has seen them yet: it may come, so what is said of them counts; but it may be a slip of the pen."""
        try:
            async with asyncio.timeout(_WARNING_S):
                unseen = await self._audit(operator).unseen(names)
        except (Retryable, TimeoutError):
            return []  # what an operator says needs no ClickHouse
        return [f"nothing is known of {spoken(name)} yet: {hint}" for name in unseen]

    async def _unlink(self, request: web.Request, operator: Operator) -> web.Response:
        query = request.query
        wanted = Unlink(request.match_info.get("id", ""), query.get("child", ""), query.get("parent", ""))
        known = await unlinked(self._audit(operator), wanted)
        return await self._take_back([(claim.node, claim.id) for claim in known], operator, query.get("reason", ""))

    async def _unmerge(self, request: web.Request, operator: Operator) -> web.Response:
        query = request.query
        wanted = Unmerge(request.match_info.get("id", ""), query.get("loser", ""), query.get("winner", ""))
        known = await unmerged(self._audit(operator), wanted)
        registry = registry_of(operator.tenant)
        return await self._take_back([(registry, claim.id) for claim in known], operator, query.get("reason", ""))

    async def _take_back(self, claims: list[tuple[str, str]], operator: Operator, reason: str) -> web.Response:
        teller = _teller(operator)
        return await self._say([retraction_of(name, claim, teller, reason) for name, claim in claims])

    async def _say(self, orders: list[Order], warnings: Sequence[str] = ()) -> web.Response:
        """Put them on the log. Whoever reads the answer knows that they are there."""
        await self._frames.submit([order.event for order in orders])
        for order in orders:
            logger.info(
                "an operator spoke", operator=order.event.source, type=order.event.type, event_id=order.event.id
            )
        said = [Booked(order.claim, order.event.id, order.event.type) for order in orders]
        return _answer(Said(success=True, said=said, warnings=list(warnings)))

    # -- what is asked --------------------------------------------------------------------------------------------

    async def _explain(self, request: web.Request, operator: Operator) -> web.Response:
        audit = self._audit(operator)
        text = request.match_info["node"]
        if text.startswith(_TOUCH):
            found = await explained_touch(audit, text.removeprefix(_TOUCH))
        else:
            name = heard(text, operator.tenant, self._config.rules)
            found = await explained(audit, name, _moment(request.query.get("at", "")), _now())
            if kind(name) == ACCOUNT:
                return await self._explain_account(audit, found)
        return _answer(explanation_shown(found, await audit.said(causes(found))))

    async def _explain_account(self, audit: Audit, found: Explanation) -> web.Response:
        composition, family = await composed(audit, found.node, found.at)
        said = await audit.said([*causes(found), *causes_of(composition, family)])
        made_of = made_of_shown(composition, family, said)
        return _answer(explanation_shown(found, said, made_of=made_of, warnings=await _doubts(audit, found.node)))

    async def _preview(self, request: web.Request, operator: Operator) -> web.Response:
        found = await predicted(self._audit(operator), await _body(request, Preview), _teller(operator))
        return _answer(
            Previewed(spoken(found.top), found.identifiers, found.records, moves_shown(found.moves)),
        )


def _teller(operator: Operator) -> Teller:
    return Teller(operator.name, operator.tenant, _now(), f"op-{uuid4().hex[:12]}")


def _answer(found: msgspec.Struct) -> web.Response:
    return web.Response(body=json_encoder.encode(found), content_type="application/json")


async def _doubts(audit: Audit, account: str) -> list[str]:
    """That nobody knows the account. Tables write ids alone, and that of an automatic account is its domain's name."""
    if not await audit.unseen([account]):
        return []
    known = f"nothing is known of {spoken(account)} yet"
    domain = company_node(audit.tenant, value(account))
    if not domain or await audit.unseen([domain]):
        return [known]
    return [f"{known}; is {spoken(domain)} meant?"]


def _now() -> int:
    return time.time_ns() // 1_000_000


def _moment(text: str) -> int | None:
    if not text:
        return None
    at = clock.moment(text)
    if at is None:
        raise Unfit("at: an ISO 8601 time like 2026-06-01T00:00:00Z, or epoch milliseconds")
    return at


async def _body(request: web.Request, shape: type[T]) -> T:
    body = await read_body(request, _LARGEST_BODY)
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unfit(f"the body is not what is wanted: {error}") from None
