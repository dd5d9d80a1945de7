"""The shapes the API answers with, made from the read models. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from contracts.accounts import Account, AccountStatus
from contracts.connections import AccountDisconnection, AccountHealth, ConnectionCompleted
from contracts.content import Content, Failure, Link, Media, Options, Platform
from contracts.ids import sibling
from contracts.posts import Post, PostKind, PostStatus, RemovalStatus, Target

TargetState = Literal[
    "draft", "scheduled", "cancelled", "pending", "publishing", "published", "failed", "deferred", "unknown", "held"
]
"""A target's own status once it has been handed over; until then that of its post."""


class View(Struct, frozen=True, kw_only=True):
    pass


class PublicationTarget(View, frozen=True, kw_only=True):
    platform: Platform
    account_id: str
    status: TargetState
    estimated_reach: int | None
    """People likely to see it, by the time the account was chosen: what its posts usually reach, or its followers while
    there are too few; null when not known.
    """
    post_id: str | None
    """The platform's id of the post, once it is live."""
    url: str | None
    error: Failure | None
    attempts: int
    """Number of the latest attempt, look-ups included; 0 before the first."""
    next_attempt_at: datetime | None
    published_at: datetime | None


class PublicationView(View, frozen=True, kw_only=True):
    publish_id: str
    post_id: str
    status: PostStatus
    scheduled_for: datetime | None
    timezone: str | None
    platforms: tuple[PublicationTarget, ...]
    created_at: datetime
    published_at: datetime | None
    notes: tuple[str, ...]
    """What happened to the time that was asked for, where clocks change. Only in the answer to the request itself."""


class ContentView(View, frozen=True, kw_only=True):
    text: str
    hashtags: tuple[str, ...]
    mentions: tuple[str, ...]
    link: Link | None


class OverrideView(ContentView, frozen=True, kw_only=True):
    media: tuple[Media, ...]


class PlatformPostView(View, frozen=True, kw_only=True):
    """What became of one target. `post_id` and `url` are the platform's."""

    platform: Platform
    account_id: str
    post_id: str | None
    url: str | None
    status: TargetState
    published_at: datetime | None


class LivePartView(View, frozen=True, kw_only=True):
    index: int
    post_id: str
    url: str | None


class FirstCommentView(View, frozen=True, kw_only=True):
    """The first comment under a live target. The post's own status does not depend on it."""

    text: str
    target_id: str
    """What resolves it when it is held."""
    status: TargetState
    post_id: str | None
    url: str | None
    published_at: datetime | None
    next_attempt_at: datetime | None
    error: Failure | None


class RemovalView(View, frozen=True, kw_only=True):
    """How far taking it off its platform has come."""

    status: RemovalStatus
    attempts: int
    next_attempt_at: datetime | None
    error: Failure | None


class TargetView(View, frozen=True, kw_only=True):
    target_id: str
    platform: Platform
    account_id: str
    username: str | None
    status: TargetState
    options: Options
    content: OverrideView | None
    estimated_reach: int | None
    attempts: int
    next_attempt_at: datetime | None
    published_at: datetime | None
    live_parts: tuple[LivePartView, ...]
    error: Failure | None
    first_comment: FirstCommentView | None
    removal: RemovalView | None


class FailureReason(View, frozen=True, kw_only=True):
    platform: Platform
    account_id: str
    error: Failure


class AnalyticsView(View, frozen=True, kw_only=True):
    """Null until something has been measured."""

    total_impressions: int | None = None
    total_engagements: int | None = None
    engagement_rate: float | None = None
    """Engagements in percent of impressions."""
    as_of: datetime | None = None


class PostView(View, frozen=True, kw_only=True):
    id: str
    kind: PostKind
    publish_id: str
    title: str | None
    content: ContentView
    media: tuple[Media, ...]
    parts: tuple[OverrideView, ...]
    """All parts of a thread, the first included; empty for a post."""
    platforms: tuple[Platform, ...]
    accounts: dict[str, str]
    options: dict[str, Options]
    overrides: dict[str, OverrideView]
    status: PostStatus
    campaign_id: str | None
    tags: tuple[str, ...]
    created_at: datetime
    created_by: str
    updated_at: datetime
    scheduled_at: datetime | None
    timezone: str | None
    scheduled_local: str | None
    """`scheduled_at` on the clock of `timezone`, with that clock's offset."""
    published_at: datetime | None
    cancelled_at: datetime | None
    platform_posts: tuple[PlatformPostView, ...]
    targets: tuple[TargetView, ...]
    failure_reasons: tuple[FailureReason, ...]
    analytics: AnalyticsView
    revision: int
    """The `ETag`; send it as `If-Match` to change only what you have seen."""
    notes: tuple[str, ...]
    """What happened to the time that was asked for, where clocks change. Only in the answer to the request itself."""


