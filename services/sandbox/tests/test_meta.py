"""Facebook and Instagram behave as documented: logins, protocols, refusals, faults."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

REDIRECT = "https://app.example/callback"
CLIENT = {"client_id": "1", "client_secret": "app-secret", "redirect_uris": [REDIRECT]}
KNOWN = {"client_id": "1", "client_secret": "app-secret"}
PUBLISH = "pages_show_list,pages_manage_posts,pages_read_engagement"


def refused(answer: httpx.Response) -> tuple[int, int, int | None]:
    """Status, code and subcode."""
    error = answer.json()["error"]
    assert error["message"]
    assert error["fbtrace_id"]
    return answer.status_code, error["code"], error.get("error_subcode")


@pytest.fixture
def page(control: Any) -> Any:
    return control.account("facebook", "sea", followers=12)


@pytest.fixture
def bia(control: Any) -> Any:
    return control.account("instagram", "bia")


def jpeg(control: Any, **more: int) -> str:
    query = "&".join(f"{name}={value}" for name, value in {"w": 600, "h": 600, **more}.items())
    return f"{control.url}/_sandbox/media/image.jpg?{query}"


def contained(control: Any, account: Any, **given: Any) -> str:
    """A container that can be published."""
    given = given or {"image_url": jpeg(control)}
    answer = account.http.post(f"/v26.0/{account.id}/media", json=given)
    container = str(control.done(answer)["id"])
    control.advance(5)
    return container


def publish(account: Any, container: str) -> httpx.Response:
    answer: httpx.Response = account.http.post(f"/v26.0/{account.id}/media_publish", json={"creation_id": container})
    return answer


# --- logins -------------------------------------------------------------------------------------------


def returned(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    location = urlsplit(answer.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == REDIRECT
    return {name: values[0] for name, values in parse_qs(location.query).items()}


def test_facebook_login_leads_to_the_tokens_of_pages(control: Any, page: Any) -> None:
    control.settings(facebook={"clients": [CLIENT], "auto_approve": True, "declined_scopes": ["read_insights"]})
    linked = control.account("instagram", "linked", administrator=page.id)
    http = page.http
    del http.headers["Authorization"]
    query = {"client_id": "1", "redirect_uri": REDIRECT, "state": "s", "scope": f"{PUBLISH},read_insights"}
    back = returned(http.get("/v26.0/dialog/oauth", params={**query, "response_type": "code"}))
    assert back["state"] == "s"

    exchange = {**KNOWN, "redirect_uri": REDIRECT, "code": back["code"]}
    wrong = http.post("/v26.0/oauth/access_token", data={**exchange, "redirect_uri": REDIRECT + "/"})
    assert refused(wrong) == (400, 100, 36008)
    assert http.post("/v26.0/oauth/access_token", data={**exchange, "client_secret": "no"}).status_code == 400
    short = control.done(http.get("/v26.0/oauth/access_token", params=exchange))
    assert refused(http.get("/v26.0/oauth/access_token", params=exchange))[1] == 100
    long = control.done(
        http.get(
            "/oauth/access_token",
            params={**KNOWN, "grant_type": "fb_exchange_token", "fb_exchange_token": short["access_token"]},
        )
    )
    assert long["access_token"] != short["access_token"]
    assert long["expires_in"] > 5_000_000 > short["expires_in"]

    token = {"access_token": long["access_token"]}
    granted = control.done(http.get("/v26.0/me/permissions", params=token))["data"]
    assert {each["permission"] for each in granted if each["status"] == "declined"} == {"read_insights"}
    fields = "id,name,access_token,tasks,picture{url},instagram_business_account{id,username}"
    (shown,) = control.done(http.get("/v26.0/me/accounts", params={**token, "fields": fields}))["data"]
    assert shown["id"] == page.id
    assert "CREATE_CONTENT" in shown["tasks"]
    assert shown["instagram_business_account"] == {"id": linked.id, "username": "linked"}
    app = f"1|{CLIENT['client_secret']}"
    debugged = control.done(
        http.get("/v26.0/debug_token", params={"input_token": shown["access_token"], "access_token": app})
    )["data"]
    assert debugged["type"] == "PAGE"
    assert debugged["expires_at"] == 0
    assert debugged["is_valid"]

    as_page = {"Authorization": f"Bearer {shown['access_token']}"}
    assert refused(http.post(f"/v26.0/{page.id}/feed", data={"message": "a", **token})) == (403, 200, None)
    control.done(http.post(f"/v26.0/{page.id}/feed", data={"message": "a"}, headers=as_page))
    assert control.done(http.delete("/v26.0/me/permissions", params=token)) == {"success": True}
    assert refused(http.post(f"/v26.0/{page.id}/feed", data={"message": "b"}, headers=as_page))[1] == 190


def test_a_person_may_refuse(control: Any, page: Any, bia: Any) -> None:
    query = {"client_id": "1", "redirect_uri": REDIRECT, "response_type": "code", "sandbox_account": "deny"}
    for http, path in ((page.http, "/v26.0/dialog/oauth"), (bia.http, "/oauth/authorize")):
        back = returned(http.get(path, params=query))
        assert back["error"] == "access_denied"
        assert back["error_reason"] == "user_denied"


@pytest.mark.parametrize("shape", ["flat", "data"])
def test_instagram_login_leads_to_a_token_that_can_be_renewed(control: Any, bia: Any, shape: str) -> None:
    control.settings(instagram={"clients": [CLIENT], "auto_approve": True, "code_answer": shape})
    http = bia.http
    query = {"client_id": "1", "redirect_uri": REDIRECT, "scope": "instagram_business_basic", "response_type": "code"}
    answer = http.get("/oauth/authorize", params=query)
    assert answer.headers["location"].endswith("#_")
    form = {
        **KNOWN,
        "grant_type": "authorization_code",
        "redirect_uri": REDIRECT,
        "code": returned(answer)["code"],
    }
    body = control.done(http.post("/oauth/access_token", data=form))
    short = body if shape == "flat" else body["data"][0]
    assert short["user_id"] == bia.id
    again = http.post("/oauth/access_token", data=form)
    assert (again.status_code, again.json()["error_type"]) == (400, "OAuthException")

    exchange = {"grant_type": "ig_exchange_token", "client_secret": "app-secret", "access_token": short["access_token"]}
    long = control.done(http.get("/access_token", params=exchange))
    refresh = {"grant_type": "ig_refresh_token", "access_token": long["access_token"]}
    assert http.get("/refresh_access_token", params=refresh).status_code == 400
    control.advance(86_401)
    newer = control.done(http.get("/refresh_access_token", params=refresh))
    assert newer["access_token"] != long["access_token"]
    control.advance(5_184_001)
    assert refused(http.get("/refresh_access_token", params=refresh))[1:] == (190, 463)


def test_tokens_are_taken_wherever_meta_takes_them_and_refused_by_code(control: Any, page: Any) -> None:
    token = page.access_token
    http = httpx.Client(base_url=f"{control.url}/facebook", trust_env=False)
    for given in (
        {"params": {"access_token": token}},
        {"headers": {"Authorization": f"Bearer {token}"}},
        {"headers": {"Authorization": f"OAuth {token}"}},
    ):
        assert control.done(http.get("/v26.0/me", params={"fields": "name"} | given.pop("params", {}), **given))
    assert http.post(f"/{page.id}/feed", json={"message": "a", "access_token": token}).is_success
    assert http.post(f"/v19.0/{page.id}/feed", data={"message": "b", "access_token": token}).is_success
    assert refused(http.get("/v26.0/me"))[1] == 104
    assert refused(http.get("/v26.0/me", params={"access_token": "no"}))[1] == 190
    control.done(control.http.post(f"/accounts/{page.id}/expire"))
    assert refused(http.get("/v26.0/me", params={"access_token": token}))[1:] == (190, 463)
    control.done(control.http.post(f"/accounts/{page.id}/revoke"))
    assert refused(http.get("/v26.0/me", params={"access_token": token}))[1:] == (190, 460)
    http.close()


def test_a_proof_of_the_apps_secret_is_checked(control: Any, page: Any) -> None:
    control.settings(facebook={"clients": [CLIENT], "auto_approve": True})
    query = {"client_id": "1", "redirect_uri": REDIRECT, "scope": PUBLISH}
    code = returned(page.http.get("/v26.0/dialog/oauth", params=query))["code"]
    form = {**KNOWN, "redirect_uri": REDIRECT, "code": code}
    token = control.done(page.http.post("/v26.0/oauth/access_token", data=form))["access_token"]
    right = hmac.new(b"app-secret", token.encode(), hashlib.sha256).hexdigest()
    headers = {"Authorization": f"Bearer {token}"}
    assert page.http.get("/v26.0/me", params={"appsecret_proof": right}, headers=headers).is_success
    assert refused(page.http.get("/v26.0/me", params={"appsecret_proof": "0"}, headers=headers))[1] == 100


# --- Facebook -----------------------------------------------------------------------------------------


def photo(control: Any, page: Any, **more: Any) -> httpx.Response:
    files = {"source": ("a.png", control.sample("image.png"), "image/png")}
    answer: httpx.Response = page.http.post(
        f"/v26.0/{page.id}/photos", data={"published": "false", **more}, files=files
    )
    return answer


def test_a_post_needs_something_in_it_and_repeats_nothing(control: Any, page: Any) -> None:
    feed = f"/v26.0/{page.id}/feed"
    assert refused(page.http.post(feed, json={}))[1] == 100
    assert refused(page.http.post(feed, json={"link": "nonsense"}))[2] == 2061006
    assert page.http.post(feed, json={"message": "Once"}).is_success
    assert refused(page.http.post(feed, json={"message": "Once"}))[1] == 506
    assert page.http.post(feed, json={"message": "Twice"}).is_success
    assert page.http.post(feed, json={"message": "Once"}).is_success
    assert [post["text"] for post in control.posts(page)] == ["Once", "Twice", "Once"]


def test_photos_are_posted_once_and_die_unposted(control: Any, page: Any) -> None:
    feed = f"/v26.0/{page.id}/feed"
    first, second = (control.done(photo(control, page, alt_text_custom="Sea"))["id"] for _ in range(2))
    attached = {"message": "Look", "attached_media[0]": f'{{"media_fbid":"{first}"}}'}
    assert page.http.post(feed, data=attached).is_success
    assert refused(page.http.post(feed, data=attached))[1:] == (100, 1366051)
    control.advance(86_401)
    assert refused(page.http.post(feed, json={"attached_media": [{"media_fbid": second}]}))[1] == 100
    (post,) = control.posts(page)
    assert post["media"][0]["alt_text"] == "Sea"
    assert post["media"][0]["sha256"] == hashlib.sha256(control.sample("image.png")).hexdigest()


def test_what_is_no_photo_is_refused(control: Any, page: Any) -> None:
    for content in (b"", b"not a photo", control.sample("video.mp4")):
        files = {"source": ("a.png", content, "image/png")}
        assert refused(page.http.post(f"/v26.0/{page.id}/photos", files=files))[1:] == (324, 1366046)


def test_chunks_must_follow_each_other(control: Any, page: Any) -> None:
    videos = f"/v26.0/{page.id}/videos"
    file = control.sample("video.mp4", bytes=1_500_000)
    begun = control.done(page.http.post(videos, data={"upload_phase": "start", "file_size": len(file)}))
    assert (begun["start_offset"], begun["end_offset"]) == ("0", "1048576")

    def transfer(start: int, chunk: bytes) -> httpx.Response:
        form = {
            "upload_phase": "transfer",
            "start_offset": str(start),
            "upload_session_id": begun["upload_session_id"],
        }
        answer: httpx.Response = page.http.post(videos, data=form, files={"video_file_chunk": ("c", chunk)})
        return answer

    finish = {"upload_phase": "finish", "upload_session_id": begun["upload_session_id"], "description": "Sea"}
    assert control.done(transfer(0, file[:1_048_576]))["start_offset"] == "1048576"
    wrong = transfer(0, file[:1_048_576])
    assert refused(wrong)[2] == 1363037
    assert wrong.json()["error"]["error_data"]["start_offset"] == "1048576"
    assert refused(page.http.post(videos, data=finish))[1] == 6001
    last = control.done(transfer(1_048_576, file[1_048_576:]))
    assert last["start_offset"] == last["end_offset"] == "1500000"
    assert control.done(page.http.post(videos, data=finish)) == {"success": True}

    def status() -> Any:
        return control.done(page.http.get(f"/v26.0/{begun['video_id']}", params={"fields": "status"}))["status"]

    assert status()["video_status"] == "processing"
    control.advance(2)
    assert status()["publishing_phase"]["publish_status"] == "published"
    assert control.done(page.http.post(videos, data=finish)) == {"success": True}
    (post,) = control.posts(page)
    assert post["id"] == begun["video_id"]
    assert post["media"][0]["sha256"] == hashlib.sha256(file).hexdigest()


def test_a_reel_goes_on_where_it_stands(control: Any, page: Any) -> None:
    begun = control.done(page.http.post(f"/v26.0/{page.id}/video_reels", data={"upload_phase": "start"}))
    file = control.sample("video.mp4", w=544, h=960)

    def send(offset: int, content: bytes) -> httpx.Response:
        headers = {
            "Authorization": f"OAuth {page.access_token}",
            "offset": str(offset),
            "file_size": str(len(file)),
        }
        answer: httpx.Response = page.http.post(begun["upload_url"], content=content, headers=headers)
        return answer

    short = send(0, file[:1000])
    assert (short.status_code, short.json()["debug_info"]["type"]) == (400, "PartialRequestError")
    wrong = send(0, file)
    assert (wrong.status_code, wrong.json()["debug_info"]["type"]) == (412, "OffsetInvalidError")
    status = control.done(page.http.get(f"/v26.0/{begun['video_id']}", params={"fields": "status"}))["status"]
    assert status["uploading_phase"]["bytes_transferred"] == 1000
    assert send(1000, file[1000:]).json() == {"success": True}
    finish = {"upload_phase": "finish", "video_id": begun["video_id"], "video_state": "PUBLISHED"}
    assert control.done(page.http.post(f"/v26.0/{page.id}/video_reels", data=finish)) == {"success": True}
    assert control.posts(page)[0]["media"][0]["sha256"] == hashlib.sha256(file).hexdigest()


@pytest.mark.parametrize(
    ("sample", "code"),
    [({"w": 544, "h": 960, "seconds": 2}, 1363128), ({"w": 320, "h": 480}, 1363127), ({"w": 320, "h": 960}, 1363040)],
)
def test_an_unfit_reel_fails_in_processing(control: Any, page: Any, sample: dict[str, int], code: int) -> None:
    begun = control.done(page.http.post(f"/v26.0/{page.id}/video_reels", data={"upload_phase": "start"}))
    query = "&".join(f"{name}={value}" for name, value in sample.items())
    headers = {
        "Authorization": f"OAuth {page.access_token}",
        "file_url": f"{control.url}/_sandbox/media/video.mp4?{query}",
    }
    assert page.http.post(begun["upload_url"], headers=headers).is_success
    finish = {"upload_phase": "finish", "video_id": begun["video_id"], "video_state": "PUBLISHED"}
    control.done(page.http.post(f"/v26.0/{page.id}/video_reels", data=finish))
    control.advance(2)
    status = control.done(page.http.get(f"/v26.0/{begun['video_id']}", params={"fields": "status"}))["status"]
    assert status["video_status"] == "error"
    assert status["processing_phase"]["errors"][0]["code"] == code
    assert control.posts(page) == []


def test_there_are_so_many_reels_a_day(control: Any, page: Any) -> None:
    control.settings(facebook={"reels_per_day": 1})
    url = f"{control.url}/_sandbox/media/video.mp4?w=544&h=960"

    def reel() -> httpx.Response:
        begun = control.done(page.http.post(f"/v26.0/{page.id}/video_reels", data={"upload_phase": "start"}))
        headers = {"Authorization": f"OAuth {page.access_token}", "file_url": url}
        assert page.http.post(begun["upload_url"], headers=headers).is_success
        finish = {"upload_phase": "finish", "video_id": begun["video_id"], "video_state": "PUBLISHED"}
        answer: httpx.Response = page.http.post(f"/v26.0/{page.id}/video_reels", data=finish)
        return answer

    assert reel().is_success
    assert refused(reel())[1] == 613
    control.advance(86_401)
    assert reel().is_success


def test_stories_are_listed_by_their_media_and_end_with_the_day(control: Any, page: Any) -> None:
    photo_id = control.done(photo(control, page))["id"]
    stories = f"/v26.0/{page.id}/photo_stories"
    made = control.done(page.http.post(stories, data={"photo_id": photo_id}))
    assert refused(page.http.post(stories, data={"photo_id": photo_id}))[1] == 100
    (shown,) = control.done(page.http.get(f"/v26.0/{page.id}/stories"))["data"]
    assert (shown["post_id"], shown["media_id"]) == (made["post_id"], photo_id)
    assert control.done(page.http.get(f"/v26.0/{page.id}/published_posts"))["data"] == []
    control.advance(86_401)
    assert control.done(page.http.get(f"/v26.0/{page.id}/stories"))["data"] == []


def test_pages_of_posts_follow_each_other_and_fields_must_exist(control: Any, page: Any) -> None:
    for number in range(5):
        assert page.http.post(f"/v26.0/{page.id}/feed", json={"message": str(number)}).is_success
    path = f"/v26.0/{page.id}/published_posts"
    assert refused(page.http.get(path, params={"fields": "nonsense"}))[1] == 100
    seen: list[str] = []
    after: str | None = None
    for _ in range(3):
        params = {"limit": "2", "fields": "message", **({"after": after} if after else {})}
        body = control.done(page.http.get(path, params=params))
        seen += [post["message"] for post in body["data"]]
        after = body["paging"]["cursors"]["after"]
    assert seen == ["4", "3", "2", "1", "0"]
    assert "next" not in body["paging"]


def test_another_page_is_as_good_as_none(control: Any, page: Any) -> None:
    other = control.account("facebook", "other")
    made = control.done(other.http.post(f"/v26.0/{other.id}/feed", json={"message": "a"}))["id"]
    assert refused(page.http.post(f"/v26.0/{other.id}/feed", json={"message": "b"}))[1:] == (100, 33)
    assert refused(page.http.delete(f"/v26.0/{made}"))[1:] == (100, 33)
    assert len(control.posts(other)) == 1


def test_a_post_is_measured_by_what_is_still_measured(control: Any, page: Any) -> None:
    made = control.done(page.http.post(f"/v26.0/{page.id}/feed", json={"message": "a"}))["id"]
    control.done(control.http.post(f"/ledger/{made}/metrics", json={"impressions": 90, "likes": 7, "replies": 2}))
    path = f"/v26.0/{made}/insights"
    (views,) = control.done(page.http.get(path, params={"metric": "post_media_view"}))["data"]
    assert views["values"] == [{"value": 90}]
    assert refused(page.http.get(path, params={"metric": "post_impressions"}))[1] == 100
    assert refused(page.http.get(path))[1:] == (3001, 1504028)
    fields = {"fields": "reactions.summary(true),comments.summary(true)"}
    counts = control.done(page.http.get(f"/v26.0/{made}", params=fields))
    assert counts["reactions"]["summary"]["total_count"] == 7
    assert counts["comments"]["summary"]["total_count"] == 2


# --- Instagram ----------------------------------------------------------------------------------------


def test_a_container_is_published_once_and_not_too_early(control: Any, bia: Any) -> None:
    made = control.done(
        bia.http.post(f"/v26.0/{bia.id}/media", json={"image_url": jpeg(control), "caption": "Hi @you"})
    )
    assert refused(publish(bia, made["id"]))[1:] == (9007, 2207027)
    control.advance(1)
    published = control.done(publish(bia, made["id"]))
    status = control.done(bia.http.get(f"/v26.0/{made['id']}", params={"fields": "status_code,status"}))
    assert status["status_code"] == "PUBLISHED"
    assert refused(publish(bia, made["id"]))[1:] == (24, 2207008)
    (listed,) = control.done(bia.http.get(f"/v26.0/{bia.id}/media", params={"fields": "caption,media_type"}))["data"]
    assert listed == {"id": published["id"], "caption": "Hi you", "media_type": "IMAGE"}
    control.settings(instagram={"republish": "again"})
    assert publish(bia, made["id"]).is_success
    assert len(control.posts(bia)) == 2


def test_a_container_expires(control: Any, bia: Any) -> None:
    container = contained(control, bia)
    control.advance(86_401)
    status = control.done(bia.http.get(f"/v26.0/{container}", params={"fields": "status_code"}))
    assert status["status_code"] == "EXPIRED"
    assert refused(publish(bia, container))[1:] == (24, 2207008)


def test_a_carousel_is_made_of_finished_children_in_order(control: Any, bia: Any) -> None:
    video = f"{control.url}/_sandbox/media/video.mp4?w=544&h=960"
    children = [
        contained(control, bia, image_url=jpeg(control, shade=1), is_carousel_item=True, alt_text="One"),
        contained(control, bia, video_url=video, media_type="VIDEO", is_carousel_item="true"),
    ]
    alone = bia.http.post(f"/v26.0/{bia.id}/media", json={"media_type": "CAROUSEL", "children": children[0]})
    assert refused(alone)[1:] == (100, 2207028)
    assert refused(publish(bia, children[0]))[1] == 24
    parent = contained(control, bia, media_type="CAROUSEL", children=",".join(children), caption="Both")
    control.done(publish(bia, parent))
    (post,) = control.posts(bia)
    assert [media["kind"] for media in post["media"]] == ["image", "video"]
    assert [media.get("alt_text") for media in post["media"]] == ["One", None]
    assert control.done(bia.http.get(f"/v26.0/{bia.id}/content_publishing_limit"))["data"] == [{"quota_usage": 1}]


@pytest.mark.parametrize(
    ("given", "code", "subcode"),
    [
        ({}, 100, None),
        ({"image_url": "{url}/image.png"}, 36001, 2207005),
        ({"image_url": "{url}/image.jpg?w=300&h=900"}, 36003, 2207009),
        ({"image_url": "{url}/image.jpg?bytes=9000000&w=600&h=600"}, 36000, 2207004),
        ({"image_url": "{url}/image.jpg?w=600&h=600", "caption": "a" * 2201}, 36004, 2207010),
        ({"image_url": "{url}/image.jpg?w=600&h=600", "caption": "#a " * 31}, 36004, 2207010),
        ({"image_url": "{url}/image.jpg?w=600&h=600", "share_to_feed": True}, 100, None),
        ({"image_url": "{url}/image.jpg?w=600&h=600", "user_tags": [{"username": "a"}]}, 100, None),
        ({"image_url": "{url}/image.jpg?w=600&h=600", "is_paid_partnership": True}, 100, None),
        ({"image_url": "ftp://example.com/a.jpg"}, 9004, 2207052),
        ({"video_url": "{url}/video.mp4", "media_type": "VIDEO"}, 100, None),
        ({"video_url": "{url}/video.mp4"}, 100, 2207023),
        ({"media_type": "REELS", "upload_type": "resumable"}, 100, None),
        ({"image_url": "{url}/image.jpg", "is_carousel_item": True, "caption": "a"}, 100, None),
        ({"image_url": "{url}/image.jpg", "is_carousel_item": True, "is_ai_generated": True}, 100, None),
    ],
)
def test_a_container_that_instagram_refuses(
    control: Any, bia: Any, given: dict[str, Any], code: int, subcode: int | None
) -> None:
    url = f"{control.url}/_sandbox/media"
    given = {name: value.replace("{url}", url) if isinstance(value, str) else value for name, value in given.items()}
    answer = bia.http.post(f"/v26.0/{bia.id}/media", json=given)
    assert refused(answer) == (400, code, subcode)


def test_there_are_so_many_posts_and_containers_a_day(control: Any, bia: Any) -> None:
    control.settings(instagram={"publish_quota": 1, "container_quota": 3})
    first, second = contained(control, bia), contained(control, bia)
    control.done(publish(bia, first))
    assert refused(publish(bia, second))[1:] == (9, 2207042)
    contained(control, bia)
    assert refused(bia.http.post(f"/v26.0/{bia.id}/media", json={"image_url": jpeg(control)}))[1] == 9
    control.advance(86_401)
    assert publish(bia, contained(control, bia)).is_success


class _Gate(BaseHTTPRequestHandler):
    """A file's server that keeps its visitors waiting until it is opened."""

    opened: Event
    file: bytes
    agents: list[str]

    def do_GET(self) -> None:
        self.agents.append(self.headers["User-Agent"])
        self.opened.wait(10)
        self.send_response(200 if self.path == "/a.jpg" else 404)
        self.send_header("Content-Length", str(len(self.file)))
        self.end_headers()
        self.wfile.write(self.file)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def elsewhere(control: Any) -> Iterator[tuple[str, type[_Gate]]]:
    class Gate(_Gate):
        opened = Event()
        file = control.sample("image.jpg", w=600, h=600)
        agents = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Gate
    Gate.opened.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_from_elsewhere_are_fetched_while_others_are_served(
    control: Any, bia: Any, elsewhere: tuple[str, type[_Gate]], wait: Callable[[Callable[[], Any]], Any]
) -> None:
    url, gate = elsewhere
    there, missing = (
        control.done(bia.http.post(f"/v26.0/{bia.id}/media", json={"image_url": f"{url}/{name}"}))["id"]
        for name in ("a.jpg", "b.jpg")
    )

    def status(container: str) -> str:
        control.advance(1)
        body = control.done(bia.http.get(f"/v26.0/{container}", params={"fields": "status_code,status"}))
        return f"{body['status_code']} {body['status']}"

    assert status(there).startswith("IN_PROGRESS")
    gate.opened.set()
    wait(lambda: status(there).startswith("FINISHED"))
    wait(lambda: "2207052" in status(missing))
    control.done(publish(bia, there))
    assert control.posts(bia)[0]["media"][0]["sha256"] == hashlib.sha256(gate.file).hexdigest()
    assert gate.agents[0].startswith("facebookexternalhit/")


