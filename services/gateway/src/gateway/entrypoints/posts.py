"""Posts: write, read, change, send, withdraw."""

from datetime import datetime
from typing import Annotated

from litestar import Response, delete, get, post, put
from msgspec import UNSET, Meta, Struct
from msgspec.structs import replace

from contracts.content import PLATFORMS, Platform, Schedule, TargetSpec
from contracts.posts import (
    CancelPost,
    CreatePost,
    DeletePost,
    EditPost,
    Post,
    PostChanges,
    PostCommand,
    PostStatus,
    PublishPost,
    RemovePost,
    ResolveTarget,
    SchedulePost,
)
from gateway import insight_views, planning, views
from gateway.answers import NO_CONTENT, Answer, answer
from gateway.calls import Call, Write, post_not_found, read, write
from gateway.context import Req
from gateway.live_urls import platform_post_id
from gateway.policy import BASE
from gateway.problems import FieldError, invalid_content, invalid_parameter
from gateway.repository import PostFilter, StoredPost, cursor_at, read_cursor
from gateway.requests import CreateBody, EditBody, NothingBody, PublishNowBody, ResolveBody, ScheduleBody, by_name
from gateway.schedule import scheduled


def _post_answer(
    found: Post, *, status: int = 200, notes: tuple[str, ...] = (), analytics: views.AnalyticsView | None = None
) -> Answer:
    view = views.post_view(found, notes, analytics)
    return answer(view, status=status, headers={"ETag": f'"{found.revision}"'})


@post(f"{BASE}/posts")
async def create_post(request: Req) -> Response[bytes]:
    return await write(request, _create)


async def _create(call: Write) -> Answer:
    body = call.body(CreateBody)
    check_create(body)
    parts = (body.content.content(body.media),)
    wishes = planning.wishes_of_create(body)
    schedule: Schedule | None = None
    notes: tuple[str, ...] = ()
    targets: tuple[TargetSpec, ...] = ()
    if body.status == "scheduled" and body.scheduled_at is not None:
        schedule, notes = scheduled(body.scheduled_at, body.timezone, now=call.now, pointer="/scheduled_at")
        accounts = await call.repository.accounts(call.tenant_id)
        targets = await call.with_reach(
            planning.targets(parts, "post", wishes, accounts, await call.uploads(parts, wishes))
        )
    else:
        named = await call.repository.accounts(call.tenant_id) if body.accounts else ()
        planning.check_draft(parts, "post", wishes, named, await call.uploads(parts, wishes))
    created = await call.create(
        CreatePost(
            post_id=call.new_post_id,
            kind="post",
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            title=body.title,
            parts=parts,
            platforms=tuple(body.platforms),
            accounts=by_name(body.accounts),
            options=by_name(body.options),
            overrides=body.overriding(),
            targets=targets,
            tags=tuple(body.tags),
            campaign_id=body.campaign_id,
            schedule=schedule,
        )
    )
    created_answer = _post_answer(created, status=201, notes=notes)
    return replace(created_answer, headers={**created_answer.headers, "Location": f"{BASE}/posts/{created.post_id}"})


def check_create(body: CreateBody) -> None:
    """What the fields ask of each other. Raises ProblemError."""
    _check_platforms(body.platforms)
    if body.media and body.content.media:
        raise _invalid("/media", "media.twice", "Media stand both here and in the content.", "Keep one of the two.")
    for field, named in (("accounts", body.accounts), ("options", body.options), ("overrides", body.overrides)):
        for platform in named:
            _check_is_among(f"/{field}/{platform}", platform, body.platforms)
    if body.status == "scheduled":
        if body.scheduled_at is None:
            raise _invalid(
                "/scheduled_at", "schedule.required", "A scheduled post needs its time.", "Give `scheduled_at`."
            )
        if not body.platforms:
            raise _no_platforms()
    elif body.scheduled_at is not None:
        raise _invalid("/scheduled_at", "schedule.draft", "A draft has no time.", "Set the status to `scheduled`.")


def _check_platforms(platforms: list[Platform]) -> None:
    for index, platform in enumerate(platforms):
        if platform in platforms[:index]:
            raise _invalid(
                f"/platforms/{index}", "platforms.distinct", f"{platform} is named twice.", "Name each platform once."
            )


def _check_is_among(pointer: str, platform: Platform, platforms: list[Platform] | tuple[Platform, ...]) -> None:
    if platform not in platforms:
        raise _invalid(
            pointer, "platforms.named", f"{platform} is not one of the post's platforms.", "Add it to `platforms`."
        )


def _no_platforms() -> Exception:
    return _invalid("/platforms", "platforms.required", "The post has no platforms.", "Name at least one.")


def _invalid(pointer: str, rule: str, message: str, remediation: str) -> Exception:
    return invalid_content(FieldError(pointer=pointer, rule=rule, message=message, remediation=remediation))


class ListQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: PostStatus | None = None
    platform: Platform | None = None
    campaign_id: str | None = None
    tag: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    scheduled_after: datetime | None = None
    scheduled_before: datetime | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str | None = None


@get(f"{BASE}/posts")
async def list_posts(request: Req) -> Response[bytes]:
    return await read(request, _list)


async def _list(call: Call) -> Answer:
    query = call.query(ListQuery)
    instants = {
        name: _with_offset(name, getattr(query, name))
        for name in ("created_after", "created_before", "scheduled_after", "scheduled_before")
    }
    only = PostFilter(
        status=query.status, platform=query.platform, campaign_id=query.campaign_id, tag=query.tag, **instants
    )
    after = None if query.cursor is None else read_cursor(query.cursor)
    found = await call.repository.posts(call.tenant_id, only, after=after, limit=query.limit + 1)
    page = found[: query.limit]
    more = len(found) > query.limit
    measured = await call.gateway.insights.posts(call.tenant_id, [item.post_id for item in page])
    return answer(
        views.PostList(
            posts=tuple(
                views.post_view(item, analytics=insight_views.analytics_block(measured.get(item.post_id, ())))
                for item in page
            ),
            cursor=cursor_at(page[-1].created_at, page[-1].post_id).encode() if more else None,
        )
    )


