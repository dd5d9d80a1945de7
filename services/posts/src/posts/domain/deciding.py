"""What a command means on a post's state: a fact, a refusal with its reason, or nothing to do. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET

from contracts.content import LivePart, TargetSpec
from contracts.messages import Command
from contracts.posts import (
    AttemptsDue,
    CancelPost,
    CreatePost,
    DeletePost,
    DuplicateDetected,
    EditPost,
    Post,
    PostCancelled,
    PostCreated,
    PostDeleted,
    PostEdited,
    PostScheduled,
    PublicationStarted,
    Published,
    PublishPost,
    RemovalRecorded,
    RemovalStarted,
    RemovePost,
    ReportOutcome,
    ReportRemoval,
    ResolveTarget,
    SchedulePost,
    Target,
    TargetOutcomeRecorded,
    TargetResolved,
)
from contracts.verdicts import Refusal
from eventlog.aggregate import Decision, NotFound
from posts.domain.evolving import IN_PROGRESS, target_of, what_is_live

PAST_GRACE = timedelta(minutes=5)
"""How far in the past a schedule may lie when its command is decided, for clocks and queues."""


class BecomeDue(Command, frozen=True, kw_only=True):
    """The owner's wish to itself when a due time has come. Never on the wire."""

    post_id: str
    now: datetime


def decide(post: Post | None, command: Command) -> Decision:
    """Total: every command has an answer on every state."""
    if isinstance(command, CreatePost):
        return _create(post, command)
    if isinstance(command, BecomeDue):
        return None if post is None else _become_due(post, command)
    if isinstance(command, ReportOutcome):
        return None if post is None or post.tenant_id != command.tenant_id else _report(post, command)
    if isinstance(command, ReportRemoval):
        return None if post is None or post.tenant_id != command.tenant_id else _report_removal(post, command)
    rule = _CLIENT_RULES.get(type(command))
    if rule is None:
        return Refusal(code="unknown_command", message=f"Posts do not understand {command.type_name}.")
    return _decide_for_client(rule, post, command)


def _decide_for_client(rule: Callable[[Post, Any], Decision], post: Post | None, command: Any) -> Decision:
    if post is None or post.deleted or post.tenant_id != command.tenant_id:
        return _not_found(command.post_id)
    if command.expected_revision is not None and command.expected_revision != post.revision:
        return _refused("revision_mismatch", "The post has changed since you read it.", post)
    return rule(post, command)


def _not_found(post_id: str) -> NotFound:
    return NotFound(refusal=Refusal(code="post_not_found", message=f"There is no post {post_id}."))


def _refused(code: str, message: str, post: Post) -> Refusal:
    return Refusal(code=code, message=message, details={"status": post.status, "revision": post.revision})


def _create(post: Post | None, command: CreatePost) -> Decision:
    if post is not None:
        if post.tenant_id != command.tenant_id:
            return _not_found(command.post_id)
        return _refused("post_exists", f"Post {command.post_id} exists already.", post)
    if command.schedule is not None or command.publish_now:
        if (wrong := _wrong_targets(command.targets, command.platforms)) is not None:
            return Refusal(code="invalid_content", message=wrong)
        if command.schedule is not None and command.schedule.at < command.issued_at - PAST_GRACE:
            return Refusal(code="invalid_content", message="The scheduled time has passed.")
    return PostCreated(
        post_id=command.post_id,
        kind=command.kind,
        tenant_id=command.tenant_id,
        actor=command.actor,
        at=command.issued_at,
        title=command.title,
        parts=command.parts,
        platforms=command.platforms,
        accounts=command.accounts,
        options=command.options,
        overrides=command.overrides,
        targets=command.targets,
        tags=command.tags,
        campaign_id=command.campaign_id,
        schedule=command.schedule,
        publish_now=command.publish_now,
    )


def _wrong_targets(targets: Sequence[TargetSpec], platforms: Sequence[str]) -> str | None:
    if not targets:
        return "There is no account to publish to."
    if len({target.target_id for target in targets}) < len(targets):
        return "An account is named twice."
    if {target.platform for target in targets} != set(platforms):
        return "The targets are not those of the post's platforms."
    return None


