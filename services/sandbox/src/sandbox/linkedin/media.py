"""Uploading: initialize, PUT to the given addresses, finalize, status."""

from __future__ import annotations

import hashlib
import secrets

from sandbox.inspection import Inspected, inspect
from sandbox.linkedin.assets import Asset, AssetKind, Part
from sandbox.linkedin.bodies import FinalizeUpload, InitializeUpload, InitializeVideoUpload, decode
from sandbox.linkedin.errors import error, input_error, not_found
from sandbox.linkedin.restli import bad_query
from sandbox.linkedin.state import PLATFORM, Caller, State
from sandbox.web import Request, Response, as_json

_UPLOAD_SCOPES = ("w_member_social", "w_organization_social")
_SMALLEST_VIDEO = 75 * 1024
_LARGEST_VIDEO = 500 * 1024 * 1024
_SHORTEST_VIDEO_SECONDS = 3.0
_LONGEST_VIDEO_SECONDS = 1_800.0
_LARGEST_DOCUMENT = 100 * 1024 * 1024
_MOST_PIXELS = 36_152_320
_MOST_FRAMES = 250
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif")
# Word and PowerPoint files: an OLE compound file, or a ZIP archive in their newer form.
_OFFICE_SIGNATURES = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04")
_VIDEO_URL_SECONDS = 30 * 86_400.0


