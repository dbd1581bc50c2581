"""ClickHouse as the sink and the set-up see it: three verbs, one thread, no surprises from server defaults.

Every insert says explicitly what makes it idempotent, because defaults changed between versions (async inserts, which
can lose tokens, are on by default since 26.2). Names that a server does not know are left out: it would refuse them.
"""

from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from schemas.errors import Retryable
from stream.settings import Settings

INSERT_SETTINGS: Final[dict[str, int | str]] = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_insert": "enable",
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "materialized_views_ignore_errors": 0,
    # One part a block and table partition: tokens of split blocks would depend on how the server splits.
    "max_insert_threads": 1,
    "max_insert_block_size": 1_048_576,
    "min_insert_block_size_rows": 1_048_576,
    "min_insert_block_size_bytes": 1 << 30,
    "input_format_parallel_parsing": 0,
    # Old dates touch many months; refusing them would block the sink for ever.
    "max_partitions_per_insert_block": 0,
    "input_format_json_read_objects_as_strings": 1,
    # A newer worker may already write a column that this server's migration has not added yet.
    "input_format_skip_unknown_fields": 1,
}


class ClickHouse:
    """One connection. Not to be shared between threads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        known = {str(row[0]) for row in self.rows("SELECT name FROM system.settings")}
        self._insert_settings = {name: value for name, value in INSERT_SETTINGS.items() if name in known}

    @classmethod
    def connect(cls, settings: Settings, *, database: str | None = None) -> "ClickHouse":
        """Connect to the server of ``settings``; ``database`` instead of the configured one.

        Raises: Retryable if nothing answers there.
        """
        try:
            client = clickhouse_connect.get_client(
                dsn=settings.clickhouse_url,
                username=settings.clickhouse_user,
                password=settings.clickhouse_password,
                database=settings.database if database is None else database,
                autogenerate_session_id=False,
                query_limit=0,
                send_receive_timeout=120,
            )
        except (ClickHouseError, HTTPError, OSError) as error:
            raise Retryable(f"ClickHouse at {settings.clickhouse_url}: {error}") from error
        return cls(client)

    def insert(self, table: str, rows: bytes, token: str) -> None:
        """Insert JSONEachRow bytes. A second insert with the same token into the same table does nothing.

        Raises: Retryable; the rows may or may not be in then, so try again with the same bytes and token.
        """
        try:
            self._client.raw_insert(
                table,
                insert_block=rows,
                fmt="JSONEachRow",
                settings={**self._insert_settings, "insert_deduplication_token": token},
            )
        except (ClickHouseError, HTTPError, OSError) as error:
            raise Retryable(f"insert into {table}: {error}") from error

    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query; ``{name:Type}`` in it takes the parameter of that name.

        Raises: Retryable.
        """
        try:
            return [tuple(row) for row in self._client.query(sql, parameters=parameters).result_rows]
        except (ClickHouseError, HTTPError, OSError) as error:
            raise Retryable(f"query: {error}") from error

    def command(self, sql: str, **parameters: Any) -> None:
        """Run one statement that answers nothing; parameters as for ``rows``.

        Raises: Retryable.
        """
        try:
            self._client.command(sql, parameters=parameters)
        except (ClickHouseError, HTTPError, OSError) as error:
            raise Retryable(f"command: {error}") from error

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()
