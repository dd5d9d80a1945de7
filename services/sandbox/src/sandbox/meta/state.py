"""What the parts of the simulated Meta share: people, Pages, Instagram accounts, and everything they made."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

from sandbox.accounts import Account
from sandbox.inspection import Inspected, inspect
from sandbox.ledger import Post, PublishedMedia
from sandbox.meta.errors import Flaw, bad_token, expired_token, missing_object, no_token, revoked_token
from sandbox.meta.settings import FacebookSettings, InstagramSettings
from sandbox.tokens import AccessToken
from sandbox.world import World

FACEBOOK = "facebook"
INSTAGRAM = "instagram"
DAY = 86_400.0

VideoKind = Literal["video", "reel", "story"]
Form = Literal["image", "reel", "story", "carousel"]


@dataclass(frozen=True, slots=True)
class File:
    """A complete file. ``inspected`` is None when it is nothing that can be shown."""

    size: int
    sha256: str
    inspected: Inspected | None

    def published(self, media_id: str, kind: str, alt_text: str | None = None) -> PublishedMedia:
        seen = self.inspected
        return PublishedMedia(
            id=media_id,
            kind=kind,
            content_type=seen.content_type if seen else "application/octet-stream",
            bytes=self.size,
            sha256=self.sha256,
            width=seen.width if seen else None,
            height=seen.height if seen else None,
            duration=seen.duration if seen else None,
            alt_text=alt_text,
        )


def file_of(content: bytes) -> File:
    return File(len(content), hashlib.sha256(content).hexdigest(), inspect(content))


@dataclass(slots=True)
class Photo:
    """A photo of a Page. ``post`` is the one that it is part of, None while it is unpublished."""

    id: str
    page: str
    file: File
    alt_text: str | None
    expires_at: float
    post: str | None = None


@dataclass(slots=True)
class Video:
    """A video of a Page, from the beginning of its upload on.

    Attributes:
        session: of a chunked upload.
        finished_at: when the client said that it is complete; the post appears at ``ready_at``.
        flaw: why processing ends in a failure.
    """

    id: str
    page: str
    kind: VideoKind
    created_at: float
    size: int | None = None
    session: str | None = None
    received: bytearray = field(default_factory=bytearray)
    file: File | None = None
    title: str = ""
    description: str = ""
    finished_at: float | None = None
    ready_at: float = 0.0
    flaw: Flaw | None = None
    post: str | None = None


@dataclass(slots=True)
class Container:
    """What Instagram publishes. ``child``: it is made to be put into a carousel."""

    id: str
    owner: str
    form: Form
    created_at: float
    expires_at: float
    child: bool = False
    video: bool = False
    caption: str = ""
    alt_text: str | None = None
    children: list[Container] = field(default_factory=list)
    options: dict[str, object] = field(default_factory=dict)
    resumable: bool = False
    size: int | None = None
    received: bytearray = field(default_factory=bytearray)
    file: File | None = None
    ready_at: float | None = None
    flaw: Flaw | None = None
    published: list[str] = field(default_factory=list)

    def status(self, now: float) -> str:
        if self.published:
            return "PUBLISHED"
        if now >= self.expires_at:
            return "EXPIRED"
        if self.ready_at is None or now < self.ready_at:
            return "IN_PROGRESS"
        return "ERROR" if self.flaw is not None else "FINISHED"


@dataclass(slots=True)
class Entry:
    """A post, story or comment beside its ledger entry.

    Attributes:
        kind: status, share, photo, album, video, reel, story; on Instagram image, carousel, reel, story; comment.
        attached: ids of what is in it.
    """

    post: Post
    kind: str
    attached: tuple[str, ...] = ()
    link: str | None = None
    container: str | None = None
    expires_at: float = float("inf")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it is: a person's, a Page's or, with Instagram Login, an Instagram account's."""

    token: AccessToken
    account: Account


class State:
    def __init__(self, world: World) -> None:
        self.world = world
        self.facebook = FacebookSettings()
        self.instagram = InstagramSettings()
        self.photos: dict[str, Photo] = {}
        self.videos: dict[str, Video] = {}
        self.containers: dict[str, Container] = {}
        self.entries: dict[str, Entry] = {}
        self.calls: defaultdict[str, list[float]] = defaultdict(list)
        self._counter = secrets.randbelow(10**9)

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def new_id(self, prefix: str, digits: int) -> str:
        """A number of so many digits that was never given before."""
        self._counter += 1 + secrets.randbelow(50)
        return prefix + f"{self._counter:0{digits - len(prefix)}d}"

    def people(self) -> list[Account]:
        return [account for account in self.world.accounts.of(FACEBOOK) if account.kind == "user"]

    def pages_of(self, person: str) -> list[Account]:
        return [account for account in self.world.accounts.of(FACEBOOK) if account.administrator == person]

    def instagram_of(self, page: str) -> Account | None:
        """The Instagram account that is linked to a Page."""
        linked = (account for account in self.world.accounts.of(INSTAGRAM) if account.administrator == page)
        return next(linked, None)

    def page(self, page_id: str) -> Account | None:
        account = self.world.accounts.get(page_id)
        return account if account is not None and account.platform == FACEBOOK and account.kind == "page" else None

    def caller(self, credential: str | None, *, on_instagram: bool) -> Caller:
        """Raises RefusedError for a token that is missing, unknown here, expired or revoked."""
        status = self.facebook.error_status
        if credential is None:
            raise no_token()
        token = self.world.tokens.access(credential)
        account = self.world.accounts.get(token.account) if token else None
        if token is None or account is None or (account.platform == INSTAGRAM) != on_instagram:
            raise bad_token(status)
        if token.revoked:
            raise revoked_token(status)
        if token.expires_at <= self.now:
            raise expired_token(status)
        return Caller(token, account)

    def owner_of(self, node: str) -> str | None:
        """The account that a node belongs to or is."""
        if self.world.accounts.get(node) is not None:
            return node
        made = self.photos.get(node) or self.videos.get(node)
        if made is not None:
            return made.page
        container = self.containers.get(node)
        if container is not None:
            return container.owner
        entry = self.entries.get(node)
        return None if entry is None else entry.post.account

    def visible_entry(self, node: str, method: str = "get") -> Entry:
        """Raises RefusedError (100/33) for what is unknown, deleted, over or not yet shown."""
        entry = self.entries.get(node)
        if entry is None or not entry.post.visible(self.now) or entry.expires_at <= self.now:
            raise missing_object(node, method)
        return entry

    def publish(self, entry: Entry) -> None:
        self.entries[entry.post.id] = entry
        self.world.ledger.add(entry.post)

    def lag(self, platform: str, account: str) -> float:
        """How long reads will not show what is published now."""
        fault = self.world.faults.effect(platform, account, "readback_lag")
        return 0.0 if fault is None else fault.script.params.lasting(30.0)

    def processing(self, platform: str, account: str, seconds: float) -> tuple[float, bool]:
        """How long processing takes, and whether it ends in a failure."""
        faults = self.world.faults
        slow = faults.effect(platform, account, "media_processing_slow")
        failed = faults.effect(platform, account, "media_processing_failed")
        return (seconds if slow is None else slow.script.params.lasting(60.0)), failed is not None
