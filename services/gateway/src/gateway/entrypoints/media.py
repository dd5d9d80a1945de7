"""Media: sent in, looked at, made fit, thrown away."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, delete, get, post
from msgspec import Meta, Struct

from contracts.content import PLATFORMS, Failure, Platform
from contracts.ids import derived_id, new_id
from contracts.media import (
    AssetType,
    DeleteMedia,
    MediaAsset,
    MediaCommand,
    MediaStatus,
    RequestVariant,
    Source,
    UploadMedia,
    record_id,
)
from contracts.topics import MEDIA_COMMANDS
from contracts.verdicts import Verdict
from gateway import answers, context, media_views
from gateway.answers import NO_CONTENT, Answer, answer
from gateway.calls import Call, Gateway, Write, made_at_ms, read, write
from gateway.context import Principal, Req
from gateway.idempotency import Turn, read_key
from gateway.policy import BASE
from gateway.problems import FieldError, ProblemError, invalid_content, refused
from gateway.receiving import Received, receive_form, storing
from gateway.repository import cursor_at, read_cursor
from gateway.requests import Body, Identifier, NothingBody, Url
from gateway.uploads import MediaFilter, Uploads
from objects.recognising import ACCEPTED
from platforms import fitting

AltText = Annotated[str, Meta(max_length=10_000)]
Hints = Annotated[list[Platform], Meta(max_length=len(PLATFORMS))]

SHOWN_POSTS = 20


def uploads_of(gateway: Gateway) -> Uploads:
    """Raises ProblemError where there is no object store."""
    if gateway.uploads is None:
        raise ProblemError("uploads_unavailable", "This deployment takes no uploads.")
    return gateway.uploads


def media_not_found(media_id: str) -> ProblemError:
    return ProblemError("media_not_found", f"There is no media {media_id}.")


# --- sending in ---------------------------------------------------------------------------------------


@post(f"{BASE}/media/upload", status_code=201, request_max_body_size=None)
async def upload_media(request: Req) -> Response[bytes]:
    """Takes the file as it comes; what it is called by, and its Idempotency-Key, is looked at once it is there."""
    gateway: Gateway = request.app.state.gateway
    where = context.of(request)
    try:
        return (await _upload(gateway, request)).response()
    except ProblemError as problem:
        return answers.problem(problem, request_id=where.request_id, trace_id=where.trace_id).response()


async def _upload(gateway: Gateway, request: Req) -> Answer:
    uploads = uploads_of(gateway)
    key = read_key(request.headers.get("idempotency-key"))
    principal = context.principal_of(request)
    length = request.headers.get("content-length", "")
    received = await receive_form(
        request.stream(),
        request.headers.get("content-type", ""),
        uploads,
        tenant_id=principal.tenant_id,
        length=int(length) if length.isdigit() else None,
    )
    hints, alt_text = _hints(received), _alt_text(received)
    now = gateway.now()
    media_id, command_id, turn = new_id("media"), new_id("cmd"), None
    if key is not None:
        begun = await _begin(gateway, principal, key, received, now)
        if isinstance(begun, Answer):
            with storing():
                await uploads.objects.delete([received.key])
            return begun
        turn = begun
        whose, at_ms = (principal.tenant_id, principal.subject, key), round(turn.first_at.timestamp() * 1_000)
        media_id, command_id = derived_id("media", *whose, at_ms=at_ms), derived_id("cmd", *whose, at_ms=at_ms)
    command = UploadMedia(
        media_id=media_id,
        tenant_id=principal.tenant_id,
        actor=principal.subject,
        issued_at=now,
        source=Source(keys=(received.key,), size=received.size, sha256=received.sha256),
        filename=received.filename,
        alt_text=alt_text,
        platform_hints=hints,
        reply_partition=gateway.dispatcher.reply_partition,
    )
    patience = uploads.video_patience if received.content_type.startswith("video/") else uploads.image_patience
    return await _answered(gateway, request, command, command_id, patience=patience, turn=turn)


async def _answered(
    gateway: Gateway, request: Req, command: UploadMedia, command_id: str, *, patience: float, turn: Turn | None
) -> Answer:
    """What came of it, kept for repeats of the request once it is final."""
    final: Answer | None = None
    try:
        try:
            told = await accepted(gateway, request, command, command_id, patience)
            final = told if told.status == 201 else None
        except ProblemError as problem:
            where = context.of(request)
            told = answers.problem(problem, request_id=where.request_id, trace_id=where.trace_id)
            final = told if problem.status < 500 else None
        return told
    finally:
        if turn is not None:
            await (gateway.idempotency.release(turn) if final is None else gateway.idempotency.finish(turn, final))


async def accepted(gateway: Gateway, request: Req, command: UploadMedia, command_id: str, patience: float) -> Answer:
    """201 once it is looked into, 202 when that takes longer. Raises ProblemError, also for a file that is no good."""
    uploads = uploads_of(gateway)
    media_id = command.media_id
    with gateway.dispatcher.expecting(record_id(media_id, "processed")) as processed:
        asset = await ask(gateway, request, media_id, command, command_id)
        if asset is not None and asset.status == "processing":
            asset = await _after(processed, patience) or asset
    if asset is None:
        # It is safe in the log, also where nobody can be told of it meanwhile.
        with suppress(ProblemError):
            await uploads.repository.remember(_undecided(command))
    if asset is None or asset.status == "processing":
        return pending(media_id)
    if asset.failure is not None:
        raise _no_good(asset.failure)
    view = _view(asset, uploads, gateway.now(), {})
    return answer(view, status=201, headers={"Location": f"{BASE}/media/{media_id}"})


def _undecided(command: UploadMedia) -> MediaAsset:
    """The upload as it will be once its command is decided, which nothing but an outage delays."""
    return MediaAsset(
        media_id=command.media_id,
        tenant_id=command.tenant_id,
        created_by=command.actor,
        created_at=command.issued_at,
        updated_at=command.issued_at,
        filename=command.filename,
        alt_text=command.alt_text,
        platform_hints=command.platform_hints,
        source=command.source,
    )


async def _after(processed: asyncio.Future[Verdict], patience: float) -> MediaAsset | None:
    """The upload once it is looked into; None when that takes longer."""
    try:
        async with asyncio.timeout(patience):
            verdict = await asyncio.shield(processed)
    except TimeoutError:
        return None
    return None if verdict.refusal is not None else msgspec.json.decode(verdict.state, type=MediaAsset)


def pending(media_id: str) -> Answer:
    where = f"{BASE}/media/{media_id}"
    view = media_views.PendingMediaView(media_id=media_id, status="processing", status_url=where, progress=None)
    return answer(view, status=202, headers={"Location": where, "Retry-After": "1"})


def _no_good(failure: Failure) -> ProblemError:
    error = FieldError(
        pointer="/file",
        rule=failure.rule or "media.broken",
        message=failure.message,
        remediation=failure.remediation,
        limit=list(ACCEPTED) if failure.rule == "media.type" else None,
    )
    code = "media_too_large" if failure.rule == "media.size" else "media_unsupported"
    return ProblemError(code, failure.message, errors=(error,))


async def ask(
    gateway: Gateway, request: Req, media_id: str, command: MediaCommand, command_id: str
) -> MediaAsset | None:
    """The upload after the command; None when there is no verdict yet. Raises ProblemError."""
    where = context.of(request)
    verdict = await gateway.dispatcher.ask(
        MEDIA_COMMANDS,
        media_id,
        command,
        command_id=command_id,
        tenant_id=command.tenant_id,
        traceparent=where.traceparent,
        status_url=f"{BASE}/media/{media_id}",
    )
    if verdict is None:
        return None
    if verdict.refusal is not None:
        if verdict.refusal.code == "media_exists":
            return await uploads_of(gateway).repository.asset(command.tenant_id, media_id)
        raise refused(verdict.refusal)
    return msgspec.json.decode(verdict.state, type=MediaAsset)


async def _begin(gateway: Gateway, principal: Principal, key: str, received: Received, now: datetime) -> Turn | Answer:
    fingerprint = msgspec.json.encode([received.sha256, received.filename, received.fields], order="sorted")
    begun = await gateway.idempotency.begin(
        tenant_id=principal.tenant_id,
        subject=principal.subject,
        key=key,
        method="POST",
        path=f"{BASE}/media/upload",
        body=fingerprint,
        now=now,
    )
    if isinstance(begun, Answer):
        return msgspec.structs.replace(begun, headers={**begun.headers, "Idempotency-Replayed": "true"})
    return begun


def _hints(received: Received) -> tuple[Platform, ...]:
    """One field with a JSON list or names between commas, or several fields. Raises ProblemError."""
    names: list[str] = []
    for text in received.fields.get("platform_hints", []):
        try:
            names += msgspec.json.decode(text, type=list[str]) if text.lstrip().startswith("[") else text.split(",")
        except msgspec.MsgspecError as error:
            raise _bad_hints(f"Not a list of platforms: {text[:100]!r}.") from error
    return hints([name.strip() for name in names if name.strip()])


def hints(names: list[str]) -> tuple[Platform, ...]:
    """Raises ProblemError for a name that is no platform's."""
    for name in names:
        if name not in PLATFORMS:
            raise _bad_hints(f"There is no platform {name[:100]!r}.")
    return tuple(platform for platform in PLATFORMS if platform in names)


