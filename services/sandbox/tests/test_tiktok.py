"""TikTok as its documents describe it: inits, chunks, status, pulls, the profile and the videos."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

MB = 1_000_000
CREATOR_INFO = "/v2/post/publish/creator_info/query/"
VIDEO_INIT = "/v2/post/publish/video/init/"
INBOX_INIT = "/v2/post/publish/inbox/video/init/"
CONTENT_INIT = "/v2/post/publish/content/init/"
STATUS = "/v2/post/publish/status/fetch/"
CANCEL = "/v2/post/publish/cancel/"


@pytest.fixture
def amara(control: Any) -> Any:
    return control.account("tiktok", followers=7)


def upload_of(size: int, *, chunk: int | None = None, count: int = 1) -> dict[str, Any]:
    return {
        "source": "FILE_UPLOAD",
        "video_size": size,
        "chunk_size": size if chunk is None else chunk,
        "total_chunk_count": count,
    }


def direct(source: dict[str, Any], **info: Any) -> dict[str, Any]:
    return {"post_info": {"privacy_level": "PUBLIC_TO_EVERYONE", "title": "Hello", **info}, "source_info": source}


def photos(*urls: str, mode: str = "DIRECT_POST", **info: Any) -> dict[str, Any]:
    return {
        "media_type": "PHOTO",
        "post_mode": mode,
        "post_info": {"title": "Cats", "description": "Two of them", **info},
        "source_info": {"source": "PULL_FROM_URL", "photo_images": list(urls)},
    }


def code_of(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["log_id"]
    return answer.status_code, error["code"]


def begun(account: Any, source: dict[str, Any], **info: Any) -> dict[str, Any]:
    answer = account.http.post(VIDEO_INIT, json=direct(source, **info))
    assert code_of(answer) == (200, "ok"), answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def put(url: str, content: bytes, first: int, total: int, **headers: str) -> httpx.Response:
    last = first + len(content) - 1
    wanted = {"Content-Type": "video/mp4", "Content-Range": f"bytes {first}-{last}/{total}", **headers}
    return httpx.put(url, content=content, headers=wanted, trust_env=False, timeout=10)


def status_of(account: Any, publish_id: str) -> dict[str, Any]:
    answer = account.http.post(STATUS, json={"publish_id": publish_id})
    assert code_of(answer) == (200, "ok")
    data: dict[str, Any] = answer.json()["data"]
    return data


def video(control: Any, **parameters: int) -> bytes:
    content: bytes = control.sample("video.mp4", **{"w": 368, "h": 640, **parameters})
    return content


# --- uploading ----------------------------------------------------------------------------------------


def test_a_small_video_is_posted_by_its_only_chunk(control: Any, amara: Any) -> None:
    content = video(control)
    data = begun(amara, upload_of(len(content)), disable_duet=True)
    assert data["publish_id"].startswith("v_pub_file~v2-1.")
    assert status_of(amara, data["publish_id"])["status"] == "PROCESSING_UPLOAD"
    assert control.posts(amara) == []

    answer = put(data["upload_url"], content, 0, len(content))

    assert answer.status_code == 201
    assert answer.headers["content-range"] == f"bytes 0-{len(content) - 1}/{len(content)}"
    assert status_of(amara, data["publish_id"])["status"] == "PROCESSING_UPLOAD"
    control.advance(1)
    assert status_of(amara, data["publish_id"]) == {
        "status": "PUBLISH_COMPLETE",
        "fail_reason": "",
        "publicaly_available_post_id": [],
        "uploaded_bytes": len(content),
    }
    control.advance(1)
    (post,) = control.posts(amara)
    assert status_of(amara, data["publish_id"])["publicaly_available_post_id"] == [int(post["id"])]
    assert post["text"] == "Hello"
    assert post["options"]["disable_duet"] is True
    assert post["media"][0]["sha256"] == hashlib.sha256(content).hexdigest()


def test_chunks_come_in_order_and_the_last_takes_the_rest(control: Any, amara: Any) -> None:
    content = video(control, bytes=21 * MB)
    data = begun(amara, upload_of(len(content), chunk=10 * MB, count=2))
    url = data["upload_url"]

    assert put(url, content[10 * MB :], 10 * MB, len(content)).status_code == 416
    first = put(url, content[: 10 * MB], 0, len(content))
    assert (first.status_code, first.headers["content-range"]) == (206, f"bytes 0-{10 * MB - 1}/{len(content)}")
    assert status_of(amara, data["publish_id"])["uploaded_bytes"] == 10 * MB
    again = put(url, content[: 10 * MB], 0, len(content))
    assert (again.status_code, again.headers["content-range"]) == (416, first.headers["content-range"])
    assert put(url, content[10 * MB : 20 * MB], 10 * MB, len(content)).status_code == 400
    assert put(url, content[10 * MB :], 10 * MB, len(content)).status_code == 201
    assert put(url, content[10 * MB :], 10 * MB, len(content)).status_code == 416

    (post,) = control.posts(amara)
    assert post["media"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert [request["call"] for request in control.requests(amara, "create_post")] == ["create_post"] * 3


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (upload_of(121 * MB, chunk=64 * MB, count=1), "The chunk size is invalid"),
        (upload_of(158 * MB), "The chunk size is invalid"),
        (upload_of(21 * MB, chunk=10 * MB, count=3), "The total chunk count is invalid"),
        (upload_of(21 * MB, chunk=5 * MB, count=4), "The chunk size is invalid"),
        (upload_of(5 * 1024**3, chunk=10 * MB, count=536), "The video is too large"),
        ({"source": "FILE_UPLOAD", "video_size": 10}, "required"),
        ({"source": "ELSEWHERE"}, "Invalid enum value"),
    ],
)
def test_plans_that_production_refused(amara: Any, source: dict[str, Any], message: str) -> None:
    answer = amara.http.post(VIDEO_INIT, json=direct(source))
    assert code_of(answer) == (400, "invalid_params")
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("size", "chunk", "count"),
    [(3_145_728, 3_145_728, 1), (50_000_123, 10 * MB, 5), (64_000_001, 10 * MB, 6), (4_294_967_296, 10 * MB, 429)],
)
def test_plans_of_the_documents(amara: Any, size: int, chunk: int, count: int) -> None:
    begun(amara, upload_of(size, chunk=chunk, count=count))


def test_upload_urls_are_secret_and_expire(control: Any, amara: Any) -> None:
    content = video(control)
    url = begun(amara, upload_of(len(content)))["upload_url"]
    assert put(url + "x", content, 0, len(content)).status_code == 404
    assert put(url, content, 0, len(content), **{"Content-Type": "image/png"}).status_code == 400
    assert put(url, content, 0, len(content) + 1).status_code == 400
    control.advance(3_600)
    assert put(url, content, 0, len(content)).status_code == 403
    assert control.posts(amara) == []


@pytest.mark.parametrize(
    ("name", "parameters", "creator", "reason"),
    [
        ("image.png", {}, {}, "file_format_check_failed"),
        ("video.mp4", {"w": 320, "h": 640}, {}, "picture_size_check_failed"),
        ("video.mp4", {"w": 368, "h": 640, "seconds": 4}, {"max_video_post_duration_sec": 3}, "duration_check_failed"),
    ],
)
def test_unfit_files_fail_after_they_were_taken(
    control: Any, amara: Any, name: str, parameters: dict[str, int], creator: dict[str, Any], reason: str
) -> None:
    control.settings(tiktok={"creators": {"amara": creator}})
    content = control.sample(name, **parameters)
    data = begun(amara, upload_of(len(content)))
    assert put(data["upload_url"], content, 0, len(content)).status_code == 201
    control.advance(1)
    found = status_of(amara, data["publish_id"])
    assert (found["status"], found["fail_reason"]) == ("FAILED", reason)
    assert control.posts(amara) == []


def test_a_scripted_failure_says_the_scripted_reason(control: Any, amara: Any) -> None:
    control.fault("tiktok", "media_processing_failed", "upload_finalize", params={"body": {"fail_reason": "internal"}})
    content = video(control)
    data = begun(amara, upload_of(len(content)))
    put(data["upload_url"], content, 0, len(content))
    control.advance(1)
    assert status_of(amara, data["publish_id"])["fail_reason"] == "internal"


def test_a_grant_taken_back_in_the_middle_of_an_upload(control: Any, amara: Any) -> None:
    content = video(control)
    data = begun(amara, upload_of(len(content)))
    control.done(control.http.post(f"/accounts/{amara.id}/revoke"))
    assert put(data["upload_url"], content, 0, len(content)).status_code == 201
    assert code_of(amara.http.post(STATUS, json={"publish_id": data["publish_id"]})) == (401, "access_token_invalid")
    assert control.posts(amara) == []


def test_the_inbox_gets_a_video_without_a_public_id(control: Any, amara: Any) -> None:
    content = video(control)
    data = amara.http.post(INBOX_INIT, json={"source_info": upload_of(len(content))}).json()["data"]
    assert data["publish_id"].startswith("v_inbox_file~v2")
    put(data["upload_url"], content, 0, len(content))
    control.advance(10)
    found = status_of(amara, data["publish_id"])
    assert (found["status"], found["publicaly_available_post_id"]) == ("SEND_TO_USER_INBOX", [])
    for _ in range(4):
        amara.http.post(INBOX_INIT, json={"source_info": upload_of(len(content))})
    control.advance(60)
    answer = amara.http.post(INBOX_INIT, json={"source_info": upload_of(len(content))})
    assert code_of(answer) == (403, "spam_risk_too_many_pending_share")


# --- pulling ------------------------------------------------------------------------------------------


def _settled(control: Any, account: Any, publish_id: str, wait: Callable[[Callable[[], Any]], Any]) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        control.advance(2)
        now = status_of(account, publish_id)
        return None if now["status"].startswith("PROCESSING") else now

    control.settings(tiktok={"rate_limits": {"enabled": False}})
    settled: dict[str, Any] = wait(found)
    return settled


def test_photos_are_pulled(control: Any, amara: Any, wait: Callable[[Callable[[], Any]], Any]) -> None:
    urls = [f"{control.url}/_sandbox/media/image.jpg?shade={shade}" for shade in (10, 20)]
    answer = amara.http.post(CONTENT_INIT, json=photos(*urls, privacy_level="SELF_ONLY"))
    assert code_of(answer) == (200, "ok")
    publish_id = answer.json()["data"]["publish_id"]
    assert publish_id.startswith("p_pub_url~v2")

    found = _settled(control, amara, publish_id, wait)

    assert (found["status"], found["publicaly_available_post_id"]) == ("PUBLISH_COMPLETE", [])
    (post,) = control.posts(amara)
    assert [media["sha256"] for media in post["media"]] == [
        hashlib.sha256(control.sample("image.jpg", shade=shade)).hexdigest() for shade in (10, 20)
    ]
    assert (post["text"], post["options"]["title"]) == ("Two of them", "Cats")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("image.png", "file_format_check_failed"),
        ("image.jpg?w=1100&h=1100", "picture_size_check_failed"),
        ("nothing.jpg", "photo_pull_failed"),
    ],
)
def test_one_bad_photo_costs_the_carousel(
    control: Any, amara: Any, wait: Callable[[Callable[[], Any]], Any], path: str, reason: str
) -> None:
    urls = [f"{control.url}/_sandbox/media/{name}" for name in ("image.jpg", path)]
    answer = amara.http.post(CONTENT_INIT, json=photos(*urls, privacy_level="PUBLIC_TO_EVERYONE"))
    found = _settled(control, amara, answer.json()["data"]["publish_id"], wait)
    assert (found["status"], found["fail_reason"]) == ("FAILED", reason)
    assert control.posts(amara) == []


def test_a_video_is_pulled_too(control: Any, amara: Any, wait: Callable[[Callable[[], Any]], Any]) -> None:
    source = {"source": "PULL_FROM_URL", "video_url": f"{control.url}/_sandbox/media/video.mp4?w=368&h=640"}
    data = begun(amara, source)
    assert data.keys() == {"publish_id"}
    assert _settled(control, amara, data["publish_id"], wait)["status"] == "PUBLISH_COMPLETE"
    assert [request["call"] for request in control.requests(amara, "create_post")] == ["create_post"]


@pytest.mark.parametrize(
    ("url", "verified"),
    [
        ("https://cdn.example.com/a.jpg", ["example.com"]),
        ("https://example.com/media/a.jpg", ["https://example.com/media/"]),
        ("https://example.org/a.jpg", None),
        ("https://notexample.com/a.jpg", None),
        ("http://cdn.example.com/a.jpg", None),
        ("https://93.184.216.34/a.jpg", None),
    ],
)
def test_photos_come_from_proven_places_only(control: Any, amara: Any, url: str, verified: list[str] | None) -> None:
    control.settings(tiktok={"verified": verified or ["example.com", "93.184.216.34"]})
    answer = amara.http.post(CONTENT_INIT, json=photos(url, privacy_level="SELF_ONLY"))
    assert code_of(answer) == ((200, "ok") if verified else (403, "url_ownership_unverified"))


# --- who may post what --------------------------------------------------------------------------------


def test_what_a_creator_is_offered(control: Any, amara: Any) -> None:
    control.settings(tiktok={"creators": {"amara": {"private": True, "duet_disabled": True}}})
    data = amara.http.post(CREATOR_INFO).json()["data"]
    assert data["privacy_level_options"] == ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
    assert (data["creator_username"], data["duet_disabled"], data["comment_disabled"]) == ("amara", True, False)
    answer = amara.http.post(VIDEO_INIT, json=direct(upload_of(10)))
    assert code_of(answer) == (403, "privacy_level_option_mismatch")


@pytest.mark.parametrize(("private", "level"), [(False, "SELF_ONLY"), (True, "FOLLOWER_OF_CREATOR")])
def test_an_unaudited_app_posts_privately_to_private_accounts(
    control: Any, amara: Any, private: bool, level: str
) -> None:
    control.settings(tiktok={"audited": False, "creators": {"amara": {"private": private}}})
    answer = amara.http.post(VIDEO_INIT, json=direct(upload_of(10), privacy_level=level))
    assert code_of(answer) == (403, "unaudited_client_can_only_post_to_private_accounts")
    control.settings(tiktok={"creators": {"amara": {"private": True}}})
    begun(amara, upload_of(10), privacy_level="SELF_ONLY")


@pytest.mark.parametrize(
    "info",
    [
        {"title": "😀" * 1_101},
        {"privacy_level": "EVERYBODY"},
        {"privacy_level": "SELF_ONLY", "brand_content_toggle": True},
        {"disable_coment": True},
        {"video_cover_timestamp_ms": -1},
    ],
)
def test_invalid_parameters(amara: Any, info: dict[str, Any]) -> None:
    assert code_of(amara.http.post(VIDEO_INIT, json=direct(upload_of(10), **info))) == (400, "invalid_params")


def test_the_days_posts_are_counted(control: Any, amara: Any) -> None:
    control.settings(tiktok={"posts_per_day": 1})
    content = video(control)
    put(begun(amara, upload_of(len(content)))["upload_url"], content, 0, len(content))
    answer = amara.http.post(CREATOR_INFO)
    assert code_of(answer) == (200, "spam_risk_too_many_posts")
    assert code_of(amara.http.post(VIDEO_INIT, json=direct(upload_of(10)))) == (403, "spam_risk_too_many_posts")
    control.advance(86_400)
    amara.http.headers["Authorization"] = f"Bearer {_refreshed(control, amara)['access_token']}"
    begun(amara, upload_of(10))


def test_the_apps_users_are_counted(control: Any, amara: Any) -> None:
    control.settings(tiktok={"active_users_per_day": 1})
    begun(amara, upload_of(10))
    bola = control.account("tiktok", "bola")
    assert code_of(bola.http.post(VIDEO_INIT, json=direct(upload_of(10)))) == (403, "reached_active_user_cap")


def test_six_inits_a_minute(control: Any, amara: Any) -> None:
    for _ in range(6):
        begun(amara, upload_of(10))
    assert code_of(amara.http.post(VIDEO_INIT, json=direct(upload_of(10)))) == (429, "rate_limit_exceeded")
    control.advance(60)
    begun(amara, upload_of(10))


def test_scopes_and_tokens(control: Any) -> None:
    bola = control.account("tiktok", "bola", scopes=["user.info.basic", "video.upload"])
    assert code_of(bola.http.post(CREATOR_INFO)) == (401, "scope_not_authorized")
    assert code_of(bola.http.post(VIDEO_INIT, json=direct(upload_of(10)))) == (401, "scope_not_authorized")
    direct_photo = photos(f"{control.url}/_sandbox/media/image.jpg", privacy_level="SELF_ONLY")
    assert code_of(bola.http.post(CONTENT_INIT, json=direct_photo)) == (401, "scope_not_authorized")
    control.advance(7_200)
    assert code_of(bola.http.post(STATUS, json={"publish_id": "p"})) == (401, "access_token_invalid")


def test_publish_ids_belong_to_their_creator(control: Any, amara: Any) -> None:
    publish_id = begun(amara, upload_of(10))["publish_id"]
    bola = control.account("tiktok", "bola")
    answer = bola.http.post(STATUS, json={"publish_id": publish_id})
    assert code_of(answer) == (400, "token_not_authorized_for_specified_publish_id")
    assert code_of(amara.http.post(STATUS, json={"publish_id": "v_pub"})) == (400, "invalid_publish_id")
    assert code_of(amara.http.post(CANCEL, json={"publish_id": publish_id})) == (200, "ok")
    assert status_of(amara, publish_id)["fail_reason"] == "publish_cancelled"
    assert code_of(amara.http.post(CANCEL, json={"publish_id": publish_id})) == (400, "publish_not_cancellable")


def test_paths_that_do_not_exist(amara: Any) -> None:
    assert code_of(amara.http.post("/v2/post/delete/", json={})) == (404, "unsupported_path")


# --- reading ------------------------------------------------------------------------------------------


def _published(control: Any, account: Any, title: str) -> str:
    content = video(control)
    data = begun(account, upload_of(len(content)), title=title)
    put(data["upload_url"], content, 0, len(content))
    control.advance(2)
    return str(control.posts(account)[-1]["id"])


def test_public_videos_are_listed_newest_first(control: Any, amara: Any) -> None:
    ids = [_published(control, amara, title) for title in ("one", "two", "three")]
    control.done(control.http.post(f"/ledger/{ids[0]}/metrics", json={"likes": 7, "impressions": 90}))

    first = amara.http.post("/v2/video/list/?fields=id,title", json={"max_count": 2}).json()["data"]
    rest = amara.http.post("/v2/video/list/?fields=id", json={"cursor": first["cursor"]}).json()["data"]
    counts = amara.http.post(
        "/v2/video/query/?fields=like_count,view_count,share_url", json={"filters": {"video_ids": [ids[0], "1"]}}
    ).json()["data"]["videos"]

    assert [each["title"] for each in first["videos"]] == ["three", "two"]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert [each["id"] for each in rest["videos"]] == [ids[0]]
    assert [(each["like_count"], each["view_count"]) for each in counts] == [(7, 90)]
    assert counts[0]["share_url"].startswith(f"https://www.tiktok.com/@amara/video/{ids[0]}")
    assert code_of(amara.http.post("/v2/video/list/?fields=id,likes", json={})) == (400, "invalid_params")


def test_reads_lag_when_scripted(control: Any, amara: Any) -> None:
    control.fault("tiktok", "readback_lag", params={"seconds": 60})
    _published(control, amara, "late")
    assert amara.http.post("/v2/video/list/?fields=id", json={}).json()["data"]["videos"] == []
    control.advance(60)
    assert len(amara.http.post("/v2/video/list/?fields=id", json={}).json()["data"]["videos"]) == 1


def test_the_profile_shows_what_was_granted(control: Any, amara: Any) -> None:
    answer = amara.http.get("/v2/user/info/?fields=open_id,username,follower_count")
    assert answer.json()["data"]["user"] == {"open_id": amara.id, "username": "amara", "follower_count": 7}
    bola = control.account("tiktok", "bola", scopes=["user.info.basic"])
    assert bola.http.get("/v2/user/info/?fields=display_name").json()["data"]["user"] == {"display_name": "Bola"}
    assert code_of(bola.http.get("/v2/user/info/?fields=username")) == (401, "scope_not_authorized")
    assert code_of(bola.http.get("/v2/user/info/")) == (400, "invalid_params")


def _refreshed(control: Any, account: Any) -> dict[str, Any]:
    form = {
        "client_key": "k",
        "client_secret": "s",
        "grant_type": "refresh_token",
        "refresh_token": account.refresh_token,
    }
    answer = httpx.post(f"{control.url}/tiktok/v2/oauth/token/", data=form, trust_env=False)
    body: dict[str, Any] = answer.json()
    assert answer.status_code == 200, body
    return body


# --- faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "live"), [("accept_then_reset", 1), ("reset_before", 0)])
def test_the_last_chunk_is_what_faults_strike(control: Any, amara: Any, fault: str, live: int) -> None:
    control.fault("tiktok", fault)
    content = video(control)
    data = begun(amara, upload_of(len(content)))
    with pytest.raises((httpx.ReadError, httpx.WriteError)):
        put(data["upload_url"], content, 0, len(content))
    assert len(control.posts(amara)) == live
    assert status_of(amara, data["publish_id"])["uploaded_bytes"] == (len(content) if live else 0)
