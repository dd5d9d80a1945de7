"""Drafts and what becomes of them: /posts and everything below it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.ids import new_id

pytestmark = pytest.mark.stack


@pytest.fixture
def draft() -> dict[str, Any]:
    """The contract's example."""
    return {
        "title": "Product Launch Announcement",
        "content": {
            "text": f"Big news coming tomorrow! {new_id('n')}",
            "hashtags": ["launch", "innovation", "tech"],
            "mentions": ["@partner_company"],
        },
        "media": [],
        "platforms": ["twitter", "linkedin", "instagram"],
        "status": "draft",
        "campaign_id": "campaign_001",
        "tags": ["product_launch", "q1_2026"],
    }


@pytest.fixture
def publishable(draft: dict[str, Any]) -> dict[str, Any]:
    return {**draft, "platforms": ["twitter", "linkedin"]}


def test_a_draft_is_kept_as_it_was_given(client: Any, draft: Any) -> None:
    created = client.post("/posts", draft, status=201)
    assert created["id"].startswith("post_")
    assert created["created_by"] == "user_001"
    assert datetime.now(UTC) - datetime.fromisoformat(created["created_at"]) < timedelta(minutes=1)
    read = client.get(f"/posts/{created['id']}")
    for post in (created, read):
        assert post["title"] == draft["title"]
        assert post["content"]["text"] == draft["content"]["text"]
        assert post["content"]["hashtags"] == draft["content"]["hashtags"]
        assert post["content"]["mentions"] == draft["content"]["mentions"]
        assert post["media"] == []
        assert post["platforms"] == ["twitter", "linkedin", "instagram"]
        assert post["status"] == "draft"
        assert post["campaign_id"] == "campaign_001"
        assert post["tags"] == ["product_launch", "q1_2026"]
        assert post["platform_posts"] == []
    assert read["published_at"] is None
    assert read["scheduled_at"] is None
    # Nobody has measured anything yet, and nothing is invented.
    figures = ("total_impressions", "total_engagements", "engagement_rate", "as_of")
    assert read["analytics"] == dict.fromkeys(figures)


def test_a_draft_may_name_all_six_platforms(client: Any, draft: Any) -> None:
    draft["platforms"] = ["twitter", "linkedin", "instagram", "youtube", "tiktok", "facebook"]
    assert client.post("/posts", draft, status=201)["platforms"] == draft["platforms"]


def test_media_beside_the_content_is_media_of_the_post(client: Any, sandbox: Any, draft: Any) -> None:
    image = {"type": "image", "url": sandbox.media("image.jpg"), "alt_text": "A chart"}
    created = client.post("/posts", {**draft, "media": [image]}, status=201)
    (kept,) = created["media"]
    assert (kept["type"], kept["url"], kept["alt_text"]) == ("image", image["url"], "A chart")


def test_a_draft_is_published_and_shows_where_it_is_live(
    client: Any, sandbox: Any, twitter: Any, linkedin: Any, publishable: Any
) -> None:
    post_id = client.post("/posts", publishable, status=201)["id"]
    accepted = client.post(f"/posts/{post_id}/publish", {"publish_now": True}, status=202)
    assert accepted["status"] in {"publishing", "published"}
    post = client.settled(post_id, "published")
    assert datetime.now(UTC) - datetime.fromisoformat(post["published_at"]) < timedelta(minutes=1)
    on_x, on_linkedin = post["platform_posts"]
    (tweet,) = [live for live in sandbox.live(twitter) if publishable["content"]["text"] in live["text"]]
    (share,) = [live for live in sandbox.live(linkedin) if publishable["content"]["text"] in live["text"]]
    assert (on_x["platform"], on_x["post_id"], on_x["status"]) == ("twitter", tweet["id"], "published")
    assert on_x["url"] == f"https://x.com/mycompany/status/{tweet['id']}"
    assert (on_linkedin["platform"], on_linkedin["post_id"], on_linkedin["status"]) == (
        "linkedin",
        share["id"],
        "published",
    )
    assert on_linkedin["url"] == f"https://www.linkedin.com/feed/update/{share['id']}/"
    client.refused(409, "not_publishable", "POST", f"/posts/{post_id}/publish", {"publish_now": True})
    client.refused(409, "not_editable", "PUT", f"/posts/{post_id}", {"title": "Too late"})