def test_an_account_that_is_linked_to_a_page_is_used_with_its_token(control: Any, page: Any, bia: Any) -> None:
    linked = control.account("instagram", "linked", administrator=page.id)
    http = httpx.Client(
        base_url=f"{control.url}/facebook", headers={"Authorization": f"Bearer {linked.access_token}"}, trust_env=False
    )
    container = control.done(http.post(f"/v26.0/{linked.id}/media", json={"image_url": jpeg(control)}))["id"]
    control.advance(1)
    made = control.done(http.post(f"/v26.0/{linked.id}/media_publish", json={"creation_id": container}))["id"]
    assert [post["id"] for post in control.posts(linked)] == [made]
    assert refused(bia.http.get(f"/v26.0/{made}"))[1:] == (100, 33)
    assert refused(linked.http.get(f"/v26.0/{linked.id}"))[1] == 190
    assert control.done(http.delete(f"/v26.0/{made}")) == {"success": True}
    http.close()


def test_media_is_measured_by_what_fits_its_kind(control: Any, bia: Any) -> None:
    made = control.done(publish(bia, contained(control, bia)))["id"]
    control.done(control.http.post(f"/ledger/{made}/metrics", json={"likes": 7, "replies": 2, "saves": 1}))
    path = f"/v26.0/{made}/insights"
    found = control.done(bia.http.get(path, params={"metric": "likes,comments,total_interactions"}))["data"]
    assert [each["values"][0]["value"] for each in found] == [7, 2, 10]
    assert refused(bia.http.get(path, params={"metric": "likes,replies"}))[1] == 100


