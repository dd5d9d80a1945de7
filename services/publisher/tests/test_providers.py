"""Each way to log in against the real sandbox: from the authorization page to the end of the authorization."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from contracts.content import Platform
from publisher.adapters.http import new_client
from publisher.adapters.oauth.provider import Provider, challenge, error_code, split_scopes
from publisher.adapters.oauth.registry import providers
from publisher.adapters.renewal import Providers
from publisher.domain.connection import Grant, GrantDeadError, GrantRefusedError, PlatformFailedError
from publisher.oauth_settings import OAuthSettings

REDIRECT_URI = "http://localhost:3000/oauth/callback"
STATE = "a-state-that-comes-back"


@dataclasses.dataclass
class Ways:
    url: str
    all: Providers
    control: httpx.AsyncClient
    browser: httpx.AsyncClient

    async def account(self, platform: str, **more: Any) -> str:
        body = {"platform": platform, "username": "amara", "display_name": "Amara", "followers": 321, **more}
        made = (await self.control.post("/accounts", json=body)).raise_for_status().json()
        return str(made["platform_user_id"])

    async def administrator(self, page: str) -> str:
        accounts = (await self.control.get("/accounts")).raise_for_status().json()["accounts"]
        return next(str(each["administrator"]) for each in accounts if each["id"] == page)

    async def back(self, provider: Provider, account: str, verifier: str | None) -> dict[str, str]:
        url = provider.authorization_url(redirect_uri=REDIRECT_URI, state=STATE, verifier=verifier)
        answer = await self.browser.get(f"{url}&{urlencode({'sandbox_account': account})}")
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    async def granted(self, provider: Provider, account: str) -> Grant:
        verifier = provider.new_verifier()
        back = await self.back(provider, account, verifier)
        assert back["state"] == STATE
        return await provider.exchange(code=back["code"], redirect_uri=REDIRECT_URI, verifier=verifier)

    async def switch(self, **changes: Any) -> None:
        (await self.control.post("/settings", json=changes)).raise_for_status()


@pytest.fixture
async def ways(sandbox_url: str, tmp_path: Path) -> AsyncIterator[Ways]:
    secret = tmp_path / "secret"
    secret.write_text("a secret\n")
    apps: dict[str, Any] = {}
    for app in ("x", "linkedin", "linkedin_pages", "facebook", "instagram", "youtube", "tiktok"):
        apps |= {f"{app}_client_id": f"app-{app}", f"{app}_client_secret_file": secret}
    settings = OAuthSettings(
        kafka_bootstrap="-",
        mongodb_uri="-",
        x_authorize_url=f"{sandbox_url}/x/i/oauth2/authorize",
        x_api_base=f"{sandbox_url}/x",
        linkedin_authorize_url=f"{sandbox_url}/linkedin/oauth/v2/authorization",
        linkedin_token_url=f"{sandbox_url}/linkedin/oauth/v2/accessToken",
        linkedin_api_base=f"{sandbox_url}/linkedin",
        facebook_authorize_url=f"{sandbox_url}/facebook/v26.0/dialog/oauth",
        facebook_api_base=f"{sandbox_url}/facebook",
        instagram_authorize_url=f"{sandbox_url}/instagram/oauth/authorize",
        instagram_token_url=f"{sandbox_url}/instagram/oauth/access_token",
        instagram_api_base=f"{sandbox_url}/instagram",
        youtube_authorize_url=f"{sandbox_url}/youtube/o/oauth2/v2/auth",
        youtube_token_url=f"{sandbox_url}/youtube/token",
        youtube_revoke_url=f"{sandbox_url}/youtube/revoke",
        youtube_api_base=f"{sandbox_url}/youtube",
        tiktok_authorize_url=f"{sandbox_url}/tiktok/v2/auth/authorize/",
        tiktok_api_base=f"{sandbox_url}/tiktok",
        **apps,
    )
    http = new_client("", timeout=5.0)
    async with (
        httpx.AsyncClient(base_url=f"{sandbox_url}/_sandbox", trust_env=False) as control,
        httpx.AsyncClient(trust_env=False, follow_redirects=False) as browser,
    ):
        (await control.post("/reset")).raise_for_status()
        yield Ways(sandbox_url, providers(settings, http), control, browser)
    await http.aclose()


ONE_ACCOUNT = [("twitter", None), ("linkedin", None), ("instagram", None), ("youtube", None), ("tiktok", None)]


@pytest.mark.parametrize(("platform", "login"), ONE_ACCOUNT)
async def test_a_login_leads_to_its_account(ways: Ways, platform: Platform, login: str | None) -> None:
    provider = ways.all[platform, login]
    account = await ways.account(platform, **({"kind": "member"} if platform == "linkedin" else {}))
    grant = await ways.granted(provider, account)

    assert provider.scopes.missing(grant.scopes) == ()
    assert provider.scopes.lacking(grant.scopes) == ()
    assert "post" in provider.scopes.permitted(grant.scopes)
    assert grant.expires_at is not None
    assert grant.expires_at > datetime.now(UTC)
    (found,) = await provider.connectables(grant)
    profile = found.profile
    assert profile.platform_user_id == account
    assert profile.display_name == "Amara"
    if platform != "linkedin":  # tells nobody a member's followers
        assert profile.followers == 321
    assert await provider.profile(found.grant, account) == profile
    assert (grant.refresh_token is not None) == (platform in ("twitter", "youtube", "tiktok"))


async def test_a_linkedin_member_leads_to_pages(ways: Ways) -> None:
    provider = ways.all["linkedin", "pages"]
    member = await ways.account("linkedin", kind="member")
    pages = [
        await ways.account("linkedin", kind="organization", username=name, administrator=member)
        for name in ("first", "second")
    ]
    grant = await ways.granted(provider, member)
    found = await provider.connectables(grant)
    assert [each.profile.platform_user_id for each in found] == pages
    assert {each.profile.account_type for each in found} == {"company_page"}
    assert {each.grant.grantor for each in found} == {member}
    assert (await provider.profile(grant, pages[1])).username == "second"

    nobody = await ways.account("linkedin", kind="member")
    assert await provider.connectables(await ways.granted(provider, nobody)) == []


async def test_a_facebook_person_leads_to_pages_whose_tokens_last(ways: Ways) -> None:
    provider = ways.all["facebook", None]
    first = await ways.account("facebook", username="first", display_name="First")
    person = await ways.administrator(first)
    second = await ways.account("facebook", username="second", display_name="Second", administrator=person)
    grant = await ways.granted(provider, person)
    assert provider.scopes.lacking(grant.scopes) == ()
    assert grant.grantor == person
    found = {each.profile.platform_user_id: each for each in await provider.connectables(grant)}
    assert set(found) == {first, second}
    page = found[second]
    assert page.profile.account_type == "page"
    assert page.profile.followers == 321
    assert page.grant.expires_at is None
    assert page.grant.access_token != grant.access_token == page.grant.user_token
    assert (await provider.profile(page.grant, second)).display_name == "Second"
    assert await provider.revoke(page.grant)
    with pytest.raises(GrantDeadError):
        await provider.connectables(grant)


async def test_instagram_by_facebook_leads_to_accounts_of_pages(ways: Ways) -> None:
    provider = ways.all["instagram", "facebook"]
    page = await ways.account("facebook", username="page", display_name="Page")
    instagram = await ways.account("instagram", administrator=page)
    grant = await ways.granted(provider, await ways.administrator(page))
    (found,) = await provider.connectables(grant)
    assert found.profile.platform_user_id == instagram
    assert found.profile.username == "amara"
    assert found.grant.expires_at is None
    assert (await provider.profile(found.grant, instagram)).platform_user_id == instagram


async def test_declined_permissions_are_noticed(ways: Ways) -> None:
    await ways.switch(
        facebook={"declined_scopes": ["pages_manage_posts"]},
        youtube={"unticked_scopes": ["https://www.googleapis.com/auth/youtube.force-ssl"]},
        tiktok={"denied_scopes": ["video.publish"]},
    )
    try:
        facebook = ways.all["facebook", None]
        person = await ways.administrator(await ways.account("facebook"))
        grant = await ways.granted(facebook, person)
        assert facebook.scopes.lacking(grant.scopes) == ("pages_manage_posts",)
        youtube = ways.all["youtube", None]
        grant = await ways.granted(youtube, await ways.account("youtube"))
        assert youtube.scopes.lacking(grant.scopes) == ()
        assert youtube.scopes.missing(grant.scopes) == ("https://www.googleapis.com/auth/youtube.force-ssl",)
        assert "comment" not in youtube.scopes.permitted(grant.scopes)
        tiktok = ways.all["tiktok", None]
        grant = await ways.granted(tiktok, await ways.account("tiktok"))
        assert tiktok.scopes.lacking(grant.scopes) == ("video.publish",)
    finally:
        await ways.switch(
            facebook={"declined_scopes": []}, youtube={"unticked_scopes": []}, tiktok={"denied_scopes": []}
        )


@pytest.mark.parametrize(("platform", "rotates"), [("twitter", True), ("youtube", False), ("tiktok", True)])
async def test_renewing(ways: Ways, platform: Platform, rotates: bool) -> None:
    provider = ways.all[platform, None]
    account = await ways.account(platform)
    grant = await ways.granted(provider, account)
    renewed = await provider.renew(grant)
    assert renewed.access_token != grant.access_token
    assert renewed.expires_at is not None
    assert provider.rotates == rotates
    if rotates:
        assert renewed.refresh_token not in (None, grant.refresh_token)
        with pytest.raises(GrantDeadError):
            await provider.renew(grant)
    else:
        assert renewed.refresh_token is None, "what stays is left out"
        assert (await provider.renew(grant)).access_token != renewed.access_token
    (await ways.control.post(f"/accounts/{account}/revoke")).raise_for_status()
    with pytest.raises(GrantDeadError):
        await provider.renew(renewed if rotates else grant)


async def test_linkedin_renews_for_partners(ways: Ways) -> None:
    await ways.switch(linkedin={"refresh_tokens": True})
    try:
        provider = ways.all["linkedin", None]
        account = await ways.account("linkedin", kind="member")
        grant = await ways.granted(provider, account)
        assert grant.refresh_expires_at is not None
        assert (await provider.renew(grant)).access_token != grant.access_token
        (await ways.control.post(f"/accounts/{account}/revoke")).raise_for_status()
        with pytest.raises(GrantDeadError):
            await provider.renew(grant)
    finally:
        await ways.switch(linkedin={"refresh_tokens": False})


async def test_instagram_renews_its_own_token_when_it_is_a_day_old(ways: Ways) -> None:
    provider = ways.all["instagram", None]
    account = await ways.account("instagram")
    grant = await ways.granted(provider, account)
    assert not provider.can_renew(grant, timedelta(hours=24))
    assert provider.can_renew(grant, timedelta(hours=25))
    (await ways.control.post("/clock", json={"advance": 25 * 3600})).raise_for_status()
    renewed = await provider.renew(grant)
    assert renewed.access_token != grant.access_token
    assert (await provider.renew(grant)).access_token, "the older one works until it runs out"
    (await ways.control.post(f"/accounts/{account}/revoke")).raise_for_status()
    with pytest.raises(GrantDeadError):
        await provider.renew(renewed)


@pytest.mark.parametrize("platform", ["twitter", "youtube", "tiktok"])
async def test_revoking(ways: Ways, platform: Platform) -> None:
    provider = ways.all[platform, None]
    grant = await ways.granted(provider, await ways.account(platform))
    assert await provider.revoke(grant)
    with pytest.raises(GrantDeadError):
        await provider.renew(grant)


@pytest.mark.parametrize(("platform", "login"), [*ONE_ACCOUNT, ("facebook", None)])
async def test_a_code_works_once_at_one_address_with_one_verifier(
    ways: Ways, platform: Platform, login: str | None
) -> None:
    provider = ways.all[platform, login]
    account = await ways.account(platform, **({"kind": "member"} if platform == "linkedin" else {}))
    if platform == "facebook":
        account = await ways.administrator(account)
    verifier = provider.new_verifier()
    code = (await ways.back(provider, account, verifier))["code"]
    with pytest.raises(GrantRefusedError):
        await provider.exchange(code=code, redirect_uri=REDIRECT_URI + "/", verifier=verifier)
    if verifier is not None:
        with pytest.raises(GrantRefusedError):
            await provider.exchange(code=code, redirect_uri=REDIRECT_URI, verifier=provider.new_verifier())
    assert await provider.exchange(code=code, redirect_uri=REDIRECT_URI, verifier=verifier)
    with pytest.raises(GrantRefusedError):
        await provider.exchange(code=code, redirect_uri=REDIRECT_URI, verifier=verifier)


@pytest.mark.parametrize("fault", ["server_error_503", "reset_before", "garbage", "rate_limited"])
async def test_a_platform_out_of_order_refuses_nothing(ways: Ways, fault: str) -> None:
    provider = ways.all["twitter", None]
    grant = await ways.granted(provider, await ways.account("twitter"))
    script = {"platform": "twitter", "account": "*", "call": "token", "fault": fault}
    (await ways.control.post("/faults", json=script)).raise_for_status()
    with pytest.raises(PlatformFailedError):
        await provider.renew(grant)
    assert (await provider.renew(grant)).access_token


def test_challenges_are_written_as_each_platform_wants_them() -> None:
    """RFC 7636 appendix B, and the same digest in hexadecimal, which TikTok's desktop apps use."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge(verifier, "base64url") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert challenge(verifier, "hex") == "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"


