"""Posts: the commands they accept, the facts they record, and the read model everyone may see.

The shapes below are what lies in the log and in the store for ever: see `contracts.messages.Message`.
"""

from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from contracts.content import (
    Content,
    Failure,
    LivePart,
    Options,
    Platform,
    Schedule,
    TargetSpec,
)
from contracts.messages import Command, Event, message

PostKind = Literal["post", "thread"]
PostStatus = Literal["draft", "scheduled", "publishing", "published", "failed", "cancelled"]
TargetStatus = Literal["pending", "publishing", "published", "failed", "deferred", "unknown", "held"]
RemovalStatus = Literal["requested", "deferred", "removed", "failed"]
Resolution = Literal["confirm", "republish", "drop"]
COMMENT = "#comment"
"""Ends the id of the target that is the first comment under another."""


class Removal(Struct, frozen=True, kw_only=True):
    """How far taking a live target off its platform has come."""

    status: RemovalStatus
    attempt: int
    next_attempt_at: datetime | None = None
    failure: Failure | None = None


class Target(Struct, frozen=True, kw_only=True):
    """One platform account a post goes to, and how far it got there; or the first comment under what is live there."""

    platform: Platform
    account_id: str
    username: str | None = None
    options: Options = {}
    content: Content | None = None
    estimated_reach: int | None = None
    status: TargetStatus = "pending"
    attempt: int = 0
    """The number of the latest attempt, resumptions and look-ups included."""
    next_attempt_at: datetime | None = None
    """When the publisher is asked again, unless it tells the end before."""
    unresolved_since: datetime | None = None
    probing: bool = False
    """The publisher is looking up right now whether an `unknown` target is live."""
    platform_post_id: str | None = None
    url: str | None = None
    published_at: datetime | None = None
    live_parts: tuple[LivePart, ...] = ()
    failure: Failure | None = None
    removal: Removal | None = None
    comment_on: str | None = None
    """The platform's id of the post that this target is the first comment on."""

    @property
    def target_id(self) -> str:
        return f"{self.platform}:{self.account_id}{COMMENT if self.comment_on is not None else ''}"


class Post(Struct, frozen=True, kw_only=True):
    """The read model of a post or thread: a fold of its events."""

    post_id: str
    kind: PostKind
    tenant_id: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    title: str | None
    parts: tuple[Content, ...]
    """One part for a post, several for a thread."""
    platforms: tuple[Platform, ...]
    accounts: dict[str, str] = {}
    """Accounts the creator chose, by platform; the others are chosen when the post is scheduled or published."""
    targets: tuple[Target, ...] = ()
    comments: tuple[Target, ...] = ()
    """First comments, once what they are to stand under is live. The post's status does not depend on them."""
    options: dict[str, Options] = {}
    overrides: dict[str, Content] = {}
    tags: tuple[str, ...] = ()
    campaign_id: str | None = None
    status: PostStatus = "draft"
    schedule: Schedule | None = None
    publishing_started_at: datetime | None = None
    published_at: datetime | None = None
    cancelled_at: datetime | None = None
    deleted: bool = False
    attempts: int = 0
    """Numbers the attempts at all targets, so that no number ever comes twice for one target."""
    revision: int = 0
    """Counts changes a reader could see; the ETag."""


# --- commands -----------------------------------------------------------------------------------------


@message("post.create.v1")
class CreatePost(Command, frozen=True, kw_only=True):
    """Create a draft, a scheduled post (`schedule`), or one that goes out at once (`publish_now`)."""

    post_id: str
    kind: PostKind
    tenant_id: str
    actor: str
    issued_at: datetime
    title: str | None = None
    parts: tuple[Content, ...]
    platforms: tuple[Platform, ...]
    accounts: dict[str, str] = {}
    options: dict[str, Options] = {}
    overrides: dict[str, Content] = {}
    targets: tuple[TargetSpec, ...] = ()
    """Needed unless a draft is created."""
    tags: tuple[str, ...] = ()
    campaign_id: str | None = None
    schedule: Schedule | None = None
    publish_now: bool = False