class PostList(View, frozen=True, kw_only=True):
    posts: tuple[PostView, ...]
    cursor: str | None
    """Give it back to get the next page; null on the last."""


class ThreadPartView(View, frozen=True, kw_only=True):
    index: int
    text: str
    media: tuple[Media, ...]
    post_id: str | None
    """The platform's id of this part, once it is live."""
    url: str | None


class ThreadView(View, frozen=True, kw_only=True):
    thread_id: str
    post_id: str
    """The same thread under /posts, where it can be cancelled, rescheduled and deleted."""
    title: str | None
    platform: Platform
    account_id: str | None
    post_count: int
    status: PostStatus
    scheduled_at: datetime | None
    timezone: str | None
    published_at: datetime | None
    created_at: datetime
    created_by: str
    posts: tuple[ThreadPartView, ...]
    error: Failure | None
    revision: int
    notes: tuple[str, ...]


class QueueEntry(View, frozen=True, kw_only=True):
    id: str
    kind: PostKind
    title: str | None
    scheduled_at: datetime
    timezone: str | None
    platforms: tuple[Platform, ...]
    status: PostStatus


class QueueView(View, frozen=True, kw_only=True):
    queue: tuple[QueueEntry, ...]
    total_scheduled: int
    cursor: str | None


class AccountView(View, frozen=True, kw_only=True):
    id: str
    platform: Platform
    username: str
    display_name: str
    profile_image: str | None
    followers: int | None
    status: AccountStatus
    connected_at: datetime
    permissions: tuple[str, ...]
    account_type: str
    is_default: bool
    disconnected_at: datetime | None
    disconnect_reason: str | None


class AccountList(View, frozen=True, kw_only=True):
    accounts: tuple[AccountView, ...]


class HealthView(View, frozen=True, kw_only=True):
    """Of an account's authorization. `warning` says what is wrong, or will be."""

    token_expires_at: datetime | None
    renews_itself: bool
    authorization_ends_at: datetime | None
    """When the account must be connected anew; null when that is not known, or never."""
    last_refreshed_at: datetime | None
    warning: str | None


class AccountDetailView(AccountView, frozen=True, kw_only=True):
    profile_updated_at: datetime | None
    health: HealthView | None
    """Null while it cannot be found out, and for accounts that are disconnected."""


class DisconnectionView(AccountView, frozen=True, kw_only=True):
    revoked: bool
    """Whether the platform was told, and agreed."""
    notice: str | None
    """What can still be done there."""


class ConnectionBegunView(View, frozen=True, kw_only=True):
    authorization_url: str
    """Send the person there."""
    state: str
    """Comes back with the person; works once."""
    expires_in: int
    """Seconds."""


class ChoiceView(View, frozen=True, kw_only=True):
    id: str
    username: str
    display_name: str
    account_type: str
    profile_image: str | None
    followers: int | None


class ConnectionView(View, frozen=True, kw_only=True):
    """Connected; or one of `choices` has to be selected with the `selection_token`."""

    status: Literal["connected", "selection_required"]
    account: AccountView | None
    selection_token: str | None
    expires_in: int | None
    """Seconds for which the selection is open."""
    choices: tuple[ChoiceView, ...]
    missing_permissions: tuple[str, ...]
    """Asked for and not granted, as the platform names them; enough to publish was."""


class PendingView(View, frozen=True, kw_only=True):
    """The command is safe in the log and has not been decided yet."""

    command_id: str
    post_id: str
    status: Literal["pending"]
    status_url: str


class RefusalView(View, frozen=True, kw_only=True):
    code: str
    message: str


class CommandView(View, frozen=True, kw_only=True):
    command_id: str
    post_id: str
    status: Literal["pending", "accepted", "refused"]
    reason: RefusalView | None


class HistoryEntry(View, frozen=True, kw_only=True):
    version: int
    type: str
    at: datetime
    actor: str | None
    """Null for what the system did by itself."""
    summary: str
    details: dict[str, Any]
    event_id: str
    command_id: str | None


class HistoryView(View, frozen=True, kw_only=True):
    history: tuple[HistoryEntry, ...]
    """Oldest first."""
    before_version: int | None
    """Give it back to get the entries before these; null when there are none."""


