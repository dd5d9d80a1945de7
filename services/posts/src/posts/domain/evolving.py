"""How facts change a post. Pure; every event ever recorded must still be understood here."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import UNSET
from msgspec.structs import replace

from contracts.content import Failure, TargetSpec
from contracts.messages import Event
from contracts.posts import (
    AttemptsDue,
    Deferred,
    DuplicateDetected,
    Held,
    Outcome,
    Post,
    PostCancelled,
    PostCreated,
    PostDeleted,
    PostEdited,
    PostScheduled,
    PostStatus,
    PublicationStarted,
    Published,
    Rejected,
    Target,
    TargetOutcomeRecorded,
    Unknown,
)

PATIENCE = timedelta(minutes=30)
"""How long the publisher may say nothing about an attempt before it is asked again. Its journal makes asking safe."""

IN_PROGRESS = ("pending", "publishing", "deferred", "unknown")


def target_of(post: Post, target_id: str) -> Target | None:
    return next((target for target in post.targets if target.target_id == target_id), None)


def evolve(post: Post | None, event: Event) -> Post:
    """Raises ValueError for an event that posts do not record."""
    if isinstance(event, PostCreated):
        return replace(_created(event), revision=1)
    if post is None:
        raise ValueError(f"{event.type_name} on a post that was never created")
    return replace(_fold(post, event), revision=post.revision + 1)


def _fold(post: Post, event: Event) -> Post:
    match event:
        case PostEdited(at=at):
            return replace(_edited(post, event), updated_at=at)
        case PostScheduled(at=at, schedule=schedule, targets=targets):
            return replace(
                post,
                status="scheduled",
                schedule=schedule,
                targets=tuple(_fresh(spec) for spec in targets),
                publishing_started_at=None,
                cancelled_at=None,
                updated_at=at,
            )
        case PublicationStarted(at=at, target_ids=target_ids, targets=targets):
            chosen = replace(post, targets=tuple(_fresh(spec) for spec in targets)) if targets else post
            return replace(_handed_over(chosen, target_ids, at), cancelled_at=None, updated_at=at)
        case AttemptsDue(at=at, target_ids=target_ids):
            return replace(_handed_over(post, target_ids, at), updated_at=at)
        case TargetOutcomeRecorded(at=at, target_id=target_id, attempt=attempt, outcome=outcome):
            target = target_of(post, target_id)
            if target is None:
                return post
            told = _replace_target(replace(post, updated_at=at), _with_outcome(target, attempt, outcome, at))
            return _settled(told)
        case PostCancelled(at=at):
            return replace(_cancelled(post, event), updated_at=at)
        case PostDeleted(at=at):
            return replace(post, deleted=True, updated_at=at)
        case DuplicateDetected(at=at):
            return replace(post, updated_at=at)
        case _:
            raise ValueError(f"posts do not know the event {event.type_name}")


def _fresh(spec: TargetSpec) -> Target:
    return Target(
        platform=spec.platform,
        account_id=spec.account_id,
        username=spec.username,
        options=spec.options,
        content=spec.content,
        estimated_reach=spec.estimated_reach,
    )


def _handed_over(post: Post, target_ids: Sequence[str], at: datetime) -> Post:
    """The post with these targets at the publisher, under the next attempt's number."""
    attempt = post.attempts + 1

    def hand_over(target: Target) -> Target:
        if target.target_id not in target_ids:
            return target
        looked_up = target.status == "unknown"
        return replace(
            target,
            status="unknown" if looked_up else "publishing",
            probing=looked_up,
            attempt=attempt,
            next_attempt_at=at + PATIENCE,
            failure=target.failure if looked_up else None,
        )

    return replace(
        post,
        status="publishing",
        attempts=attempt,
        targets=tuple(hand_over(target) for target in post.targets),
        publishing_started_at=post.publishing_started_at or at,
    )


