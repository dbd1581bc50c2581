"""Answers in ClickHouse's form: headers, content types and error texts."""

from typing import Final

import msgspec
from aiohttp import web

from stream.embedded.sql.codings import SMALLEST_BYTES, chosen, pack
from stream.embedded.sql.errors import QueryError
from stream.embedded.sql.execution import Outcome

DISPLAY_NAME: Final = "touchline"

_TSV: Final = "text/tab-separated-values; charset=UTF-8"
_JSON: Final = "application/json; charset=UTF-8"
_LINES: Final = "application/x-ndjson; charset=UTF-8"
_PLAIN: Final = "text/plain; charset=UTF-8"


def content_type(name: str) -> str:
    """MIME type of one of ClickHouse's formats."""
    if name.startswith(("TabSeparated", "TSV")):
        return _TSV
    if name.startswith("CSV"):
        return f"text/csv; charset=UTF-8; header={'present' if 'WithNames' in name else 'absent'}"
    if name.startswith(("JSON", "PrettyJSON", "PrettyNDJSON")):
        return _LINES if name.endswith("EachRow") or "EachRowWith" in name else _JSON
    if name.startswith(("Pretty", "Vertical", "Values", "Markdown", "TSKV", "SQLInsert")):
        return _PLAIN
    return {"XML": "application/xml; charset=UTF-8", "Null": _PLAIN}.get(name, "application/octet-stream")


def common_headers(query_id: str, timezone: str) -> dict[str, str]:
    """Headers of every answer to a query."""
    return {
        "X-ClickHouse-Query-Id": query_id,
        "X-ClickHouse-Server-Display-Name": DISPLAY_NAME,
        "X-ClickHouse-Timezone": timezone,
    }


def success(outcome: Outcome, headers: dict[str, str], accept_encoding: str) -> web.Response:
    """The rows, packed if the client takes it and it pays."""
    headers = headers | {"X-ClickHouse-Summary": _summary(outcome)}
    if outcome.format:
        headers |= {"X-ClickHouse-Format": outcome.format, "Content-Type": content_type(outcome.format)}
    else:
        headers["Content-Type"] = _PLAIN
    body, coding = outcome.answer.body, chosen(accept_encoding)
    if coding and len(body) >= SMALLEST_BYTES:
        body = pack(body, coding)
        headers |= {"Content-Encoding": coding, "Vary": "Accept-Encoding"}
    return web.Response(body=body, headers=headers)


def failure(error: QueryError, headers: dict[str, str], version: str) -> web.Response:
    """The error as ClickHouse words it."""
    headers = headers | {"X-ClickHouse-Exception-Code": str(error.code), "Content-Type": _PLAIN}
    # A lone surrogate of a hostile URL may be in the text.
    text = f"{error} (version {version})\n".encode("utf-8", "replace")
    return web.Response(status=error.status, body=text, headers=headers)


def _summary(outcome: Outcome) -> str:
    counted = outcome.answer
    return msgspec.json.encode(
        {
            "read_rows": str(counted.read_rows),
            "read_bytes": str(counted.read_bytes),
            "written_rows": str(counted.written_rows),
            "written_bytes": str(counted.written_bytes),
            "total_rows_to_read": "0",
            "result_rows": str(counted.result_rows),
            "result_bytes": str(len(counted.body)),
            "elapsed_ns": str(int(counted.elapsed_s * 1e9)),
        }
    ).decode()