class ViolationView(View, frozen=True, kw_only=True):
    rule: str
    message: str
    pointer: str | None
    limit: int | float | str | list[Any] | None
    actual: int | float | str | list[Any] | None
    remediation: str | None
    platform: str | None
    severity: str
    """`invalid` is never acceptable; `incomplete` is, in a draft."""


class ValidatedTarget(View, frozen=True, kw_only=True):
    platform: Platform
    account_id: str | None
    username: str | None
    estimated_reach: int | None
    texts: tuple[str, ...]
    """What would be published, part by part."""


class ValidationView(View, frozen=True, kw_only=True):
    valid: bool
    """Whether the request would be accepted as it is."""
    publishable: bool
    """Whether it could be published as it is; a valid draft may still be incomplete."""
    violations: tuple[ViolationView, ...]
    targets: tuple[ValidatedTarget, ...]


def publication(post: Post, notes: Sequence[str] = ()) -> PublicationView:
    return PublicationView(
        publish_id=sibling("pub", post.post_id),
        post_id=post.post_id,
        status=post.status,
        scheduled_for=None if post.schedule is None else post.schedule.at,
        timezone=None if post.schedule is None else post.schedule.timezone,
        platforms=tuple(
            PublicationTarget(
                platform=target.platform,
                account_id=target.account_id,
                status=_state(post, target),
                estimated_reach=target.estimated_reach,
                post_id=target.platform_post_id,
                url=target.url,
                error=target.failure,
                attempts=target.attempt,
                next_attempt_at=_next_attempt(target),
                published_at=target.published_at,
            )
            for target in post.targets
        ),
        created_at=post.created_at,
        published_at=post.published_at,
        notes=tuple(notes),
    )


def post_view(post: Post, notes: Sequence[str] = (), analytics: AnalyticsView | None = None) -> PostView:
    first = post.parts[0]
    schedule = post.schedule
    return PostView(
        id=post.post_id,
        kind=post.kind,
        publish_id=sibling("pub", post.post_id),
        title=post.title,
        content=ContentView(text=first.text, hashtags=first.hashtags, mentions=first.mentions, link=first.link),
        media=first.media,
        parts=tuple(_with_media(part) for part in post.parts) if post.kind == "thread" else (),
        platforms=post.platforms,
        accounts=post.accounts,
        options=post.options,
        overrides={platform: _with_media(content) for platform, content in post.overrides.items()},
        status=post.status,
        campaign_id=post.campaign_id,
        tags=post.tags,
        created_at=post.created_at,
        created_by=post.created_by,
        updated_at=post.updated_at,
        scheduled_at=None if schedule is None else schedule.at,
        timezone=None if schedule is None else schedule.timezone,
        scheduled_local=(
            None
            if schedule is None or schedule.timezone is None
            else schedule.at.astimezone(ZoneInfo(schedule.timezone)).isoformat()
        ),
        published_at=post.published_at,
        cancelled_at=post.cancelled_at,
        platform_posts=tuple(
            PlatformPostView(
                platform=target.platform,
                account_id=target.account_id,
                post_id=target.platform_post_id,
                url=target.url,
                status=_state(post, target),
                published_at=target.published_at,
            )
            for target in post.targets
        ),
        targets=tuple(_target(post, target) for target in post.targets),
        failure_reasons=tuple(
            FailureReason(platform=target.platform, account_id=target.account_id, error=target.failure)
            for target in post.targets
            if target.failure is not None
        ),
        analytics=analytics or AnalyticsView(),
        revision=post.revision,
        notes=tuple(notes),
    )


def _target(post: Post, target: Target) -> TargetView:
    comment = next(
        (each for each in post.comments if (each.platform, each.account_id) == (target.platform, target.account_id)),
        None,
    )
    return TargetView(
        target_id=target.target_id,
        platform=target.platform,
        account_id=target.account_id,
        username=target.username,
        status=_state(post, target),
        options=target.options,
        content=None if target.content is None else _with_media(target.content),
        estimated_reach=target.estimated_reach,
        attempts=target.attempt,
        next_attempt_at=_next_attempt(target),
        published_at=target.published_at,
        live_parts=tuple(
            LivePartView(index=part.index, post_id=part.platform_post_id, url=part.url) for part in target.live_parts
        ),
        error=target.failure,
        first_comment=None if comment is None else _first_comment(comment),
        removal=_removal(target),
    )