async def test_every_authorization_request_is_bound(ways: Ways) -> None:
    for (platform, login), provider in ways.all.items():
        verifier = provider.new_verifier()
        url = provider.authorization_url(redirect_uri=REDIRECT_URI, state=STATE, verifier=verifier)
        query = parse_qs(urlsplit(url).query)
        assert query["state"] == [STATE], (platform, login)
        assert query["redirect_uri"] == [REDIRECT_URI]
        assert query["response_type"] == ["code"]
        assert "secret" not in url
        assert (query.get("code_challenge_method") == ["S256"]) == (provider.pkce != "none")
        assert 43 <= len(verifier or "x" * 43) <= 128


def test_what_a_platform_says_is_not_passed_on() -> None:
    assert error_code(400, {"error": "invalid_grant", "error_description": "token abc"}) == "400 invalid_grant"
    assert error_code(400, {"error": "<script>"}) == "400"
    assert error_code(403, {"error": {"code": 403, "errors": [{"reason": "quotaExceeded"}]}}) == "403 quotaExceeded"
    assert error_code(400, {"error": {"code": 190, "message": "x"}}) == "400 190"
    assert error_code(500, {}) == "500"
    assert split_scopes("a,b c, d") == ("a", "b", "c", "d")


def test_only_what_is_configured_can_be_connected() -> None:
    assert providers(OAuthSettings(kafka_bootstrap="-", mongodb_uri="-"), httpx.AsyncClient()) == {}