def _created(event: PostCreated) -> Post:
    status: PostStatus = "scheduled" if event.schedule is not None else "draft"
    post = Post(
        post_id=event.post_id,
        kind=event.kind,
        tenant_id=event.tenant_id,
        created_by=event.actor,
        created_at=event.at,
        updated_at=event.at,
        title=event.title,
        parts=event.parts,
        platforms=event.platforms,
        accounts=event.accounts,
        options=event.options,
        overrides=event.overrides,
        targets=tuple(_fresh(spec) for spec in event.targets),
        tags=event.tags,
        campaign_id=event.campaign_id,
        status=status,
        schedule=event.schedule,
    )
    if event.publish_now:
        return _handed_over(post, [target.target_id for target in post.targets], event.at)
    return post


def _edited(post: Post, event: PostEdited) -> Post:
    changes = event.changes
    changed = replace(
        post,
        title=post.title if changes.title is UNSET else changes.title,
        campaign_id=post.campaign_id if changes.campaign_id is UNSET else changes.campaign_id,
        parts=post.parts if changes.parts is UNSET else changes.parts,
        platforms=post.platforms if changes.platforms is UNSET else changes.platforms,
        accounts=post.accounts if changes.accounts is UNSET else changes.accounts,
        options=post.options if changes.options is UNSET else changes.options,
        overrides=post.overrides if changes.overrides is UNSET else changes.overrides,
        tags=post.tags if changes.tags is UNSET else changes.tags,
    )
    if event.targets is not None:
        return replace(changed, targets=tuple(_fresh(spec) for spec in event.targets))
    # What failed or was cancelled starts over as a draft: its old targets were chosen for the old content.
    return replace(changed, status="draft", targets=(), schedule=None, publishing_started_at=None, cancelled_at=None)


def _with_outcome(target: Target, attempt: int, outcome: Outcome, at: datetime) -> Target:
    parts = outcome.parts or target.live_parts
    ended = replace(
        target,
        attempt=max(attempt, target.attempt),
        live_parts=parts,
        next_attempt_at=None,
        probing=False,
        failure=None,
    )
    match outcome:
        case Published(at=published_at):
            return replace(
                ended,
                status="published",
                platform_post_id=parts[0].platform_post_id,
                url=parts[0].url,
                published_at=published_at,
                unresolved_since=None,
            )
        case Rejected(failure=failure):
            return replace(ended, status="failed", failure=failure, unresolved_since=None)
        case Deferred(until=until, reason=reason):
            return replace(ended, status="deferred", failure=reason, next_attempt_at=until, unresolved_since=None)
        case Unknown(probe_at=probe_at, reason=reason):
            return replace(
                ended,
                status="unknown",
                failure=reason,
                next_attempt_at=probe_at,
                unresolved_since=target.unresolved_since or at,
            )
        case Held(reason=reason):
            return replace(ended, status="held", failure=reason)


def _settled(post: Post) -> Post:
    """The post's own status, from those of its targets."""
    statuses = {target.status for target in post.targets}
    if statuses & set(IN_PROGRESS):
        return replace(post, status="publishing")
    if statuses == {"published"}:
        return replace(
            post,
            status="published",
            published_at=max(target.published_at or post.updated_at for target in post.targets),
        )
    return replace(post, status="failed")


def _cancelled(post: Post, event: PostCancelled) -> Post:
    reason = Failure(code="cancelled", message="Cancelled before it was sent.", retryable=True)
    targets = tuple(
        replace(target, status="failed", failure=reason, next_attempt_at=None)
        if target.status == "deferred"
        else target
        for target in post.targets
    )
    some_ended = any(target.status in ("published", "failed", "held") for target in post.targets)
    return replace(post, status="failed" if some_ended else "cancelled", targets=targets, cancelled_at=event.at)


def _replace_target(post: Post, changed: Target) -> Post:
    return replace(
        post, targets=tuple(changed if target.target_id == changed.target_id else target for target in post.targets)
    )
