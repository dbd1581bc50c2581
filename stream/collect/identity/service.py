"""The handlers of ``/v1/identity``. They check the key, read what they need, let pure functions decide, and answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import uuid4

import msgspec
import structlog
from aiohttp import web

from schemas.errors import Retryable
from schemas.ids import kind
from schemas.messages import BEGINNING
from stream.collect import answers, clock
from stream.collect.frames import Frames
from stream.collect.identity.access import operator_of
from stream.collect.identity.audit import Audit, TooMany
from stream.collect.identity.orders import Link, Merge, Order, Teller, Unfit, link_of, merge_of, retraction_of
from stream.collect.identity.questions import Questions
from stream.collect.identity.shapes import Preview, Unlink, Unmerge
from stream.collect.identity.shown import explanation_shown, moves_shown
from stream.collect.ingest import Unanswerable, read_body
from stream.core.identity import precedence
from stream.core.identity.book import Book, Held, Known
from stream.core.identity.explanation import Explanation, explain
from stream.core.identity.names import NoNode, heard, spoken
from stream.core.identity.operators import SOURCE, registry_of
from stream.core.identity.prediction import Claims, predict, visit_of, with_claim, without_claims
from stream.settings import Config, Operator, Settings

logger = structlog.get_logger(__name__)

_LARGEST_BODY: Final = 64 << 10
_TOUCH: Final = "touch:"
T = TypeVar("T", bound=msgspec.Struct)
Answerer = Callable[[web.Request, Operator], Awaitable[web.Response]]


class Refused(Exception):
    """Thrown and caught here: the answer is an error."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.answer = answers.error(status, reason, detail)


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
            raise Refused(403, "no_operators", "touchline.toml has no [[operators]]: see docs/identity.md#operators")
        operator = operator_of(request.headers, self._config.operators)
        if operator is None:
            raise Refused(401, "unknown_key", "Authorization needs the key of one of [[operators]] as Bearer token")
        return operator

    def _audit(self, operator: Operator) -> Audit:
        return Audit(self._questions, operator.tenant, self._config.rules)

    # -- what is said ---------------------------------------------------------------------------------------------

    async def _link(self, request: web.Request, operator: Operator) -> web.Response:
        return await self._say([link_of(await _body(request, Link), _teller(operator), self._config.rules)])

    async def _merge(self, request: web.Request, operator: Operator) -> web.Response:
        return await self._say([merge_of(await _body(request, Merge), _teller(operator), self._config.rules)])

    async def _unlink(self, request: web.Request, operator: Operator) -> web.Response:
        query = request.query
        wanted = Unlink(request.match_info.get("id", ""), query.get("child", ""), query.get("parent", ""))
        known = await self._unlinked(wanted, operator)
        return await self._take_back([(claim.node, claim.id) for claim in known], operator, query.get("reason", ""))

    async def _unmerge(self, request: web.Request, operator: Operator) -> web.Response:
        query = request.query
        wanted = Unmerge(request.match_info.get("id", ""), query.get("loser", ""), query.get("winner", ""))
        known = await self._unmerged(wanted, operator)
        registry = registry_of(operator.tenant)
        return await self._take_back([(registry, claim.id) for claim in known], operator, query.get("reason", ""))

    async def _take_back(self, claims: list[tuple[str, str]], operator: Operator, reason: str) -> web.Response:
        teller = _teller(operator)
        return await self._say([retraction_of(name, claim, teller, reason) for name, claim in claims])

    async def _say(self, orders: list[Order]) -> web.Response:
        """Put them on the log. Whoever reads the answer knows that they are there."""
        await self._frames.submit([order.event for order in orders])
        for order in orders:
            logger.info(
                "an operator spoke", operator=order.event.source, type=order.event.type, event_id=order.event.id
            )
        shown = [{"claim": order.claim, "event_id": order.event.id, "type": order.event.type} for order in orders]
        return web.json_response({"success": True, "said": shown})

    async def _unlinked(self, wanted: Unlink, operator: Operator) -> list[Known]:
        """The live claims that are meant. Raises: Refused if there are none, or several of one id."""
        audit, tenant, rules = self._audit(operator), operator.tenant, self._config.rules
        if wanted.id:
            known = [c for c in await audit.claim(wanted.id) if c.live and not c.is_merge]
            if wanted.child:
                known = [c for c in known if c.node == heard(wanted.child, tenant, rules)]
            if len({c.node for c in known}) > 1:
                nodes = ", ".join(spoken(c.node) for c in known[:5])
                raise Refused(
                    409, "ambiguous", f"several identifiers have a claim of that id ({nodes}): name the child"
                )
        elif wanted.child and wanted.parent:
            child, parent = heard(wanted.child, tenant, rules), heard(wanted.parent, tenant, rules)
            known = [c for c in await audit.between(child, parent) if not c.is_merge]
        else:
            raise Unfit("name the claim by its id, or by child and parent")
        if known and all(c.is_no_claim for c in known):
            raise Refused(
                409,
                "sessions",
                "sessions of this visitor say so (signed in as that user, or from that network): what happened is no claim;"
                " link the visitor to whom it belongs instead",
            )
        return _some([c for c in known if not c.is_no_claim])

    async def _unmerged(self, wanted: Unmerge, operator: Operator) -> list[Known]:
        audit, tenant, rules = self._audit(operator), operator.tenant, self._config.rules
        if wanted.id:
            return _some([c for c in await audit.claim(wanted.id) if c.live and c.is_merge])
        if not (wanted.loser and wanted.winner):
            raise Unfit("name the merge by its id, or by loser and winner")
        loser, winner = heard(wanted.loser, tenant, rules), heard(wanted.winner, tenant, rules)
        return _some([c for c in await audit.between(loser, winner) if c.is_merge])

    # -- what is asked --------------------------------------------------------------------------------------------

    async def _explain(self, request: web.Request, operator: Operator) -> web.Response:
        audit = self._audit(operator)
        text = request.match_info["node"]
        if text.startswith(_TOUCH):
            found = await self._explained_touch(audit, text.removeprefix(_TOUCH))
        else:
            name = heard(text, operator.tenant, self._config.rules)
            found = await self._explained(audit, name, _moment(request.query.get("at", "")))
        said = await audit.said(_causes(found))
        return web.json_response(explanation_shown(found, said))

    async def _explained_touch(self, audit: Audit, touch_id: str) -> Explanation:
        touch = await audit.touch(touch_id)
        if touch is None:
            raise Refused(404, "no_touch", "there is no touch of that id (v_touches)")
        book = Book(_flat(await audit.upwards([touch.node])), self._config.rules)
        visit = visit_of(book, touch.node, touch.at, touch.account, touch.person)
        return explain(book, touch.node, touch.at, *visit)

    async def _explained(self, audit: Audit, name: str, at: int | None) -> Explanation:
        book = Book(_flat(await audit.upwards([name])), self._config.rules)
        visit = ("", "")
        if at is not None and kind(name) == "v":
            session = await audit.session_at(name, at)
            visit = visit_of(book, name, at, *session) if session else visit
        return explain(book, name, _now() if at is None else at, *visit)

    async def _preview(self, request: web.Request, operator: Operator) -> web.Response:
        wanted = await _body(request, Preview)
        audit = self._audit(operator)
        top, change = await self._change(wanted, operator)
        names = await audit.downwards(top)
        known = await audit.upwards(names)
        after = change(known)
        new = [c.held.parent for claims in after.values() for c in claims if c.live and c.held.parent not in known]
        after |= {n: c for n, c in (await audit.upwards(new)).items() if n not in after}
        before = Book(_flat(known), self._config.rules)
        records = await audit.records(names, before)
        credit = await audit.credits([record.id for record in records if not record.is_conversion])
        would_be = Book(_flat(after), self._config.rules)
        moves = await asyncio.to_thread(predict, before, would_be, records, credit)
        shown = {"node": spoken(top), "identifiers": len(names), "records": len(records), "moves": moves_shown(moves)}
        return web.json_response(shown)

    async def _change(self, wanted: Preview, operator: Operator) -> tuple[str, Callable[[Claims], Claims]]:
        """The node below which something could move, and what would become of the claims."""
        teller, rules = _teller(operator), self._config.rules
        if sum(part is not None for part in msgspec.structs.astuple(wanted)) != 1:
            raise Unfit("exactly one of link, unlink, merge, unmerge")
        if wanted.link is not None:
            order = link_of(wanted.link, teller, rules)
            claim = _claim(order, order.event.node, operator)
            return claim.node, lambda known: with_claim(known, claim)
        if wanted.merge is not None:
            order = merge_of(wanted.merge, teller, rules)
            merge = _claim(order, f"{operator.tenant}/{order.words.loser}", operator)
            return merge.node, lambda known: with_claim(known, merge)
        if wanted.unlink is not None:
            gone = await self._unlinked(wanted.unlink, operator)
        else:
            assert wanted.unmerge is not None, "one of the four is given"
            gone = await self._unmerged(wanted.unmerge, operator)
        return gone[0].node, lambda known: without_claims(known, gone)


def _claim(order: Order, name: str, operator: Operator) -> Known:
    words = order.words
    since = BEGINNING if words.since is None else words.since
    parent = f"{operator.tenant}/{words.parent}"
    held = Held(parent, precedence.OPERATOR, order.event.at, since, words.until, SOURCE)
    return Known(name, order.claim, held)


def _some(known: list[Known]) -> list[Known]:
    if not known:
        raise Refused(
            404, "no_claim", "there is no such claim that still counts; v_identity_claims has all (seconds after them)"
        )
    return known


def _causes(found: Explanation) -> list[str]:
    reasons = [reason for edge in found.edges for reason in (edge.reason, *edge.lost)]
    return [r.claim.cause for r in reasons if r.claim is not None] + [c.cause for c in found.taken_back]


def _flat(known: Claims) -> list[Known]:
    return [claim for claims in known.values() for claim in claims]


def _teller(operator: Operator) -> Teller:
    return Teller(operator.name, operator.tenant, _now(), f"op-{uuid4().hex[:12]}")


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
