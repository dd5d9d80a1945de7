"""Clients that know nothing of the sandbox: Google's own, with only the address in the discovery document changed.

`schemas/youtube-v3.json` is the part of the discovery document of YouTube Data API v3, revision 20261104, that the
sandbox serves; `schemas/youtube-analytics-v2.json` that of YouTube Analytics API v2, revision 20240707.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError, ResumableUploadError
from googleapiclient.http import MediaFileUpload, MediaIoBaseUpload
from jsonschema import Draft4Validator

SCHEMAS = Path(__file__).parent / "schemas"
CHUNK = 256 * 1024
BODY = {
    "snippet": {"title": "Launch", "description": "Today", "tags": ["one", "two words"], "categoryId": "22"},
    "status": {"privacyStatus": "public", "selfDeclaredMadeForKids": False},
}


def document(name: str, url: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((SCHEMAS / name).read_text())
    return {**told, "rootUrl": f"{url}/youtube/", "baseUrl": f"{url}/youtube/"}


def valid(name: str, answer: Any) -> None:
    """Against the discovery document's schema, with every object closed."""
    told = json.loads((SCHEMAS / "youtube-v3.json").read_text())["schemas"]
    definitions = {key: _closed(schema) for key, schema in told.items()}
    schema = {"$ref": f"#/definitions/{name}", "definitions": definitions}
    errors = [f"{error.json_path}: {error.message}" for error in Draft4Validator(schema).iter_errors(answer)]
    assert errors == []


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"#/definitions/{schema['$ref']}"}
    kept = {name: _closed(value) for name, value in schema.items() if name not in ("id", "format", "default")}
    if "properties" in schema:
        kept["properties"] = {name: _closed(value) for name, value in schema["properties"].items()}
        kept.setdefault("additionalProperties", False)
    return kept


@pytest.fixture
def amara(control: Any) -> Any:
    control.settings(youtube={"processing_seconds": 5})
    return control.account("youtube", premium=True, followers=12)


@pytest.fixture
def youtube(control: Any, amara: Any) -> Any:
    return build_from_document(document("youtube-v3.json", control.url), credentials=Credentials(amara.access_token))


