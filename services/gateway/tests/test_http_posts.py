"""Posts, publications and threads over HTTP, decided by posts' own rules."""

from datetime import timedelta
from typing import Any

import pytest

BASE = "/api/v1/creator/social"

PUBLISH: dict[str, Any] = {
    "content": {
        "text": "Excited to announce our new AI-powered features! 🚀",
        "link": {"url": "https://example.com/blog/new-features", "title": "New AI Features", "description": "Latest"},
    },
    "platforms": [
        {"platform": "twitter", "account_id": "acc_x", "options": {"reply_settings": "following"}},
        {"platform": "linkedin", "account_id": "acc_in", "options": {"visibility": "public"}},
    ],
    "publish_at": "2026-11-24T20:00:00Z",
}
DRAFT: dict[str, Any] = {
    "title": "Product Launch Announcement",
    "content": {
        "text": "Big news coming tomorrow!",
        "hashtags": ["launch", "innovation"],
        "mentions": ["@partner_company"],
    },
    "media": [],
    "platforms": ["twitter", "linkedin", "instagram"],
    "status": "draft",
    "campaign_id": "campaign_001",
    "tags": ["product_launch", "q1_2026"],
}


async def created(api: Any, path: str, body: Any) -> Any:
    answer = await api.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_publish_answers_with_every_field_of_the_contract(api: Any) -> None:
    answer = await api.post("/publish", json=PUBLISH)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["publish_id"].startswith("pub_")
    assert body["post_id"] == body["publish_id"].replace("pub_", "post_")
    assert answer.headers["location"] == f"{BASE}/publish/{body['publish_id']}"
    assert (body["status"], body["scheduled_for"]) == ("scheduled", "2026-11-24T20:00:00Z")
    assert body["created_at"] == "2026-11-24T12:00:00Z"
    assert [
        (target["platform"], target["account_id"], target["status"], target["estimated_reach"])
        for target in body["platforms"]
    ] == [("twitter", "acc_x", "scheduled", 15_420), ("linkedin", "acc_in", "scheduled", 8_500)]
    assert (await api.get(f"/publish/{body['publish_id']}")).json() == body


async def test_publish_without_a_time_is_now(api: Any, world: Any) -> None:
    body = await created(api, "/publish", {**PUBLISH, "publish_at": None})
    assert body["status"] == "publishing"
    assert [target["status"] for target in body["platforms"]] == ["publishing", "publishing"]
    (command,) = world.log.sent
    assert command.publish_now
    assert command.options == {"twitter": {"reply_settings": "following"}, "linkedin": {"visibility": "public"}}


