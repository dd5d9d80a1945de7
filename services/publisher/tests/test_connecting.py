"""Connecting inside the publisher: bound to who began it, once, and never with anybody else's tokens."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import msgspec
import pytest

from chassis import store
from chassis.sealing import Keyring
from contracts import connections
from contracts.accounts import Account, ConnectAccount
from contracts.connections import (
    AccountCall,
    BeginConnection,
    CompleteConnection,
    ConnectionCompleted,
    SelectConnection,
)
from contracts.ids import new_id
from contracts.messages import Command
from contracts.verdicts import CommandRefused, Refusal
from contracts.wire import Envelope
from eventlog.aggregate import NotFound
from eventlog.chain import Stored, advance
from eventlog.documents import to_document
from eventlog.sending import NotAppendedError
from publisher.adapters.account_log import AccountLog
from publisher.adapters.attempts import Attempts, hashed
from publisher.adapters.http import new_client
from publisher.adapters.oauth.registry import providers
from publisher.adapters.renewal import FreshTokens
from publisher.adapters.vault import Vault
from publisher.connecting import Connecting
from publisher.domain.account import AccountAggregate
from publisher.domain.connection import ConnectError
from publisher.entrypoints.internal import create_app
from publisher.oauth_settings import OAuthSettings

pytestmark = pytest.mark.stack

REDIRECT_URI = "http://localhost:3000/oauth/callback"
KEYRING = Keyring("k1", {"k1": os.urandom(32)})


class Log:
    """The accounts' log and its owner in one: decides by the real rules, at once."""

    def __init__(self, database: Any) -> None:
        self.sent: list[Command] = []
        self.is_down = False
        self._collection = database["accounts"]
        self._aggregate = AccountAggregate()
        self._stored: dict[str, Stored[Account]] = {}

    async def send(self, topic: str, key: str, command: Command, *, command_id: str, tenant_id: str | None) -> None:
        if self.is_down:
            raise NotAppendedError("no broker")
        self.sent.append(command)
        before = self._stored.get(key)
        if before is not None and before.remembers(command_id) is not None:
            return
        decision = self._aggregate.decide(before.state if before else None, command)
        if decision is None or isinstance(decision, NotFound):
            return
        event = (
            CommandRefused(command_type=command.type_name, refusal=decision)
            if isinstance(decision, Refusal)
            else decision
        )
        envelope = Envelope(
            id=new_id("evt"),
            source="test",
            subject=key,
            time=datetime.now(UTC),
            sequence=(before.version if before else 0) + 1,
            previous_id=before.event_id if before else None,
            command_id=command_id,
        )
        self._stored[key] = after = advance(self._aggregate, before, envelope, event, 0)
        document = to_document(self._aggregate, 0, after)
        await self._collection.replace_one({"_id": key}, document, upsert=True)


class Scene:
    def __init__(self, url: str, database: Any, secret_file: Path) -> None:
        self.control = httpx.AsyncClient(base_url=f"{url}/_sandbox", trust_env=False)
        self.browser = httpx.AsyncClient(trust_env=False, follow_redirects=False)
        self.http = new_client("", timeout=5.0)
        self.database = database
        self.log = Log(database)
        self.ahead = timedelta()
        settings = OAuthSettings(
            kafka_bootstrap="-",
            mongodb_uri="-",
            x_client_id="app",
            x_authorize_url=f"{url}/x/i/oauth2/authorize",
            x_api_base=f"{url}/x",
            linkedin_pages_client_id="pages",
            linkedin_pages_client_secret_file=secret_file,
            linkedin_authorize_url=f"{url}/linkedin/oauth/v2/authorization",
            linkedin_token_url=f"{url}/linkedin/oauth/v2/accessToken",
            linkedin_api_base=f"{url}/linkedin",
        )
        ways = providers(settings, self.http)
        self.vault = Vault(database, KEYRING)
        self.connecting = Connecting(
            providers=ways,
            attempts=Attempts(database, KEYRING, now=lambda: datetime.now(UTC) + self.ahead),
            vault=self.vault,
            tokens=FreshTokens(self.vault, ways),
            accounts=AccountLog(database, self.log),
        )

    async def person(self, platform: str = "twitter", **more: Any) -> str:
        body = {"platform": platform, "username": "amara", "display_name": "Amara", **more}
        return str((await self.control.post("/accounts", json=body)).raise_for_status().json()["platform_user_id"])

    async def back(
        self, person: str, *, tenant: str = "t", user: str = "u", hosted: bool = False, platform: Any = "twitter"
    ) -> dict[str, str]:
        begun = await self.connecting.begin(
            BeginConnection(tenant_id=tenant, user=user, platform=platform, redirect_uri=REDIRECT_URI, hosted=hosted)
        )
        answer = await self.browser.get(f"{begun.authorization_url}&{urlencode({'sandbox_account': person})}")
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    async def complete(self, back: dict[str, str], **whose: Any) -> ConnectionCompleted:
        whose = whose or {"tenant_id": "t", "user": "u"}
        return await self.connecting.complete(CompleteConnection(state=back["state"], code=back["code"], **whose))

    async def connect(self, person: str, *, tenant: str = "t") -> Account:
        completed = await self.complete(await self.back(person, tenant=tenant), tenant_id=tenant, user="u")
        assert completed.connection is not None
        return completed.connection.account


