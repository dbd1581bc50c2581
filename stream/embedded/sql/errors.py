"""Errors in ClickHouse's words: code, text, and the HTTP status that its server answers them with."""

import re
from typing import Final

SYNTAX_ERROR: Final = 62
UNKNOWN_FORMAT: Final = 73
NOT_IMPLEMENTED: Final = 48
TOO_MANY_QUERIES: Final = 202
TOO_LARGE: Final = 307
ACCESS_DENIED: Final = 497
AUTHENTICATION_FAILED: Final = 516
UNKNOWN_SETTING: Final = 115
BAD_REQUEST: Final = 36
READONLY: Final = 164
CANNOT_DECOMPRESS: Final = 271
LOGICAL_ERROR: Final = 49

_NAMES: Final = {
    SYNTAX_ERROR: "SYNTAX_ERROR",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    TOO_MANY_QUERIES: "TOO_MANY_SIMULTANEOUS_QUERIES",
    TOO_LARGE: "TOO_MANY_BYTES",
    ACCESS_DENIED: "ACCESS_DENIED",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
    UNKNOWN_SETTING: "UNKNOWN_SETTING",
    BAD_REQUEST: "BAD_ARGUMENTS",
    READONLY: "READONLY",
    CANNOT_DECOMPRESS: "CANNOT_DECOMPRESS",
    LOGICAL_ERROR: "LOGICAL_ERROR",
}

# As ClickHouse's HTTPHandler maps them (by name, since texts carry the name too); everything else is 500.
_STATUS: Final = {
    401: ("REQUIRED_PASSWORD",),
    403: ("UNKNOWN_USER", "WRONG_PASSWORD", "AUTHENTICATION_FAILED", "SET_NON_GRANTED_ROLE", "ACCESS_DENIED"),
    400: (
        "BAD_ARGUMENTS", "CANNOT_COMPILE_REGEXP", "CANNOT_PARSE_TEXT", "CANNOT_PARSE_ESCAPE_SEQUENCE",
        "CANNOT_PARSE_QUOTED_STRING", "CANNOT_PARSE_DATE", "CANNOT_PARSE_DATETIME", "CANNOT_PARSE_NUMBER",
        "CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING", "CANNOT_PARSE_IPV4", "CANNOT_PARSE_IPV6", "CANNOT_PARSE_UUID",
        "CANNOT_PARSE_INPUT_ASSERTION_FAILED", "ILLEGAL_TYPE_OF_ARGUMENT", "SYNTAX_ERROR", "INCORRECT_DATA",
        "TYPE_MISMATCH", "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE", "BAD_QUERY_PARAMETER", "CANNOT_DECOMPRESS",
    ),
    404: (
        "UNKNOWN_TABLE", "UNKNOWN_FUNCTION", "UNKNOWN_IDENTIFIER", "UNKNOWN_TYPE", "UNKNOWN_STORAGE",
        "UNKNOWN_DATABASE", "UNKNOWN_SETTING", "UNKNOWN_DIRECTION_OF_SORTING", "UNKNOWN_AGGREGATE_FUNCTION",
        "UNKNOWN_FORMAT", "UNKNOWN_DATABASE_ENGINE", "UNKNOWN_TYPE_OF_QUERY", "NO_ELEMENTS_IN_CONFIG",
    ),
    408: ("TIMEOUT_EXCEEDED",),
    413: ("QUERY_IS_TOO_LARGE", "TOO_MANY_BYTES"),
    501: ("NOT_IMPLEMENTED",),
    503: ("TOO_MANY_SIMULTANEOUS_QUERIES",),
}  # fmt: skip
_STATUS_OF: Final = {name: status for status, names in _STATUS.items() for name in names}

_TEXT = re.compile(r"Code: (\d+)\. (?:DB::Exception: )?.*?\((\w+)\)(?: \(version [^)]*\))?\s*\Z", re.DOTALL)


class QueryError(Exception):
    """A query that ClickHouse would answer with an exception; ``str()`` is the text of the answer."""

    def __init__(self, code: int, message: str, name: str = "") -> None:
        self.code = code
        self.name = name or _NAMES[code]
        super().__init__(f"Code: {code}. DB::Exception: {message} ({self.name})")

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        return _STATUS_OF.get(self.name, 500)


class EngineError(QueryError):
    """What the engine itself said; its text is passed on as it is."""

    def __init__(self, text: str) -> None:
        found = _TEXT.match(text)
        super().__init__(int(found[1]) if found else LOGICAL_ERROR, text, found[2] if found else "LOGICAL_ERROR")
        if found:
            self.args = (text.rstrip(),)