async def test_a_post_is_created_read_changed_and_deleted(api: Any) -> None:
    post = await created(api, "/posts", DRAFT)
    for field in ("title", "media", "platforms", "status", "campaign_id", "tags"):
        assert post[field] == DRAFT[field]
    assert post["content"] == {**DRAFT["content"], "link": None}
    assert (post["created_by"], post["created_at"]) == ("user_001", "2026-11-24T12:00:00Z")
    assert post["analytics"] == {
        "total_impressions": None,
        "total_engagements": None,
        "engagement_rate": None,
        "as_of": None,
    }

    got = await api.get(f"/posts/{post['id']}")
    assert got.json() == post
    assert got.headers["etag"] == '"1"'

    changed = await api.put(
        f"/posts/{post['id']}",
        json={"content": {"text": "Updated announcement text!"}, "platforms": ["twitter", "linkedin"]},
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["content"] == {**post["content"], "text": "Updated announcement text!"}
    assert changed.json()["platforms"] == ["twitter", "linkedin"]
    assert changed.json()["title"] == post["title"]
    assert changed.headers["etag"] == '"2"'

    gone = await api.delete(f"/posts/{post['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.get(f"/posts/{post['id']}")).json()["code"] == "post_not_found"
    assert (await api.delete(f"/posts/{post['id']}")).status_code == 404


async def test_an_edit_clears_what_it_names_as_null_and_keeps_the_rest(api: Any) -> None:
    post = await created(
        api,
        "/posts",
        {**DRAFT, "content": {**DRAFT["content"], "link": {"url": "https://example.com", "title": "Example"}}},
    )
    changed = (await api.put(f"/posts/{post['id']}", json={"title": None, "content": {"link": None}})).json()
    assert (changed["title"], changed["content"]["link"]) == (None, None)
    assert changed["content"]["text"] == DRAFT["content"]["text"]
    assert changed["campaign_id"] == "campaign_001"


async def test_a_draft_is_scheduled_rescheduled_and_cancelled(api: Any) -> None:
    post = await created(api, "/posts", {**DRAFT, "platforms": ["twitter", "linkedin"]})
    scheduled = await api.post(
        f"/posts/{post['id']}/schedule",
        json={"scheduled_at": "2026-11-25T14:00:00", "timezone": "America/Los_Angeles"},
    )
    assert scheduled.status_code == 200, scheduled.text
    body = scheduled.json()
    assert (body["status"], body["scheduled_at"]) == ("scheduled", "2026-11-25T22:00:00Z")
    assert (body["timezone"], body["scheduled_local"]) == ("America/Los_Angeles", "2026-11-25T14:00:00-08:00")
    again = await api.post(f"/posts/{post['id']}/schedule", json={"scheduled_at": "2026-11-26T00:00:00Z"})
    assert again.json()["scheduled_at"] == "2026-11-26T00:00:00Z"
    cancelled = await api.post(f"/posts/{post['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    refused = await api.post(f"/posts/{post['id']}/cancel", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_cancellable")
    assert refused.json()["current_status"] == "cancelled"


async def test_a_draft_is_published_with_the_accounts_found(api: Any, world: Any) -> None:
    post = await created(api, "/posts", {**DRAFT, "platforms": ["twitter"]})
    answer = await api.post(f"/posts/{post['id']}/publish", json={"publish_now": True})
    assert (answer.status_code, answer.json()["status"]) == (202, "publishing")
    assert [(t.account_id, t.username, t.estimated_reach) for t in world.log.sent[-1].targets] == [
        ("acc_x", "mycompany", 15_420)
    ]
    refused = await api.post(f"/posts/{post['id']}/publish", json={"publish_now": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_publishable")


async def test_what_a_draft_may_lack_is_asked_for_when_it_is_published(api: Any) -> None:
    post = await created(api, "/posts", DRAFT)
    answer = await api.post(f"/posts/{post['id']}/publish", json={"publish_now": True})
    assert (answer.status_code, answer.json()["code"]) == (400, "account_required")
    assert answer.json()["platform"] == "instagram"
    none = await created(api, "/posts", {"title": "Nothing yet"})
    answer = await api.post(f"/posts/{none['id']}/publish", json={"publish_now": True})
    assert answer.json()["errors"][0]["rule"] == "platforms.required"


async def test_editing_a_scheduled_post_keeps_its_accounts_and_options(api: Any, world: Any) -> None:
    world.connect("acc_x2", "twitter", "second")
    both = {
        **PUBLISH,
        "platforms": [*PUBLISH["platforms"], {"platform": "twitter", "account_id": "acc_x2"}],
    }
    post_id = (await created(api, "/publish", both))["post_id"]
    changed = await api.put(f"/posts/{post_id}", json={"content": {"text": "Other words"}})
    assert changed.status_code == 200, changed.text
    assert changed.json()["status"] == "scheduled"
    assert {(t["account_id"], str(t["options"])) for t in changed.json()["targets"]} == {
        ("acc_x", "{'reply_settings': 'following'}"),
        ("acc_in", "{'visibility': 'public'}"),
        ("acc_x2", "{}"),
    }
    fewer = await api.put(f"/posts/{post_id}", json={"platforms": ["linkedin"]})
    assert [t["account_id"] for t in fewer.json()["targets"]] == ["acc_in"]


async def test_a_stale_edit_is_refused_and_a_fresh_one_is_not(api: Any) -> None:
    post = await created(api, "/posts", DRAFT)
    assert (await api.put(f"/posts/{post['id']}", json={"title": "A"}, headers={"If-Match": '"1"'})).status_code == 200
    stale = await api.put(f"/posts/{post['id']}", json={"title": "B"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "revision_mismatch")
    assert stale.json()["current_revision"] == 2
    wrong = await api.put(f"/posts/{post['id']}", json={"title": "B"}, headers={"If-Match": "latest"})
    assert wrong.json()["errors"][0]["parameter"] == "If-Match"


async def test_a_change_meanwhile_is_met_by_trying_again(api: Any, world: Any) -> None:
    post = await created(api, "/posts", DRAFT)
    create = world.log.sent[0]

    def rival(title: str) -> Any:
        from contracts.posts import EditPost, PostChanges  # noqa: PLC0415

        return lambda: world.log.obey(
            create.post_id,
            EditPost(
                post_id=create.post_id,
                tenant_id=create.tenant_id,
                actor="other",
                issued_at=create.issued_at,
                changes=PostChanges(title=title),
            ),
            f"cmd_{title}",
        )

    world.log.before_deciding = [rival("first"), rival("second")]
    answer = await api.put(f"/posts/{post['id']}", json={"campaign_id": "c2"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["title"], answer.json()["campaign_id"]) == ("second", "c2")
    world.log.before_deciding = [rival("third"), rival("fourth"), rival("fifth")]
    assert (await api.put(f"/posts/{post['id']}", json={"campaign_id": "c3"})).status_code == 412
    assert (await api.get(f"/posts/{post['id']}")).json()["campaign_id"] == "c2"


async def test_a_thread_is_created_and_read(api: Any, world: Any) -> None:
    answer = await api.post(
        "/threads",
        json={
            "platform": "twitter",
            "account_id": "acc_x",
            "posts": [{"text": "🧵 One"}, {"text": "2/ Two"}, {"text": "3/ Three"}],
            "schedule_at": "2026-11-25T10:00:00Z",
        },
    )
    assert answer.status_code == 201, answer.text
    thread = answer.json()
    assert thread["thread_id"].startswith("thread_")
    assert (thread["platform"], thread["post_count"]) == ("twitter", 3)
    assert (thread["status"], thread["scheduled_at"]) == ("scheduled", "2026-11-25T10:00:00Z")
    assert (await api.get(f"/threads/{thread['thread_id']}")).json() == thread
    assert [part["text"] for part in thread["posts"]] == ["🧵 One", "2/ Two", "3/ Three"]
    assert (await api.post(f"/posts/{thread['post_id']}/cancel")).json()["status"] == "cancelled"
    assert len(world.log.sent[0].parts) == 3
    post = await created(api, "/posts", DRAFT)
    assert (await api.get(f"/threads/{post['id'].replace('post_', 'thread_')}")).status_code == 404


async def test_the_list_is_newest_first_filtered_and_stable_under_inserts(api: Any, world: Any) -> None:
    ids = []
    for number in range(5):
        world.clock.forward(seconds=1)
        ids.append((await created(api, "/posts", {**DRAFT, "title": f"n{number}", "tags": [f"t{number % 2}"]}))["id"])
    first = (await api.get("/posts", params={"limit": 2})).json()
    assert [post["id"] for post in first["posts"]] == ids[:2:-1]
    world.clock.forward(seconds=1)
    await created(api, "/posts", DRAFT)
    second = (await api.get("/posts", params={"limit": 2, "cursor": first["cursor"]})).json()
    assert [post["id"] for post in second["posts"]] == [ids[2], ids[1]]
    last = (await api.get("/posts", params={"limit": 2, "cursor": second["cursor"]})).json()
    assert ([post["id"] for post in last["posts"]], last["cursor"]) == ([ids[0]], None)
    tagged = (await api.get("/posts", params={"tag": "t1"})).json()
    assert [post["id"] for post in tagged["posts"]] == [ids[3], ids[1]]
    assert (await api.get("/posts", params={"status": "published"})).json()["posts"] == []
    since = (world.clock.now - timedelta(seconds=3)).isoformat()
    later = (await api.get("/posts", params={"created_after": since, "tag": "t0"})).json()
    assert [post["id"] for post in later["posts"]] == [ids[4]]


async def test_the_queue_is_in_the_order_of_going_out(api: Any) -> None:
    times = ["2026-11-26T14:00:00Z", "2026-11-25T10:00:00Z", "2026-11-25T12:00:00Z"]
    for at in times:
        await created(api, "/publish", {**PUBLISH, "publish_at": at, "title": at})
    await created(api, "/posts", DRAFT)
    page = (await api.get("/scheduling/queue", params={"limit": 2})).json()
    assert [entry["scheduled_at"] for entry in page["queue"]] == sorted(times)[:2]
    assert page["total_scheduled"] == 3
    entry = page["queue"][0]
    assert {name: entry[name] for name in ("title", "platforms", "status")} == {
        "title": sorted(times)[0],
        "platforms": ["twitter", "linkedin"],
        "status": "scheduled",
    }
    rest = (await api.get("/scheduling/queue", params={"limit": 2, "cursor": page["cursor"]})).json()
    assert ([entry["scheduled_at"] for entry in rest["queue"]], rest["cursor"]) == ([times[0]], None)


async def test_accounts_have_every_field_of_the_contract(api: Any, world: Any) -> None:
    world.disconnect("acc_in")
    accounts = (await api.get("/accounts")).json()["accounts"]
    assert [(a["id"], a["platform"], a["username"], a["followers"], a["status"]) for a in accounts] == [
        ("acc_x", "twitter", "@mycompany", 15_420, "connected"),
        ("acc_in", "linkedin", "my-company", 8_500, "disconnected"),
    ]
    for field in ("display_name", "profile_image", "connected_at", "permissions", "account_type"):
        assert field in accounts[0]
    only = (await api.get("/accounts", params={"status": "connected", "platform": "linkedin"})).json()
    assert only == {"accounts": []}


async def test_the_history_tells_what_happened_and_what_was_refused(api: Any) -> None:
    post = await created(api, "/publish", PUBLISH)
    await api.put(f"/posts/{post['post_id']}", json={"title": "Other"})
    await api.post(f"/posts/{post['post_id']}/cancel")
    await api.post(f"/posts/{post['post_id']}/cancel")
    body = (await api.get(f"/posts/{post['post_id']}/history")).json()
    assert [entry["version"] for entry in body["history"]] == [1, 2, 3, 4]
    assert [entry["summary"] for entry in body["history"]] == [
        "Created the post, to be published on twitter (acc_x), linkedin (acc_in) at 2026-11-24 20:00:00 UTC.",
        "Changed title.",
        "Cancelled: what had not been sent will not be.",
        "Somebody asked to cancel it; refused: The post is cancelled already.",
    ]
    assert [entry["actor"] for entry in body["history"]] == ["user_001"] * 3 + [None]
    page = (await api.get(f"/posts/{post['post_id']}/history", params={"limit": 3})).json()
    assert ([entry["version"] for entry in page["history"]], page["before_version"]) == ([2, 3, 4], 2)
    rest = (await api.get(f"/posts/{post['post_id']}/history", params={"before_version": 2})).json()
    assert ([entry["version"] for entry in rest["history"]], rest["before_version"]) == ([1], None)


async def test_validation_says_what_creating_would_and_creates_nothing(api: Any, world: Any) -> None:
    good = (await api.post("/posts/validate", json=PUBLISH)).json()
    assert (good["valid"], good["publishable"], good["violations"]) == (True, True, [])
    assert [target["username"] for target in good["targets"]] == ["@mycompany", "my-company"]
    draft = (await api.post("/posts/validate", json=DRAFT)).json()
    assert (draft["valid"], draft["publishable"]) == (True, False)
    assert {violation["severity"] for violation in draft["violations"]} == {"incomplete"}
    long = (await api.post("/posts/validate", json={**PUBLISH, "content": {"text": "x" * 281}})).json()
    assert not long["valid"]
    (violation,) = long["violations"]
    assert (violation["pointer"], violation["limit"], violation["actual"]) == ("/content/text", 280, 281)
    past = (await api.post("/posts/validate", json={**PUBLISH, "publish_at": "2020-01-01T00:00:00Z"})).json()
    assert [violation["rule"] for violation in past["violations"]] == ["schedule.past"]
    assert world.log.sent == []


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"account_id": "acc_unknown"}, 404, "account_not_found", "/platforms/0/account_id"),
        ({"account_id": "acc_in"}, 400, "invalid_content", "/platforms/0/account_id"),
        ({"platform": "facebook", "account_id": None}, 400, "account_required", "/platforms/0/account_id"),
        ({"account_id": "acc_gone"}, 401, "account_disconnected", "/platforms/0/account_id"),
        ({"account_id": "acc_foreign"}, 404, "account_not_found", "/platforms/0/account_id"),
    ],
)
async def test_an_account_that_will_not_do_is_refused(
    api: Any, world: Any, change: Any, status: int, code: str, pointer: str
) -> None:
    world.connect("acc_gone", "twitter", "gone", status="disconnected")
    world.connect("acc_foreign", "twitter", "foreign", tenant_id="tenant_b")
    target = {**PUBLISH["platforms"][0], "options": {}, **change}
    answer = await api.post("/publish", json={**PUBLISH, "platforms": [target]})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert world.log.sent == []


async def test_an_ambiguous_account_lists_the_choices(api: Any, world: Any) -> None:
    world.connect("acc_x2", "twitter", "second")
    body = {"content": {"text": "Hi"}, "platforms": [{"platform": "twitter"}]}
    problem = (await api.post("/publish", json=body)).json()
    assert problem["code"] == "account_ambiguous"
    assert problem["choices"] == [
        {"id": "acc_x", "username": "mycompany"},
        {"id": "acc_x2", "username": "second"},
    ]
    world.connect("acc_x3", "twitter", "main", is_default=True)
    answer = await api.post("/publish", json=body)
    assert answer.json()["platforms"][0]["account_id"] == "acc_x3"


async def test_another_tenants_things_are_as_unknown_as_what_never_was(api: Any, world: Any) -> None:
    post = await created(api, "/publish", PUBLISH)
    thread = await created(api, "/threads", {"platform": "twitter", "posts": [{"text": "1"}, {"text": "2"}]})
    routes = [
        ("GET", f"/publish/{post['publish_id']}", None),
        ("GET", f"/posts/{post['post_id']}", None),
        ("PUT", f"/posts/{post['post_id']}", {"title": "x"}),
        ("DELETE", f"/posts/{post['post_id']}", None),
        ("POST", f"/posts/{post['post_id']}/publish", {"publish_now": True}),
        ("POST", f"/posts/{post['post_id']}/schedule", {"scheduled_at": "2026-12-01T00:00:00Z"}),
        ("POST", f"/posts/{post['post_id']}/cancel", None),
        ("GET", f"/posts/{post['post_id']}/history", None),
        ("GET", f"/threads/{thread['thread_id']}", None),
    ]
    sent = len(world.log.sent)
    async with world.client(tenant_id="tenant_b", sub="user_001") as stranger:
        for method, path, body in routes:
            answer = await stranger.request(method, path, json=body)
            never = await stranger.request(method, path.replace("_0", "_7"), json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "post_not_found"), (method, path)
            assert (never.status_code, never.json()["code"]) == (404, "post_not_found")
        assert (await stranger.get("/posts")).json()["posts"] == []
        assert (await stranger.get("/scheduling/queue")).json()["total_scheduled"] == 0
        assert (await stranger.get("/accounts")).json() == {"accounts": []}
    assert len(world.log.sent) == sent


@pytest.mark.parametrize("media", [["document"], ["gif", "image"], ["video", "video"], ["image"] * 5], ids="+".join)
async def test_media_a_platform_does_not_take_are_media_unsupported(api: Any, world: Any, media: list[str]) -> None:
    files = [{"type": kind, "url": f"https://example.com/{index}"} for index, kind in enumerate(media)]
    body = {"content": {"text": "Hi", "media": files}, "platforms": [{"platform": "twitter"}]}
    answer = await api.post("/publish", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "media_unsupported"), answer.text
    assert answer.json()["platform"] == "twitter"
    assert answer.json()["errors"][0]["pointer"].startswith("/content/media")
    assert world.log.sent == []


async def test_a_time_that_the_clocks_skip_comes_with_a_note(api: Any) -> None:
    body = {**PUBLISH, "publish_at": "2027-03-14T02:30:00", "timezone": "America/Los_Angeles"}
    answer = await created(api, "/publish", body)
    assert answer["notes"]
    assert (await api.get(f"/publish/{answer['publish_id']}")).json()["notes"] == []
