"""Accounts for development and tests: made up by the sandbox, then connected as a real authorisation would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Literal, TypedDict, Unpack

import httpx
import msgspec
from msgspec import Struct

from contracts.content import Platform
from contracts.ids import new_id
from localstack.keys import Keys
from localstack.services import environments
from localstack.settings import Settings

_CONNECT_WITHIN_SECONDS = 60.0


class AccountNotConnectedError(RuntimeError):
    """The sandbox or the publisher refused; the message holds their words."""


class ConnectedAccount(Struct, frozen=True, kw_only=True):
    """`account_id` is ours, `platform_user_id` the platform's own: the sandbox's ledger goes by that."""

    account_id: str
    platform: Platform
    platform_user_id: str
    username: str


class AccountOptions(TypedDict, total=False):
    """What the sandbox lets an account be; LinkedIn accounts are organizations unless told otherwise."""

    username: str
    display_name: str
    followers: int
    kind: Literal["organization", "member"]
    premium: bool
    scopes: list[str]
    token_expires_in: int


_PAGE_SCOPES = (
    "w_organization_social",
    "r_organization_social",
    "w_organization_social_feed",
    "r_organization_social_feed",
    "rw_organization_admin",
    "r_basicprofile",
)
_DEFAULTS: AccountOptions = {"username": "acme", "display_name": "Acme", "followers": 15_000}


class _SandboxAccount(Struct, frozen=True, kw_only=True):
    platform_user_id: str
    access_token: str
    refresh_token: str | None = None


def create_and_connect(
    settings: Settings,
    keys: Keys,
    tenant: str,
    platform: Platform,
    *,
    account_id: str | None = None,
    **options: Unpack[AccountOptions],
) -> ConnectedAccount:
    """A new account at the sandbox, which `tenant` can use when this returns. Raises AccountNotConnectedError."""
    chosen: AccountOptions = {**_DEFAULTS, **options}
    if platform == "linkedin":
        chosen.setdefault("kind", "organization")
        if chosen["kind"] == "organization":
            chosen.setdefault("scopes", list(_PAGE_SCOPES))
    made = _create(settings.sandbox_url, {"platform": platform, **chosen})
    account_id = account_id or new_id("acc")
    _connect(
        environments(settings, keys)["publisher"],
        {
            "tenant_id": tenant,
            "platform": platform,
            "account_id": account_id,
            "platform_user_id": made.platform_user_id,
            "username": chosen["username"],
            "display_name": chosen["display_name"],
            "followers": chosen["followers"],
            "account_type": "company_page" if chosen.get("kind") == "organization" else "profile",
            "permissions": ["post", "comment", "read_analytics"],
            "access_token": made.access_token,
            "refresh_token": made.refresh_token,
            "profile_image": None,
        },
    )
    return ConnectedAccount(
        account_id=account_id, platform=platform, platform_user_id=made.platform_user_id, username=chosen["username"]
    )


def _create(sandbox_url: str, asked: Mapping[str, object]) -> _SandboxAccount:
    try:
        answer = httpx.post(f"{sandbox_url}/_sandbox/accounts", json=asked, trust_env=False)
    except httpx.HTTPError as failure:
        raise AccountNotConnectedError(f"the sandbox at {sandbox_url} does not answer: {failure!r}") from failure
    if answer.status_code != httpx.codes.CREATED:
        raise AccountNotConnectedError(
            f"the sandbox made no {asked['platform']} account: {answer.status_code} {answer.text}"
        )
    return msgspec.json.decode(answer.content, type=_SandboxAccount)


def _connect(publisher_environment: Mapping[str, str], account: Mapping[str, object]) -> None:
    try:
        subprocess.run(
            (sys.executable, "-m", "publisher", "connect"),
            check=True,
            input=msgspec.json.encode(account),
            capture_output=True,
            env={**os.environ, **publisher_environment},
            timeout=_CONNECT_WITHIN_SECONDS,
        )
    except subprocess.TimeoutExpired as expired:
        raise AccountNotConnectedError(f"the publisher needed more than {expired.timeout:g} s to connect") from None
    except subprocess.CalledProcessError as failure:
        words = failure.stderr.decode(errors="replace").strip()
        raise AccountNotConnectedError(
            f"the publisher did not connect the {account['platform']} account: {words}"
        ) from None
