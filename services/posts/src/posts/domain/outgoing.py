"""Our facts as others must hear them: jobs for the publisher, and the public `social.*` events. Pure."""

from collections.abc import Iterator

from contracts import topics
from contracts.content import Media
from contracts.ids import sibling
from contracts.media import Source, UploadMedia, import_id
from contracts.messages import Event
from contracts.posts import (
    AttemptsDue,
    Post,
    PostCreated,
    PublicationStarted,
    RemovalStarted,
    TargetOutcomeRecorded,
    TargetResolved,
)
from contracts.public_events import PlatformPost, SocialPostFailed, SocialPostPublished
from contracts.publishing import PublishRequested, RemovalRequested
from eventlog.aggregate import FollowUp
from posts.domain.evolving import parts_of

_GOING_OUT = ("scheduled", "publishing")


def media_imports(before: Post | None, after: Post) -> Iterator[FollowUp]:
    """What a post names by URL is fetched as soon as it is accepted, so that it is there when the post is due."""
    wanted = named_by_url(after) if after.status in _GOING_OUT else {}
    known = named_by_url(before) if before is not None and before.status in _GOING_OUT else {}
    for url, media in wanted.items():
        if url in known:
            continue
        media_id = import_id(after.post_id, url)
        yield FollowUp(
            topic=topics.MEDIA_COMMANDS,
            key=media_id,
            id=f"{media_id}:import",
            tenant_id=after.tenant_id,
            message=UploadMedia(
                media_id=media_id,
                tenant_id=after.tenant_id,
                actor=after.created_by,
                issued_at=after.updated_at,
                source=Source(url=url),
                alt_text=media.alt_text,
            ),
        )


def named_by_url(post: Post) -> dict[str, Media]:
    """The pictures and videos that its targets show and that are no uploads. Documents are none of the media service's.

    For each URL what is said of it first.
    """
    found: dict[str, Media] = {}
    for target in post.targets:
        for part in parts_of(post, target):
            for media in part.media:
                if media.url is not None and media.type != "document":
                    found.setdefault(media.url, media)
    return found


def publish_requests(before: Post | None, event: Event, after: Post) -> Iterator[FollowUp]:
    """One job for each target that the event hands to the publisher; its id names post, target and attempt."""
    match event:
        case PostCreated(publish_now=True, at=at):
            target_ids, due_at = tuple(target.target_id for target in after.targets), at
        case PublicationStarted(target_ids=target_ids, due_at=scheduled, at=at):
            due_at = scheduled or at
        case AttemptsDue(target_ids=target_ids, at=due_at):
            pass
        case TargetOutcomeRecorded(at=due_at) | TargetResolved(at=due_at):
            target_ids = _newly_begun(before, after)
        case _:
            return
    resolved_absent = isinstance(event, TargetResolved) and event.resolution == "republish"
    for target in (*after.targets, *after.comments):
        if target.target_id not in target_ids:
            continue
        yield FollowUp(
            topic=topics.publish_requests(target.platform),
            key=target.account_id,
            id=f"{after.post_id}/{target.target_id}/{target.attempt}",
            tenant_id=after.tenant_id,
            message=PublishRequested(
                post_id=after.post_id,
                tenant_id=after.tenant_id,
                target_id=target.target_id,
                attempt=target.attempt,
                platform=target.platform,
                account_id=target.account_id,
                parts=parts_of(after, target),
                title=after.title,
                options=target.options,
                live_parts=target.live_parts,
                due_at=due_at,
                unresolved_since=target.unresolved_since,
                reply_to=target.comment_on,
                absent=resolved_absent,
            ),
        )


def _newly_begun(before: Post | None, after: Post) -> tuple[str, ...]:
    """What has got a new attempt: a first comment whose post has gone live, what somebody resolved."""
    if before is not None and after.attempts == before.attempts:
        return ()
    return tuple(t.target_id for t in (*after.targets, *after.comments) if t.attempt == after.attempts)


def removal_requests(event: Event, after: Post) -> Iterator[FollowUp]:
    """One job for each target that the event wants taken down."""
    if not isinstance(event, RemovalStarted):
        return
    for target in (*after.targets, *after.comments):
        if target.target_id not in event.target_ids or target.removal is None:
            continue
        yield FollowUp(
            topic=topics.publish_requests(target.platform),
            key=target.account_id,
            id=f"{after.post_id}/{target.target_id}/removal/{target.removal.attempt}",
            tenant_id=after.tenant_id,
            message=RemovalRequested(
                post_id=after.post_id,
                tenant_id=after.tenant_id,
                target_id=target.target_id,
                attempt=target.removal.attempt,
                platform=target.platform,
                account_id=target.account_id,
                live_parts=target.live_parts,
            ),
        )


def public_events(before: Post | None, event_id: str, after: Post) -> Iterator[FollowUp]:
    """`social.post_published` or `social.post_failed`, when the post as a whole has come to its end."""
    if before is None or before.status == after.status:
        return
    platforms = tuple(
        PlatformPost(
            platform=target.platform,
            account_id=target.account_id,
            status=target.status,
            post_id=target.platform_post_id,
            url=target.url,
            published_at=target.published_at,
            failure=target.failure,
        )
        for target in after.targets
    )
    publish_id = sibling("pub", after.post_id)
    if after.status == "published" and after.published_at is not None:
        yield FollowUp(
            topic=topics.POST_PUBLISHED,
            key=after.post_id,
            id=f"{event_id}:published",
            tenant_id=after.tenant_id,
            message=SocialPostPublished(
                tenant_id=after.tenant_id,
                post_id=after.post_id,
                publish_id=publish_id,
                title=after.title,
                campaign_id=after.campaign_id,
                tags=after.tags,
                published_at=after.published_at,
                platforms=platforms,
            ),
        )
    if after.status == "failed":
        first = next(target.failure for target in after.targets if target.failure is not None)
        yield FollowUp(
            topic=topics.POST_FAILED,
            key=after.post_id,
            id=f"{event_id}:failed",
            tenant_id=after.tenant_id,
            message=SocialPostFailed(
                tenant_id=after.tenant_id,
                post_id=after.post_id,
                publish_id=publish_id,
                title=after.title,
                campaign_id=after.campaign_id,
                tags=after.tags,
                failed_at=after.updated_at,
                reason=first.code,
                message=first.message,
                platforms=platforms,
            ),
        )