def test_comments_are_made_and_read(control: Any, page: Any, bia: Any) -> None:
    ours = control.done(publish(bia, contained(control, bia)))["id"]
    theirs = control.done(page.http.post(f"/v26.0/{page.id}/feed", json={"message": "a"}))["id"]
    for account, post in ((bia, ours), (page, theirs)):
        made = control.done(account.http.post(f"/v26.0/{post}/comments", json={"message": "First"}))["id"]
        (read,) = control.done(account.http.get(f"/v26.0/{post}/comments", params={"fields": "id,from"}))["data"]
        assert (read["id"], read["from"]["id"]) == (made, account.id)
        assert control.posts(account)[1]["in_reply_to"] == post


# --- faults -------------------------------------------------------------------------------------------


def test_a_limit_is_announced_before_it_is_reached(control: Any, bia: Any) -> None:
    control.settings(instagram={"rate_limits": {"calls": 4}})
    headers = [bia.http.get("/v26.0/me").headers.get("x-business-use-case-usage", "") for _ in range(4)]
    assert [f'"call_count":{percent},' in text for percent, text in zip((25, 50, 75), headers[1:], strict=True)]
    answer = bia.http.get("/v26.0/me")
    assert refused(answer)[1] == 80002
    assert '"estimated_time_to_regain_access":1440' in answer.headers["x-business-use-case-usage"]