def _bad_hints(message: str) -> ProblemError:
    return invalid_content(
        FieldError(pointer="/platform_hints", rule="body.unknown_value", message=message, limit=list(PLATFORMS))
    )


def _alt_text(received: Received) -> str | None:
    texts = received.fields.get("alt_text", [])
    if len(texts) > 1 or (texts and len(texts[0]) > 10_000):
        raise invalid_content(
            FieldError(pointer="/alt_text", rule="body.length", message="Give one text of at most 10,000 characters.")
        )
    return texts[0] or None if texts else None


class ImportBody(Body, frozen=True, kw_only=True):
    """A file that is to be fetched from where it is."""

    url: Url
    alt_text: AltText | None = None
    platform_hints: Hints = []


@post(f"{BASE}/media/import", status_code=201)
async def import_media(request: Req) -> Response[bytes]:
    async def handle(call: Write) -> Answer:
        uploads = uploads_of(call.gateway)
        body = call.body(ImportBody)
        command = UploadMedia(
            media_id=_own_id(call, "media"),
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            source=Source(url=body.url),
            alt_text=body.alt_text,
            platform_hints=hints([*body.platform_hints]),
            reply_partition=call.gateway.dispatcher.reply_partition,
        )
        call.has_sent = True
        return await accepted(call.gateway, request, command, call.command_id, uploads.video_patience)

    return await write(request, handle)


