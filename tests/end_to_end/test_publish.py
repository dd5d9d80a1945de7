"""POST /publish and GET /publish/{publish_id}: through HTTP, Kafka, the store and the platforms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.ids import new_id

pytestmark = pytest.mark.stack

TEXT = "Excited to announce our new AI-powered features! 🚀\n\nCheck out what's new in the latest update."


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture
def body(twitter: Any, linkedin: Any) -> dict[str, Any]:
    """The contract's example."""
    return {
        "content": {
            "text": f"{TEXT} {new_id('n')}",
            "link": {
                "url": "https://example.com/blog/new-features",
                "title": "New AI Features",
                "description": "Discover our latest innovations",
            },
        },
        "platforms": [
            {"platform": "twitter", "account_id": twitter.id, "options": {"reply_settings": "following"}},
            {"platform": "linkedin", "account_id": linkedin.id, "options": {"visibility": "public"}},
        ],
    }


def test_publishes_now_to_every_platform_and_says_where(
    client: Any, sandbox: Any, twitter: Any, linkedin: Any, body: Any
) -> None:
    before = datetime.now(UTC)
    answer = client.post("/publish", body, status=201)

    assert answer["publish_id"].startswith("pub_")
    assert answer["post_id"].startswith("post_")
    assert answer["status"] in {"publishing", "published"}
    assert answer["scheduled_for"] is None
    assert before - timedelta(seconds=1) <= instant(answer["created_at"]) <= datetime.now(UTC)
    assert [(p["platform"], p["account_id"], p["estimated_reach"]) for p in answer["platforms"]] == [
        ("twitter", twitter.id, 15_420),
        ("linkedin", linkedin.id, 8_500),
    ]

    client.settled(answer["post_id"], "published")
    done = client.get(f"/publish/{answer['publish_id']}")
    assert done["status"] == "published"
    tweet = next(post for post in sandbox.live(twitter) if body["content"]["text"] in post["text"])
    share = next(post for post in sandbox.live(linkedin) if body["content"]["text"] in post["text"])
    on_x, on_linkedin = done["platforms"]
    assert (on_x["status"], on_x["post_id"], on_x["error"]) == ("published", tweet["id"], None)
    assert on_x["url"] == f"https://x.com/mycompany/status/{tweet['id']}"
    assert (on_linkedin["status"], on_linkedin["post_id"], on_linkedin["error"]) == ("published", share["id"], None)
    assert on_linkedin["url"] == f"https://www.linkedin.com/feed/update/{share['id']}/"
    for target in (on_x, on_linkedin):
        assert target["attempts"] == 1
        assert target["next_attempt_at"] is None
        assert before <= instant(target["published_at"]) <= datetime.now(UTC)

    assert "https://example.com/blog/new-features" in tweet["text"]
    assert tweet["options"]["reply_settings"] == "following"
    assert share["options"]["visibility"] == "PUBLIC"
    assert share["options"]["article"]["source"] == "https://example.com/blog/new-features"
    assert share["options"]["article"]["title"] == "New AI Features"
    assert share["options"]["article"]["description"] == "Discover our latest innovations"


def test_schedules_and_publishes_at_that_time(client: Any, sandbox: Any, twitter: Any, body: Any) -> None:
    due = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0)
    answer = client.post("/publish", {**body, "publish_at": due.isoformat()}, status=201)
    assert answer["status"] == "scheduled"
    assert instant(answer["scheduled_for"]) == due
    assert [target["status"] for target in answer["platforms"]] == ["scheduled", "scheduled"]
    assert [target["estimated_reach"] for target in answer["platforms"]] == [15_420, 8_500]

    client.settled(answer["post_id"], "published")
    (tweet,) = [post for post in sandbox.live(twitter) if body["content"]["text"] in post["text"]]
    assert instant(tweet["created_at"]) >= due


def test_publishes_images_with_their_descriptions(
    client: Any, sandbox: Any, twitter: Any, linkedin: Any, body: Any
) -> None:
    body["content"].pop("link")
    body["content"]["media"] = [
        {
            "type": "image",
            "url": sandbox.media("image.png", w=640, h=480),
            "alt_text": "New features announcement graphic",
        }
    ]
    body["platforms"][0]["options"] = {"reply_settings": "everyone"}
    body["platforms"][1]["options"] = {"visibility": "PUBLIC"}
    answer = client.post("/publish", body, status=201)
    client.settled(answer["post_id"], "published")
    for account in (twitter, linkedin):
        (post,) = [post for post in sandbox.live(account) if body["content"]["text"] in post["text"]]
        (image,) = post["media"]
        assert (image["content_type"], image["width"], image["height"]) == ("image/png", 640, 480)
        assert image["alt_text"] == "New features announcement graphic"


def test_publishes_a_video(client: Any, sandbox: Any, twitter: Any, linkedin: Any, body: Any) -> None:
    body["content"].pop("link")
    body["content"]["media"] = [{"type": "video", "url": sandbox.media("video.mp4")}]
    answer = client.post("/publish", body, status=201)
    client.settled(answer["post_id"], "published")
    for account in (twitter, linkedin):
        (post,) = [post for post in sandbox.live(account) if body["content"]["text"] in post["text"]]
        assert post["media"][0]["content_type"] == "video/mp4"


