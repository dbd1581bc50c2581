"""``GET /openapi.json``: the HTTP interface in OpenAPI 3.1, generated from the endpoint table."""

import re
from collections.abc import Iterable
from typing import Any, Final

from stream.collect.endpoints import Endpoint
from stream.collect.identity import operations

_ERROR: Final = {
    "type": "object",
    "required": ["success", "error"],
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "required": ["reason", "detail"],
            "properties": {"reason": {"type": "string"}, "detail": {"type": "string"}},
        },
    },
}
_SUCCESS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "json": ("application/json", {"type": "object", "properties": {"success": {"const": True}}}),
    "ok": ("text/plain", {"type": "string"}),
    "gif": ("image/gif", {"type": "string", "contentMediaType": "image/gif"}),
    "redirect": ("text/plain", {"type": "string"}),
    "page": ("text/html", {"type": "string"}),
}
_OPERATIONS: Final = (
    ("/", "What answers here: a page for browsers, else JSON", "application/json, text/html", ()),
    ("/v1/projects/{key}/settings", "What Segment's browser SDK loads before it sends", "application/json", ()),
    ("/sourceConfig/", "What RudderStack's browser SDK loads before it sends", "application/json", ()),
    ("/t.js", "The browser tracker", "text/javascript", (304,)),
    ("/healthz", "The process lives", "application/json", ()),
    ("/readyz", "The broker is reached", "application/json", (503,)),
    ("/metrics", "Figures for Prometheus", "text/plain", ()),
    ("/openapi.json", "This document", "application/json", ()),
)
_STATUS: Final = {
    304: "Not modified",
    400: "The body as a whole is unusable: not JSON, too large, broken compression; or the address is not signed",
    401: "Unknown write key, or a webhook's signature or secret is wrong; nothing was stored",
    404: "No such webhook is configured",
    503: "The broker is not there or the buffer is full: send again after Retry-After seconds",
}


def document(endpoints: Iterable[Endpoint], version: str) -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    for path, summary, content_type, statuses in _OPERATIONS:
        answers = {"200": {"description": "OK", "content": {name: {"schema": {}} for name in content_type.split(", ")}}}
        answers |= {str(status): {"description": _STATUS[status]} for status in statuses}
        paths.setdefault(path, {})["get"] = {
            "summary": summary,
            "operationId": _operation_id("get", path),
            "parameters": _path_parameters(path),
            "responses": answers,
        }
    for operation in operations.OPERATIONS:
        described = operations.operation_of(operation)
        described["parameters"] += _path_parameters(operation.path)
        described["operationId"] = _operation_id(operation.method, operation.path)
        paths.setdefault(operation.path, {})[operation.method] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Touchline collector", "version": version},
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, **operations.schemas()},
            "securitySchemes": {"writeKey": {"type": "http", "scheme": "basic"}, **operations.SECURITY},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    content_type, schema = _SUCCESS[endpoint.answer]
    statuses = [503] if endpoint.method == "GET" else [400, 503]
    if endpoint.answer == "redirect" or (endpoint.answer == "page" and endpoint.method == "GET"):
        statuses = [400]
    if endpoint.key_needed or endpoint.provider:
        statuses.append(401)
    if endpoint.provider:
        statuses.append(404)
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": _operation_id(endpoint.method, endpoint.path),
        "parameters": _path_parameters(endpoint.path),
        "responses": {
            **_answered(endpoint, content_type, schema),
            **{str(status): _error(status) for status in sorted(statuses)},
        },
    }
    if endpoint.method == "POST":
        sent = endpoint.provider.content_type if endpoint.provider else _sent(endpoint)
        operation["requestBody"] = {"required": True, "content": {sent: {"schema": {}}}}
    if endpoint.key_needed:
        operation["security"] = [{"writeKey": []}]
    return operation


def _sent(endpoint: Endpoint) -> str:
    return "application/x-www-form-urlencoded" if endpoint.answer == "page" else "application/json"


def _answered(endpoint: Endpoint, content_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    if endpoint.answer == "redirect":
        where = {"Location": {"description": "where the link leads", "schema": {"type": "string"}}}
        return {"302": {"description": "On to the page", "headers": where}}
    return {"200": {"description": "Everything is on the log", "content": {content_type: {"schema": schema}}}}


def _error(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": _STATUS[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if status == 503:  # noqa: PLR2004
        answer["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
    return answer


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _operation_id(method: str, path: str) -> str:
    named = method.lower() + re.sub(r"\W+", "_", path)
    return named if path.endswith("/") else named.rstrip("_")