def test_faults_strike_the_account_that_is_meant_on_whatever_host(control: Any, page: Any) -> None:
    linked = control.account("instagram", "linked", administrator=page.id)
    body = {"error": {"code": 4, "error_subcode": 2207051, "message": "no"}}
    control.fault("instagram", "accept_then_error", account=linked.id, params={"body": body, "status": 400})
    http = httpx.Client(
        base_url=f"{control.url}/facebook", headers={"Authorization": f"Bearer {linked.access_token}"}, trust_env=False
    )
    container = control.done(http.post(f"/v26.0/{linked.id}/media", json={"image_url": jpeg(control)}))["id"]
    control.advance(1)
    answer = http.post(f"/v26.0/{linked.id}/media_publish", json={"creation_id": container})
    assert (answer.status_code, answer.json()) == (400, body)
    assert len(control.posts(linked)) == 1
    assert page.http.post(f"/v26.0/{page.id}/feed", json={"message": "a"}).is_success
    assert [each["call"] for each in control.requests(linked, "create_post")] == ["create_post"]
    http.close()


def test_an_upload_that_is_cut_leaves_what_had_come(control: Any, page: Any) -> None:
    control.fault("facebook", "upload_cut", "upload_append", params={"bytes": 700})
    begun = control.done(page.http.post(f"/v26.0/{page.id}/video_reels", data={"upload_phase": "start"}))
    headers = {"Authorization": f"OAuth {page.access_token}", "offset": "0", "file_size": "1000"}
    with pytest.raises(httpx.TransportError):
        page.http.post(begun["upload_url"], content=bytes(1000), headers=headers)
    status = control.done(page.http.get(f"/v26.0/{begun['video_id']}", params={"fields": "status"}))["status"]
    assert status["uploading_phase"]["bytes_transferred"] == 700


@pytest.mark.parametrize("platform", ["facebook", "instagram"])
def test_refusals_are_in_the_platforms_words(control: Any, page: Any, bia: Any, platform: str) -> None:
    account = page if platform == "facebook" else bia
    for fault, status, code in (
        ("rate_limited", 400, None),
        ("unauthorized_401", 400, 190),
        ("forbidden_403", 403, 200),
    ):
        control.fault(platform, fault, "me")
        answer = account.http.get("/v26.0/me")
        found = refused(answer)
        assert found[0] == status
        assert found[1] == (code or (80001 if platform == "facebook" else 80002))