def test_hashtags_and_mentions_are_part_of_what_is_published(
    client: Any, sandbox: Any, twitter: Any, linkedin: Any, body: Any
) -> None:
    body["content"] |= {"hashtags": ["launch", "innovation"], "mentions": ["@partner_company"]}
    answer = client.post("/publish", body, status=201)
    client.settled(answer["post_id"], "published")
    (tweet,) = [post for post in sandbox.live(twitter) if body["content"]["text"] in post["text"]]
    assert "#launch" in tweet["text"]
    assert "#innovation" in tweet["text"]
    assert "@partner_company" in tweet["text"]
    (share,) = [post for post in sandbox.live(linkedin) if body["content"]["text"] in post["text"]]
    assert "#launch" in share["text"]


def test_a_target_may_say_it_in_its_own_words(
    client: Any, sandbox: Any, twitter: Any, linkedin: Any, body: Any
) -> None:
    own = f"Only for X {new_id('n')}"
    body["platforms"][0]["content"] = {"text": own}
    answer = client.post("/publish", body, status=201)
    client.settled(answer["post_id"], "published")
    assert [post["text"] for post in sandbox.live(twitter) if own in post["text"]] == [own]
    assert any(body["content"]["text"] in post["text"] for post in sandbox.live(linkedin))


def test_text_that_looks_like_markup_reaches_linkedin_as_it_was_written(
    client: Any, sandbox: Any, linkedin: Any
) -> None:
    text = f"Brackets (round), [square], {{curly}} <angle> *stars* _lines_ ~tilde~ a|b @nobody #tag \\ {new_id('n')}"
    answer = client.post(
        "/publish",
        {"content": {"text": text}, "platforms": [{"platform": "linkedin", "account_id": linkedin.id}]},
        status=201,
    )
    client.settled(answer["post_id"], "published")
    assert text in [post["text"] for post in sandbox.live(linkedin)]


def test_title_campaign_and_tags_are_kept(client: Any, body: Any) -> None:
    body |= {"title": "Features", "campaign_id": "campaign_001", "tags": ["q1"]}
    answer = client.post("/publish", body, status=201)
    post = client.get(f"/posts/{answer['post_id']}")
    assert (post["title"], post["campaign_id"], post["tags"]) == ("Features", "campaign_001", ["q1"])


def test_the_account_may_be_left_out_when_there_is_only_one(client: Any, twitter: Any) -> None:
    body = {"content": {"text": f"By default {new_id('n')}"}, "platforms": [{"platform": "twitter"}]}
    answer = client.post("/publish", body, status=201)
    assert answer["platforms"][0]["account_id"] == twitter.id


def test_a_repeat_with_the_same_key_is_the_same_publication(client: Any, sandbox: Any, twitter: Any, body: Any) -> None:
    key = new_id("key")
    first = client.request("POST", "/publish", body, key=key)
    again = client.request("POST", "/publish", body, key=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["publish_id"] == first.json()["publish_id"]
    assert again.headers["idempotency-replayed"] == "true"
    client.settled(first.json()["post_id"], "published")
    assert len([post for post in sandbox.live(twitter) if body["content"]["text"] in post["text"]]) == 1
    client.refused(422, "idempotency_key_reuse", "POST", "/publish", {**body, "title": "Other"}, key=key)


def test_a_failure_names_its_reason_and_only_that_target_is_tried_again(
    client: Any, sandbox: Any, twitter: Any, linkedin: Any, body: Any
) -> None:
    sandbox.fault(
        twitter,
        "create_post",
        "forbidden_403",
        body={"title": "Forbidden", "detail": "You are not permitted to perform this action.", "status": 403},
    )
    answer = client.post("/publish", body, status=201)
    post = client.settled(answer["post_id"], "failed")
    failed, published = client.get(f"/publish/{answer['publish_id']}")["platforms"]
    assert failed["status"] == "failed"
    assert failed["error"]["code"]
    assert failed["error"]["message"]
    assert "not permitted" in failed["error"]["platform_error"]
    assert published["status"] == "published"
    assert {entry["platform"]: entry["status"] for entry in post["platform_posts"]}["linkedin"] == "published"

    client.post(f"/posts/{answer['post_id']}/publish", {"publish_now": True}, status=202)
    client.settled(answer["post_id"], "published")
    for account in (twitter, linkedin):
        assert len([live for live in sandbox.live(account) if body["content"]["text"] in live["text"]]) == 1


def test_an_unknown_publication_and_another_tenants_are_the_same_nothing(client: Any, stranger: Any, body: Any) -> None:
    answer = client.post("/publish", body, status=201)
    stranger.refused(404, "post_not_found", "GET", f"/publish/{answer['publish_id']}")
    client.refused(404, "post_not_found", "GET", f"/publish/{new_id('pub')}")
