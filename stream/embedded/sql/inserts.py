"""Inserts one after the other, over one connection as long as they ask for the same.

A connection with the sink's settings takes longer to make than a small insert without its part (1.7 of 2.7 ms of CPU), and
the sink asks for the same every time, but for the token. An insert cannot change its connection: what its own SETTINGS say
ends with it.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from stream.embedded.sql.engine import Answer, Connection, Engine
from stream.embedded.sql.statements import Insert

_TOKEN: Final = "insert_deduplication_token"  # noqa: S105

Wish = tuple[str, Mapping[str, str]]
"""Database, and settings but for the token."""


class Inserter:
    """For one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: tuple[Wish, Connection] | None = None

    def insert(self, insert: Insert, rows: Iterable[bytes], database: str, settings: Mapping[str, str]) -> Answer:
        """Insert ``rows`` as a connection of its own with these settings would.

        Raises: EngineError, and what ``rows`` raises.
        """
        wish = database, {name: value for name, value in settings.items() if name != _TOKEN}
        connection = self._connection(wish)
        try:
            # Always: what the last insert said would count for this one, too.
            connection.set({_TOKEN: settings.get(_TOKEN, "")})
            answer = connection.insert(insert.head, insert.format, rows)
        except BaseException:
            connection.close()  # who knows what state it is in
            raise
        self._kept = wish, connection
        return answer

    def close(self) -> None:
        """Let go of the connection."""
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None

    def _connection(self, wish: Wish) -> Connection:
        """The kept one if it fits, else a new one; what it returns is no longer kept."""
        kept, self._kept = self._kept, None
        if kept is not None:
            if kept[0] == wish:
                return kept[1]
            kept[1].close()
        return self._fresh(*wish)

    def _fresh(self, database: str, settings: Mapping[str, str]) -> Connection:
        connection = self._engine.connection()
        try:
            connection.set(settings)
            if database:
                connection.use(database)
        except BaseException:
            connection.close()
            raise
        return connection