def _is_partly_live(post: Post) -> bool:
    return any(target.live_parts or target.status in ("published", "held") for target in post.targets)


def _edit(post: Post, command: EditPost) -> Decision:
    if post.status in ("publishing", "published"):
        return _refused("not_editable", f"A post that is {post.status} cannot be changed.", post)
    if _is_partly_live(post):
        return _refused("not_editable", "Part of this post is live, or may be; publish the rest as it is.", post)
    if post.status == "scheduled":
        platforms = post.platforms if command.changes.platforms is UNSET else command.changes.platforms
        if command.targets is None or _wrong_targets(command.targets, platforms) is not None:
            return _refused("revision_mismatch", "The post has been scheduled meanwhile.", post)
    return PostEdited(
        actor=command.actor,
        at=command.issued_at,
        changes=command.changes,
        targets=command.targets if post.status == "scheduled" else None,
    )


def _schedule(post: Post, command: SchedulePost) -> Decision:
    if post.status in ("publishing", "published") or _is_partly_live(post):
        return _refused("not_schedulable", f"A post that is {post.status} cannot be scheduled.", post)
    if command.schedule.at < command.issued_at - PAST_GRACE:
        return _refused("invalid_content", "The scheduled time has passed.", post)
    if _wrong_targets(command.targets, post.platforms) is not None:
        return _refused("revision_mismatch", "The post's platforms have changed meanwhile.", post)
    return PostScheduled(actor=command.actor, at=command.issued_at, schedule=command.schedule, targets=command.targets)


def _publish(post: Post, command: PublishPost) -> Decision:
    if post.status in ("publishing", "published"):
        return _refused("not_publishable", f"The post is {post.status} already.", post)
    if post.status == "failed":
        again = tuple(target.target_id for target in post.targets if target.status == "failed")
        if not again:
            return _refused(
                "not_publishable", "What is not live is held: look at the platform and resolve it first.", post
            )
        return PublicationStarted(at=command.issued_at, actor=command.actor, due_at=None, target_ids=again, targets=())
    if _wrong_targets(command.targets, post.platforms) is not None:
        return _refused("revision_mismatch", "The post's platforms have changed meanwhile.", post)
    return PublicationStarted(
        at=command.issued_at,
        actor=command.actor,
        due_at=None,
        target_ids=tuple(target.target_id for target in command.targets),
        targets=command.targets,
    )


def _cancel(post: Post, command: CancelPost) -> Decision:
    cancelled = PostCancelled(actor=command.actor, at=command.issued_at)
    if post.status == "scheduled":
        return cancelled
    waiting = [target for target in post.targets if target.status in IN_PROGRESS]
    if waiting and all(target.status == "deferred" and not target.live_parts for target in waiting):
        return cancelled
    reason = {
        "publishing": "The post is being sent to its platforms and can no longer be stopped.",
        "draft": "A draft has nothing to cancel; delete it instead.",
    }.get(post.status, f"The post is {post.status} already.")
    return _refused("not_cancellable", reason, post)


def _delete(post: Post, command: DeletePost | RemovePost) -> Decision:
    if post.status == "publishing":
        return _refused("not_deletable", "The post is being sent to its platforms; wait for the outcome.", post)
    if _is_being_removed(post):
        return _refused("not_deletable", "The post is being taken off its platforms; wait for the outcome.", post)
    return PostDeleted(actor=command.actor, at=command.issued_at)


def _is_being_removed(post: Post) -> bool:
    return any(
        target.removal is not None and target.removal.status in ("requested", "deferred")
        for target in (*post.targets, *post.comments)
    )


