"""ClickHouse as the sink and the set-up see it: three verbs, one thread, no surprises from server defaults.

Every insert says explicitly what makes it idempotent, because defaults changed between versions (async inserts, which
can lose tokens, are on by default since 26.2). Names that a server does not know are left out: it would refuse them.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from schemas.errors import Fatal, Retryable
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


CONTENT_ERRORS: Final[Mapping[int, str]] = {
    6: "CANNOT_PARSE_TEXT",
    25: "CANNOT_PARSE_ESCAPE_SEQUENCE",
    26: "CANNOT_PARSE_QUOTED_STRING",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    53: "TYPE_MISMATCH",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    131: "TOO_LARGE_STRING_SIZE",
    190: "SIZES_OF_ARRAYS_DONT_MATCH",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    376: "CANNOT_PARSE_UUID",
    407: "DECIMAL_OVERFLOW",
    467: "CANNOT_PARSE_BOOL",
    675: "CANNOT_PARSE_IPV4",
    676: "CANNOT_PARSE_IPV6",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}
"""Answers that are about what a row says. All others are about the server, the table or the network, and may pass."""
_COLUMNS: Final = (
    "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}"
    " AND default_kind IN ('', 'DEFAULT') ORDER BY position"
)
# What it logs of a server that does not answer it raises as well, and that is told with what to do about it.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
_KEY: Final = re.compile(r"while reading the value of key (\w+)")


class RefusedError(Fatal):
    """The server does not take a row for what it says; of the rows that came with it, it took none either."""


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

        Raises:
            Retryable: the rows may or may not be in then, so try again with the same bytes and token.
            RefusedError.
        """
        self._insert(table, rows, insert_deduplication_token=token)

    def try_rows(self, table: str, rows: bytes) -> None:
        """Let the server read rows as it would for an insert into ``table``, and throw them away.

        Raises: as ``insert``.
        """
        columns = self.rows(_COLUMNS, table=table)
        structure = ", ".join(f"`{name}` {type_}" for name, type_ in columns)
        quoted = structure.replace("\\", "\\\\").replace("'", "\\'")
        self._insert(f"FUNCTION null('{quoted}')", rows)

    def _insert(self, target: str, rows: bytes, **settings: str) -> None:
        try:
            self._client.raw_insert(
                target, insert_block=rows, fmt="JSONEachRow", settings={**self._insert_settings, **settings}
            )
        except (ClickHouseError, HTTPError, OSError) as error:
            code = getattr(error, "code", None) or 0
            if code in CONTENT_ERRORS:
                raise RefusedError(_said(code, str(error))) from error
            raise Retryable(f"insert into {target[:40]}: {error}") from error

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


def _said(code: int, text: str) -> str:
    """What the server complains of, without what it quotes of the rows."""
    key = _KEY.search(text)
    return f"{CONTENT_ERRORS[code]} ({code})" + (f" in {key[1]}" if key else "")
