"""The journal of one target: what was sent to its platform, and what became of it. Pure.

Each part of a target moves

    preparing → armed → sending → confirmed | rejected | unknown
                  ↑                                         │
                  └──── proof of absence ───────────────────┼→ confirmed  (proof of presence)
                                                            └→ held       (no proof either way)

A part is `sending` from before the socket is opened until its answer is recorded. Whoever finds one that it did not
write in the same call knows only that the request may have reached the platform: that part is `unknown`, and it is
sent again only after the platform has been seen without it. So there is at most one live post per part, at whatever
instruction a process ends.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from contracts.content import Content, Failure, LivePart, Media, MediaType, Platform
from contracts.posts import Outcome
from publisher.domain.answers import (
    Cause,
)

Step = Literal["preparing", "armed", "sending", "unknown", "confirmed", "rejected", "held"]


Proof = Literal["response", "readback", "duplicate_refusal"]


class Policy(Struct, frozen=True, kw_only=True):
    """The patience of one platform's publisher. Seconds throughout."""

    call_timeout: float = 15.0
    """How long the one irreversible call may take, from the first byte to the last."""
    fence: float = 30.0
    """How long after the end of that call the platform may still act on it."""
    early_look: float = 5.0
    """When to look for a post of unknown fate for the first time. Before the deadline only presence can be proven."""
    probe_delays: tuple[float, ...] = (10.0, 60.0, 300.0, 1800.0, 21_600.0)
    """When to look again, after the deadline of the send; with the last one the target is held."""
    absence_gap: float = 60.0
    """How far apart two readings without the post must be to prove its absence: platforms' indexes lag."""
    resend_window: float | None = None
    """Where nothing can be read: how long after the send an identical one is sure to be refused as a duplicate.

    None: never send again to find out.
    """
    processing_limit: float = 86_400.0
    """How long the platform may process what it has taken; then the target is held."""
    assembles: bool = False
    """Whether uploads have to be made into one thing before they can be published."""
    max_sends: int = 5
    """Sends that may be proven absent before the platform is taken to be out of order."""
    retry_delays: Mapping[Cause, tuple[float, ...]]
    """The pauses of `answers.Retry`, by cause; when they are used up the target is rejected."""

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.call_timeout + self.fence)


class Upload(Struct, frozen=True, kw_only=True):
    """A file that the platform holds for us. Uploading is reversible: what is not posted expires."""

    part: int
    source: str
    type: MediaType
    alt_text: str | None
    media_id: str
    media_key: str | None = None
    """X names media in its answers by this."""
    session: str | None = None
    """Where to carry on: a resumable upload's own address."""
    sent: int = 0
    """Bytes that the platform is known to hold."""
    size: int
    content_type: str | None = None
    uploaded_at: datetime
    ready: bool = True
    check_at: datetime | None = None
    """When to ask whether processing has ended."""
    expires_at: datetime | None = None


class Send(Struct, frozen=True, kw_only=True):
    """A request that may have reached the platform. One that certainly did not take effect is forgotten."""

    number: int
    fingerprint: str
    """SHA-256 of the request, in hexadecimal."""
    at: datetime
    deadline: datetime
    """After this instant the request can no longer take effect."""


class Look(Struct, frozen=True, kw_only=True):
    """A reading that did not find the post; `absent` when it read everything the post could have been among."""

    at: datetime
    absent: bool


class Part(Struct, frozen=True, kw_only=True):
    step: Step = "armed"
    sends: tuple[Send, ...] = ()
    number: int = 0
    """Of the latest send, settled ones included."""
    resends: int = 0
    """Sends made only to find out about an earlier one."""
    accepted: bool = False
    """The platform has shown that it holds the post, but not under which id: absence can no longer be concluded."""
    handle: str | None = None
    """What the platform calls the latest send while it processes it."""
    looks: tuple[Look, ...] = ()
    """Since the latest send."""
    look_at: datetime | None = None
    absences: int = 0
    """How often a send has been proven not to have taken effect."""
    tries: dict[Cause, int] = {}
    failure: Failure | None = None
    """Why it is unknown, rejected or held."""
    live: LivePart | None = None
    proof: Proof | None = None


class Finished(Struct, frozen=True, kw_only=True):
    """How an attempt ended: what the posts service is told, again and again if need be."""

    attempt: int
    outcome: Outcome
    at: datetime
    sent_at: datetime | None
    disconnect: str | None = None
    """Why the account must be disconnected, if it must."""


class Import(Struct, frozen=True, kw_only=True):
    """How often a media URL had to be fetched anew because the file was no good: see `contracts.media.import_id`."""

    url: str
    number: int


class Publication(Struct, frozen=True, kw_only=True, rename={"publication_id": "_id"}):
    """The journal document of one target. `revision` counts its writes; 0 is not stored yet."""

    publication_id: str
    tenant_id: str
    post_id: str
    target_id: str
    platform: Platform
    account_id: str
    revision: int = 0
    attempt: int
    owner: str | None = None
    lease_until: datetime | None = None
    parts: tuple[Part, ...]
    uploads: tuple[Upload, ...] = ()
    containers: tuple[Upload, ...] = ()
    """What was assembled of the uploads, one for each part at most."""
    imports: tuple[Import, ...] = ()
    """Of media URLs, those that are not published as they were first fetched."""
    sent_at: datetime | None = None
    """When this attempt first sent something."""
    finished: Finished | None = None


def publication_id(post_id: str, target_id: str) -> str:
    return f"{post_id}/{target_id}"


def source_of(media: Media) -> str:
    return media.media_id or media.url or ""


def upload_of(entry: Publication, k: int, media: Media) -> Upload | None:
    for upload in entry.uploads:
        if upload.part == k and (upload.source, upload.type, upload.alt_text) == (
            source_of(media),
            media.type,
            media.alt_text,
        ):
            return upload
    return None


def uploads_of(entry: Publication, k: int, content: Content) -> tuple[Upload, ...]:
    """The uploads of a part, in the order of its attachments."""
    return tuple(upload for media in content.media if (upload := upload_of(entry, k, media)) is not None)


def container_of(entry: Publication, k: int) -> Upload | None:
    return next((container for container in entry.containers if container.part == k), None)


def without_container(entry: Publication, k: int) -> Publication:
    return replace(entry, containers=tuple(other for other in entry.containers if other.part != k))


def reply_to(entry: Publication, k: int) -> str | None:
    """The platform's id of the part that part `k` answers."""
    before = entry.parts[k - 1].live if k else None
    return None if before is None else before.platform_post_id


def live_parts(entry: Publication) -> tuple[LivePart, ...]:
    return tuple(part.live for part in entry.parts if part.live is not None)


def current(entry: Publication) -> int | None:
    """The first part that is not live."""
    return next((k for k, part in enumerate(entry.parts) if part.step != "confirmed"), None)


def with_part(entry: Publication, k: int, part: Part) -> Publication:
    return replace(entry, parts=(*entry.parts[:k], part, *entry.parts[k + 1 :]))


def finish(entry: Publication, outcome: Outcome, now: datetime, *, disconnect: str | None = None) -> Publication:
    """Ends the attempt and gives the lease back."""
    finished = Finished(attempt=entry.attempt, outcome=outcome, at=now, sent_at=entry.sent_at, disconnect=disconnect)
    return replace(entry, owner=None, lease_until=None, finished=finished)
