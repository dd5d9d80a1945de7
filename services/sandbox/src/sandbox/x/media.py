"""Uploading: path style, command style, one-shot images, processing and alt text."""

from __future__ import annotations

import hashlib
import re

from sandbox.accounts import Account
from sandbox.inspection import inspect
from sandbox.web import MalformedBodyError, Part, Request, Response, as_json
from sandbox.x import bodies
from sandbox.x.state import PLATFORM, State
from sandbox.x.uploads import KEPT_AFTER_FINALIZE, KEPT_BEFORE_FINALIZE, POSTABLE_CATEGORIES, File, Upload

_SEGMENT_INDEX = re.compile("[0-9]{1,3}")
_METADATA_PRICE = 0.005
_INVALID_MEDIA = "Unsupported video format"


class Media:
    """The media calls."""

    def __init__(self, state: State) -> None:
        self._state = state

    def initialize(self, request: Request, account: Account) -> Response:
        asked = bodies.decode(request.body, bodies.InitializeUpload, self._state.problems)
        return self._initialize(asked, account)

    def append(self, request: Request, account: Account) -> Response:
        upload = self._own(request.path_parameters["id"], account)
        if request.media_type == "multipart/form-data":
            parts = self._parts(request)
            index = self._segment_index(parts.get("segment_index"))
            content = self._part(parts, "media").content
        else:
            segment = bodies.decode(request.body, bodies.AppendUpload, self._state.problems)
            index, content = segment.segment_index, segment.media
        return self._append(upload, index, content)

    def finalize(self, request: Request, account: Account) -> Response:
        return self._finalize(self._own(request.path_parameters["id"], account))

    def upload(self, request: Request, account: Account) -> Response:
        """``POST /2/media/upload``: the older command style, or an image in one request."""
        command = command_of(request)
        if command is None:
            return self._upload_image(request, account)
        fields = self._fields(request)
        if command == "INIT":
            asked: dict[str, object] = {
                name: fields[name].text for name in ("media_type", "media_category", "total_bytes") if name in fields
            }
            return self._initialize(bodies.convert(asked, bodies.InitializeUpload, self._state.problems), account)
        upload = self._own(self._part(fields, "media_id").text, account)
        if command == "APPEND":
            index = self._segment_index(fields.get("segment_index"))
            return self._append(upload, index, self._part(fields, "media").content)
        if command == "FINALIZE":
            return self._finalize(upload)
        raise self._state.problems.invalid(f"$.command: unknown command {command}")

    def status(self, request: Request, account: Account) -> Response:
        if request.query.get("command", "STATUS") != "STATUS":
            raise self._state.problems.invalid(
                "The `command` query parameter value is not one of [STATUS]",
                {"command": [request.query["command"]]},
            )
        upload = self._own(request.query.get("media_id", ""), account)
        if upload.file is None:
            raise self._state.problems.invalid("The media upload is not finalized.", {"media_id": [upload.id]})
        return as_json(200, {"data": self._described(upload)})

    def describe(self, request: Request, account: Account) -> Response:
        asked = bodies.decode(request.body, bodies.DescribeMedia, self._state.problems)
        upload = self._own(asked.id, account)
        metadata: dict[str, object] = {}
        self._state.charge(_METADATA_PRICE)
        if isinstance(asked.metadata.alt_text, bodies.AltText):
            upload.alt_text = asked.metadata.alt_text.text
            metadata["alt_text"] = {"text": upload.alt_text}
        return as_json(200, {"data": {"id": upload.id, "associated_metadata": metadata}})

    def _initialize(self, asked: bodies.InitializeUpload, account: Account) -> Response:
        if asked.media_category not in POSTABLE_CATEGORIES:
            raise self._state.problems.plain(403, "This media category is not available to your app.")
        upload = self._new(asked.media_category, asked.total_bytes, account, asked.additional_owners)
        if asked.total_bytes > upload.size_limit:
            raise self._state.problems.invalid(
                f"File size exceeds {upload.size_limit} bytes.", {"total_bytes": [str(asked.total_bytes)]}
            )
        self._state.uploads[upload.id] = upload
        return as_json(
            200,
            {
                "data": {
                    "id": upload.id,
                    "media_key": upload.media_key,
                    "expires_after_secs": KEPT_BEFORE_FINALIZE - 1,
                }
            },
        )

    def _append(self, upload: Upload, index: int, content: bytes) -> Response:
        problems = self._state.problems
        if upload.file is not None:
            raise problems.invalid("The media upload is already finalized.", {"id": [upload.id]})
        if not 0 < len(content) <= self._state.settings.max_segment_bytes:
            raise problems.invalid("Segment size must be between 1 and 5242880 bytes.")
        received = sum(map(len, upload.segments.values())) - len(upload.segments.get(index, b""))
        if received + len(content) > upload.total_bytes:
            raise problems.invalid("Segments exceed the total file size that was declared.")
        upload.segments[index] = content
        return as_json(200, {"data": {"expires_at": int(upload.expires_at)}})

    def _finalize(self, upload: Upload) -> Response:
        if upload.file is None:
            content = b"".join(upload.segments[index] for index in sorted(upload.segments))
            complete = sorted(upload.segments) == list(range(len(upload.segments)))
            if not complete or len(content) != upload.total_bytes:
                raise self._state.problems.invalid(
                    "Segments do not add up to provided total file size.", {"id": [upload.id]}
                )
            self._complete(upload, content)
        return as_json(200, {"data": self._described(upload)})

    def _upload_image(self, request: Request, account: Account) -> Response:
        problems = self._state.problems
        if request.media_type == "multipart/form-data":
            parts = self._parts(request)
            content = self._part(parts, "media").content
            category = self._part(parts, "media_category").text
        else:
            image = bodies.decode(request.body, bodies.UploadImage, problems)
            content, category = image.media, image.media_category
        if category not in POSTABLE_CATEGORIES:
            raise problems.invalid(
                "$.media_category: does not have a value in the enumeration", {"$.media_category": [category]}
            )
        upload = self._new(category, len(content), account, [])
        if len(content) > upload.size_limit:
            raise problems.plain(413, f"File size exceeds {upload.size_limit} bytes.")
        self._state.uploads[upload.id] = upload
        self._complete(upload, content)
        return as_json(200, {"data": self._described(upload)})

    def _complete(self, upload: Upload, content: bytes) -> None:
        """Take the assembled file in; photos are ready at once, the rest is processed."""
        inspected = inspect(content)
        if not upload.processed_later and not upload.known_content(inspected):
            raise self._state.problems.invalid("The image could not be read.", {"id": [upload.id]})
        now = self._state.now
        upload.file = File(len(content), hashlib.sha256(content).hexdigest(), inspected)
        upload.segments.clear()
        upload.finalized_at = now
        upload.expires_at = now + KEPT_AFTER_FINALIZE
        if not upload.processed_later:
            return
        seconds = self._state.settings.media_processing_seconds
        slow = self._state.world.faults.effect(PLATFORM, upload.owner, "media_processing_slow")
        if slow is not None:
            seconds = slow.script.params.lasting(60.0)
        failed = self._state.world.faults.effect(PLATFORM, upload.owner, "media_processing_failed")
        if failed is not None or not upload.known_content(inspected):
            upload.failure = _INVALID_MEDIA
        upload.ready_at = now + seconds

    def _described(self, upload: Upload) -> dict[str, object]:
        file = upload.file
        now = self._state.now
        data: dict[str, object] = {
            "id": upload.id,
            "media_key": upload.media_key,
            "expires_after_secs": max(0, round(upload.expires_at - now)),
        }
        if file is not None:
            data["size"] = file.size
            if upload.kind == "photo" and file.inspected is not None:
                data["image"] = {
                    "image_type": file.inspected.content_type,
                    "w": file.inspected.width or 0,
                    "h": file.inspected.height or 0,
                }
            if (processing := upload.processing(now)) is not None:
                data["processing_info"] = processing
        return data

    def _new(self, category: str, size: int, account: Account, shared_with: list[str]) -> Upload:
        return Upload(
            id=self._state.new_id(),
            owner=account.id,
            shared_with=frozenset(shared_with),
            category=category,
            total_bytes=size,
            expires_at=self._state.now + KEPT_BEFORE_FINALIZE,
        )

    def _own(self, media_id: str, account: Account) -> Upload:
        upload = self._state.uploads.get(media_id)
        if upload is None or upload.owner != account.id or upload.expires_at <= self._state.now:
            raise self._state.problems.invalid("Invalid media id.", {"media_id": [media_id]})
        return upload

    def _parts(self, request: Request) -> dict[str, Part]:
        try:
            return request.parts
        except MalformedBodyError as error:
            raise self._state.problems.invalid(f"Malformed multipart body: {error}.") from error

    def _fields(self, request: Request) -> dict[str, Part]:
        if request.media_type == "multipart/form-data":
            return self._parts(request)
        fields = request.form or request.query
        return {name: Part(None, value.encode()) for name, value in fields.items()}

    def _part(self, parts: dict[str, Part], name: str) -> Part:
        if name not in parts:
            raise self._state.problems.invalid(f"$.{name}: is missing but it is required", {f"$.{name}": []})
        return parts[name]

    def _segment_index(self, part: Part | None) -> int:
        text = part.text if part else ""
        if not _SEGMENT_INDEX.fullmatch(text):
            raise self._state.problems.invalid(
                "$.segment_index: must be an integer from 0 to 999", {"$.segment_index": [text]}
            )
        return int(text)


def command_of(request: Request) -> str | None:
    """INIT, APPEND or FINALIZE of the older style, wherever the client wrote it."""
    command = request.query.get("command")
    if command is None and request.media_type == "multipart/form-data":
        try:
            part = request.parts.get("command")
        except MalformedBodyError:
            return None
        command = part.text if part else None
    if command is None and request.media_type == "application/x-www-form-urlencoded":
        command = request.form.get("command")
    return command
