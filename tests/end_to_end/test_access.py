"""Who may do what: every route, with every role, without a token, with a token of somebody else's making."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from contracts.ids import new_id
from gateway.policy import POLICY, PUBLIC, ROLES

pytestmark = pytest.mark.stack

GUARDED = sorted(route for route, roles in POLICY.items() if roles is not PUBLIC)


def path(template: str) -> str:
    for name in ("post", "publish", "thread", "command"):
        template = template.replace(f"{{{name}_id}}", new_id(name if name != "publish" else "pub"))
    return template


@pytest.mark.parametrize(("method", "template"), GUARDED, ids=[f"{method} {template}" for method, template in GUARDED])
def test_every_guarded_route_asks_for_a_token_and_a_role(stack: Any, method: str, template: str) -> None:
    url = stack.gateway_url + path(template)

    def answer(**headers: str) -> httpx.Response:
        """Of a success only the status: a feed of events never ends."""
        headers = {"Idempotency-Key": new_id("key"), **headers}
        with httpx.stream(method, url, headers=headers, trust_env=False, timeout=30) as answered:
            if answered.is_error:
                answered.read()
            return answered

    def code(answer: httpx.Response) -> str:
        """HEAD is answered without a body."""
        told = {401: "unauthenticated", 403: "forbidden_role"}
        return told[answer.status_code] if method == "HEAD" else str(answer.json()["code"])

    nobody = answer()
    assert (nobody.status_code, code(nobody)) == (401, "unauthenticated")
    assert nobody.headers["www-authenticate"].startswith("Bearer")
    assert answer(Authorization="Bearer not.a.token").status_code == 401
    for role in (*ROLES, "viewer"):
        answered = answer(Authorization=f"Bearer {stack.token(role=role, tenant=new_id('tenant'))}")
        if role in POLICY[method, template]:
            assert answered.status_code not in {401, 403, 500}, (role, answered.status_code)
        else:
            assert (answered.status_code, code(answered)) == (403, "forbidden_role")


def test_a_token_with_a_changed_claim_is_refused(stack: Any) -> None:
    head, _, signature = stack.token(tenant="one").split(".")
    _, claims, _ = stack.token(tenant="two").split(".")
    answer = httpx.get(
        f"{stack.gateway_url}/api/v1/creator/social/posts",
        headers={"Authorization": f"Bearer {head}.{claims}.{signature}"},
        trust_env=False,
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