@pytest.fixture
def file(control: Any, tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(control.sample("video.mp4", w=320, h=240, bytes=3 * CHUNK + 1_000))
    return path


def inserted(youtube: Any, path: Path, *, chunk: int = -1, body: Any = None) -> Any:
    media = MediaFileUpload(str(path), mimetype="video/mp4", chunksize=chunk, resumable=True)
    return youtube.videos().insert(part="snippet,status", body=body or BODY, media_body=media)


def test_a_video_is_uploaded_in_chunks_processed_shown_and_deleted(
    control: Any, amara: Any, youtube: Any, file: Path
) -> None:
    request = inserted(youtube, file, chunk=CHUNK)
    progress = []
    answer = None
    while answer is None:
        status, answer = request.next_chunk()
        progress.append(None if status is None else status.resumable_progress)
    assert progress == [CHUNK, 2 * CHUNK, 3 * CHUNK, None]
    valid("Video", answer)
    assert answer["status"]["uploadStatus"] == "uploaded"
    (post,) = control.posts(amara)
    assert post["id"] == answer["id"]
    assert post["media"][0]["bytes"] == 3 * CHUNK + 1_000

    every = "snippet,status,statistics,contentDetails,processingDetails,localizations,paidProductPlacementDetails"
    shown = youtube.videos().list(part=every, id=answer["id"]).execute()
    valid("VideoListResponse", shown)
    assert shown["items"][0]["processingDetails"]["processingStatus"] == "processing"
    control.advance(5)
    shown = youtube.videos().list(part=every, id=f"{answer['id']},unknown").execute()
    valid("VideoListResponse", shown)
    assert [video["status"]["uploadStatus"] for video in shown["items"]] == ["processed"]

    assert youtube.videos().delete(id=answer["id"]).execute() == ""
    assert control.posts(amara) == []
    with pytest.raises(HttpError) as gone:
        youtube.videos().delete(id=answer["id"]).execute()
    assert (gone.value.status_code, gone.value.error_details[0]["reason"]) == (404, "videoNotFound")


def test_an_upload_goes_on_after_an_error_from_where_the_server_stands(control: Any, youtube: Any, file: Path) -> None:
    request = inserted(youtube, file, chunk=CHUNK)
    request.next_chunk()
    control.fault("youtube", "accept_then_500", "upload_append")
    with pytest.raises(HttpError):
        request.next_chunk()
    control.fault("youtube", "partial_chunk", "upload_append")
    answer = None
    while answer is None:
        _, answer = request.next_chunk()
    valid("Video", answer)


def test_the_last_bytes_answer_can_be_asked_for_again(control: Any, amara: Any, youtube: Any, file: Path) -> None:
    request = inserted(youtube, file)
    control.fault("youtube", "accept_then_500")
    with pytest.raises(HttpError):
        request.next_chunk()
    _, answer = request.next_chunk()
    assert [post["id"] for post in control.posts(amara)] == [answer["id"]]


@pytest.mark.parametrize(
    ("snippet", "reason"),
    [
        ({"title": ""}, "invalidTitle"),
        ({"title": "t" * 101}, "invalidTitle"),
        ({"title": "a <b>"}, "invalidTitle"),
        ({"title": "a", "description": "é" * 2_501}, "invalidDescription"),
        ({"title": "a", "tags": ["a" * 250, "b " * 125]}, "invalidTags"),
        ({"title": "a", "categoryId": "18"}, "invalidCategoryId"),
        ({"title": "a", "categoryId": 22}, "badRequest"),
        ({"title": "a", "colour": "red"}, "badRequest"),
    ],
)
def test_bad_metadata_is_refused_before_a_byte_is_sent(
    control: Any, amara: Any, youtube: Any, file: Path, snippet: Any, reason: str
) -> None:
    with pytest.raises(ResumableUploadError) as refused:
        inserted(youtube, file, body={**BODY, "snippet": snippet}).next_chunk()
    assert (refused.value.status_code, refused.value.error_details[0]["reason"]) == (400, reason)
    assert control.requests(amara, "create_post") == []


def test_a_thumbnail_needs_a_verified_channel(control: Any, youtube: Any, file: Path) -> None:
    image = control.sample("image.png")
    video = inserted(youtube, file).next_chunk()[1]["id"]
    media = MediaIoBaseUpload(io.BytesIO(image), mimetype="image/png")
    answer = youtube.thumbnails().set(videoId=video, media_body=media).execute()
    valid("ThumbnailSetResponse", answer)

    other = control.account("youtube", "bea")
    stranger = build_from_document(
        document("youtube-v3.json", control.url), credentials=Credentials(other.access_token)
    )
    own = inserted(stranger, file).next_chunk()[1]["id"]
    with pytest.raises(HttpError) as refused:
        stranger.thumbnails().set(videoId=own, media_body=media).execute()
    assert (refused.value.status_code, refused.value.error_details[0]["domain"]) == (403, "youtube.thumbnail")


def test_channels_playlists_and_comments(control: Any, amara: Any, youtube: Any, file: Path) -> None:
    channels = youtube.channels().list(part="id,snippet,contentDetails,statistics,status", mine=True).execute()
    valid("ChannelListResponse", channels)
    (channel,) = channels["items"]
    assert (channel["id"], channel["statistics"]["subscriberCount"]) == (amara.id, "12")
    uploads = channel["contentDetails"]["relatedPlaylists"]["uploads"]

    ids = [inserted(youtube, file).next_chunk()[1]["id"] for _ in range(3)]
    control.advance(5)
    items = youtube.playlistItems()
    pages = [items.list(part="snippet,contentDetails,status", playlistId=uploads, maxResults=2)]
    while (following := items.list_next(pages[-1], pages[-1].execute())) is not None:
        pages.append(following)
    listed = [page.execute() for page in pages]
    for each in listed:
        valid("PlaylistItemListResponse", each)
    assert [item["contentDetails"]["videoId"] for each in listed for item in each["items"]] == ids[::-1]

    playlist = youtube.playlists().insert(part="snippet,status", body={"snippet": {"title": "Best"}}).execute()
    valid("Playlist", playlist)
    member = {"playlistId": playlist["id"], "resourceId": {"kind": "youtube#video", "videoId": ids[0]}}
    valid("PlaylistItem", items.insert(part="snippet", body={"snippet": member}).execute())

    text = {"videoId": ids[0], "topLevelComment": {"snippet": {"textOriginal": "First!"}}}
    thread = youtube.commentThreads().insert(part="snippet", body={"snippet": text}).execute()
    valid("CommentThread", thread)
    threads = youtube.commentThreads().list(part="snippet", videoId=ids[0]).execute()
    valid("CommentThreadListResponse", threads)
    assert [each["id"] for each in threads["items"]] == [thread["id"]]
    categories = youtube.videoCategories().list(part="snippet", regionCode="US").execute()
    valid("VideoCategoryListResponse", categories)


def test_counts_are_strings_and_reports_have_rows_only_where_there_is_data(
    control: Any, amara: Any, youtube: Any, file: Path
) -> None:
    video = inserted(youtube, file).next_chunk()[1]["id"]
    control.done(control.http.post(f"/ledger/{video}/metrics", json={"views": 7, "likes": 3, "comments": 1}))
    listed = youtube.videos().list(part="statistics", id=video).execute()
    assert listed["items"][0]["statistics"]["viewCount"] == "7"
    counted = youtube.videos().batchGetStats(part="statistics,snippet,contentDetails", id=video).execute()
    valid("BatchGetStatsResponse", counted)
    assert counted["items"][0]["statistics"] == {"viewCount": "7", "likeCount": "3", "commentCount": "1"}

    analytics = build_from_document(
        document("youtube-analytics-v2.json", control.url), credentials=Credentials(amara.access_token)
    )
    asked = {"ids": "channel==MINE", "startDate": "2020-01-01", "endDate": "2099-12-31", "dimensions": "video"}
    assert "rows" not in analytics.reports().query(**asked, metrics="views,likes").execute()
    control.settings(youtube={"analytics_lag_days": 0})
    report = analytics.reports().query(**asked, metrics="views,likes", sort="-views").execute()
    assert [column["name"] for column in report["columnHeaders"]] == ["video", "views", "likes"]
    assert report["rows"] == [[video, 7, 3]]
    with pytest.raises(HttpError, match="The query is not supported"):
        analytics.reports().query(**asked, metrics="impressions").execute()


def test_google_auth_refreshes_and_keeps_its_refresh_token(control: Any, amara: Any) -> None:
    credentials = Credentials(
        None,
        refresh_token=amara.refresh_token,
        token_uri=f"{control.url}/youtube/token",
        client_id="app",
        client_secret="secret",
    )
    credentials.refresh(Request())
    assert credentials.refresh_token == amara.refresh_token
    assert credentials.token not in (None, amara.access_token)
    control.done(control.http.post(f"/accounts/{amara.id}/revoke"))
    with pytest.raises(RefreshError) as refused:
        credentials.refresh(Request())
    assert not refused.value.retryable
