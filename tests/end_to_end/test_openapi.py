"""The OpenAPI document against the running gateway: no 500, no answer it does not mention."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contracts.ids import new_id

pytestmark = pytest.mark.stack

schema = schemathesis.pytest.from_fixture("document")


@pytest.fixture(scope="session")
def document(stack: Any) -> Any:
    return schemathesis.openapi.from_url(f"{stack.gateway_url}/openapi.json")


@pytest.fixture(scope="session")
def headers(stack: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.token(tenant=new_id('fuzz'))}"}


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case: Any, headers: dict[str, str]) -> None:
    case.headers = {**(case.headers or {}), **headers}
    response = case.call()
    case.validate_response(
        response,
        checks=(not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance),
    )


def test_the_documentation_needs_no_other_server(stack: Any) -> None:
    page = httpx.get(f"{stack.gateway_url}/docs", trust_env=False, follow_redirects=True)
    assert page.status_code == 200
    assert "https://" not in page.text
    assert httpx.get(f"{stack.gateway_url}/openapi.json", trust_env=False).json()["openapi"].startswith("3.1")
