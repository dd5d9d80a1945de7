"""What the rules in rules.yml must find, and must not: read by `semgrep --test`, run by nobody."""

# ruff: noqa: ASYNC210, ERA001

from __future__ import annotations

import asyncio
import hmac
import random
import secrets
import ssl
import urllib.request
import uuid
from typing import Any

import httpx
import structlog

log = structlog.get_logger()


async def queries(posts: Any, tenant_id: str, post_id: str) -> None:
    # ruleid: query-without-tenant
    await posts.find_one({"_id": post_id})
    # ruleid: query-without-tenant
    posts.find({})
    # ruleid: query-without-tenant
    await posts.delete_one({"_id": post_id, "status": "draft"})
    # ruleid: query-without-tenant
    await posts.update_one({"_id": post_id}, {"$set": {"tenant_id": tenant_id}})
    # ok: query-without-tenant
    await posts.find_one({"_id": post_id, "tenant_id": tenant_id})
    # ok: query-without-tenant
    await posts.find_one({"_id": tenant_id})
    # ok: query-without-tenant
    await posts.insert_one({"_id": post_id})


def chances() -> list[object]:
    # ruleid: guessable-random, guessable-secret
    code = random.randint(0, 999_999)
    # ruleid: guessable-random
    letters = random.choices("abc", k=20)
    # ruleid: guessable-random
    name = uuid.uuid1()
    # ok: guessable-random
    pause = random.uniform(0, 1)
    # ruleid: guessable-secret
    state = str(random.random())
    # ok: guessable-random, guessable-secret
    token = secrets.token_urlsafe(32)
    # ok: guessable-secret
    luck = random.random()
    return [code, letters, name, pause, state, token, luck]


def logs(account_id: str, access_token: str, record: Any, error: Exception) -> None:
    # ruleid: secret-in-log
    log.info("renewed", value=access_token)
    # ruleid: secret-in-log
    log.warning("refused", tail=access_token[-4:])
    # ruleid: secret-in-log
    log.error(f"no good: {record.refresh_token}")
    # ruleid: secret-in-log
    log.debug("asked", sent=record.headers)
    # ok: secret-in-log
    log.info("a token was renewed", account_id=account_id, reason=str(error))


async def fetches(url: str) -> None:
    # ruleid: unguarded-fetch
    httpx.get(url)
    # ruleid: unguarded-fetch
    urllib.request.urlopen(url)
    # ruleid: unguarded-fetch
    await asyncio.open_connection(url, 443)
    # ruleid: unguarded-fetch
    async with httpx.AsyncClient() as client:
        # ruleid: followed-redirect
        await client.get(url, follow_redirects=True)
        # ok: followed-redirect
        await client.get(url, follow_redirects=False)
    # ruleid: unguarded-fetch, unverified-peer
    httpx.Client(verify=False)


def peers() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # ruleid: unverified-peer
    context.check_hostname = False
    # ruleid: unverified-peer
    context.verify_mode = ssl.CERT_NONE
    # ok: unverified-peer
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def compares(given: str, secret: str, signature: bytes, expected: bytes) -> bool:
    # ruleid: secret-compared-in-steps
    if secret == given:
        return True
    # ruleid: secret-compared-in-steps
    if signature != expected:
        return False
    # ok: secret-compared-in-steps
    return hmac.compare_digest(signature, expected)
