"""How facts change a post. Pure; every event ever recorded must still be understood here."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import UNSET
from msgspec.structs import replace

from contracts.content import Content, Failure, LivePart, TargetSpec
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
    Removal,
    RemovalRecorded,
    RemovalStarted,
    Removed,
    Target,
    TargetOutcomeRecorded,
    TargetResolved,
    Unknown,
)

PATIENCE = timedelta(minutes=30)
"""How long the publisher may say nothing about an attempt before it is asked again. Its journal makes asking safe."""

IN_PROGRESS = ("pending", "publishing", "deferred", "unknown")


def target_of(post: Post, target_id: str) -> Target | None:
    """Comments are targets too."""
    return next((target for target in (*post.targets, *post.comments) if target.target_id == target_id), None)


def evolve(post: Post | None, event: Event) -> Post:
    """Raises ValueError for an event that posts do not record."""
    if isinstance(event, PostCreated):
        return replace(_created(event), revision=1)
    if post is None:
        raise ValueError(f"{event.type_name} on a post that was never created")
    return replace(_fold(post, event), revision=post.revision + 1)


def _fold(post: Post, event: Event) -> Post:  # noqa: PLR0912  # a branch for each fact
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
            return _told(replace(post, updated_at=at), target, attempt, outcome, at)
        case TargetResolved(at=at):
            return _resolved(replace(post, updated_at=at), event)
        case RemovalStarted(at=at, target_ids=target_ids):
            return replace(_taken_down(post, target_ids, at), updated_at=at)
        case RemovalRecorded(at=at):
            return replace(_removal_told(post, event), updated_at=at)
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

    post = replace(
        post,
        attempts=attempt,
        targets=tuple(hand_over(target) for target in post.targets),
        comments=tuple(hand_over(comment) for comment in post.comments),
    )
    if all(target.attempt != attempt for target in post.targets):
        return post
    return replace(post, status="publishing", publishing_started_at=post.publishing_started_at or at)


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


def _told(post: Post, target: Target, attempt: int, outcome: Outcome, at: datetime) -> Post:
    """The post once the publisher, or a person, has told what became of a target."""
    told = _with_outcome(target, attempt, outcome, at)
    post = _replace_target(post, told)
    if target.comment_on is not None:
        return post
    return _settled(_with_comment(post, told, at) if told.status == "published" else post)


def _with_comment(post: Post, target: Target, at: datetime) -> Post:
    """The first comment of what has just gone live, handed to the publisher."""
    text = target.options.get("first_comment")
    if not text or any(_is_beside(comment, target) for comment in post.comments):
        return post
    comment = Target(
        platform=target.platform,
        account_id=target.account_id,
        username=target.username,
        content=Content(text=str(text)),
        comment_on=target.platform_post_id,
    )
    return _handed_over(replace(post, comments=(*post.comments, comment)), [comment.target_id], at)


def _is_beside(one: Target, other: Target) -> bool:
    return (one.platform, one.account_id) == (other.platform, other.account_id)


def _resolved(post: Post, event: TargetResolved) -> Post:
    target = target_of(post, event.target_id)
    if target is None:
        return post
    if event.resolution == "drop":
        reason = Failure(code="dropped", message="Somebody has looked, and decided against it.", retryable=True)
        return _told(post, target, target.attempt, Rejected(failure=reason, parts=target.live_parts), event.at)
    if event.live is None:
        return _handed_over(post, [event.target_id], event.at)
    live = (*target.live_parts, event.live)
    if len(live) == len(parts_of(post, target)):
        return _told(post, target, target.attempt, Published(parts=live, at=event.at, proof="readback"), event.at)
    return _handed_over(_replace_target(post, replace(target, live_parts=live)), [event.target_id], event.at)


def parts_of(post: Post, target: Target) -> tuple[Content, ...]:
    """What is to be live on this target, in order."""
    return post.parts if target.content is None else (target.content,)


def what_is_live(target: Target) -> tuple[LivePart, ...]:
    """Of the target, on its platform, as far as anybody knows."""
    return () if target.removal is not None and target.removal.status == "removed" else target.live_parts


def _taken_down(post: Post, target_ids: Sequence[str], at: datetime) -> Post:
    """The post with these targets at the publisher, to be removed."""
    for target_id in target_ids:
        target = target_of(post, target_id)
        if target is None:
            continue
        attempt = 1 if target.removal is None else target.removal.attempt + 1
        removal = Removal(status="requested", attempt=attempt, next_attempt_at=at + PATIENCE)
        post = _replace_target(post, replace(target, removal=removal))
    return post


def _removal_told(post: Post, event: RemovalRecorded) -> Post:
    target = target_of(post, event.target_id)
    if target is None or target.removal is None:
        return post
    removal = target.removal
    match event.outcome:
        case Removed():
            removal = replace(removal, status="removed", next_attempt_at=None, failure=None)
        case Rejected(failure=failure):
            removal = replace(removal, status="failed", next_attempt_at=None, failure=failure)
        case Deferred(until=until, reason=reason):
            removal = replace(removal, status="deferred", next_attempt_at=until, failure=reason)
    post = _replace_target(post, replace(target, removal=removal))
    gone = not any(what_is_live(each) for each in (*post.targets, *post.comments))
    return replace(post, deleted=post.deleted or gone)


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
        post,
        targets=tuple(changed if target.target_id == changed.target_id else target for target in post.targets),
        comments=tuple(changed if comment.target_id == changed.target_id else comment for comment in post.comments),
    )