def test_a_platform_without_an_account_stands_in_the_way_of_publishing_only(client: Any, draft: Any) -> None:
    post_id = client.post("/posts", draft, status=201)["id"]
    problem = client.refused(400, "account_required", "POST", f"/posts/{post_id}/publish", {"publish_now": True})
    assert "instagram" in problem["detail"]
    assert client.get(f"/posts/{post_id}")["status"] == "draft"


def test_of_two_accounts_one_must_be_chosen(connect: Any, stranger: Any) -> None:
    client = stranger
    first = connect(client.tenant, "twitter", username="first")
    second = connect(client.tenant, "twitter", username="second")
    body = {"content": {"text": f"Which one? {new_id('n')}"}, "platforms": ["twitter"]}
    post_id = client.post("/posts", body, status=201)["id"]
    problem = client.refused(400, "account_ambiguous", "POST", f"/posts/{post_id}/publish", {"publish_now": True})
    assert first.id in str(problem)
    assert second.id in str(problem)
    client.put(f"/posts/{post_id}", {"accounts": {"twitter": second.id}})
    client.post(f"/posts/{post_id}/publish", {"publish_now": True}, status=202)
    post = client.settled(post_id, "published")
    assert [target["account_id"] for target in post["targets"]] == [second.id]


def test_an_edit_replaces_what_it_names_and_nothing_else(client: Any, draft: Any) -> None:
    post_id = client.post("/posts", draft, status=201)["id"]
    client.put(
        f"/posts/{post_id}", {"content": {"text": "Updated announcement text!"}, "platforms": ["twitter", "linkedin"]}
    )
    post = client.get(f"/posts/{post_id}")
    assert post["content"]["text"] == "Updated announcement text!"
    assert post["platforms"] == ["twitter", "linkedin"]
    assert (post["title"], post["campaign_id"], post["tags"]) == (draft["title"], "campaign_001", draft["tags"])


def test_an_edit_based_on_an_old_revision_is_refused(client: Any, draft: Any) -> None:
    post_id = client.post("/posts", draft, status=201)["id"]
    etag = client.request("GET", f"/posts/{post_id}").headers["etag"]
    client.put(f"/posts/{post_id}", {"title": "First"}, headers={"If-Match": etag})
    client.refused(
        412, "revision_mismatch", "PUT", f"/posts/{post_id}", {"title": "Second"}, headers={"If-Match": etag}
    )
    assert client.get(f"/posts/{post_id}")["title"] == "First"


def test_a_deleted_post_is_gone(client: Any, draft: Any) -> None:
    post_id = client.post("/posts", draft, status=201)["id"]
    client.delete(f"/posts/{post_id}")
    client.refused(404, "post_not_found", "GET", f"/posts/{post_id}")
    client.refused(404, "post_not_found", "DELETE", f"/posts/{post_id}")
    assert post_id not in [post["id"] for post in client.get("/posts", limit=100)["posts"]]