class Media:
    """The media calls."""

    def __init__(self, state: State) -> None:
        self._state = state

    def images(self, request: Request, caller: Caller) -> Response:
        return self._initialize(request, caller, "image")

    def documents(self, request: Request, caller: Caller) -> Response:
        return self._initialize(request, caller, "document")

    def initialize_video(self, request: Request, caller: Caller) -> Response:
        asked = decode(request.body, InitializeVideoUpload).initialize_upload_request
        self._check_owner(asked.owner, caller, "video")
        if not _SMALLEST_VIDEO <= asked.file_size_bytes <= _LARGEST_VIDEO:
            raise input_error(
                400,
                "INVALID_VALUE_FOR_FIELD",
                f"fileSizeBytes must be between {_SMALLEST_VIDEO} and {_LARGEST_VIDEO}",
                "/initializeUploadRequest/fileSizeBytes",
            )
        asset = self._new(asked.owner, caller, "video", _VIDEO_URL_SECONDS)
        asset.total_bytes = asked.file_size_bytes
        asset.upload_token = secrets.token_urlsafe(24) if asset.part_count > 1 else ""
        instructions = []
        for index in range(asset.part_count):
            first, last = asset.part_range(index)
            instructions.append(
                {
                    "uploadUrl": _upload_url(request, asset, index),
                    "firstByte": first,
                    "lastByte": last,
                }
            )
        value = {
            "uploadUrlsExpireAt": int(asset.expires_at * 1000),
            "video": asset.urn,
            "uploadInstructions": instructions,
            "uploadToken": asset.upload_token,
        }
        return as_json(200, {"value": value})

    def put(self, request: Request) -> Response:
        """Receive a file or a part of one. Images and documents need the bearer, pre-signed video parts do not."""
        asset = self.addressed(request)
        if (
            asset is None
            or request.path_parameters["signature"] != asset.signature
            or asset.expires_at <= self._state.now
        ):
            raise error(401, "The upload URL is invalid or has expired", "EXPIRED_UPLOAD_URL")
        if asset.ready_at is not None:
            raise error(400, "The asset is already uploaded", "UPDATING_ASSET_FAILED")
        if asset.kind == "video":
            return self._put_part(request, asset)
        self._check_uploader(request, asset)
        inspected = inspect(request.body)
        self._check_file(asset, request.body, inspected)
        too_large = (
            asset.kind == "image"
            and inspected is not None
            and ((inspected.width or 0) * (inspected.height or 0) >= _MOST_PIXELS or inspected.frames > _MOST_FRAMES)
        )
        self._complete(asset, request.body, inspected, "Image is too large" if too_large else None)
        return Response(201)

    def finalize_video(self, request: Request, caller: Caller) -> Response:
        asked = decode(request.body, FinalizeUpload).finalize_upload_request
        asset = self._state.assets.get(asked.video)
        if asset is None or asset.kind != "video":
            raise error(400, f"Invalid video id {asked.video}", "INVALID_VIDEO_ID")
        self._check_owner(asset.owner, caller, "video")
        by_tag = {part.tag: part for part in asset.parts.values()}
        parts = [by_tag.get(tag) for tag in asked.uploaded_part_ids]
        if (
            asset.ready_at is not None
            or asked.upload_token != asset.upload_token
            or None in parts
            or sorted(asked.uploaded_part_ids) != sorted(by_tag)
            or len(parts) != asset.part_count
        ):
            raise error(400, "Updating the asset failed", "UPDATING_ASSET_FAILED")
        # Parts named out of order are joined out of order, without complaint.
        content = b"".join(part.content for part in parts if part is not None)
        inspected = inspect(content)
        self._complete(asset, content, inspected, _unfit_video(inspected))
        return Response(200)

    def image_status(self, request: Request, caller: Caller) -> Response:
        return self._status(request, caller, "image")

    def document_status(self, request: Request, caller: Caller) -> Response:
        return self._status(request, caller, "document")

    def video_status(self, request: Request, caller: Caller) -> Response:
        return self._status(request, caller, "video")

    def video_action(self, request: Request, caller: Caller) -> Response:
        match request.query.get("action"):
            case "initializeUpload":
                return self.initialize_video(request, caller)
            case "finalizeUpload":
                return self.finalize_video(request, caller)
            case _:
                raise bad_query()

    def addressed(self, request: Request) -> Asset | None:
        """The asset that an upload address belongs to."""
        return self._state.assets.get(f"urn:li:{request.path_parameters['asset']}")

    def _initialize(self, request: Request, caller: Caller, kind: AssetKind) -> Response:
        if request.query.get("action") != "initializeUpload":
            raise bad_query()
        owner = decode(request.body, InitializeUpload).initialize_upload_request.owner
        self._check_owner(owner, caller, kind)
        asset = self._new(owner, caller, kind, self._state.settings.upload_url_seconds)
        value = {
            "uploadUrlExpiresAt": int(asset.expires_at * 1000),
            "uploadUrl": _upload_url(request, asset, 0),
            kind: asset.urn,
        }
        return as_json(200, {"value": value})

    def _status(self, request: Request, caller: Caller, kind: AssetKind) -> Response:
        urn = request.path_parameters["urn"]
        asset = self._state.assets.get(urn)
        if asset is None or asset.kind != kind:
            raise not_found(urn)
        reads_for_page = "r_organization_social" in caller.token.scopes and asset.owner.startswith(
            "urn:li:organization:"
        )
        reads_own_video = (
            kind == "video" and self._state.settings.member_reads_video_status and asset.owner == caller.token.member
        )
        owner = self._state.world.accounts.get(asset.owner)
        administers = owner is not None and owner.administrator == caller.token.member
        if not ((reads_for_page and administers) or reads_own_video):
            raise error(
                403,
                f"Accessing this {kind} resource is forbidden. Please check your permissions for this resource",
                "ACCESS_DENIED",
            )
        status = asset.status(self._state.now)
        answer: dict[str, object] = {"id": urn, "owner": asset.owner, "status": status}
        if status == "AVAILABLE":
            answer["downloadUrl"] = f"https://media.licdn.com/dms/{kind}/{asset.id}"
            inspected = asset.inspected
            if kind == "video" and inspected is not None:
                answer |= {
                    "duration": int((inspected.duration or 0) * 1000),
                    "aspectRatioWidth": inspected.width,
                    "aspectRatioHeight": inspected.height,
                    "thumbnail": f"https://media.licdn.com/dms/image/{asset.id}",
                }
        if status == "PROCESSING_FAILED":
            answer["processingFailureReason"] = asset.failure
        return as_json(200, answer)

    def _put_part(self, request: Request, asset: Asset) -> Response:
        index = request.path_parameters["part"]
        if index not in map(str, range(asset.part_count)):
            raise error(400, "No such part", "UPDATING_ASSET_FAILED")
        first, last = asset.part_range(int(index))
        if len(request.body) != last - first + 1:
            raise error(
                400,
                f"Expected {last - first + 1} bytes for the range {first}-{last}, got {len(request.body)}",
                "UPDATING_ASSET_FAILED",
            )
        tag = f"/ambry-video/signedId/{secrets.token_urlsafe(18)}.bin"
        asset.parts[int(index)] = Part(tag, request.body)
        return Response(200, headers={"etag": tag})

    def _check_uploader(self, request: Request, asset: Asset) -> None:
        token = self._state.world.tokens.access(request.bearer or "")
        owner = self._state.world.accounts.get(asset.owner)
        if (
            token is None
            or owner is None
            or token.revoked
            or token.expires_at <= self._state.now
            or token.member not in (owner.id, owner.administrator)
        ):
            raise error(401, "Empty oauth2_access_token", service_code=401)

    def _check_file(self, asset: Asset, content: bytes, inspected: Inspected | None) -> None:
        if asset.kind == "image":
            if inspected is None or inspected.content_type not in _IMAGE_TYPES:
                raise error(415, "Unsupported Media Type")
        elif len(content) > _LARGEST_DOCUMENT:
            raise error(413, "Payload Too Large")
        elif inspected is None and not content.startswith(_OFFICE_SIGNATURES):
            raise error(415, "Unsupported Media Type")

    def _complete(self, asset: Asset, content: bytes, inspected: Inspected | None, failure: str | None) -> None:
        """Take a complete file in and let it be processed."""
        settings, faults = self._state.settings, self._state.world.faults
        seconds = {
            "image": settings.image_processing_seconds,
            "document": settings.document_processing_seconds,
            "video": settings.video_processing_seconds,
        }[asset.kind]
        slow = faults.effect(PLATFORM, asset.owner, "media_processing_slow")
        if slow is not None:
            seconds = slow.script.params.lasting(60.0)
        if faults.effect(PLATFORM, asset.owner, "media_processing_failed") is not None:
            failure = "Processing failed"
        asset.size = len(content)
        asset.sha256 = hashlib.sha256(content).hexdigest()
        asset.inspected = inspected
        asset.failure = failure
        asset.ready_at = self._state.now + seconds
        asset.parts.clear()

    def _check_owner(self, owner: str, caller: Caller, kind: AssetKind) -> None:
        permission = caller.permission(f"{kind}s", "ACTION-initializeUpload")
        self._state.actor(caller, owner, "/initializeUploadRequest/owner", _UPLOAD_SCOPES, permission)

    def _new(self, owner: str, caller: Caller, kind: AssetKind, url_seconds: float) -> Asset:
        prefix = {"image": "C4E10AQ", "document": "C4D10AQ", "video": "C5505AQ"}[kind]
        asset = Asset(
            urn=f"urn:li:{kind}:{prefix}{secrets.token_urlsafe(12)}",
            kind=kind,
            owner=owner,
            token=caller.token,
            signature=secrets.token_urlsafe(24),
            expires_at=self._state.now + url_seconds,
        )
        self._state.assets[asset.urn] = asset
        return asset


def _unfit_video(inspected: Inspected | None) -> str | None:
    """Why a video fails in processing; None when it does not."""
    if inspected is None or inspected.content_type != "video/mp4" or inspected.duration is None:
        return "Unsupported video format"
    if not _SHORTEST_VIDEO_SECONDS <= inspected.duration <= _LONGEST_VIDEO_SECONDS:
        return "Unsupported video duration"
    return None


def _upload_url(request: Request, asset: Asset, index: int) -> str:
    return f"{request.base_url}/dms-uploads/{asset.kind}:{asset.id}/{index}/{asset.signature}"