def _with_offset(name: str, at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise invalid_parameter(name, "parameter.datetime", f"{name} needs an offset from UTC, such as Z.")
    return at


@get(f"{BASE}/posts/{{post_id:str}}")
async def get_post(request: Req) -> Response[bytes]:
    return await read(request, _get)


async def _get(call: Call) -> Answer:
    post_id = call.path("post_id")
    found = await call.repository.post(call.tenant_id, post_id)
    if found is None:
        raise post_not_found(post_id)
    measured = await call.gateway.insights.posts(call.tenant_id, [post_id])
    return _post_answer(found.post, analytics=insight_views.analytics_block(measured.get(post_id, ())))


@put(f"{BASE}/posts/{{post_id:str}}")
async def edit_post(request: Req) -> Response[bytes]:
    return await write(request, _edit)


async def _edit(call: Write) -> Answer:
    body = call.body(EditBody)

    async def decide(found: StoredPost, revision: int) -> PostCommand:
        before = found.post
        changes = changes_of(before, body)
        after = _edited(before, changes)
        content_media = "/media" if body.media is not UNSET else "/content/media"
        accounts = await call.repository.accounts(call.tenant_id)
        targets = None
        if before.status == "scheduled":
            if not after.platforms:
                raise _no_platforms()
            wishes = planning.wishes_of_edit(before, after, body, content_media=content_media)
            targets = await call.with_reach(
                planning.targets(after.parts, after.kind, wishes, accounts, await call.uploads(after.parts, wishes))
            )
        else:
            wishes = planning.wishes_of_post(replace(after, targets=()), content_media=content_media)
            uploads = await call.uploads(after.parts, wishes)
            planning.check_draft(after.parts, after.kind, wishes, accounts, uploads)
        return EditPost(
            post_id=before.post_id,
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            changes=changes,
            targets=targets,
            expected_revision=revision,
        )

    return _post_answer(await call.change(call.path("post_id"), decide))


def changes_of(before: Post, body: EditBody) -> PostChanges:
    """What an edit replaces. Raises ProblemError."""
    if body == EditBody():
        raise _invalid("", "body.empty", "Nothing is to be changed.", "Name at least one field.")
    if body.media is not UNSET and body.content is not UNSET and body.content.media is not UNSET:
        raise _invalid("/media", "media.twice", "Media stand both here and in the content.", "Keep one of the two.")
    if before.kind == "thread":
        for field in ("content", "media", "platforms", "accounts", "overrides"):
            if getattr(body, field) is not UNSET:
                raise _invalid(
                    f"/{field}",
                    "thread.edit",
                    "Only title, options, campaign and tags of a thread can be changed.",
                    "Cancel or delete the thread and create it anew.",
                )
    if body.platforms is not UNSET:
        _check_platforms(body.platforms)
    platforms = before.platforms if body.platforms is UNSET else tuple(body.platforms)
    for field in ("accounts", "options", "overrides"):
        given = getattr(body, field)
        for platform in given if given is not UNSET else ():
            _check_is_among(f"/{field}/{platform}", platform, platforms)
    content = UNSET if body.content is UNSET else body.content.applied_to(before.parts[0])
    if body.media is not UNSET:
        content = replace(
            before.parts[0] if content is UNSET else content, media=tuple(item.media() for item in body.media)
        )
    return PostChanges(
        title=body.title,
        campaign_id=body.campaign_id,
        parts=UNSET if content is UNSET else (content,),
        platforms=UNSET if body.platforms is UNSET else platforms,
        accounts=UNSET if body.accounts is UNSET else by_name(body.accounts),
        options=UNSET if body.options is UNSET else by_name(body.options),
        overrides=(
            UNSET
            if body.overrides is UNSET
            else {platform: override.content() for platform, override in body.overrides.items()}
        ),
        tags=UNSET if body.tags is UNSET else tuple(body.tags),
    )


def _edited(before: Post, changes: PostChanges) -> Post:
    """Only what the platforms' rules look at."""
    return replace(
        before,
        title=before.title if changes.title is UNSET else changes.title,
        parts=before.parts if changes.parts is UNSET else changes.parts,
        platforms=before.platforms if changes.platforms is UNSET else changes.platforms,
        accounts=before.accounts if changes.accounts is UNSET else changes.accounts,
        options=before.options if changes.options is UNSET else changes.options,
        overrides=before.overrides if changes.overrides is UNSET else changes.overrides,
    )


@delete(f"{BASE}/posts/{{post_id:str}}", status_code=200)
async def delete_post(request: Req) -> Response[bytes]:
    return await write(request, _delete)


class DeleteQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    from_platforms: bool = False


async def _delete(call: Write) -> Answer:
    call.optional_body(NothingBody)
    kind = RemovePost if call.query(DeleteQuery).from_platforms else DeletePost

    async def decide(found: StoredPost, revision: int) -> PostCommand:
        return kind(
            post_id=found.post.post_id,
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            expected_revision=revision,
        )

    after = await call.change(call.path("post_id"), decide)
    return NO_CONTENT if after.deleted else _post_answer(after, status=202)


@post(f"{BASE}/posts/{{post_id:str}}/targets/{{target_id:str}}/resolve", status_code=200)
async def resolve_target(request: Req) -> Response[bytes]:
    return await write(request, _resolve)


async def _resolve(call: Write) -> Answer:
    body = call.body(ResolveBody)
    target_id = call.path("target_id")
    known_as = body.platform_post_id
    if body.resolution == "confirm" and known_as is None:
        known_as = _named_by_url(target_id, body.url)

    async def decide(found: StoredPost, revision: int) -> PostCommand:
        return ResolveTarget(
            post_id=found.post.post_id,
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            target_id=target_id,
            resolution=body.resolution,
            platform_post_id=known_as,
            url=body.url,
            expected_revision=revision,
        )

    return _post_answer(await call.change(call.path("post_id"), decide))


def _named_by_url(target_id: str, url: str | None) -> str:
    platform = next((each for each in PLATFORMS if target_id.startswith(f"{each}:")), None)
    found = None if platform is None or url is None else platform_post_id(platform, url)
    if found is None:
        raise _invalid(
            "/url" if url is not None else "/platform_post_id",
            "resolve.confirm",
            "The platform's id of the post cannot be told from this." if url is not None else "Which post is it?",
            "Give platform_post_id: what the platform calls the live post.",
        )
    return found


@post(f"{BASE}/posts/{{post_id:str}}/publish")
async def publish_post(request: Req) -> Response[bytes]:
    return await write(request, _publish)


async def _publish(call: Write) -> Answer:
    if not call.optional_body(PublishNowBody).publish_now:
        raise _invalid(
            "/publish_now", "publish_now", "Only true is understood.", "To publish later, use the schedule route."
        )

    async def decide(found: StoredPost, revision: int) -> PostCommand:
        return PublishPost(
            post_id=found.post.post_id,
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            targets=await _targets(call, found.post),
            expected_revision=revision,
        )

    return _post_answer(await call.change(call.path("post_id"), decide), status=202)


async def _targets(call: Write, found: Post) -> tuple[TargetSpec, ...]:
    if not found.platforms:
        raise _no_platforms()
    wishes = planning.wishes_of_post(found)
    accounts = await call.repository.accounts(call.tenant_id)
    return await call.with_reach(
        planning.targets(found.parts, found.kind, wishes, accounts, await call.uploads(found.parts, wishes))
    )


@post(f"{BASE}/posts/{{post_id:str}}/schedule", status_code=200)
async def schedule_post(request: Req) -> Response[bytes]:
    return await write(request, _schedule)


async def _schedule(call: Write) -> Answer:
    body = call.body(ScheduleBody)
    schedule, notes = scheduled(body.scheduled_at, body.timezone, now=call.now, pointer="/scheduled_at")

    async def decide(found: StoredPost, revision: int) -> PostCommand:
        return SchedulePost(
            post_id=found.post.post_id,
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            schedule=schedule,
            targets=await _targets(call, found.post),
            expected_revision=revision,
        )

    return _post_answer(await call.change(call.path("post_id"), decide), notes=notes)


@post(f"{BASE}/posts/{{post_id:str}}/cancel", status_code=200)
async def cancel_post(request: Req) -> Response[bytes]:
    return await write(request, _cancel)


async def _cancel(call: Write) -> Answer:
    call.optional_body(NothingBody)

    async def decide(found: StoredPost, revision: int) -> PostCommand:
        return CancelPost(
            post_id=found.post.post_id,
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            expected_revision=revision,
        )

    return _post_answer(await call.change(call.path("post_id"), decide))
