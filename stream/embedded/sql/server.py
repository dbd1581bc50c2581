"""Routes of ClickHouse's HTTP interface: ``/`` for queries, ``/ping`` and ``/replicas_status`` for probes."""

import asyncio
import ipaddress
import logging
import uuid
from pathlib import Path
from typing import Final

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import BadHttpMessage

from stream.embedded.sql.bodies import Body
from stream.embedded.sql.durability import Durability
from stream.embedded.sql.engine import Engine
from stream.embedded.sql.errors import BAD_REQUEST, LOGICAL_ERROR, NOT_IMPLEMENTED, TOO_LARGE, QueryError
from stream.embedded.sql.execution import Executor
from stream.embedded.sql.replies import common_headers, failure, success
from stream.embedded.sql.requests import query_of
from stream.embedded.sql.users import Users, refuse_foreign_pages

log = logging.getLogger(__name__)

_LINE_BYTES: Final = 1 << 20
"""Longest request line: ClickHouse's http_max_uri_size."""
_FORM_BYTES: Final = 1 << 20


class Server:
    """HTTP in front of one engine."""

    def __init__(self, engine: Engine, durability: Durability, spool: Path, users: Users, *, host: str) -> None:
        self._engine = engine
        self._executor = Executor(engine, durability)
        self._spool = spool
        self._users = users
        self._loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback

    def runner(self) -> web.AppRunner:
        """The application, ready to be bound to an address."""
        app = web.Application()
        app.router.add_route("*", "/", self._query)
        app.router.add_route("*", "/ping", self._ok)
        app.router.add_route("*", "/replicas_status", self._ok)
        return web.AppRunner(
            app,
            access_log=None,
            # Our own unpacking has a bound and knows lz4 and zstd.
            auto_decompress=False,
            max_line_size=_LINE_BYTES,
            max_field_size=1 << 16,
            shutdown_timeout=1.0,
        )

    async def idle(self, patience_s: float) -> None:
        """Wait until no query runs; after ``patience_s`` kill what does."""
        for _ in range(int(patience_s / 0.05)):
            if not self._executor.busy:
                await self._executor.close()
                return
            await asyncio.sleep(0.05)
        self._engine.kill_all()
        await asyncio.sleep(0.2)

    async def _ok(self, _: web.Request) -> web.Response:
        return web.Response(text="Ok.\n", content_type="text/html")

    async def _query(self, request: web.Request) -> web.Response:
        query_id = request.query.get("query_id", "") or str(uuid.uuid4())
        headers = common_headers(_printable(query_id), self._engine.timezone)
        try:
            return await self._answer(request, headers)
        except QueryError as error:
            return failure(error, headers, self._engine.version)
        except Exception:
            # The text of a query may hold personal data, so only the traceback is logged.
            log.exception("query failed inside the server")
            return failure(QueryError(LOGICAL_ERROR, "Internal error of the server"), headers, self._engine.version)

    async def _answer(self, request: web.Request, headers: dict[str, str]) -> web.Response:
        refuse_foreign_pages(request.headers, bound_to_loopback=self._loopback)
        user = self._users.authenticate(request.query, request.headers)
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_POST):
            raise QueryError(NOT_IMPLEMENTED, f"Method {request.method} is not supported")
        parameters = dict(request.query)
        body = Body(self._spool)
        try:
            if request.content_type == "multipart/form-data":
                parameters |= await _form(request)
            else:
                await _receive(request, body)
            query = query_of(request.method, parameters, request.headers)
            if not query.sql and not body.size and request.method != hdrs.METH_POST:
                return await self._ok(request)
            outcome = await self._executor.run(query, body, user)
        finally:
            body.close()
        return success(outcome, headers, request.headers.get(hdrs.ACCEPT_ENCODING, ""))


async def _receive(request: web.Request, body: Body) -> None:
    coding = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    try:
        await body.receive(request.content.iter_any(), coding)
    except (ConnectionError, BadHttpMessage, web.RequestPayloadError) as error:
        raise QueryError(BAD_REQUEST, f"The body ended early: {error}") from None


async def _form(request: web.Request) -> dict[str, str]:
    """Fields of a form: clickhouse-connect sends long parameters so."""
    fields: dict[str, str] = {}
    size = 0
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or not part.name or part.filename:
                raise QueryError(NOT_IMPLEMENTED, "External tables are not supported by the embedded server")
            value = bytes(await part.read())
            size += len(value)
            if size > _FORM_BYTES:
                raise QueryError(TOO_LARGE, f"The form is larger than {_FORM_BYTES} bytes.")
            fields[part.name] = value.decode()
    except (ValueError, AssertionError, web.HTTPException) as error:
        raise QueryError(BAD_REQUEST, f"The form cannot be read: {error}") from None
    return fields


def _printable(text: str) -> str:
    """Fit for a header."""
    return "".join(sign for sign in text[:128] if " " <= sign <= "~")
