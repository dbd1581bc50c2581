"""ClickHouse as ``/v1/identity`` asks it: one question at a time, over HTTP, with parameters, answers as rows.

Not the sink's client: that one blocks, and the collector's loop must not wait.
"""

from collections.abc import Iterable
from typing import Any, Final

import aiohttp
import msgspec

from schemas.errors import Retryable
from stream.settings import Settings

_TIMEOUT: Final = aiohttp.ClientTimeout(total=60)
_rows: Final = msgspec.json.Decoder(dict[str, Any])
Parameter = str | int | Iterable[str]


class Questions:
    """One for the collector; connects when it is first asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: aiohttp.ClientSession | None = None

    async def rows(self, sql: str, **parameters: Parameter) -> list[dict[str, Any]]:
        """Rows of a query; ``{name:Type}`` in it takes the parameter of that name. 64-bit integers come as integers.

        Raises: Retryable if ClickHouse does not answer, or answers with an error.
        """
        settings = self._settings
        if self._client is None:
            credentials = {
                "X-ClickHouse-User": settings.clickhouse_user,
                "X-ClickHouse-Key": settings.clickhouse_password,
            }
            self._client = aiohttp.ClientSession(timeout=_TIMEOUT, headers=credentials)
        # In the body: a list of identifiers may be longer than an address may be.
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("query", sql)
        for name, value in parameters.items():
            form.add_field(f"param_{name}", literal(value))
        given = {
            "database": settings.database,
            "default_format": "JSONEachRow",
            "output_format_json_quote_64bit_integers": "0",
            "output_format_json_quote_decimals": "1",
        }
        try:
            async with self._client.post(settings.clickhouse_url, params=given, data=form) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Retryable(f"ClickHouse at {settings.clickhouse_url} does not answer: {error!r}") from error
        if answer.status != 200:  # noqa: PLR2004
            raise Retryable(f"ClickHouse at {settings.clickhouse_url}: {body[:500].decode('utf-8', 'replace')}")
        return _rows.decode_lines(body)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.close()


def literal(value: Parameter) -> str:
    r"""A parameter as ClickHouse reads it.

    >>> print(literal(["a'b", "c"]), literal(5), literal("a\tb"))
    ['a\'b','c'] 5 a\tb
    """
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    quoted = (one.replace("\\", "\\\\").replace("'", "\\'") for one in value)
    return "[" + ",".join(f"'{one}'" for one in quoted) + "]"