@pytest.fixture
async def scene(sandbox_url: str, mongodb_uri: str, tmp_path: Path) -> AsyncIterator[Scene]:
    secret_file = tmp_path / "secret"
    secret_file.write_text("a secret")
    client = store.connect(mongodb_uri)
    name = f"publisher_{os.urandom(4).hex()}"
    scene = Scene(sandbox_url, store.database(client, name), secret_file)
    (await scene.control.post("/reset")).raise_for_status()
    yield scene
    for each in (scene.control, scene.browser, scene.http):
        await each.aclose()
    await client.drop_database(name)
    await client.close()


async def refused(work: Any, code: str) -> None:
    with pytest.raises(ConnectError) as error:
        await work
    assert error.value.code == code


async def test_of_many_who_bring_the_same_state_one_is_served(scene: Scene) -> None:
    back = await scene.back(await scene.person())
    outcomes = await asyncio.gather(*(scene.complete(back) for _ in range(20)), return_exceptions=True)
    served = [outcome for outcome in outcomes if isinstance(outcome, ConnectionCompleted)]
    assert len(served) == 1
    assert {error.code for error in outcomes if isinstance(error, ConnectError)} == {"invalid_state"}
    assert len(scene.log.sent) == 1


@pytest.mark.parametrize(
    "whose",
    [
        {"tenant_id": "other", "user": "u"},
        {"tenant_id": "t", "user": "other"},
        {"tenant_id": "t"},
        {"user": "u"},
        {"platform": "twitter"},
        {"platform": "linkedin"},
        {"tenant_id": "t", "user": "u", "platform": "twitter"},
        {"tenant_id": "", "user": ""},
        {"tenant_id": None},
    ],
    ids=str,
)
async def test_an_attempt_is_completed_by_who_began_it_or_by_nobody(scene: Scene, whose: dict[str, Any]) -> None:
    back = await scene.back(await scene.person())
    await refused(scene.complete(back, **whose), "invalid_state")
    assert (await scene.complete(back)).connection is not None, "nobody else can use it up"


@pytest.mark.parametrize("whose", [{"tenant_id": "t", "user": "u"}, {"platform": "linkedin"}, {"tenant_id": None}])
async def test_what_came_to_our_page_is_completed_there(scene: Scene, whose: dict[str, Any]) -> None:
    back = await scene.back(await scene.person(), hosted=True)
    await refused(scene.complete(back, **whose), "invalid_state")
    completed = await scene.complete(back, platform="twitter")
    assert completed.selection is not None
    assert scene.log.sent == [], "a person has to confirm"


async def test_after_five_minutes_it_is_over(scene: Scene) -> None:
    back = await scene.back(await scene.person())
    scene.ahead = timedelta(seconds=connections.ATTEMPT_SECONDS + 1)
    await refused(scene.complete(back), "invalid_state")


async def test_a_selection_works_once_for_its_own_user(scene: Scene) -> None:
    back = await scene.back(await scene.person(), hosted=True)
    open_ = (await scene.complete(back, platform="twitter")).selection
    assert open_ is not None
    right = SelectConnection(selection_token=open_.selection_token, choice_id=open_.choices[0].id)
    for wrong in (
        SelectConnection(selection_token="x", choice_id=right.choice_id),
        msgspec.structs.replace(right, tenant_id="t", user="u"),
        msgspec.structs.replace(right, tenant_id="t"),
    ):
        await refused(scene.connecting.select(wrong), "invalid_selection")
    await refused(scene.connecting.select(msgspec.structs.replace(right, choice_id="2")), "invalid_choice")
    outcomes = await asyncio.gather(*(scene.connecting.select(right) for _ in range(10)), return_exceptions=True)
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1


async def test_states_and_verifiers_do_not_lie_about(scene: Scene) -> None:
    back = await scene.back(await scene.person())
    documents = [document async for document in scene.database["oauth_attempts"].find()]
    assert [document["_id"] for document in documents] == [hashed(back["state"])]
    assert back["state"] not in repr(documents)
    (document,) = documents
    await scene.database["oauth_attempts"].delete_many({})
    other = await scene.back(await scene.person(), tenant="other")
    await scene.database["oauth_attempts"].update_one(
        {"_id": hashed(other["state"])},
        {"$set": {"wrapped_key": document["wrapped_key"], "ciphertext": document["ciphertext"]}},
    )
    await refused(scene.complete(other, tenant_id="other", user="u"), "invalid_state")


