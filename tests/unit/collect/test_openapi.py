"""The OpenAPI document against what is served."""

import pytest
import schemathesis
from schemathesis.core.result import Ok

from stream.collect.app import Collector
from stream.collect.endpoints import ENDPOINTS
from stream.collect.openapi import document
from stream.settings import Config, Settings


async def test_every_documented_operation_is_served_and_every_served_one_documented():
    described = document(ENDPOINTS, "1.0.0")
    documented = {(path, method) for path, methods in described["paths"].items() for method in methods}
    collector = Collector(Settings(), Config())
    served = {
        (route.resource.canonical, route.method.lower())
        for route in collector.application().router.routes()
        if route.resource is not None and route.method not in {"OPTIONS", "HEAD"}
    }
    assert documented == served


@pytest.mark.parametrize(
    ("path", "as_served"),
    [
        # The path of Segment's SDKs for Ruby and Java.
        ("/v1/import", "/v1/batch"),
        # PostHog serves each with and without the slash; its SDKs use both.
        ("/batch", "/batch/"),
        ("/capture", "/capture/"),
        ("/i/v0/e", "/i/v0/e/"),
    ],
)
def test_other_spellings_of_a_path_are_served_alike(path, as_served):
    adapters = {endpoint.path: endpoint.events_of for endpoint in ENDPOINTS}
    assert adapters[path] is adapters[as_served]


def test_the_document_is_openapi_that_tools_read():
    schema = schemathesis.openapi.from_dict(document(ENDPOINTS, "1.0.0"))
    results = list(schema.get_all_operations())
    assert all(isinstance(result, Ok) for result in results)
    assert len(results) > 20


def test_the_answers_of_operators_are_described_member_by_member():
    described = document(ENDPOINTS, "1.0.0")
    schemas = described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items() if path.startswith("/v1/identity/") else ():
            shown = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert schemas[shown]["properties"], (method, path)
    assert "warnings" in schemas["Said"]["required"]
    assert {"protections", "warnings", "steps"} <= set(schemas["Explanation"]["required"])


def test_operation_ids_are_unique():
    described = document(ENDPOINTS, "1.0.0")
    ids = [operation["operationId"] for methods in described["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