def _own_id(call: Write, prefix: str) -> str:
    """The same for each repeat with the same Idempotency-Key."""
    return derived_id(prefix, call.command_id, at_ms=made_at_ms(call.command_id))


# --- reading ------------------------------------------------------------------------------------------


class MediaQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: AssetType | None = None
    status: MediaStatus | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str | None = None


@get(f"{BASE}/media")
async def list_media(request: Req) -> Response[bytes]:
    return await read(request, _list)


async def _list(call: Call) -> Answer:
    uploads = uploads_of(call.gateway)
    query = call.query(MediaQuery)
    found = await uploads.repository.page(
        call.tenant_id,
        MediaFilter(type=query.type, status=query.status),
        after=None if query.cursor is None else read_cursor(query.cursor),
        limit=query.limit + 1,
    )
    page, more = found[: query.limit], len(found) > query.limit
    progress = await uploads.repository.progress(call.tenant_id, [name for each in page for name in _open_work(each)])
    return answer(
        media_views.MediaList(
            media=tuple(_view(each, uploads, call.now, progress) for each in page),
            cursor=cursor_at(page[-1].created_at, page[-1].media_id).encode() if more else None,
        )
    )


@get(f"{BASE}/media/{{media_id:str}}")
async def get_media(request: Req) -> Response[bytes]:
    return await read(request, _get)


async def _get(call: Call) -> Answer:
    uploads = uploads_of(call.gateway)
    media_id = call.path("media_id")
    repository = uploads.repository
    asset = await repository.asset(call.tenant_id, media_id)
    if asset is None:
        asset = await repository.undecided(call.tenant_id, media_id)
    if asset is None:
        # It may have been decided between the two.
        asset = await repository.asset(call.tenant_id, media_id)
    if asset is None:
        raise media_not_found(media_id)
    progress = await uploads.repository.progress(call.tenant_id, _open_work(asset))
    return answer(_view(asset, uploads, call.now, progress))


async def _own(call: Call, uploads: Uploads) -> MediaAsset:
    asset = await uploads.repository.asset(call.tenant_id, call.path("media_id"))
    if asset is None:
        raise media_not_found(call.path("media_id"))
    return asset


def _open_work(asset: MediaAsset) -> list[str]:
    waiting = [variant.variant_id for variant in asset.variants if variant.status == "requested"]
    return [asset.media_id, *waiting] if asset.status == "processing" else waiting


def _view(asset: MediaAsset, uploads: Uploads, now: datetime, progress: Mapping[str, float]) -> media_views.MediaView:
    return media_views.media(asset, lambda rendition, name: uploads.url(rendition, name, now), progress)


# --- variants -----------------------------------------------------------------------------------------


class VariantBody(Body, frozen=True, kw_only=True):
    """What it is to be made fit for. Without `post_type` the platform's usual kind of post."""

    platform: Platform
    post_type: Identifier | None = None