def _first_comment(comment: Target) -> FirstCommentView:
    return FirstCommentView(
        text="" if comment.content is None else comment.content.text,
        target_id=comment.target_id,
        status=comment.status,
        post_id=comment.platform_post_id,
        url=comment.url,
        published_at=comment.published_at,
        next_attempt_at=_next_attempt(comment),
        error=comment.failure,
    )


def _removal(target: Target) -> RemovalView | None:
    removal = target.removal
    if removal is None:
        return None
    return RemovalView(
        status=removal.status,
        attempts=removal.attempt,
        next_attempt_at=removal.next_attempt_at if removal.status == "deferred" else None,
        error=removal.failure,
    )


def thread(post: Post, notes: Sequence[str] = ()) -> ThreadView:
    target = post.targets[0] if post.targets else None
    live = {part.index: part for part in target.live_parts} if target is not None else {}
    return ThreadView(
        thread_id=sibling("thread", post.post_id),
        post_id=post.post_id,
        title=post.title,
        platform=post.platforms[0],
        account_id=None if target is None else target.account_id,
        post_count=len(post.parts),
        status=post.status,
        scheduled_at=None if post.schedule is None else post.schedule.at,
        timezone=None if post.schedule is None else post.schedule.timezone,
        published_at=post.published_at,
        created_at=post.created_at,
        created_by=post.created_by,
        posts=tuple(
            ThreadPartView(
                index=index,
                text=part.text,
                media=part.media,
                post_id=live[index].platform_post_id if index in live else None,
                url=live[index].url if index in live else None,
            )
            for index, part in enumerate(post.parts)
        ),
        error=None if target is None else target.failure,
        revision=post.revision,
        notes=tuple(notes),
    )


def queue_entry(post: Post) -> QueueEntry:
    """Of a scheduled post. Raises ValueError for another."""
    if post.schedule is None:
        raise ValueError(f"{post.post_id} is not scheduled")
    return QueueEntry(
        id=post.post_id,
        kind=post.kind,
        title=post.title,
        scheduled_at=post.schedule.at,
        timezone=post.schedule.timezone,
        platforms=post.platforms,
        status=post.status,
    )


def account(account: Account) -> AccountView:
    return AccountView(
        id=account.account_id,
        platform=account.platform,
        username=handle(account.platform, account.username),
        display_name=account.display_name,
        profile_image=account.profile_image,
        followers=account.followers,
        status=account.status,
        connected_at=account.connected_at,
        permissions=account.permissions,
        account_type=account.account_type,
        is_default=account.is_default,
        disconnected_at=account.disconnected_at,
        disconnect_reason=account.disconnect_reason,
    )


def account_detail(found: Account, health: AccountHealth | None) -> AccountDetailView:
    return AccountDetailView(
        **structs.asdict(account(found)),
        profile_updated_at=found.profile_updated_at,
        health=None if health is None else HealthView(**structs.asdict(health)),
    )


def disconnection(done: AccountDisconnection) -> DisconnectionView:
    return DisconnectionView(**structs.asdict(account(done.account)), revoked=done.revoked, notice=done.notice)


def connection(completed: ConnectionCompleted) -> ConnectionView:
    """Raises ValueError when it is neither connected nor to be selected."""
    if (made := completed.connection) is not None:
        return ConnectionView(
            status="connected",
            account=account(made.account),
            selection_token=None,
            expires_in=None,
            choices=(),
            missing_permissions=made.missing_permissions,
        )
    if (open_ := completed.selection) is None:
        raise ValueError("neither connected nor to be selected")
    return ConnectionView(
        status="selection_required",
        account=None,
        selection_token=open_.selection_token,
        expires_in=open_.expires_in,
        choices=tuple(ChoiceView(**structs.asdict(choice)) for choice in open_.choices),
        missing_permissions=open_.missing_permissions,
    )


def handle(platform: Platform, username: str) -> str:
    """A username as its platform writes it: with `@` on X."""
    return f"@{username.removeprefix('@')}" if platform == "twitter" else username


def _with_media(content: Content) -> OverrideView:
    return OverrideView(
        text=content.text,
        hashtags=content.hashtags,
        mentions=content.mentions,
        link=content.link,
        media=content.media,
    )


def _state(post: Post, target: Target) -> TargetState:
    if target.status != "pending":
        return target.status
    return post.status if post.status in ("draft", "scheduled", "cancelled") else "pending"


def _next_attempt(target: Target) -> datetime | None:
    # While the publisher has it, the time in the read model is only when it would be reminded.
    return target.next_attempt_at if target.status in ("deferred", "unknown") else None