class PostChanges(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an edit replaces; what is unset stays as it is."""

    title: str | UnsetType | None = UNSET
    campaign_id: str | UnsetType | None = UNSET
    parts: tuple[Content, ...] | UnsetType = UNSET
    platforms: tuple[Platform, ...] | UnsetType = UNSET
    accounts: dict[str, str] | UnsetType = UNSET
    options: dict[str, Options] | UnsetType = UNSET
    overrides: dict[str, Content] | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


@message("post.edit.v1")
class EditPost(Command, frozen=True, kw_only=True):
    post_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    changes: PostChanges
    targets: tuple[TargetSpec, ...] | None = None
    """The new targets; needed when a scheduled post is edited."""
    expected_revision: int | None = None


@message("post.schedule.v1")
class SchedulePost(Command, frozen=True, kw_only=True):
    post_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    schedule: Schedule
    targets: tuple[TargetSpec, ...]
    expected_revision: int | None = None


@message("post.publish.v1")
class PublishPost(Command, frozen=True, kw_only=True):
    """Publish now. On a failed post: only the targets that are not live."""

    post_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    targets: tuple[TargetSpec, ...]
    expected_revision: int | None = None


@message("post.cancel.v1")
class CancelPost(Command, frozen=True, kw_only=True):
    post_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    expected_revision: int | None = None


@message("post.delete.v1")
class DeletePost(Command, frozen=True, kw_only=True):
    post_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    expected_revision: int | None = None


@message("post.remove.v1")
class RemovePost(Command, frozen=True, kw_only=True):
    """Take the post off its platforms; when it is gone from all of them it is deleted here too."""

    post_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    expected_revision: int | None = None


@message("post.resolve_target.v1")
class ResolveTarget(Command, frozen=True, kw_only=True):
    """A person has looked at the platform and says what became of a held target.

    `confirm`: it is live, as `live`. `republish`: it is not; send it again. `drop`: it is not, and shall not be.
    """

    post_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    target_id: str
    resolution: Resolution
    platform_post_id: str | None = None
    url: str | None = None
    expected_revision: int | None = None


class Published(Struct, frozen=True, kw_only=True, tag="published"):
    """Every part is live. `proof` says how we know: the answer itself, or a look-up on the platform."""

    parts: tuple[LivePart, ...]
    at: datetime
    proof: Literal["response", "readback", "duplicate_refusal"] = "response"


class Rejected(Struct, frozen=True, kw_only=True, tag="rejected"):
    """Definitely not live, and trying again unchanged would not help."""

    failure: Failure
    parts: tuple[LivePart, ...] = ()


class Deferred(Struct, frozen=True, kw_only=True, tag="deferred"):
    """Definitely not sent yet; to be tried again at `until` (budget used up, platform busy, media in processing)."""

    until: datetime
    reason: Failure
    parts: tuple[LivePart, ...] = ()


class Unknown(Struct, frozen=True, kw_only=True, tag="unknown"):
    """Sent, and nobody can say yet whether it is live; to be looked up again at `probe_at`."""

    probe_at: datetime
    reason: Failure
    parts: tuple[LivePart, ...] = ()


class Held(Struct, frozen=True, kw_only=True, tag="held"):
    """The platform offers no proof either way; a person has to look."""

    reason: Failure
    parts: tuple[LivePart, ...] = ()


Outcome = Published | Rejected | Deferred | Unknown | Held


@message("post.report_outcome.v1")
class ReportOutcome(Command, frozen=True, kw_only=True):
    """The publisher tells how an attempt at a target ended."""

    post_id: str
    tenant_id: str
    target_id: str
    attempt: int
    issued_at: datetime
    outcome: Outcome
    sent_at: datetime | None = None
    """When the request that published it went out; None when this attempt sent none."""
    variants: dict[str, str] = {}
    """Of uploads that were published as a variant: its id, by the upload's."""


class Removed(Struct, frozen=True, kw_only=True, tag="removed"):
    """Nothing of the target is on its platform any more."""


RemovalOutcome = Removed | Rejected | Deferred


@message("post.report_removal.v1")
class ReportRemoval(Command, frozen=True, kw_only=True):
    """The publisher tells how an attempt to take a target down ended."""

    post_id: str
    tenant_id: str
    target_id: str
    attempt: int
    issued_at: datetime
    outcome: RemovalOutcome


# --- events -------------------------------------------------------------------------------------------


@message("post.created.v1")
class PostCreated(Event, frozen=True, kw_only=True):
    post_id: str
    kind: PostKind
    tenant_id: str
    actor: str
    at: datetime
    title: str | None
    parts: tuple[Content, ...]
    platforms: tuple[Platform, ...]
    accounts: dict[str, str]
    options: dict[str, Options]
    overrides: dict[str, Content]
    targets: tuple[TargetSpec, ...]
    tags: tuple[str, ...]
    campaign_id: str | None
    schedule: Schedule | None
    publish_now: bool


@message("post.edited.v1")
class PostEdited(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime
    changes: PostChanges
    targets: tuple[TargetSpec, ...] | None


@message("post.scheduled.v1")
class PostScheduled(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime
    schedule: Schedule
    targets: tuple[TargetSpec, ...]


@message("post.publication_started.v1")
class PublicationStarted(Event, frozen=True, kw_only=True):
    """Targets were handed to the publisher: on request, when due, or again after a failure."""

    at: datetime
    actor: str | None
    """None when the schedule started it."""
    due_at: datetime | None
    target_ids: tuple[str, ...]
    targets: tuple[TargetSpec, ...]
    """New targets chosen with this publication; empty when those of the schedule stand."""


@message("post.attempts_due.v1")
class AttemptsDue(Event, frozen=True, kw_only=True):
    """Deferred or unresolved targets were handed to the publisher again."""

    at: datetime
    target_ids: tuple[str, ...]


@message("post.cancelled.v1")
class PostCancelled(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime


@message("post.deleted.v1")
class PostDeleted(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime


@message("post.target_outcome_recorded.v1")
class TargetOutcomeRecorded(Event, frozen=True, kw_only=True):
    at: datetime
    target_id: str
    attempt: int
    outcome: Outcome
    sent_at: datetime | None = None
    variants: dict[str, str] = {}


@message("post.duplicate_detected.v1")
class DuplicateDetected(Event, frozen=True, kw_only=True):
    """A second live post was reported for a target. Never expected; somebody is paged."""

    at: datetime
    target_id: str
    attempt: int
    first: LivePart
    second: LivePart


@message("post.target_resolved.v1")
class TargetResolved(Event, frozen=True, kw_only=True):
    """A person has said what became of a held target; `republish` hands it to the publisher again."""

    at: datetime
    actor: str
    target_id: str
    resolution: Resolution
    live: LivePart | None


@message("post.removal_started.v1")
class RemovalStarted(Event, frozen=True, kw_only=True):
    """Live targets were handed to the publisher to be taken down."""

    at: datetime
    actor: str | None
    """None when a deferred removal came due."""
    target_ids: tuple[str, ...]


@message("post.removal_recorded.v1")
class RemovalRecorded(Event, frozen=True, kw_only=True):
    at: datetime
    target_id: str
    attempt: int
    outcome: RemovalOutcome


PostEvent = (
    PostCreated
    | PostEdited
    | PostScheduled
    | PublicationStarted
    | AttemptsDue
    | PostCancelled
    | PostDeleted
    | TargetOutcomeRecorded
    | DuplicateDetected
    | TargetResolved
    | RemovalStarted
    | RemovalRecorded
)
PostCommand = (
    CreatePost
    | EditPost
    | SchedulePost
    | PublishPost
    | CancelPost
    | DeletePost
    | RemovePost
    | ResolveTarget
    | ReportOutcome
    | ReportRemoval
)
