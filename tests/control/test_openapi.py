"""Requests drawn from the server's own OpenAPI description: none ends as an error of the server."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.harness.control_client import TOKEN, Client

ROUTES = 11


@pytest.mark.slow
def test_no_request_ends_as_an_error_of_the_server(client: Client) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{client.port}/openapi.json", headers=headers)
    operations = [operation.ok() for operation in schema.get_all_operations()]
    assert len(operations) >= ROUTES
    for operation in operations:
        if operation.path.endswith("/restart"):
            continue  # a storm of restarts says nothing about requests

        @settings(max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def answers(case: schemathesis.Case) -> None:
            assert case.call(headers=headers).status_code < 500 or case.path == "/readyz"

        answers()