async def test_connecting_again_keeps_the_id_also_of_an_account_that_was_moved_in(scene: Scene) -> None:
    person = await scene.person()
    moved_in = ConnectAccount(
        account_id="acc_moved_in",
        tenant_id="t",
        actor="operator",
        issued_at=datetime.now(UTC) - timedelta(days=1),
        platform="twitter",
        platform_user_id=person,
        username="old",
        display_name="Old",
        account_type="personal",
        is_default=True,
    )
    await scene.log.send("", "acc_moved_in", moved_in, command_id=new_id("cmd"), tenant_id="t")
    account = await scene.connect(person)
    assert (account.account_id, account.username, account.is_default) == ("acc_moved_in", "amara", True)
    assert (await scene.connect(person, tenant="other")).account_id != "acc_moved_in"


async def test_without_the_log_nothing_is_connected_and_the_next_try_is(scene: Scene) -> None:
    person = await scene.person()
    back = await scene.back(person)
    scene.log.is_down = True
    with pytest.raises(NotAppendedError):
        await scene.complete(back)
    assert await scene.database["accounts"].count_documents({}) == 0
    scene.log.is_down = False
    assert (await scene.connect(person)).status == "connected"


async def test_disconnecting_revokes_forgets_and_is_the_same_when_repeated(scene: Scene) -> None:
    account = await scene.connect(await scene.person())
    record = await scene.vault.read("t", account.account_id, "twitter")
    assert record is not None
    call = AccountCall(tenant_id="t", account_id=account.account_id, actor="u", command_id=new_id("cmd"))
    gone = await scene.connecting.disconnect(call)
    assert (gone.revoked, gone.account.status) == (True, "disconnected")
    assert await scene.vault.read("t", account.account_id, "twitter") is None
    assert (await scene.connecting.disconnect(call)).account == gone.account
    await refused(
        scene.connecting.disconnect(msgspec.structs.replace(call, command_id=new_id("cmd"))), "already_disconnected"
    )
    await refused(scene.connecting.disconnect(msgspec.structs.replace(call, tenant_id="other")), "account_not_found")


async def test_a_platform_that_is_away_does_not_keep_an_account_connected(scene: Scene) -> None:
    account = await scene.connect(await scene.person())
    script = {"platform": "twitter", "account": "*", "call": "revoke", "fault": "server_error_503", "times": None}
    (await scene.control.post("/faults", json=script)).raise_for_status()
    gone = await scene.connecting.disconnect(
        AccountCall(tenant_id="t", account_id=account.account_id, actor="u", command_id=new_id("cmd"))
    )
    assert (gone.revoked, gone.account.status) == (False, "disconnected")
    assert gone.notice is not None
    assert await scene.vault.read("t", account.account_id, "twitter") is None


async def test_a_refused_token_is_renewed_for_the_profile(scene: Scene) -> None:
    person = await scene.person()
    account = await scene.connect(person)
    (await scene.control.post(f"/accounts/{person}/expire")).raise_for_status()
    fresh = await scene.connecting.refresh(
        AccountCall(tenant_id="t", account_id=account.account_id, actor="u", command_id=new_id("cmd"))
    )
    assert fresh.profile_updated_at is not None


async def test_the_only_way_of_a_platform_needs_no_name(scene: Scene) -> None:
    member = await scene.person("linkedin", kind="member")
    await scene.person("linkedin", kind="organization", username="page", administrator=member)
    completed = await scene.complete(await scene.back(member, platform="linkedin"))
    assert completed.connection is not None
    assert completed.connection.account.login == "pages"
    await refused(scene.back(member, platform="tiktok"), "platform_not_configured")


async def test_the_internal_interface_answers_nobody_without_the_secret(scene: Scene) -> None:
    app = create_app(scene.connecting, secret="the-secret")
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://publisher") as client:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "the-secret"},
            [("Authorization", "Bearer the-secret"), ("Authorization", "Bearer wrong")],
        ):
            answer = await client.post(connections.BEGIN, headers=headers, content=b"{}")
            assert (answer.status_code, answer.content) == (401, b"")
        right = {"Authorization": "Bearer the-secret"}
        answer = await client.post(connections.BEGIN, headers=right, content=b"{}")
        assert answer.status_code == 400
        body = {"tenant_id": "t", "user": "u", "platform": "tiktok", "redirect_uri": REDIRECT_URI}
        answer = await client.post(connections.BEGIN, headers=right, json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "platform_not_configured")
        answer = await client.post(connections.BEGIN, headers=right, json={**body, "platform": "twitter"})
        assert answer.status_code == 200
        scene.log.is_down = True
        back = await scene.back(await scene.person())
        completing = {"state": back["state"], "code": back["code"], "tenant_id": "t", "user": "u"}
        answer = await client.post(connections.COMPLETE, headers=right, json=completing)
        assert (answer.status_code, answer.json()["code"]) == (503, "connecting_unavailable")
        assert (await client.post("/elsewhere", headers=right)).status_code >= 400