@post(f"{BASE}/media/{{media_id:str}}/variants", status_code=201)
async def make_variant(request: Req) -> Response[bytes]:
    async def handle(call: Write) -> Answer:
        return await _make_variant(call, request)

    return await write(request, handle)


async def _make_variant(call: Write, request: Req) -> Answer:
    uploads = uploads_of(call.gateway)
    body = call.body(VariantBody)
    asset = await _own(call, uploads)
    fit = _needed(asset, body)
    if fit.recipe is None:
        raise _impossible(fit)
    variant_id = _own_id(call, "variant")
    known = next((each for each in asset.variants if each.recipe == fit.recipe and each.status != "failed"), None)
    if known is None:
        command = RequestVariant(
            media_id=asset.media_id,
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            variant_id=variant_id,
            platform=body.platform,
            post_type=fit.post_type,
            recipe=fit.recipe,
            reply_partition=call.gateway.dispatcher.reply_partition,
        )
        is_video = fit.recipe.content_type.startswith("video/")
        patience = uploads.video_patience if is_video else uploads.image_patience
        call.has_sent = True
        with call.gateway.dispatcher.expecting(record_id(variant_id, "made")) as made:
            after = await ask(call.gateway, request, asset.media_id, command, call.command_id)
            asset = after or asset
            known = asset.variant(variant_id)
            if after is not None and known is not None and known.status == "requested":
                asset = await _after(made, patience) or asset
                known = asset.variant(variant_id)
    known = known or next((each for each in asset.variants if each.recipe == fit.recipe), None)
    if known is None:
        return pending(asset.media_id)
    progress = await uploads.repository.progress(call.tenant_id, [known.variant_id])
    view = media_views.variant(asset, known, lambda file, name: uploads.url(file, name, call.now), progress)
    where = {"Location": f"{BASE}/media/{asset.media_id}"}
    return answer(view, status=202 if known.status == "requested" else 201, headers=where)


def _needed(asset: MediaAsset, body: VariantBody) -> fitting.Fit:
    """What is to be changed. Raises ProblemError when nothing is, or it cannot be said yet."""
    kinds = fitting.post_types(body.platform)
    if body.post_type is not None and body.post_type not in kinds:
        raise invalid_content(
            FieldError(
                pointer="/post_type",
                rule="body.unknown_value",
                message=f"There is no {body.post_type!r} on {body.platform}.",
                limit=[kind for kind in kinds if kind is not None],
                actual=body.post_type,
                platform=body.platform,
            )
        )
    if asset.status != "ready" or asset.original is None:
        raise ProblemError("media_not_ready", f"{asset.media_id} is {asset.status}.", current_status=asset.status)
    facts = asset.original.facts
    kind = body.post_type or fitting.post_type_of(body.platform, {}, facts)
    fit = fitting.fit(facts, body.platform, kind)
    if fit.fits:
        raise ProblemError("variant_unneeded", f"{asset.media_id} fits {body.platform} as it is.")
    return fit


def _impossible(fit: fitting.Fit) -> ProblemError:
    errors = [
        FieldError(
            rule=violation.rule,
            message=violation.message,
            limit=violation.limit,
            actual=violation.actual,
            remediation=violation.remediation,
            platform=violation.platform,
        )
        for violation in fit.violations
    ]
    return ProblemError("variant_impossible", errors[0].message, errors=errors, platform=fit.platform)


# --- throwing away ------------------------------------------------------------------------------------


@delete(f"{BASE}/media/{{media_id:str}}", status_code=200)
async def delete_media(request: Req) -> Response[bytes]:
    async def handle(call: Write) -> Answer:
        return await _delete(call, request)

    return await write(request, handle)


async def _delete(call: Write, request: Req) -> Answer:
    call.optional_body(NothingBody)
    uploads = uploads_of(call.gateway)
    asset = await _own(call, uploads)
    using = await uploads.repository.posts_using(call.tenant_id, asset.names, limit=SHOWN_POSTS)
    if using:
        raise ProblemError(
            "media_in_use",
            f"{asset.media_id} is used by {', '.join(post_id for post_id, _ in using)}.",
            errors=[
                FieldError(rule="media.in_use", message=f"{post_id} is {status}.", actual=post_id)
                for post_id, status in using
            ],
        )
    command = DeleteMedia(
        media_id=asset.media_id, tenant_id=call.tenant_id, actor=call.principal.subject, issued_at=call.now
    )
    call.has_sent = True
    after = await ask(call.gateway, request, asset.media_id, command, call.command_id)
    return pending(asset.media_id) if after is None else NO_CONTENT
