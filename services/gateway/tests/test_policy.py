"""Who may do what: every role on every route, and no route without a rule."""

from pathlib import Path
from typing import Any

import pytest

from gateway import access, policy
from gateway.operations import OPERATIONS
from gateway.policy import BASE, POLICY, PUBLIC, ROLES, RouteTable, UnguardedRouteError, check_complete

GUARDED = [(method, path) for (method, path), roles in POLICY.items() if roles != PUBLIC]


def concrete(path: str) -> str:
    names = ("post_id", "publish_id", "thread_id", "command_id", "account_id", "platform", "asset")
    for name in (*names, "webhook_id", "delivery_id"):
        path = path.replace(f"{{{name}}}", "x")
    return path


def test_the_roles_are_those_of_the_contract() -> None:
    assert ROLES == (
        "creator",
        "content_manager",
        "manager",
        "tenant_admin",
        "platform_admin",
        "system_admin",
        "super_admin",
    )


def test_only_documentation_and_liveness_are_public() -> None:
    public = {path for (_, path), roles in POLICY.items() if roles == PUBLIC}
    callback = f"{BASE}/accounts/callback/{{platform}}"
    files = f"{BASE}/media/files/{{token}}/{{name}}"
    assert public == {
        "/docs",
        "/docs/{asset}",
        "/openapi.json",
        "/livez",
        "/docs/events",
        "/asyncapi.json",
        callback,
        files,
    }


def test_the_reviewed_page_says_what_the_policy_does() -> None:
    reviewed = (Path(__file__).parents[3] / "docs" / "access.md").read_text()
    assert reviewed == access.page(), f"The policy has changed: read what follows, then renew with `{access.RENEW}`."


def test_the_page_tells_roles_apart() -> None:
    some = {("GET", "/a"): PUBLIC, ("PUT", "/b"): frozenset({"creator", "super_admin"})}
    *_, public, guarded = access.page(some).splitlines()
    assert public.count("public") == len(ROLES)
    assert [cell.strip() for cell in guarded.split("|")[3:-1]] == ["yes", "", "", "", "", "", "yes"]


def test_a_route_without_a_policy_cannot_start() -> None:
    with pytest.raises(UnguardedRouteError):
        check_complete({*POLICY, ("GET", "/secret")})
    with pytest.raises(UnguardedRouteError):
        check_complete(set(POLICY) - {("GET", "/livez")})


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_each_role_gets_past_the_policy_exactly_where_it_is_named(world: Any, method: str, path: str) -> None:
    for role in (*ROLES, "viewer", "Creator", ""):
        async with world.client(roles=[role], sub=f"user-{role}") as api:
            answer = await api.request(method, f"http://gateway{concrete(path)}")
        allowed = role in POLICY[method, path]
        assert (answer.status_code == 403) != allowed, (role, answer.text)
        if not allowed and method != "HEAD":
            assert answer.json()["code"] == "forbidden_role"


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_without_a_token_nothing_guarded_answers(world: Any, method: str, path: str) -> None:
    async with world.client() as api:
        del api.headers["authorization"]
        answer = await api.request(method, f"http://gateway{concrete(path)}")
    assert answer.status_code == 401


async def test_the_public_ones_need_no_token(world: Any) -> None:
    async with world.client() as api:
        del api.headers["authorization"]
        for path in ("/docs", "/docs/docs.js", "/openapi.json", "/livez"):
            assert (await api.get(f"http://gateway{path}")).status_code == 200


def test_literal_segments_win_over_parameters() -> None:
    table = RouteTable()
    assert table.find(f"{BASE}/posts/validate").template == f"{BASE}/posts/validate"
    assert table.find(f"{BASE}/posts/validate/history").template == f"{BASE}/posts/{{post_id}}/history"
    for nothing in ("", "/", BASE, f"{BASE}/posts/", f"{BASE}//posts", f"{BASE}/posts/a/b", "/docs/a/b"):
        assert table.find(nothing) is None


def test_every_guarded_route_is_documented() -> None:
    files = ("GET", f"{BASE}/media/files/{{token}}/{{name}}")
    assert {(operation.method, operation.path) for operation in OPERATIONS} == {*GUARDED, files}
    assert policy.BASE == "/api/v1/creator/social"
