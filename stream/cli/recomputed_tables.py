"""Where recomputed rows go: the fact records of a recomputation, unpacked and inserted in large blocks."""

from typing import Final

import msgspec

from schemas import topics
from sinks.clickhouse.client import ClickHouse, RefusedError
from sinks.operations import Outcome, Refused, Try
from sinks.refusal import answered, lines_of, rows_of, search, without
from stream.stages.compute import Output

_BLOCK_BYTES: Final = 8 << 20


class Tables:
    """Recomputed fact rows on their way into the second database."""

    def __init__(self, database: ClickHouse) -> None:
        self.database = database
        self.waiting: dict[str, bytearray] = {}
        self.blocks = 0

    def take(self, output: Output) -> None:
        """Collect one fact record; alerts and dead letters leave the pipeline and are not compared."""
        if output.topic not in {topics.STITCH_FACTS, topics.ACCOUNT_FACTS}:
            return
        first, _, body = output.value.partition(b"\n")
        place = 0
        for table, _, size in msgspec.json.decode(first, type=list[tuple[str, int, int]]):
            waiting = self.waiting.setdefault(table, bytearray())
            waiting += body[place : place + size]
            place += size
            if len(waiting) > _BLOCK_BYTES:
                self.write(table)

    def write(self, table: str) -> None:
        """Insert what waits for ``table``, without the rows that the sink would have had to leave out, too.

        Raises: RefusedError if there are so many that no sink would.
        """
        self.blocks += 1
        rows = bytes(self.waiting.pop(table))
        try:
            self.database.insert(table, rows, token=f"verify/{self.blocks}")
        except RefusedError:
            numbered = rows_of(rows)
            refused = answered(search(table, numbered), self._outcome)
            if not refused:
                raise
            left = lines_of(without(numbered, refused))
            if left:
                self.waiting[table] = bytearray(left)
                self.write(table)

    def _outcome(self, question: Try) -> Outcome:
        try:
            self.database.try_rows(question.table, question.rows)
        except RefusedError as error:
            return Refused(str(error))
        return True

    def finish(self) -> None:
        """Insert everything that waits."""
        for table in list(self.waiting):
            self.write(table)
