"""Runs queries: several readers and one writer, so that a slow read never holds up an insert or a ping.

Statements that write queue behind one another in the writer (the engine would let them run side by side, but then two
identical retries could miss each other's deduplication token); what only reads, and KILL and SET, goes to the readers.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from stream.embedded.sql.bodies import Body
from stream.embedded.sql.durability import Durability
from stream.embedded.sql.engine import READ, WRITE, Answer, Connection, Engine
from stream.embedded.sql.errors import ACCESS_DENIED, READONLY, SYNTAX_ERROR, TOO_MANY_QUERIES, QueryError
from stream.embedded.sql.guard import refuse_reach
from stream.embedded.sql.inserts import Inserter
from stream.embedded.sql.native import FIRST_REVISION, reframed
from stream.embedded.sql.requests import Query
from stream.embedded.sql.statements import Insert, output_format, split_insert
from stream.embedded.sql.users import CONSOLE

READERS: Final = 4
WAITING: Final = 64
"""Most queries under way or waiting for a thread; beyond it the client is told to come back."""

# A write may take the time that it takes. Settings of the URL come after these.
_WRITER_SETTINGS: Final = {"max_execution_time": "0"}
_REMEMBERED_BYTES: Final = 16 << 10

T = TypeVar("T")


class Outcome(msgspec.Struct, frozen=True):
    """An answer and the format that it is in; "" where there is none (inserts, DDL)."""

    answer: Answer
    format: str = ""


class Executor:
    """The threads over one engine."""

    def __init__(self, engine: Engine, durability: Durability) -> None:
        self._engine = engine
        self._durability = durability
        self._readers = ThreadPoolExecutor(READERS, "sql-reader")
        self._writer = ThreadPoolExecutor(1, "sql-writer")
        self._inserter = Inserter(engine)
        self._inspected = lru_cache(maxsize=512)(self._inspect)
        self.busy = 0
        """Queries under way or waiting."""

    async def run(self, query: Query, body: Body, user: str) -> Outcome:
        """Run a query: the ``query`` parameter, and the body after it.

        Raises: QueryError.
        """
        if self.busy >= WAITING:
            raise QueryError(TOO_MANY_QUERIES, f"Too many simultaneous queries. Maximum: {WAITING}.")
        self.busy += 1
        try:
            # ClickHouse reads both as one text with a newline between.
            prefix = query.sql.encode("utf-8", "surrogateescape") + b"\n" if query.sql else b""
            insert = split_insert(prefix + body.head)
            if insert is None:
                return await self._statement(query, _decoded(prefix + body.whole()), user)
            return await self._insert(query, insert, _rows(prefix, body, insert.rows_at), user)
        finally:
            self.busy -= 1

    async def close(self) -> None:
        """Let go of what is kept between inserts, after the one in hand."""
        await self._in(self._writer, self._inserter.close)

    async def _insert(self, query: Query, insert: Insert, rows: Iterator[bytes], user: str) -> Outcome:
        if query.readonly or user == CONSOLE:
            raise QueryError(READONLY, f"{user}: Cannot execute query in readonly mode.")

        def write() -> Outcome:
            self._admit(f"{insert.head} FORMAT {insert.format}")
            with self._durability.writing():
                return Outcome(self._inserter.insert(insert, rows, query.database, _WRITER_SETTINGS | query.settings))

        return await self._in(self._writer, write)

    async def _statement(self, query: Query, sql: str, user: str) -> Outcome:
        kind, own_format = await self._in(self._readers, lambda: self._admit(sql))
        if user == CONSOLE and kind != READ:
            raise QueryError(ACCESS_DENIED, f"{user}: Not enough privileges: this user only reads.")
        output = own_format or query.format

        def execute() -> Outcome:
            with self._writing_if(kind), self._connection(query, user, kind) as connection:
                answer = connection.query(sql, output)
            if output == "Native" and query.revision >= FIRST_REVISION:
                answer = msgspec.structs.replace(answer, body=reframed(answer.body))
            return Outcome(answer, "" if kind == WRITE else output)

        return await self._in(self._writer if kind == WRITE else self._readers, execute)

    def _writing_if(self, kind: str) -> AbstractContextManager[None]:
        return self._durability.writing() if kind == WRITE else nullcontext()

    def _connection(self, query: Query, user: str, kind: str) -> Connection:
        connection = self._engine.connection()
        try:
            if user == CONSOLE:
                connection.confine()
            connection.set((_WRITER_SETTINGS if kind == WRITE else {}) | query.settings)
            if query.database:
                connection.use(query.database)
            if query.readonly or user == CONSOLE:
                connection.restrict(query.readonly or "2")
        except BaseException:
            connection.close()
            raise
        return connection

    def _admit(self, sql: str) -> tuple[str, str | None]:
        """Kind and own format of a statement; raises QueryError if it is not one statement or reaches outside."""
        return self._inspected(sql) if len(sql) <= _REMEMBERED_BYTES else self._inspect(sql)

    def _inspect(self, sql: str) -> tuple[str, str | None]:
        if not sql.strip():
            raise QueryError(SYNTAX_ERROR, "Syntax error: failed at position 1 (end of query): Empty query.")
        with self._engine.connection() as connection:
            canonical = connection.canonical(sql)
            kind, count = connection.kind(sql)
        if count != 1:
            raise QueryError(SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed).")
        refuse_reach(canonical)
        return kind, output_format(canonical)

    async def _in(self, pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, call)


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise QueryError(SYNTAX_ERROR, "Syntax error: the query is not valid UTF-8.") from None


def _rows(prefix: bytes, body: Body, start: int) -> Iterator[bytes]:
    """An insert's rows: what of them stands in the ``query`` parameter, then the body's."""
    inline = prefix[start:]
    if inline.strip():
        yield inline
    yield from body.chunks(max(0, start - len(prefix)))
