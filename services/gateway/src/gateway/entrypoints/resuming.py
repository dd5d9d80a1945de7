"""Large uploads in pieces, which can be gone on with after a break: tus 1.0.0, with creation, expiration, termination.

Any tus client will do: https://tus.io/protocols/resumable-upload
"""

import base64
import binascii
from collections.abc import Mapping

from litestar import HttpMethod, Response, delete, patch, post, route
from msgspec.structs import replace

from contracts.ids import derived_id, new_id, sibling
from contracts.media import Source, UploadMedia
from gateway import answers, context
from gateway.calls import Gateway
from gateway.context import Req
from gateway.entrypoints.media import accepted as looked_into
from gateway.entrypoints.media import hints, uploads_of
from gateway.policy import BASE
from gateway.problems import FieldError, ProblemError, invalid_parameter
from gateway.receiving import Gate, Paced, accepted, clean_name, storing, too_large
from gateway.uploads import KEPT_FOR, Part, Session, Uploads
from objects.recognising import HEAD
from objects.store import new_key

VERSION = "1.0.0"
_TYPE = "application/offset+octet-stream"
_TUS = {"Tus-Resumable": VERSION}


def _told(request: Req, problem: ProblemError) -> Response[bytes]:
    where = context.of(request)
    told = answers.problem(problem, request_id=where.request_id, trace_id=where.trace_id).response()
    told.headers.update(_TUS)
    return told


@post(f"{BASE}/media/uploads", status_code=201)
async def begin_upload(request: Req) -> Response[bytes]:
    try:
        return await _begin(request)
    except ProblemError as problem:
        return _told(request, problem)


async def _begin(request: Req) -> Response[bytes]:
    gateway: Gateway = request.app.state.gateway
    uploads, principal, now = uploads_of(gateway), context.principal_of(request), gateway.now()
    length = _number(request, "Upload-Length")
    most = max(uploads.max_image_bytes, uploads.max_video_bytes)
    if length > most:
        raise too_large("video/mp4", most)
    if length == 0:
        raise invalid_parameter("Upload-Length", "media.type", "The file is empty.")
    metadata = _metadata(request.headers.get("upload-metadata", ""))
    named = metadata.get("platform_hints", "")
    session = Session(
        id=new_id("upload"),
        tenant_id=principal.tenant_id,
        subject=principal.subject,
        length=length,
        filename=clean_name(metadata.get("filename")),
        alt_text=metadata.get("alt_text", "")[:10_000] or None,
        platform_hints=hints([name.strip() for name in named.split(",") if name.strip()]),
        expires_at=now + KEPT_FOR,
    )
    await uploads.repository.begin(session)
    headers = {
        **_TUS,
        "Location": f"{BASE}/media/uploads/{session.id}",
        "Media-Id": sibling("media", session.id),
        "Upload-Expires": session.expires_at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
    }
    return Response(b"", status_code=201, headers=headers)


@route(f"{BASE}/media/uploads/{{upload_id:str}}", http_method=[HttpMethod.HEAD], status_code=200)
async def get_upload(request: Req) -> Response[bytes]:
    gateway: Gateway = request.app.state.gateway
    try:
        session = await _own(request, uploads_of(gateway))
        if session.offset == session.length:
            # Whoever sent the last piece may have heard of a failure: it is told to the media service again.
            await _complete(gateway, request, session, patience=0)
    except ProblemError as problem:
        return _told(request, problem)
    return Response(b"", headers=_standing(session))


@patch(f"{BASE}/media/uploads/{{upload_id:str}}", status_code=200, request_max_body_size=None)
async def go_on_with_upload(request: Req) -> Response[bytes]:
    try:
        return await _go_on(request)
    except ProblemError as problem:
        return _told(request, problem)


async def _go_on(request: Req) -> Response[bytes]:
    gateway: Gateway = request.app.state.gateway
    uploads = uploads_of(gateway)
    if request.headers.get("content-type", "").partition(";")[0].strip() != _TYPE:
        raise ProblemError(
            "unsupported_media_type", f"The body must be {_TYPE}.", headers={"Accept": _TYPE, "Connection": "close"}
        )
    session = await _own(request, uploads)
    offset = _number(request, "Upload-Offset")
    if offset != session.offset:
        raise _elsewhere(session)
    if session.offset < session.length:
        session = await _receive(request, uploads, session)
    headers = _standing(session)
    if session.offset == session.length:
        await _complete(gateway, request, session, patience=0)
        headers["Media-Id"] = sibling("media", session.id)
    return Response(b"", status_code=204, headers=headers)


