"""Connected accounts as the gateway shows them, and what becomes of posts when a platform refuses one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from contracts.ids import new_id

pytestmark = pytest.mark.stack


def test_accounts_are_listed_with_every_field(client: Any, twitter: Any, linkedin: Any) -> None:
    accounts = {account["id"]: account for account in client.get("/accounts")["accounts"]}
    assert set(accounts) == {twitter.id, linkedin.id}
    account = accounts[twitter.id]
    assert account["platform"] == "twitter"
    assert account["username"] == "@mycompany"
    assert account["display_name"] == "My Company"
    assert "profile_image" in account
    assert account["followers"] == 15_420
    assert account["status"] == "connected"
    assert datetime.fromisoformat(account["connected_at"]) <= datetime.now(UTC)
    assert account["permissions"] == ["post", "comment", "read_analytics"]
    assert accounts[linkedin.id]["account_type"] == "company_page"
    assert accounts[linkedin.id]["username"] == "my-company"
    assert [each["id"] for each in client.get("/accounts", platform="linkedin")["accounts"]] == [linkedin.id]
    assert client.get("/accounts", status="disconnected")["accounts"] == []


def test_the_callers_token_is_in_no_log(client: Any, stack: Any) -> None:
    answer = client.request("GET", "/accounts").text
    assert "token" not in answer
    for service in ("gateway", "posts", "publisher"):
        logs = stack.logs(service)
        assert client.token not in logs
        assert "Bearer " not in logs


def test_revoked_tokens_disconnect_the_account_and_say_so(stranger: Any, stack: Any, connect: Any) -> None:
    client = stranger
    account = connect(client.tenant, "linkedin", username="gone")
    revoked = httpx.post(f"{stack.sandbox_url}/_sandbox/accounts/{account.platform_user_id}/revoke", trust_env=False)
    assert revoked.status_code == 204
    body = {
        "content": {"text": f"To nobody {new_id('n')}"},
        "platforms": [{"platform": "linkedin", "account_id": account.id}],
    }
    answer = client.post("/publish", body, status=201)
    client.settled(answer["post_id"], "failed")
    (target,) = client.get(f"/publish/{answer['publish_id']}")["platforms"]
    assert target["error"]["code"] == "account_disconnected"
    (listed,) = client.get("/accounts", status="disconnected")["accounts"]
    assert listed["id"] == account.id
    client.refused(401, "account_disconnected", "POST", "/publish", body)


def test_an_unknown_account_and_another_tenants(client: Any, stranger: Any, twitter: Any) -> None:
    for account_id in (twitter.id, new_id("acc")):
        body = {
            "content": {"text": "Not mine"},
            "platforms": [{"platform": "twitter", "account_id": account_id}],
        }
        stranger.refused(404, "account_not_found", "POST", "/publish", body)
    assert stranger.get("/accounts")["accounts"] == []