def test_the_list_is_filtered_and_paged(client: Any, draft: Any) -> None:
    campaign, tag = new_id("campaign"), new_id("tag")
    drafts = [{**draft, "title": f"Number {number}", "campaign_id": campaign} for number in range(5)]
    drafts[0]["tags"] = [tag]
    drafts[1]["platforms"] = ["facebook"]
    ids = [client.post("/posts", each, status=201)["id"] for each in drafts]
    due = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    client.put(f"/posts/{ids[2]}", {"platforms": ["twitter"]})
    client.post(f"/posts/{ids[2]}/schedule", {"scheduled_at": due})

    def listed(**query: Any) -> list[str]:
        return [post["id"] for post in client.get("/posts", campaign_id=campaign, **query)["posts"]]

    assert listed() == list(reversed(ids))
    assert listed(tag=tag) == [ids[0]]
    assert listed(platform="facebook") == [ids[1]]
    assert listed(status="scheduled") == [ids[2]]
    assert listed(scheduled_after=datetime.now(UTC).isoformat()) == [ids[2]]
    assert listed(scheduled_before=datetime.now(UTC).isoformat()) == []
    assert listed(created_after=datetime.now(UTC).isoformat()) == []
    assert listed(created_before=datetime.now(UTC).isoformat()) == list(reversed(ids))

    first = client.get("/posts", campaign_id=campaign, limit=2)
    newer = client.post("/posts", drafts[0], status=201)["id"]
    second = client.get("/posts", campaign_id=campaign, limit=2, cursor=first["cursor"])
    third = client.get("/posts", campaign_id=campaign, limit=2, cursor=second["cursor"])
    paged = [post["id"] for page in (first, second, third) for post in page["posts"]]
    assert paged == list(reversed(ids))
    assert newer not in paged
    assert third["cursor"] is None


def test_the_history_tells_what_happened_in_words(client: Any, publishable: Any) -> None:
    post_id = client.post("/posts", publishable, status=201)["id"]
    client.put(f"/posts/{post_id}", {"title": "Better title"})
    client.refused(409, "not_cancellable", "POST", f"/posts/{post_id}/cancel")
    client.post(f"/posts/{post_id}/publish", {"publish_now": True}, status=202)
    client.settled(post_id, "published")
    entries = client.get(f"/posts/{post_id}/history")["history"]
    assert [entry["version"] for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry["type"] for entry in entries] == [
        "post.created.v1",
        "post.edited.v1",
        "command.refused.v1",
        "post.publication_started.v1",
        "post.target_outcome_recorded.v1",
        "post.target_outcome_recorded.v1",
    ]
    assert [entry["actor"] for entry in entries[:2]] == ["user_001", "user_001"]
    for entry in entries:
        assert entry["summary"]
        assert entry["event_id"]
        assert datetime.fromisoformat(entry["at"]) <= datetime.now(UTC)
    assert all(entry["command_id"] for entry in entries[:4])


def test_validation_says_what_publishing_would_say_and_writes_nothing(client: Any, twitter: Any) -> None:
    too_long = "x" * 281
    body: dict[str, Any] = {
        "content": {"text": too_long},
        "platforms": [{"platform": "twitter", "account_id": twitter.id}],
    }
    verdict = client.post("/posts/validate", body)
    assert verdict["valid"] is False
    (violation,) = verdict["violations"]
    assert violation["rule"] == "twitter.text.weighted_length"
    assert (violation["limit"], violation["actual"]) == (280, 281)
    assert violation["pointer"] == "/content/text"
    assert violation["remediation"]
    problem = client.refused(400, "invalid_content", "POST", "/publish", body)
    assert problem["errors"][0]["rule"] == violation["rule"]
    body["content"]["text"] = "Short enough"
    assert client.post("/posts/validate", body)["valid"] is True


def test_a_command_can_be_asked_about_afterwards(client: Any, draft: Any) -> None:
    key = new_id("key")
    post_id = client.post("/posts", draft, status=201, key=key)["id"]
    command_id = client.get(f"/posts/{post_id}/history")["history"][0]["command_id"]
    assert client.get(f"/posts/{post_id}/commands/{command_id}")["status"] == "accepted"


def test_another_tenant_sees_nothing(client: Any, stranger: Any, draft: Any) -> None:
    post_id = client.post("/posts", draft, status=201)["id"]
    assert stranger.get("/posts")["posts"] == []
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", {"title": "Mine"}),
        ("DELETE", "", None),
        ("POST", "/publish", {"publish_now": True}),
        ("POST", "/schedule", {"scheduled_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}),
        ("POST", "/cancel", None),
        ("GET", "/history", None),
    ):
        stranger.refused(404, "post_not_found", method, f"/posts/{post_id}{path}", body)
    assert client.get(f"/posts/{post_id}")["title"] == draft["title"]