def _remove(post: Post, command: RemovePost) -> Decision:
    targets = (*post.targets, *post.comments)
    if any(target.status == "held" for target in targets):
        return _refused("not_deletable", "Part of this post may be live: resolve what is held first.", post)
    if any(comment.status in IN_PROGRESS for comment in post.comments):
        return _refused("not_deletable", "Its first comment is being sent; wait for the outcome.", post)
    live = tuple(target.target_id for target in targets if what_is_live(target))
    if post.status == "publishing" or _is_being_removed(post) or not live:
        return _delete(post, command)
    return RemovalStarted(at=command.issued_at, actor=command.actor, target_ids=live)


def _report_removal(post: Post, command: ReportRemoval) -> Decision:
    target = target_of(post, command.target_id)
    if target is None or target.removal is None:
        return None
    if target.removal.status != "requested" or target.removal.attempt != command.attempt:
        return None
    return RemovalRecorded(
        at=command.issued_at, target_id=command.target_id, attempt=command.attempt, outcome=command.outcome
    )


def _resolve(post: Post, command: ResolveTarget) -> Decision:
    target = target_of(post, command.target_id)
    if target is None:
        return _refused("target_not_found", f"The post has no target {command.target_id}.", post)
    if target.status != "held":
        return _refused("not_resolvable", f"The target is {target.status}: only what is held can be resolved.", post)
    live = None
    if command.resolution == "confirm":
        if not command.platform_post_id:
            return _refused("invalid_content", "To confirm it, name the platform's id of the post.", post)
        live = LivePart(index=len(target.live_parts), platform_post_id=command.platform_post_id, url=command.url)
    return TargetResolved(
        at=command.issued_at,
        actor=command.actor,
        target_id=command.target_id,
        resolution=command.resolution,
        live=live,
    )


def _become_due(post: Post, command: BecomeDue) -> Decision:
    if post.deleted:
        return None
    if post.status == "scheduled" and post.schedule is not None and post.schedule.at <= command.now:
        return PublicationStarted(
            at=command.now,
            actor=None,
            due_at=post.schedule.at,
            target_ids=tuple(target.target_id for target in post.targets),
            targets=(),
        )
    targets = (*post.targets, *post.comments)
    due = tuple(target.target_id for target in targets if _has_come(target.next_attempt_at, command.now))
    if due:
        return AttemptsDue(at=command.now, target_ids=due)
    removals = tuple(
        target.target_id
        for target in targets
        if target.removal is not None and _has_come(target.removal.next_attempt_at, command.now)
    )
    return RemovalStarted(at=command.now, actor=None, target_ids=removals) if removals else None


def _has_come(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now


def _report(post: Post, command: ReportOutcome) -> Decision:
    target = target_of(post, command.target_id)
    if target is None:
        return None
    outcome = command.outcome
    if isinstance(outcome, Published):
        if not outcome.parts:
            return _refused("invalid_outcome", "What is published has at least one part.", post)
        if target.attempt == 0:
            # Chosen anew since the attempt that is told of: whether that one is live, the publisher will find out.
            return _refused("invalid_outcome", "This target has not been handed to the publisher.", post)
        # That something is live is true whichever attempt says so.
        first = outcome.parts[0]
        if target.status == "published":
            known = LivePart(index=0, platform_post_id=target.platform_post_id or "", url=target.url)
            if known.platform_post_id == first.platform_post_id:
                return None
            return DuplicateDetected(
                at=command.issued_at, target_id=target.target_id, attempt=command.attempt, first=known, second=first
            )
    elif command.attempt != target.attempt or not _is_awaited(target):
        return None
    return TargetOutcomeRecorded(
        at=command.issued_at,
        target_id=command.target_id,
        attempt=command.attempt,
        outcome=outcome,
        sent_at=command.sent_at,
        variants=command.variants,
    )


def _is_awaited(target: Target) -> bool:
    """Whether the publisher has this target's latest attempt and has not told its end."""
    return target.status == "publishing" or (target.status == "unknown" and target.probing)


_CLIENT_RULES: Mapping[type[Command], Callable[[Post, Any], Decision]] = {
    EditPost: _edit,
    SchedulePost: _schedule,
    PublishPost: _publish,
    CancelPost: _cancel,
    DeletePost: _delete,
    RemovePost: _remove,
    ResolveTarget: _resolve,
}
