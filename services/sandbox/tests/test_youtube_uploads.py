"""The resumable protocol, byte by byte, and what is counted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

GRAIN = 256 * 1024
METADATA = {"snippet": {"title": "Launch"}, "status": {"privacyStatus": "public", "selfDeclaredMadeForKids": False}}
SIZE = 2 * GRAIN + 500


@pytest.fixture
def amara(control: Any) -> Any:
    control.settings(youtube={"processing_seconds": 5})
    return control.account("youtube")


@pytest.fixture
def clip(control: Any) -> bytes:
    return bytes(control.sample("video.mp4", w=160, h=160, bytes=SIZE))


def opened(account: Any, size: int | None = SIZE, metadata: Any = None, **query: Any) -> httpx.Response:
    headers = {"X-Upload-Content-Type": "video/mp4"}
    if size is not None:
        headers["X-Upload-Content-Length"] = str(size)
    params = {"uploadType": "resumable", "part": "snippet,status", **query}
    answer: httpx.Response = account.http.post(
        "/upload/youtube/v3/videos", params=params, json=metadata or METADATA, headers=headers
    )
    return answer


def sent(account: Any, session: str, content: bytes, told: str | None) -> httpx.Response:
    headers = {} if told is None else {"Content-Range": told}
    answer: httpx.Response = account.http.put(session, content=content, headers=headers)
    return answer


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


def test_only_the_last_byte_makes_the_video(control: Any, amara: Any, clip: bytes) -> None:
    session = opened(amara).headers["location"]

    nothing = sent(amara, session, b"", f"bytes */{SIZE}")
    assert (nothing.status_code, "range" in nothing.headers) == (308, False)
    first = sent(amara, session, clip[:GRAIN], f"bytes 0-{GRAIN - 1}/{SIZE}")
    assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{GRAIN - 1}")
    assert control.posts(amara) == []
    second = sent(amara, session, clip[GRAIN : 2 * GRAIN], f"bytes {GRAIN}-{2 * GRAIN - 1}/{SIZE}")
    assert second.status_code == 308
    last = sent(amara, session, clip[2 * GRAIN :], f"bytes {2 * GRAIN}-{SIZE - 1}/{SIZE}")
    assert last.status_code == 201
    again = sent(amara, session, b"", f"bytes */{SIZE}")
    assert (again.status_code, again.json()["id"]) == (201, last.json()["id"])

    (post,) = control.posts(amara)
    assert (post["id"], post["options"]["post_type"], post["media"][0]["bytes"]) == (last.json()["id"], "short", SIZE)
    assert [len(control.requests(amara, call)) for call in ("upload_append", "create_post", "upload_status")] == [
        2,
        1,
        2,
    ]


def test_a_whole_file_needs_no_range(amara: Any, clip: bytes) -> None:
    assert sent(amara, opened(amara).headers["location"], clip, None).status_code == 201
    resumable = amara.http.post(
        "/resumable/upload/youtube/v3/videos",
        params={"uploadType": "resumable", "part": "snippet"},
        json={"snippet": {"title": "Other path"}},
    )
    assert sent(amara, resumable.headers["location"], clip, None).status_code == 201


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a" * GRAIN, f"bytes 0-{GRAIN}/{SIZE}"),
        (b"a" * GRAIN, f"bytes 0-{GRAIN - 1}/{SIZE + 1}"),
        (b"a" * GRAIN, f"bytes=0-{GRAIN - 1}"),
        (b"a" * 1_000, f"bytes 0-999/{SIZE}"),
        (b"a", f"bytes */{SIZE}"),
        (b"", None),
        (b"a" * (SIZE + 1), f"bytes 0-{SIZE}/{SIZE}"),
    ],
)
def test_odd_ranges_are_refused(amara: Any, content: bytes, told: str | None) -> None:
    session = opened(amara).headers["location"]
    assert reason(sent(amara, session, content, told)) == (400, "badRequest")
    assert "range" not in sent(amara, session, b"", f"bytes */{SIZE}").headers


def test_nothing_of_a_chunk_that_overlaps_or_skips_is_taken(amara: Any, clip: bytes) -> None:
    session = opened(amara).headers["location"]
    sent(amara, session, clip[:GRAIN], f"bytes 0-{GRAIN - 1}/{SIZE}")
    for start in (0, 2 * GRAIN):
        answer = sent(amara, session, clip[start:], f"bytes {start}-{SIZE - 1}/{SIZE}")
        assert (answer.status_code, answer.headers["range"]) == (308, f"bytes=0-{GRAIN - 1}")


def test_chunks_have_one_size(control: Any, amara: Any, clip: bytes) -> None:
    session = opened(amara, size=4 * GRAIN).headers["location"]
    sent(amara, session, clip[:GRAIN], f"bytes 0-{GRAIN - 1}/{4 * GRAIN}")
    told = f"bytes {GRAIN}-{3 * GRAIN - 1}/{4 * GRAIN}"
    assert reason(sent(amara, session, clip[: 2 * GRAIN], told)) == (400, "badRequest")
    control.settings(youtube={"equal_chunks": False})
    assert sent(amara, session, clip[: 2 * GRAIN], told).status_code == 308


def test_what_came_before_a_connection_broke_is_kept_in_whole_grains(control: Any, amara: Any, clip: bytes) -> None:
    session = opened(amara).headers["location"]
    control.fault("youtube", "upload_cut", "create_post", params={"bytes": GRAIN + 10})
    with pytest.raises(httpx.HTTPError):
        sent(amara, session, clip, f"bytes 0-{SIZE - 1}/{SIZE}")
    assert sent(amara, session, b"", f"bytes */{SIZE}").headers["range"] == f"bytes=0-{GRAIN - 1}"


@pytest.mark.parametrize("status", [404, 410])
def test_sessions_end(control: Any, amara: Any, clip: bytes, status: int) -> None:
    control.settings(youtube={"session_seconds": 600, "expired_session_status": status})
    session = opened(amara).headers["location"]
    control.advance(601)
    assert sent(amara, session, clip, None).status_code == status
    assert sent(amara, f"{session}x", b"", f"bytes */{SIZE}").status_code == status


def test_a_session_is_its_channels_own(control: Any, amara: Any, clip: bytes) -> None:
    session = opened(amara).headers["location"]
    other = control.account("youtube", "bea")
    assert sent(other, session, clip, None).status_code == 403
    assert httpx.put(session, content=clip).status_code == 401
    assert sent(amara, session, clip, None).status_code == 201


def test_metadata_is_held_to_the_parts_named(amara: Any) -> None:
    assert reason(opened(amara, part="snippet")) == (400, "unexpectedPart")
    assert reason(opened(amara, part="snippet,colour")) == (400, "unknownPart")
    assert reason(opened(amara, part="")) == (400, "missingRequiredParameter")
    assert reason(opened(amara, colour="red")) == (400, "badRequest")
    scheduled = {**METADATA, "status": {"privacyStatus": "public", "publishAt": "2030-01-01T00:00:00Z"}}
    assert reason(opened(amara, metadata=scheduled)) == (400, "invalidPublishAt")


def test_files_that_cannot_be_processed_are_never_live(control: Any, amara: Any, clip: bytes) -> None:
    bad = sent(amara, opened(amara, 9).headers["location"], b"no video!", None).json()["id"]
    control.fault(
        "youtube", "media_processing_failed", "upload_finalize", params={"body": {"rejectionReason": "copyright"}}
    )
    claimed = sent(amara, opened(amara).headers["location"], clip, None).json()["id"]
    control.advance(5)
    params = {"part": "status,processingDetails", "id": f"{bad},{claimed}"}
    first, second = amara.http.get("/youtube/v3/videos", params=params).json()["items"]
    assert (first["status"]["uploadStatus"], first["status"]["failureReason"]) == ("failed", "invalidFile")
    assert (second["status"]["uploadStatus"], second["status"]["rejectionReason"]) == ("rejected", "copyright")
    assert control.posts(amara) == []
    assert len(control.posts(amara, include_deleted="true")) == 2


def test_long_videos_need_a_verified_channel(control: Any, amara: Any) -> None:
    control.settings(youtube={"verified_seconds": 2, "processing_seconds": 0})
    clip = control.sample("video.mp4", w=16, h=16, seconds=3)
    verified = control.account("youtube", "bea", premium=True)
    for account, status in ((amara, "rejected"), (verified, "processed")):
        made = sent(account, opened(account, len(clip)).headers["location"], clip, None).json()
        assert made["status"]["uploadStatus"] == status


def test_private_and_unprocessed_videos_are_their_owners(control: Any, amara: Any, clip: bytes) -> None:
    other = control.account("youtube", "bea")
    later = {"privacyStatus": "private", "publishAt": "2099-01-01T00:00:00Z"}
    for status in ({"privacyStatus": "private"}, {"privacyStatus": "public"}, later):
        made = opened(amara, metadata={**METADATA, "status": status})
        sent(amara, made.headers["location"], clip, None)
    ids = ",".join(post["id"] for post in control.posts(amara))

    def seen(account: Any) -> list[str]:
        params = {"part": "status,processingDetails", "id": ids}
        items = account.http.get("/youtube/v3/videos", params=params).json()["items"]
        assert all(("processingDetails" in item) == (account is amara) for item in items)
        return [item["status"]["privacyStatus"] for item in items]

    assert seen(amara) == ["private", "public", "private"]
    assert seen(other) == []
    control.advance(5)
    assert seen(other) == ["public"]


def test_reads_lag_behind(control: Any, amara: Any, clip: bytes) -> None:
    control.fault("youtube", "readback_lag")
    made = sent(amara, opened(amara).headers["location"], clip, None).json()["id"]
    params = {"part": "status", "id": made}
    assert amara.http.get("/youtube/v3/videos", params=params).json()["items"] == []
    control.settings(youtube={"missing_video": "not_found"})
    assert reason(amara.http.get("/youtube/v3/videos", params=params)) == (404, "videoNotFound")
    control.advance(30)
    assert len(amara.http.get("/youtube/v3/videos", params=params).json()["items"]) == 1


def test_uploads_are_counted_by_project_until_midnight_in_california(control: Any, amara: Any) -> None:
    control.settings(youtube={"quotas": {"uploads": 2}})
    other = control.account("youtube", "bea")
    assert opened(amara).status_code == 200
    assert opened(other, metadata={"snippet": {}}).status_code == 400
    refused = opened(other)
    assert reason(refused) == (403, "quotaExceeded")
    assert refused.json()["error"]["errors"][0]["domain"] == "youtube.quota"
    assert other.http.get("/youtube/v3/channels", params={"part": "id", "mine": "true"}).status_code == 200
    control.advance(86_400)
    fresh = control.account("youtube", "cai")
    assert opened(fresh).status_code == 200


def test_other_calls_cost_units(control: Any, amara: Any) -> None:
    control.settings(youtube={"quotas": {"units": 51}})
    channels = ("/youtube/v3/channels", {"part": "id", "mine": "true"})
    assert amara.http.get(channels[0], params=channels[1]).status_code == 200
    assert reason(amara.http.delete("/youtube/v3/videos", params={"id": "unknown"})) == (404, "videoNotFound")
    assert reason(amara.http.get(channels[0], params=channels[1])) == (403, "quotaExceeded")
    control.settings(youtube={"quotas": {"enabled": False}})
    assert amara.http.get(channels[0], params=channels[1]).status_code == 200


def test_a_channel_has_its_own_limit(control: Any, amara: Any, clip: bytes) -> None:
    control.settings(youtube={"channel_uploads": 1})
    sent(amara, opened(amara).headers["location"], clip, None)
    assert reason(opened(amara)) == (400, "uploadLimitExceeded")


def test_comments_are_closed_on_what_is_private_or_for_kids(control: Any, amara: Any, clip: bytes) -> None:
    for status in ({"privacyStatus": "private"}, {"selfDeclaredMadeForKids": True}):
        session = opened(amara, metadata={**METADATA, "status": status}).headers["location"]
        made = sent(amara, session, clip, None).json()["id"]
        snippet = {"videoId": made, "topLevelComment": {"snippet": {"textOriginal": "Hi"}}}
        answer = amara.http.post("/youtube/v3/commentThreads", params={"part": "snippet"}, json={"snippet": snippet})
        assert reason(answer) == (403, "commentsDisabled")


def test_scopes(control: Any, clip: bytes) -> None:
    prefix = "https://www.googleapis.com/auth/"
    uploader = control.account("youtube", scopes=[f"{prefix}youtube.upload"])
    made = sent(uploader, opened(uploader).headers["location"], clip, None).json()["id"]
    read = uploader.http.get("/youtube/v3/videos", params={"part": "status", "id": made})
    assert reason(read) == (403, "insufficientPermissions")
    assert read.json()["error"]["status"] == "PERMISSION_DENIED"
    assert reason(uploader.http.delete("/youtube/v3/videos", params={"id": made})) == (403, "insufficientPermissions")
    control.done(control.http.post(f"/accounts/{uploader.id}/expire"))
    expired = opened(uploader)
    assert reason(expired) == (401, "authError")
    assert expired.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("fault", ["credits_depleted_402", "duplicate_refused"])
def test_what_never_happens_here_cannot_be_scripted(control: Any, fault: str) -> None:
    script = {"platform": "youtube", "fault": fault, "call": "create_post"}
    assert control.http.post("/faults", json=script).status_code == 400
