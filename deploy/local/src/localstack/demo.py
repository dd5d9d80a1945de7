"""One round trip a person can see: a post now, one a few seconds later, a video, and what became of them everywhere."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from contracts.content import Platform
from contracts.ids import new_id
from localstack.accounts import AccountNotConnectedError, ConnectedAccount, create_and_connect
from localstack.keys import Keys
from localstack.services import is_ready, ready_urls
from localstack.settings import Settings

API = "/api/v1/creator/social"
TENANT = "demo"
_AHEAD = timedelta(seconds=5)
_VIDEO_OPTIONS: Mapping[Platform, Mapping[str, object]] = {
    "instagram": {},
    "facebook": {"post_type": "reel"},
    "youtube": {"post_type": "short"},
    "tiktok": {"privacy_level": "public_to_everyone"},
}
_PUBLISHED_WITHIN_SECONDS = 60.0
_ASK_EVERY_SECONDS = 0.1


class DemoError(RuntimeError):
    """The round trip did not end as it should; the message says where and why."""


class Target(Struct, frozen=True, kw_only=True):
    platform: str
    account_id: str
    status: str
    url: str | None = None
    error: Any = None


class Upload(Struct, frozen=True, kw_only=True):
    media_id: str
    status: str


class Publication(Struct, frozen=True, kw_only=True):
    publish_id: str
    status: str
    platforms: list[Target]


class Demo:
    """Plays the round trip against a running stack through its public HTTP API."""

    def __init__(self, settings: Settings, keys: Keys, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._keys = keys
        self._say = say
        self.token = keys.token(
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            tenant=TENANT,
            sub="user_001",
            roles=["content_manager"],
        )
        self._api = httpx.Client(
            base_url=settings.gateway_url + API,
            headers={"Authorization": f"Bearer {self.token}"},
            trust_env=False,
            timeout=15.0,
        )

    def run(self) -> list[str]:
        """Play it and return the account ids it used; raise DemoError if anything is not as promised."""
        connected = [self._connect("twitter"), self._connect("linkedin")]
        filmed = [self._connect(platform) for platform in _VIDEO_OPTIONS]
        now = datetime.now(UTC)
        picture = self._upload()
        text = f"Hello from the Social Publishing API, {now:%Y-%m-%d %H:%M:%S.%f} UTC"
        later = f"Scheduled: {text}"
        due = now + _AHEAD
        first = self._publish(text, connected, media_id=picture)
        second = self._publish(later, connected, publish_at=due)
        third = self._publish(f"Filmed: {text}", filmed, video=f"{self._settings.sandbox_url}/_sandbox/media/video.mp4")
        self._say(f"{first} and {third}: publishing now; {second}: due at {due:%H:%M:%S} UTC")
        for publish_id, published, accounts in (
            (first, text, connected),
            (third, f"Filmed: {text}", filmed),
            (second, later, connected),
        ):
            self._report(self._until_published(publish_id))
            for account in accounts:
                self._check_live_once(account, published)
        return [account.account_id for account in connected]

    def _connect(self, platform: Platform) -> ConnectedAccount:
        try:
            account = create_and_connect(self._settings, self._keys, TENANT, platform)
        except AccountNotConnectedError as failure:
            raise DemoError(str(failure)) from failure
        self._say(f"connected {platform} account {account.account_id} (@{account.username})")
        return account

    def _upload(self) -> str:
        """A picture of its own making."""
        answer = self._call(
            "POST",
            "/media/upload",
            headers={"Idempotency-Key": new_id("demo")},
            files={"file": ("hello.png", _png(600, 400))},
            data={"alt_text": "One colour"},
        )
        uploaded = msgspec.json.decode(answer, type=Upload)
        self._say(f"uploaded {uploaded.media_id}: {uploaded.status}")
        return uploaded.media_id

    def _publish(
        self,
        text: str,
        targets: list[ConnectedAccount],
        publish_at: datetime | None = None,
        video: str | None = None,
        media_id: str | None = None,
    ) -> str:
        media: list[dict[str, str]] = []
        if video is not None:
            media.append({"type": "video", "url": f"{video}?w=720&h=1280&seconds=5"})
        if media_id is not None:
            media.append({"type": "image", "media_id": media_id})
        body: dict[str, object] = {
            "content": {"text": text, "media": media},
            "title": "Hello",
            "platforms": [
                {
                    "platform": target.platform,
                    "account_id": target.account_id,
                    "options": _VIDEO_OPTIONS[target.platform] if video is not None else {},
                }
                for target in targets
            ],
        }
        if publish_at is not None:
            body["publish_at"] = publish_at.isoformat()
        answer = self._call("POST", "/publish", headers={"Idempotency-Key": new_id("demo")}, json=body)
        return msgspec.json.decode(answer, type=Publication).publish_id

    def _until_published(self, publish_id: str) -> Publication:
        deadline = time.monotonic() + _PUBLISHED_WITHIN_SECONDS
        while True:
            answer = self._call("GET", f"/publish/{publish_id}")
            publication = msgspec.json.decode(answer, type=Publication)
            if publication.status == "published":
                return publication
            if publication.status in {"failed", "cancelled"} or time.monotonic() > deadline:
                raise DemoError(f"{publish_id} is {publication.status}: {answer.decode()}")
            time.sleep(_ASK_EVERY_SECONDS)

    def _report(self, publication: Publication) -> None:
        for target in publication.platforms:
            self._say(f"{publication.publish_id}: live on {target.platform}: {target.url}")

    def _check_live_once(self, account: ConnectedAccount, text: str) -> None:
        """Ask the platform itself, not us."""
        url = f"{self._settings.sandbox_url}/_sandbox/ledger"
        try:
            answer = httpx.get(url, params={"account": account.platform_user_id}, trust_env=False).raise_for_status()
        except httpx.HTTPError as failure:
            raise DemoError(f"the sandbox does not show what is live: {failure!r}") from failure
        posts: list[Mapping[str, Any]] = answer.json()["posts"]
        live = [post for post in posts if text in post["text"].splitlines()]
        if len(live) != 1:
            raise DemoError(f"{account.platform} shows the post {len(live)} times, not once: {text!r}")

    def _call(self, method: str, path: str, **request: Any) -> bytes:
        try:
            answer = self._api.request(method, path, **request)
        except httpx.HTTPError as failure:
            raise DemoError(f"{method} {path}: {failure!r}") from failure
        if not answer.is_success:
            raise DemoError(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        return answer.content


def _png(width: int, height: int) -> bytes:
    """One colour (PNG, RFC 2083)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\x1f\x6f\xeb" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def not_ready(settings: Settings) -> list[str]:
    """The services of a stack that should be running but do not answer, each with its address."""
    return [f"{name} ({url})" for name, url in ready_urls(settings).items() if not is_ready(url)]


def curl_example(settings: Settings, token: str, account_id: str) -> str:
    body = msgspec.json.encode(
        {
            "content": {"text": "Hello from my terminal"},
            "platforms": [{"platform": "twitter", "account_id": account_id}],
        }
    ).decode()
    return (
        f"curl -s {settings.gateway_url}{API}/publish \\\n"
        f"  -H 'Authorization: Bearer {token}' \\\n"
        f"  -H 'Idempotency-Key: {new_id('try')}' -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'"
    )
