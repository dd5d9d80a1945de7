"""Whatever a client sends, it is told what is wrong, in a problem document, and nothing goes into the log."""

import json
from typing import Any

import pytest

GOOD: dict[str, Any] = {"content": {"text": "Hello"}, "platforms": [{"platform": "twitter", "account_id": "acc_x"}]}
MEDIA = {"type": "image", "url": "https://example.com/a.png"}


def changed(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


@pytest.mark.parametrize(
    ("path", "body", "pointer", "rule"),
    [
        ("/publish", [], "", "body.type"),
        ("/publish", None, "", "body.type"),
        ("/publish", {}, "/content", "body.missing_field"),
        ("/publish", changed(content="Hello"), "/content", "body.type"),
        ("/publish", changed(content={"text": 3}), "/content/text", "body.type"),
        ("/publish", changed(content={"txt": "Hello"}), "/content/txt", "body.unknown_field"),
        ("/publish", changed(content={"text": "x" * 70_000}), "/content/text", "body.length"),
        ("/publish", changed(content={"text": "Hi", "hashtags": "launch"}), "/content/hashtags", "body.type"),
        (
            "/publish",
            changed(content={"text": "Hi", "media": [{"url": "x"}]}),
            "/content/media/0/type",
            "body.missing_field",
        ),
        ("/publish", changed(content={"text": "Hi", "media": [MEDIA] * 21}), "/content/media", "body.length"),
        (
            "/publish",
            changed(content={"text": "Hi", "media": [{**MEDIA, "type": "hologram"}]}),
            "/content/media/0/type",
            "body.unknown_value",
        ),
        (
            "/publish",
            changed(content={"text": "Hi", "media": [{**MEDIA, "url": "file:///etc/passwd"}]}),
            "/content/media/0/url",
            "url.web",
        ),
        (
            "/publish",
            changed(content={"text": "Hi", "media": [{"type": "image", "media_id": "media_1"}]}),
            "/content/media/0/media_id",
            "media.unknown",
        ),
        (
            "/publish",
            changed(content={"text": "Hi", "link": {"url": "javascript:alert(1)"}}),
            "/content/link/url",
            "url.web",
        ),
        ("/publish", changed(platforms=[]), "/platforms", "body.length"),
        ("/publish", changed(platforms=["twitter"]), "/platforms/0", "body.type"),
        ("/publish", changed(platforms=[{"platform": "myspace"}]), "/platforms/0/platform", "body.unknown_value"),
        ("/publish", changed(platforms=GOOD["platforms"] * 2), "/platforms/1", "targets.distinct"),
        (
            "/publish",
            changed(platforms=[{"platform": "twitter", "content": {"text": "x" * 281}}]),
            "/platforms/0/content/text",
            "twitter.text.weighted_length",
        ),
        ("/publish", changed(publish_at="tomorrow"), "/publish_at", "body.datetime"),
        ("/publish", changed(publish_at="2026-11-24T11:58:00Z"), "/publish_at", "schedule.past"),
        ("/publish", changed(publish_at="2029-11-24T12:00:00Z"), "/publish_at", "schedule.too_far"),
        ("/publish", changed(publish_at="0001-01-01T00:00:00+14:00"), "/publish_at", "schedule.range"),
        ("/publish", changed(publish_at="9999-12-31T23:59:59-12:00"), "/publish_at", "schedule.range"),
        (
            "/publish",
            changed(publish_at="2026-12-01T12:00:00", timezone="Mars/Olympus"),
            "/timezone",
            "schedule.timezone",
        ),
        (
            "/publish",
            changed(publish_at="2026-12-01T12:00:00", timezone="../../etc/passwd"),
            "/timezone",
            "schedule.timezone",
        ),
        ("/publish", changed(publish_at="2026-12-01T12:00:00"), "/publish_at", "schedule.timezone"),
        ("/publish", changed(tags=[""]), "/tags/0", "body.length"),
        ("/publish", changed(tenant_id="tenant_b"), "/tenant_id", "body.unknown_field"),
        ("/posts", {"platforms": ["twitter", "twitter"]}, "/platforms/1", "platforms.distinct"),
        ("/posts", {"platforms": ["orkut"]}, "/platforms/0", "body.unknown_value"),
        ("/posts", {"status": "published"}, "/status", "body.unknown_value"),
        ("/posts", {"status": "scheduled", "platforms": ["twitter"]}, "/scheduled_at", "schedule.required"),
        ("/posts", {"scheduled_at": "2026-12-01T12:00:00Z"}, "/scheduled_at", "schedule.draft"),
        (
            "/posts",
            {"status": "scheduled", "scheduled_at": "2026-12-01T12:00:00Z"},
            "/platforms",
            "platforms.required",
        ),
        ("/posts", {"accounts": {"orkut": "acc_x"}}, "/accounts", "body.unknown_value"),
        ("/posts", {"accounts": {"twitter": "acc_x"}}, "/accounts/twitter", "platforms.named"),
        ("/posts", {"overrides": {"twitter": {"text": 1}}}, "/overrides", "body.type"),
        ("/posts", {"media": [MEDIA], "content": {"media": [MEDIA]}}, "/media", "media.twice"),
        (
            "/posts",
            {"platforms": ["twitter"], "media": [{**MEDIA, "url": "ftp://example.com/a"}]},
            "/media/0/url",
            "url.web",
        ),
        (
            "/posts",
            {"platforms": ["twitter"], "content": {"text": "x" * 281}},
            "/content/text",
            "twitter.text.weighted_length",
        ),
        ("/threads", {"platform": "twitter", "posts": [{"text": "one"}]}, "/posts", "body.length"),
        (
            "/threads",
            {"platform": "twitter", "posts": [{"text": "one"}, {"text": "x" * 281}]},
            "/posts/1/text",
            "twitter.text.weighted_length",
        ),
        ("/posts/post_1/publish", {"publish_now": False}, "/publish_now", "publish_now"),
        ("/posts/post_1/publish", {"publish_now": "yes"}, "/publish_now", "body.type"),
        ("/posts/post_1/schedule", {}, "/scheduled_at", "body.missing_field"),
        ("/posts/post_1/schedule", {"scheduled_at": "2020-01-01T00:00:00Z"}, "/scheduled_at", "schedule.past"),
        ("/posts/post_1/cancel", {"why": "no"}, "/why", "body.unknown_field"),
    ],
)
async def test_a_wrong_field_is_named_with_its_rule(
    api: Any, world: Any, path: str, body: Any, pointer: str, rule: str
) -> None:
    answer = await api.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid_content"
    error = problem["errors"][0]
    assert error["pointer"] == pointer
    assert error["rule"] == rule
    assert error["message"]
    assert world.log.sent == []


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "body.json"),
        (b"{", "body.json"),
        (b'{"content": }', "body.json"),
        (b'{"content": {"text": "\\ud800"}, "platforms": []}', "body.json"),
        (b'{"content": {"text": "\xff\xfe"}}', "body.utf8"),
        (b'{"content": {"text": "\xed\xa0\x80"}}', "body.utf8"),
        (b'{"title": NaN, "content": {}}', "body.json"),
        (b'{"content": {}, "platforms": [{"platform": "twitter", "options": {"a": ' + b"[" * 50_000, "body.depth"),
    ],
)
async def test_what_is_not_json_is_said_to_be_so(api: Any, world: Any, content: bytes, rule: str) -> None:
    answer = await api.post("/publish", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["rule"] == rule
    assert world.log.sent == []


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", ""])
async def test_another_content_type_is_415(api: Any, kind: str) -> None:
    answer = await api.post("/publish", content=b"{}", headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_charset_of_utf8_is_accepted_and_another_is_not(api: Any) -> None:
    for charset, status in (('"UTF-8"', 400), ("utf-8", 400), ("latin-1", 415)):
        answer = await api.post(
            "/publish", content=b"{}", headers={"Content-Type": f"application/json; charset={charset}"}
        )
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/posts?limit=0", "limit"),
        ("/posts?limit=101", "limit"),
        ("/posts?limit=many", "limit"),
        ("/posts?status=lost", "status"),
        ("/posts?platform=orkut", "platform"),
        ("/posts?colour=red", "colour"),
        ("/posts?limit=1&limit=2", "limit"),
        ("/posts?created_after=yesterday", "created_after"),
        ("/posts?created_after=2026-01-01T00:00:00", "created_after"),
        ("/posts?cursor=%21%21", "cursor"),
        ("/posts?cursor=W10", "cursor"),
        ("/posts?cursor=WzFlOTksIngiXQ", "cursor"),
        ("/scheduling/queue?cursor=abc", "cursor"),
        ("/scheduling/queue?limit=-1", "limit"),
        ("/accounts?status=sleeping", "status"),
        ("/posts/post_1/history?limit=1000", "limit"),
    ],
)
async def test_a_wrong_parameter_is_named(api: Any, path: str, parameter: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter"), answer.text
    assert answer.json()["errors"][0]["parameter"] == parameter


@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "x" * 256])
async def test_a_malformed_idempotency_key_is_refused(api: Any, world: Any, key: str) -> None:
    answer = await api.post("/publish", json=GOOD, headers=[(b"Idempotency-Key", key.encode("latin-1"))])
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "Idempotency-Key")
    assert world.log.sent == []


