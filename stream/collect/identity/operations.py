"""``/v1/identity`` in OpenAPI's words."""

from typing import Any, Final, NamedTuple

import msgspec

from stream.collect.identity.answered import Explanation, Previewed, Said
from stream.collect.identity.orders import Link, Merge
from stream.collect.identity.shapes import Preview

SECURITY: Final = {"operatorKey": {"type": "http", "scheme": "bearer", "description": "key of one of [[operators]]"}}
_REF: Final = "#/components/schemas/{name}"


class Operation(NamedTuple):
    """One operation."""

    method: str
    path: str
    summary: str
    answer: type[msgspec.Struct]
    body: type[msgspec.Struct] | None = None
    query: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()


OPERATIONS: Final = (
    Operation("post", "/v1/identity/links", "Say that one identifier belongs to another", Said, Link),
    Operation(
        "delete",
        "/v1/identity/links",
        "Take back all claims from child to parent",
        Said,
        query=("child", "parent", "reason"),
        statuses=(404, 409),
    ),
    Operation(
        "delete",
        "/v1/identity/links/{id}",
        "Take a claim back, whoever made it",
        Said,
        query=("child", "reason"),
        statuses=(404, 409),
    ),
    Operation("post", "/v1/identity/merges", "Say that one account is another", Said, Merge),
    Operation(
        "delete",
        "/v1/identity/merges",
        "Take back all merges of loser into winner",
        Said,
        query=("loser", "winner", "reason"),
        statuses=(404,),
    ),
    Operation("delete", "/v1/identity/merges/{id}", "Take a merge back", Said, query=("reason",), statuses=(404,)),
    Operation(
        "post",
        "/v1/identity/preview",
        "What would move; nothing is changed",
        Previewed,
        Preview,
        statuses=(404, 409, 422),
    ),
    Operation(
        "get",
        "/v1/identity/{node}",
        "Whose an identifier (user:7, touch:ID, ...) is at a time, and why; of an account also what it is made of",
        Explanation,
        query=("at",),
        statuses=(404,),
    ),
)
_STATUS: Final = {
    400: "It cannot be said so; the detail says how",
    401: "Not the key of an operator",
    403: "No operator is configured",
    404: "There is nothing of that name",
    409: "It is not clear, or not possible, to take that back",
    422: "Too many identifiers belong to it to predict at once",
    503: "The broker or ClickHouse does not answer: send again after Retry-After seconds",
}


def schemas() -> dict[str, Any]:
    """Shapes of bodies and answers."""
    used = [shape for o in OPERATIONS for shape in (o.body, o.answer) if shape is not None]
    _, components = msgspec.json.schema_components(used, ref_template=_REF)
    return components


def operation_of(operation: Operation) -> dict[str, Any]:
    """Body, parameters and answers of one operation."""
    statuses = sorted({400, 401, 403, 503, *operation.statuses})
    described: dict[str, Any] = {
        "summary": operation.summary,
        "security": [{"operatorKey": []}],
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in operation.query
        ],
        "responses": {"200": {"description": "Said, or answered", "content": _json(operation.answer)}}
        | {str(status): _error(status) for status in statuses},
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json(operation.body)}
    return described


def _json(shape: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(name=shape.__name__)}}}


def _error(status: int) -> dict[str, Any]:
    return {
        "description": _STATUS[status],
        "content": {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}},
    }
