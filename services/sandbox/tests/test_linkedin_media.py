"""Uploading images, documents and videos to LinkedIn."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

import pytest

PART = 4 * 1024 * 1024


@pytest.fixture
def member(control: Any) -> Any:
    return control.account("linkedin")


@pytest.fixture
def page(control: Any) -> Any:
    return control.account("linkedin", "acme", kind="organization")


def _initialize(account: Any, kind: str, **more: Any) -> Any:
    body = {"initializeUploadRequest": {"owner": account.id, **more}}
    answer = account.http.post(f"/rest/{kind}s?action=initializeUpload", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


def _uploaded(account: Any, kind: str, content: bytes) -> str:
    value = _initialize(account, kind)
    answer = account.http.put(value["uploadUrl"], content=content)
    assert (answer.status_code, answer.content) == (201, b""), answer.text
    return str(value[kind])


def _put_parts(account: Any, value: Any, content: bytes) -> list[str]:
    tags = []
    for part in value["uploadInstructions"]:
        answer = account.http.put(
            part["uploadUrl"],
            content=content[part["firstByte"] : part["lastByte"] + 1],
            headers={"Authorization": "", "Content-Type": "application/octet-stream"},
        )
        assert answer.status_code == 200, answer.text
        tags.append(answer.headers["etag"])
    return tags


def _finalize(account: Any, value: Any, tags: list[str], **changes: object) -> Any:
    asked = {"video": value["video"], "uploadToken": value["uploadToken"], "uploadedPartIds": tags, **changes}
    return account.http.post("/rest/videos?action=finalizeUpload", json={"finalizeUploadRequest": asked})


def _status(account: Any, kind: str, urn: str) -> Any:
    return account.http.get(f"/rest/{kind}s/{quote(urn, safe='')}")


def _post(account: Any, **content: object) -> Any:
    body = {
        "author": account.id,
        "commentary": "Look",
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED"},
        "lifecycleState": "PUBLISHED",
        "content": content,
    }
    return account.http.post("/rest/posts", json=body)


def test_an_image_is_processed_and_published(control: Any, page: Any) -> None:
    control.settings(linkedin={"image_processing_seconds": 60})
    value = _initialize(page, "image")
    urn = value["image"]
    media = {"id": urn, "altText": "A cup of tea"}
    assert _status(page, "image", urn).json()["status"] == "WAITING_UPLOAD"
    assert _post(page, media=media).json()["code"] == "MEDIA_ASSET_WAITING_UPLOAD"
    content = control.sample("image.jpg")
    assert page.http.put(value["uploadUrl"], content=content).status_code == 201
    assert _status(page, "image", urn).json()["status"] == "PROCESSING"
    assert _post(page, media=media).json()["code"] == "MEDIA_ASSET_WAITING_UPLOAD"
    control.advance(61)
    ready = _status(page, "image", urn).json()
    assert (ready["status"], ready["owner"]) == ("AVAILABLE", page.id)
    assert _post(page, media=media).headers["x-restli-id"].startswith("urn:li:share:")
    (file,) = control.posts(page)[0]["media"]
    assert (file["kind"], file["content_type"], file["alt_text"]) == ("image", "image/jpeg", "A cup of tea")
    assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_members_may_not_look_at_their_uploads(control: Any, member: Any) -> None:
    control.settings(linkedin={"image_processing_seconds": 0})
    urn = _uploaded(member, "image", control.sample("image.png"))
    refused = _status(member, "image", urn)
    assert refused.status_code == 403
    assert refused.json()["message"].startswith("Accessing this image resource is forbidden.")
    assert _post(member, media={"id": urn}).status_code == 201


def test_several_images(control: Any, member: Any) -> None:
    control.settings(linkedin={"image_processing_seconds": 0})
    urns = [_uploaded(member, "image", control.sample("image.png", shade=shade)) for shade in range(3)]
    images = [{"id": urn, "altText": f"Image {number}"} for number, urn in enumerate(urns)]
    assert _post(member, multiImage={"images": images}).status_code == 201
    media = control.posts(member)[0]["media"]
    assert [file["id"] for file in media] == urns
    assert media[2]["alt_text"] == "Image 2"


def test_an_article_with_a_thumbnail(control: Any, member: Any) -> None:
    control.settings(linkedin={"image_processing_seconds": 0})
    urn = _uploaded(member, "image", control.sample("image.png"))
    article = {"source": "https://example.com", "title": "Menu", "thumbnail": urn}
    assert _post(member, article=article).status_code == 201
    assert control.posts(member)[0]["media"][0]["id"] == urn


def test_a_document(control: Any, page: Any) -> None:
    control.settings(linkedin={"document_processing_seconds": 0})
    urn = _uploaded(page, "document", control.sample("document.pdf"))
    assert _status(page, "document", urn).json()["status"] == "AVAILABLE"
    assert _post(page, media={"id": urn, "title": "The menu"}).status_code == 201
    assert control.posts(page)[0]["media"][0]["title"] == "The menu"


def test_a_video_in_parts(control: Any, page: Any) -> None:
    control.settings(linkedin={"video_processing_seconds": 60})
    content = control.sample("video.mp4", bytes=2 * PART + 1000)
    value = _initialize(page, "video", fileSizeBytes=len(content), uploadCaptions=False, uploadThumbnail=False)
    ranges = [(part["firstByte"], part["lastByte"]) for part in value["uploadInstructions"]]
    assert ranges == [(0, PART - 1), (PART, 2 * PART - 1), (2 * PART, len(content) - 1)]
    assert value["uploadToken"]
    tags = _put_parts(page, value, content)
    assert _status(page, "video", value["video"]).json()["status"] == "WAITING_UPLOAD"
    finalized = _finalize(page, value, tags)
    assert (finalized.status_code, finalized.content) == (200, b"")
    assert _status(page, "video", value["video"]).json()["status"] == "PROCESSING"
    control.advance(61)
    ready = _status(page, "video", value["video"]).json()
    assert (ready["status"], ready["duration"], ready["aspectRatioWidth"]) == ("AVAILABLE", 3000, 320)
    answer = _post(page, media={"id": value["video"], "title": "The film"})
    assert answer.headers["x-restli-id"].startswith("urn:li:ugcPost:")
    (file,) = control.posts(page)[0]["media"]
    assert (file["kind"], file["sha256"]) == ("video", hashlib.sha256(content).hexdigest())


def test_parts_named_out_of_order_are_joined_out_of_order(control: Any, page: Any) -> None:
    control.settings(linkedin={"video_processing_seconds": 0})
    content = control.sample("video.mp4", bytes=2 * PART)
    value = _initialize(page, "video", fileSizeBytes=len(content))
    tags = _put_parts(page, value, content)
    assert _finalize(page, value, tags[::-1]).status_code == 200
    failed = _status(page, "video", value["video"]).json()
    assert (failed["status"], failed["processingFailureReason"]) == ("PROCESSING_FAILED", "Unsupported video format")
    assert _post(page, media={"id": value["video"]}).json()["code"] == "MEDIA_ASSET_PROCESSING_FAILED"


def test_videos_that_cannot_be_finalized(control: Any, page: Any, member: Any) -> None:
    content = control.sample("video.mp4", bytes=PART + 1)
    value = _initialize(page, "video", fileSizeBytes=len(content))
    tags = _put_parts(page, value, content)

    def code(answer: Any) -> str:
        assert answer.status_code == 400
        return str(answer.json()["code"])

    assert code(_finalize(page, value, tags, uploadToken="")) == "UPDATING_ASSET_FAILED"
    assert code(_finalize(page, value, tags[:1])) == "UPDATING_ASSET_FAILED"
    assert code(_finalize(page, value, [tags[0], tags[0]])) == "UPDATING_ASSET_FAILED"
    assert code(_finalize(page, value, [*tags, "made-up"])) == "UPDATING_ASSET_FAILED"
    assert code(_finalize(page, value, tags, video="urn:li:video:1")) == "INVALID_VIDEO_ID"
    assert _finalize(member, value, tags).status_code == 403
    assert _finalize(page, value, tags).status_code == 200
    assert code(_finalize(page, value, tags)) == "UPDATING_ASSET_FAILED"


def test_a_part_must_fill_its_range(control: Any, page: Any) -> None:
    value = _initialize(page, "video", fileSizeBytes=PART + 100)
    first, last = value["uploadInstructions"]
    assert page.http.put(first["uploadUrl"], content=b"x").status_code == 400
    assert page.http.put(last["uploadUrl"], content=b"x" * 101).status_code == 400
    assert page.http.put(last["uploadUrl"], content=b"x" * 100).status_code == 200
    assert page.http.put(last["uploadUrl"].replace("/1/", "/2/"), content=b"x" * 100).status_code == 400


def test_a_part_can_be_sent_again(control: Any, page: Any) -> None:
    control.settings(linkedin={"video_processing_seconds": 0})
    content = control.sample("video.mp4", bytes=200_000)
    value = _initialize(page, "video", fileSizeBytes=len(content))
    assert value["uploadToken"] == ""
    stale = _put_parts(page, value, content)
    fresh = _put_parts(page, value, content)
    assert _finalize(page, value, stale).status_code == 400
    assert _finalize(page, value, fresh).status_code == 200


@pytest.mark.parametrize("size", [75 * 1024 - 1, 500 * 1024 * 1024 + 1])
def test_videos_of_a_wrong_size(page: Any, size: int) -> None:
    body = {"initializeUploadRequest": {"owner": page.id, "fileSizeBytes": size}}
    assert page.http.post("/rest/videos?action=initializeUpload", json=body).status_code == 400


def test_short_videos_fail(control: Any, page: Any) -> None:
    control.settings(linkedin={"video_processing_seconds": 0})
    content = control.sample("video.mp4", bytes=200_000, seconds=2)
    value = _initialize(page, "video", fileSizeBytes=len(content))
    assert _finalize(page, value, _put_parts(page, value, content)).status_code == 200
    assert _status(page, "video", value["video"]).json()["status"] == "PROCESSING_FAILED"


def test_members_may_be_allowed_to_look_at_videos(control: Any, member: Any) -> None:
    control.settings(linkedin={"video_processing_seconds": 0})
    content = control.sample("video.mp4", bytes=200_000)
    value = _initialize(member, "video", fileSizeBytes=len(content))
    _finalize(member, value, _put_parts(member, value, content))
    assert _status(member, "video", value["video"]).status_code == 403
    control.settings(linkedin={"member_reads_video_status": True})
    assert _status(member, "video", value["video"]).json()["status"] == "AVAILABLE"
    assert _post(member, media={"id": value["video"]}).status_code == 201


@pytest.mark.parametrize("kind", ["image", "document"])
def test_files_need_the_bearer_of_their_owner(control: Any, member: Any, kind: str) -> None:
    other = control.account("linkedin", "other")
    content = control.sample("image.png" if kind == "image" else "document.pdf")
    url = _initialize(member, kind)["uploadUrl"]
    assert member.http.put(url, content=content, headers={"Authorization": ""}).status_code == 401
    assert other.http.put(url, content=content).status_code == 401
    assert member.http.put(url, content=content).status_code == 201
    assert member.http.put(url, content=content).json()["code"] == "UPDATING_ASSET_FAILED"


def test_upload_urls_are_signed_and_expire(control: Any, member: Any) -> None:
    control.settings(linkedin={"upload_url_seconds": 60})
    url = _initialize(member, "image")["uploadUrl"]
    content = control.sample("image.png")
    assert member.http.put(url[:-1], content=content).json()["code"] == "EXPIRED_UPLOAD_URL"
    control.advance(61)
    refused = member.http.put(url, content=content)
    assert (refused.status_code, refused.json()["code"]) == (401, "EXPIRED_UPLOAD_URL")


def test_files_that_are_not_what_they_say(control: Any, member: Any) -> None:
    def put(kind: str, content: bytes) -> int:
        return int(member.http.put(_initialize(member, kind)["uploadUrl"], content=content).status_code)

    assert put("image", control.sample("document.pdf")) == 415
    assert put("image", b"") == 415
    assert put("document", b"plain text") == 415
    assert put("document", b"PK\x03\x04 a newer Word file") == 201
    assert put("document", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 an older one") == 201


def test_images_of_too_many_pixels_fail_in_processing(control: Any, page: Any) -> None:
    control.settings(linkedin={"image_processing_seconds": 0})
    content = bytearray(control.sample("image.png"))
    content[16:24] = (10_000).to_bytes(4, "big") * 2
    urn = _uploaded(page, "image", bytes(content))
    assert _status(page, "image", urn).json()["status"] == "PROCESSING_FAILED"


def test_media_of_somebody_else(control: Any, member: Any, page: Any) -> None:
    control.settings(linkedin={"image_processing_seconds": 0})
    urn = _uploaded(member, "image", control.sample("image.png"))
    assert _post(page, media={"id": urn}).json()["code"] == "ACCESS_DENIED"
    other = control.account("linkedin", "other", kind="organization")
    theirs = _uploaded(page, "image", control.sample("image.png"))
    assert _status(other, "image", theirs).status_code == 403
    assert _status(page, "image", "urn:li:image:1").status_code == 404


def test_uploads_for_somebody_else(member: Any, page: Any) -> None:
    body = {"initializeUploadRequest": {"owner": page.id}}
    assert member.http.post("/rest/images?action=initializeUpload", json=body).status_code == 403
    assert member.http.post("/rest/images?action=upload", json=body).status_code == 400
    assert page.http.post("/rest/videos?action=dance", json=body).status_code == 400


def test_uploads_count_against_the_quota(control: Any, member: Any) -> None:
    control.settings(linkedin={"rate_limits": {"member_day": 2}})
    _uploaded(member, "image", control.sample("image.png"))
    body = {"initializeUploadRequest": {"owner": member.id}}
    assert member.http.post("/rest/images?action=initializeUpload", json=body).status_code == 429


def test_processing_can_be_made_to_fail_or_take_long(control: Any, page: Any) -> None:
    control.settings(linkedin={"image_processing_seconds": 0})
    control.fault("linkedin", "media_processing_failed", call="upload_finalize", account=page.id)
    failed = _uploaded(page, "image", control.sample("image.png"))
    assert _status(page, "image", failed).json()["status"] == "PROCESSING_FAILED"
    control.fault("linkedin", "media_processing_slow", call="*", params={"seconds": 500})
    slow = _uploaded(page, "image", control.sample("image.png"))
    assert _status(page, "image", slow).json()["status"] == "PROCESSING"
    control.advance(501)
    assert _status(page, "image", slow).json()["status"] == "AVAILABLE"


def test_the_journal_does_not_tell_upload_addresses(control: Any, member: Any) -> None:
    url = _initialize(member, "image")["uploadUrl"]
    member.http.put(url, content=control.sample("image.png"))
    (received,) = control.requests(member, "upload_append")
    assert url.endswith(received["path"] + url.rpartition("/")[2])
    assert received["path"].endswith("/0/")


def test_every_step_can_be_struck_by_a_fault(control: Any, page: Any) -> None:
    content = control.sample("video.mp4", bytes=200_000)
    asked = {"initializeUploadRequest": {"owner": page.id, "fileSizeBytes": len(content)}}
    for call in ("upload_init", "upload_append", "upload_finalize", "upload_status"):
        control.fault("linkedin", "server_error_503", call=call, account=page.id)
    assert page.http.post("/rest/videos?action=initializeUpload", json=asked).status_code == 503
    value = _initialize(page, "video", fileSizeBytes=len(content))
    url = value["uploadInstructions"][0]["uploadUrl"]
    assert page.http.put(url, content=content, headers={"Authorization": ""}).status_code == 503
    tags = _put_parts(page, value, content)
    assert _finalize(page, value, tags).status_code == 503
    assert _finalize(page, value, tags).status_code == 200
    assert _status(page, "video", value["video"]).status_code == 503