async def test_a_body_beyond_the_limit_is_413_declared_or_streamed(api: Any, world: Any) -> None:
    large = b'{"title": "' + b"x" * 300_000 + b'"}'
    declared = await api.post("/posts", content=large, headers={"Content-Type": "application/json"})

    async def pieces() -> Any:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    streamed = await api.post("/posts", content=pieces(), headers={"Content-Type": "application/json"})
    for answer in (declared, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert world.log.sent == []


async def test_a_megabyte_of_headers_is_431(api: Any) -> None:
    answer = await api.get("/posts", headers={"X-Much": "x" * 1_000_000})
    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


async def test_unknown_paths_and_methods_are_problems_too(api: Any) -> None:
    for path in ("/nothing", "/posts/", "/posts//x", "/posts/a/b/c", "/../../etc/passwd", "/posts/x%2F"):
        answer = await api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "route_not_found"), path
        assert answer.headers["content-type"] == "application/problem+json"
    answer = await api.patch("/posts/post_1", json={})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE, GET, PUT"
    assert (await api.options("/posts")).status_code == 405


async def test_every_error_of_several_is_told_at_once(api: Any) -> None:
    answer = await api.post(
        "/publish",
        json={
            "content": {"text": "x" * 281, "link": {"url": "nowhere"}},
            "platforms": [{"platform": "twitter", "options": {"colour": "red"}}],
        },
    )
    assert {error["pointer"] for error in answer.json()["errors"]} >= {
        "/content/text",
        "/content/link/url",
        "/platforms/0/options/colour",
    }


async def test_a_failure_inside_is_a_problem_without_details(api: Any, world: Any) -> None:
    def burst() -> None:
        raise RuntimeError("a secret detail")

    world.log.before_deciding = [burst]
    answer = await api.post("/publish", json=GOOD)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_edit_of_nothing_is_refused(api: Any) -> None:
    post = (await api.post("/posts", json={"title": "A"})).json()
    answer = await api.put(f"/posts/{post['id']}", json={})
    assert answer.json()["errors"][0]["rule"] == "body.empty"
    answer = await api.put(f"/posts/{post['id']}", json={"status": "scheduled"})
    assert answer.json()["errors"][0]["pointer"] == "/status"