async def _receive(request: Req, uploads: Uploads, session: Session) -> Session:
    """The upload with the piece that came. A piece that breaks off is kept as far as it came."""
    gate = Gate(uploads)
    most = session.length - session.offset
    with storing():
        writer = uploads.objects.writer(new_key(session.tenant_id, session.id))
    broke_off: BaseException | None = None
    beginning = bytearray()
    try:
        async for chunk in Paced(request.stream(), uploads.body_timeout):
            if writer.size + len(chunk) > most:
                raise invalid_parameter("Upload-Length", "upload.length", "More came than was announced.")
            if session.offset == 0:
                beginning += chunk[: HEAD - len(beginning)]
                if len(beginning) == HEAD:
                    gate.pass_on(chunk) if gate.content_type else gate.pass_on(bytes(beginning))
            with storing():
                await writer.write(chunk)
    except ProblemError as problem:
        if problem.code != "request_timeout":
            raise
        broke_off = problem
    except Exception as error:  # whatever ended the connection, what came before it is worth keeping
        broke_off = error
    if session.offset == 0 and writer.size:
        accepted(bytes(beginning))
    if writer.size == 0:
        if broke_off is not None:
            raise broke_off
        return session
    with storing():
        await writer.close()
    part = Part(key=writer.key, size=writer.size)
    if not await uploads.repository.extend(session, part):
        with storing():
            await uploads.objects.delete([writer.key])
        raise _elsewhere(session)
    if broke_off is not None:
        raise broke_off
    return replace(session, offset=session.offset + part.size, parts=(*session.parts, part))


async def _complete(gateway: Gateway, request: Req, session: Session, *, patience: float) -> None:
    """All of it is there: it becomes an upload like any other. Safe to repeat."""
    command = UploadMedia(
        media_id=sibling("media", session.id),
        tenant_id=session.tenant_id,
        actor=session.subject,
        issued_at=gateway.now(),
        source=Source(keys=tuple(part.key for part in session.parts), size=session.length),
        filename=session.filename,
        alt_text=session.alt_text,
        platform_hints=session.platform_hints,
    )
    await looked_into(gateway, request, command, derived_id("cmd", session.id, "complete"), patience)


@delete(f"{BASE}/media/uploads/{{upload_id:str}}", status_code=204)
async def end_upload(request: Req) -> None:
    gateway: Gateway = request.app.state.gateway
    uploads = uploads_of(gateway)
    session = await _own(request, uploads)
    await uploads.repository.end(session.tenant_id, session.id)


async def _own(request: Req, uploads: Uploads) -> Session:
    version = request.headers.get("tus-resumable")
    if version is not None and version != VERSION:
        raise invalid_parameter("Tus-Resumable", "tus.version", f"Only {VERSION} is understood.", actual=version[:20])
    upload_id = request.path_params["upload_id"]
    session = await uploads.repository.session(context.principal_of(request).tenant_id, upload_id)
    if session is None:
        raise ProblemError("upload_not_found", f"There is no upload {upload_id}.")
    return session


def _standing(session: Session) -> dict[str, str]:
    return {**_TUS, "Upload-Offset": str(session.offset), "Upload-Length": str(session.length)}


def _elsewhere(session: Session) -> ProblemError:
    return ProblemError(
        "upload_offset",
        f"The upload stands at {session.offset:,}.",
        errors=(FieldError(parameter="Upload-Offset", rule="upload.offset", message="Not where it stands."),),
        headers={"Connection": "close"},
    )


def _number(request: Req, name: str) -> int:
    value = request.headers.get(name.lower(), "")
    if not (value.isascii() and value.isdigit() and len(value) <= 15):
        raise invalid_parameter(name, "parameter.integer", f"{name} must be a number of bytes.")
    return int(value)


def _metadata(text: str) -> Mapping[str, str]:
    """Names, each with a value in base64."""
    found = {}
    for pair in filter(None, (each.strip() for each in text.split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise invalid_parameter(
                "Upload-Metadata", "tus.metadata", f"The value of {name[:50]!r} cannot be read."
            ) from error
    return found
