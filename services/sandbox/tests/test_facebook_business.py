"""A client that knows nothing of the sandbox: Meta's own facebook-business, with only its host rewritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from facebook_business.adobjects.igmedia import IGMedia
from facebook_business.adobjects.iguser import IGUser
from facebook_business.adobjects.page import Page
from facebook_business.adobjects.pagepost import PagePost
from facebook_business.api import FacebookAdsApi, FacebookRequest, FacebookSession
from facebook_business.exceptions import FacebookRequestError

SECRET = "app-secret"


@pytest.fixture
def page_account(control: Any) -> Any:
    control.settings(facebook={"clients": [{"client_id": "1", "client_secret": SECRET}]})
    return control.account("facebook")


@pytest.fixture
def api(control: Any, page_account: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FacebookAdsApi]:
    monkeypatch.setattr(FacebookSession, "GRAPH", f"{control.url}/facebook")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield FacebookAdsApi.init("1", SECRET, page_account.access_token, api_version="v26.0")
    FacebookAdsApi.set_default_api(None)


def test_posts_are_made_read_edited_and_deleted(control: Any, page_account: Any, api: FacebookAdsApi) -> None:
    page = Page(page_account.id, api=api)
    made = page.create_feed(fields=["id", "permalink_url"], params={"message": "Hello", "link": "https://example.com"})
    assert made["id"].startswith(f"{page_account.id}_")
    assert made["permalink_url"].startswith("https://www.facebook.com/")

    post = PagePost(made["id"], api=api)
    read = post.api_get(fields=["message", "created_time", "attachments", "is_published"])
    assert read["message"] == "Hello"
    assert read["attachments"]["data"][0]["unshimmed_url"] == "https://example.com"
    assert [each["id"] for each in page.get_feed(fields=["message"])] == [made["id"]]
    assert [each["id"] for each in page.get_published_posts(fields=["message"])] == [made["id"]]

    post.api_update(params={"message": "Hello again"})
    assert control.posts(page_account)[0]["text"] == "Hello again"
    post.api_delete()
    assert control.posts(page_account) == []
    with pytest.raises(FacebookRequestError) as caught:
        post.api_get(fields=["message"])
    assert (caught.value.api_error_code(), caught.value.api_error_subcode()) == (100, 33)


def test_photos_are_uploaded_and_put_into_a_post(
    control: Any, page_account: Any, api: FacebookAdsApi, tmp_path: Path
) -> None:
    page = Page(page_account.id, api=api)
    ids = []
    for shade in (1, 2):
        file = tmp_path / f"{shade}.png"
        file.write_bytes(control.sample("image.png", shade=shade))
        ids.append(_photo(api, page_account.id, file))
    made = page.create_feed(params={"message": "Two", "attached_media": [{"media_fbid": each} for each in ids]})

    (post,) = control.posts(page_account)
    assert post["id"] == made["id"]
    assert [media["id"] for media in post["media"]] == ids
    (album,) = PagePost(made["id"], api=api).api_get(fields=["attachments"])["attachments"]["data"]
    assert [each["target"]["id"] for each in album["subattachments"]["data"]] == ids


def _photo(api: FacebookAdsApi, page_id: str, file: Path) -> str:
    request = FacebookRequest(node_id=page_id, method="POST", endpoint="/photos", api=api, allow_file_upload=True)
    request.add_params({"published": False})
    request.add_file(str(file))
    return str(request.execute().json()["id"])


def test_a_reel_is_begun_sent_and_finished(control: Any, page_account: Any, api: FacebookAdsApi) -> None:
    page = Page(page_account.id, api=api)
    begun = page.create_video_reel(params={"upload_phase": "start"})
    url = f"{control.url}/_sandbox/media/video.mp4?w=544&h=960"
    answer = page_account.http.post(
        begun["upload_url"], headers={"Authorization": f"OAuth {page_account.access_token}", "file_url": url}
    )
    assert answer.json() == {"success": True}
    page.create_video_reel(
        params={
            "upload_phase": "finish",
            "video_id": begun["video_id"],
            "video_state": "PUBLISHED",
            "description": "A reel",
        }
    )
    control.advance(2)
    assert [each["id"] for each in page.get_video_reels(fields=["description"])] == [begun["video_id"]]
    assert control.posts(page_account)[0]["options"]["post_type"] == "reel"


def test_instagram_publishes_by_way_of_a_container(control: Any, page_account: Any, api: FacebookAdsApi) -> None:
    account = control.account("instagram", "bia", administrator=page_account.id)
    user = IGUser(account.id, api=api)
    url = f"{control.url}/_sandbox/media/image.jpg?w=600&h=600"
    container = user.create_media(params={"image_url": url, "caption": "Look"})
    with pytest.raises(FacebookRequestError) as caught:
        user.create_media_publish(params={"creation_id": int(container["id"])})
    assert caught.value.api_error_subcode() == 2207027
    control.advance(1)
    published = user.create_media_publish(params={"creation_id": int(container["id"])})

    (post,) = control.posts(account)
    assert post["id"] == published["id"]
    read = IGMedia(published["id"], api=api).api_get(fields=["caption", "permalink", "media_product_type"])
    assert read["caption"] == "Look"
    assert read["media_product_type"] == "FEED"
    (limit,) = user.get_content_publishing_limit(fields=["config", "quota_usage"])
    assert limit["quota_usage"] == 1
    assert limit["config"]["quota_total"] == 50
    control.done(control.http.post(f"/ledger/{post['id']}/metrics", json={"likes": 7, "views": 90}))
    (likes, views) = IGMedia(published["id"], api=api).get_insights(params={"metric": ["likes", "views"]})
    assert likes["values"][0]["value"] == 7
    assert views["values"][0]["value"] == 90
    IGMedia(published["id"], api=api).api_delete()
    assert control.posts(account) == []


def test_the_quota_of_the_token_is_told_in_headers(control: Any, page_account: Any, api: FacebookAdsApi) -> None:
    control.settings(facebook={"rate_limits": {"calls": 3}})
    page = Page(page_account.id, api=api)
    for number in range(3):
        page.create_feed(params={"message": f"Post {number}"})
    with pytest.raises(FacebookRequestError) as caught:
        page.create_feed(params={"message": "One more"})
    assert caught.value.api_error_code() == 80001
    assert "x-business-use-case-usage" in {name.lower() for name in caught.value.http_headers()}
