"""Carries out what ``sinks.exactly_once`` asks for: ClickHouse in one writer thread, Kafka on the loop."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from schemas.errors import Retryable
from sinks.clickhouse.client import ClickHouse, RefusedError
from sinks.clickhouse.ledger import answer, prune
from sinks.exactly_once import Operations
from sinks.operations import Commit, Insert, Operation, Outcome, Pause, Prune, ReadRange, Refused, Try
from sinks.ranges import Place, Record

T = TypeVar("T")
_RETRY_S = 1.0
_log = structlog.get_logger()


class Abandoned(Exception):
    """The work was given up at an effect's edge; the next recovery completes it."""


class Executor:
    """Runs one sequence of operations at a time."""

    def __init__(
        self,
        connect: Callable[[], ClickHouse],
        read_range: Callable[[ReadRange], Awaitable[list[Record]]],
        commit: Callable[[dict[Place, int]], Awaitable[None]],
    ) -> None:
        self._connect = connect
        self._read_range = read_range
        self._commit = commit
        self._database: ClickHouse | None = None
        self._thread = ThreadPoolExecutor(1, "clickhouse")
        self._turn = 0

    async def run(self, operations: Operations[T]) -> T:
        """Carry out ``operations`` to their end.

        Raises: what they raise; Abandoned after ``give_up``.
        """
        self._turn += 1
        turn = self._turn
        try:
            operation = next(operations)
            while True:
                reply = await self._perform(operation, turn)
                if self._turn != turn:
                    raise Abandoned
                operation = operations.send(reply)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            operations.close()

    def give_up(self) -> None:
        """End ``run`` at the next edge between two effects."""
        self._turn += 1

    async def close(self) -> None:
        """Let go of ClickHouse, after the effect in hand."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    async def _perform(self, operation: Operation, turn: int) -> Any:
        match operation:
            case Insert() | Try():
                return await self._attempt(operation)
            case Pause(pause_s):
                return await asyncio.sleep(pause_s)
            case ReadRange():
                return await self._read_range(operation)
            case Prune(sink, age_s):
                return await self._prune(sink, age_s)
            case Commit(offsets):
                return await self._commit(offsets)
            case question:
                return await self._until_answered(lambda database: answer(database, question), turn)

    async def _attempt(self, wanted: Insert | Try) -> Outcome:
        try:
            await self._in_thread(lambda database: _carry_out(database, wanted))
        except RefusedError as error:
            if isinstance(wanted, Insert):
                _log.error("sink: rows are refused", table=wanted.table, block=wanted.token, error=str(error))
            return Refused(str(error))
        except Retryable as error:
            _log.warning("sink: insert not confirmed, it is tried again", table=wanted.table, error=_short(error))
            return False
        return True

    async def _prune(self, sink: str, age_s: int) -> None:
        try:
            await self._in_thread(lambda database: prune(database, sink, age_s))
        except Retryable as error:
            _log.warning("sink: old rows of its ledger stay for now", error=_short(error))

    async def _until_answered(self, ask: Callable[[ClickHouse], T], turn: int) -> T | None:
        while self._turn == turn:
            try:
                return await self._in_thread(ask)
            except Retryable as error:
                _log.warning("sink: ClickHouse does not answer, it is asked again", error=_short(error))
                await asyncio.sleep(_RETRY_S)
        return None  # run ends before anybody looks at it

    async def _in_thread(self, work: Callable[[ClickHouse], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)

    def _work(self, work: Callable[[ClickHouse], T]) -> T:
        if self._database is None:
            self._database = self._connect()
        try:
            return work(self._database)
        except Retryable:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _carry_out(database: ClickHouse, wanted: Insert | Try) -> None:
    if isinstance(wanted, Try):
        database.try_rows(wanted.table, wanted.rows)
    else:
        database.insert(wanted.table, wanted.rows, wanted.token)


def _short(error: Exception) -> str:
    """The beginning of a server's message; the rest may repeat rows."""
    return str(error).splitlines()[0][:200]
