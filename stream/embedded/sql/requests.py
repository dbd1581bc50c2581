"""What a request asks for: ClickHouse's URL parameters and headers as one value. Pure."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from stream.embedded.sql.errors import BAD_REQUEST, NOT_IMPLEMENTED, QueryError
from stream.embedded.sql.guard import refuse_setting

DEFAULT_FORMAT: Final = "TabSeparated"

# Of the HTTP interface itself, not settings of the engine. Sessions are accepted and not kept: every query starts
# from the defaults. wait_end_of_query is how we always answer.
_OF_THE_INTERFACE: Final = frozenset({
    "query", "database", "default_format", "user", "password", "session_id", "session_check", "session_timeout",
    "close_session", "compress", "decompress", "buffer_size", "wait_end_of_query", "query_id", "quota_key",
    "stacktrace", "client_protocol_version", "framing_version", "role",
})  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Query(msgspec.Struct, frozen=True):
    """A query as it was asked. ``sql`` is the ``query`` parameter; a body may follow it."""

    sql: str = ""
    database: str = ""
    format: str = DEFAULT_FORMAT
    settings: dict[str, str] = {}
    """Settings of the engine and ``param_*``, as given."""
    query_id: str = ""
    revision: int = 0
    """``client_protocol_version``: which Native format the client reads."""
    readonly: str = ""
    """"1", "2" or "" (may write). GET and HEAD never write, as in ClickHouse."""


def query_of(method: str, parameters: Mapping[str, str], headers: Mapping[str, str]) -> Query:
    """The query of a request.

    Raises: QueryError for what this server does not do, and for names that cannot be settings.
    """
    for name in ("compress", "decompress"):
        if parameters.get(name, "0") not in ("0", "false", ""):
            raise QueryError(
                NOT_IMPLEMENTED,
                f"{name}=1 (ClickHouse's own block compression) is not supported here; use Content-Encoding and "
                "Accept-Encoding with lz4, zstd, gzip or deflate",
            )
    if parameters.get("role"):
        raise QueryError(NOT_IMPLEMENTED, "Roles are not supported by the embedded server")
    settings = {name: value for name, value in parameters.items() if name not in _OF_THE_INTERFACE}
    for name in settings:
        _check(name)
    return Query(
        parameters.get("query", ""),
        parameters.get("database") or headers.get("X-ClickHouse-Database", ""),
        parameters.get("default_format") or headers.get("X-ClickHouse-Format", "") or DEFAULT_FORMAT,
        settings,
        parameters.get("query_id", ""),
        _revision(parameters.get("client_protocol_version", "")),
        _readonly(method, settings.pop("readonly", "0")),
    )


def _readonly(method: str, asked: str) -> str:
    if asked in ("1", "2"):
        return asked
    if asked not in ("0", ""):
        raise QueryError(BAD_REQUEST, "readonly is 0, 1 or 2")
    return "" if method == "POST" else "2"


def _revision(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004
        raise QueryError(BAD_REQUEST, "client_protocol_version is a number")
    return int(text or 0)


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise QueryError(BAD_REQUEST, f"{name[:64]!r} cannot be the name of a setting")
    refuse_setting(name)
