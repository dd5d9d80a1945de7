"""What every answer carries, which pages may call from a browser, and how much a request may bring."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.policy import MEDIA_FILE, POLICY, STREAMED

REQUIRED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=63072000",
}
ROUTES = sorted({path for _, path in POLICY})
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
APP = "https://app.example"
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
ALLOWS = "access-control-allow-origin"


def filled(template: str) -> str:
    return template.replace("{platform}", "twitter").replace("{asset}", "docs.js").replace("{", "").replace("}", "")


def check(answer: Any, where: object) -> None:
    for name, value in REQUIRED.items():
        assert answer.headers.get_list(name) == [value], (where, name)
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'"), where
    assert "unsafe-eval" not in policy, where
    assert "script-src" not in policy or "script-src 'self'" in policy, where
    (request_id,) = answer.headers.get_list("x-request-id")
    assert request_id, where
    assert not {"server", "x-powered-by", "access-control-allow-credentials"} & set(answer.headers), where
    (cache,) = answer.headers.get_list("cache-control")
    if answer.status_code >= 400:
        assert cache == "no-store", where
        assert b"Traceback" not in answer.content, where


async def test_every_answer_of_every_route_carries_them(world: Any) -> None:
    seen = set()
    async with world.client(roles=["super_admin"]) as api:
        for path in ROUTES:
            for method in METHODS:
                if (method, path) in STREAMED and method == "GET":
                    continue  # it goes on; below with what it refuses
                for headers in ({}, {"Authorization": ""}):
                    answer = await api.request(method, f"http://gateway{filled(path)}", headers=headers)
                    seen.add(answer.status_code)
                    check(answer, (method, path, answer.status_code))
        for answer in (
            await api.get("/nothing"),
            await api.get("/events/stream", params={"cursor": "x"}),
            await api.get("/posts", headers={"X-Much": "x" * 40_000}),
            await api.post("/posts", content=b"x" * 300_000, headers={"Content-Type": "application/json"}),
            await api.post("/posts", content=b"title=a", headers={"Content-Type": "text/plain"}),
            await api.post("/posts", json={"titel": "a"}),
            await api.post("/posts", json={"title": "a"}),
        ):
            seen.add(answer.status_code)
            check(answer, answer.url)
    assert seen >= {200, 201, 400, 401, 404, 405, 413, 415, 431, 503}


async def test_what_breaks_is_told_without_its_inside_and_with_the_headers(world: Any, make_world: Any) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("password=hunter2")

    world.repository.post = broken
    async with world.client() as api:
        answer = await api.get("/posts/post_1")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "hunter2" not in answer.text
    check(answer, "500")

    hasty = make_world(reads_per_second=0.25)
    async with hasty.client() as api:
        assert (await api.get("/posts")).status_code == 200
        limited = await api.get("/posts")
    assert limited.status_code == 429
    check(limited, "429")


async def test_answers_are_not_for_other_sites_but_files_are(world: Any) -> None:
    async with world.client() as api:
        assert (await api.get("/posts")).headers["cross-origin-resource-policy"] == "same-origin"
        files = await api.get(f"http://gateway{filled(MEDIA_FILE)}")
    assert files.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "sandbox" in files.headers["content-security-policy"], "a file that is opened runs nothing"


@pytest.mark.parametrize(
    "host", ["", "[", "[::1", "a b", "evil.example:port", "a\xff", "evil.example/path?", "a@b", "a,b"]
)
async def test_a_host_that_is_none_is_refused(api: Any, host: str) -> None:
    for method, path in (("GET", "/posts"), ("POST", "/posts"), ("GET", "http://gateway/livez")):
        answer = await api.request(method, path, headers={"Host": host.encode("latin-1")})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
        check(answer, host)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "social_gateway", "[::1]:8000"])
async def test_which_host_it_is_means_nothing(api: Any, host: str) -> None:
    for path in ("/posts", "/accounts", "/nothing"):
        answer = await api.get(path, headers={"Host": host})
        assert answer.status_code in (200, 404)
        assert host not in answer.text + str(answer.headers)


# --- pages of other origins ---------------------------------------------------------------------------


async def test_by_default_no_page_of_any_origin_may_read_anything(api: Any) -> None:
    for origin in (APP, "null", "http://gateway", "https://gateway", "*", ""):
        for answer in (
            await api.get("/posts", headers={"Origin": origin}),
            await api.get("/nothing", headers={"Origin": origin}),
            await api.options("/posts", headers={"Origin": origin, **ASKED}),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control-")], (origin, answer.url)
    refused = await api.options("/posts", headers={"Origin": APP, **ASKED})
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")


async def test_an_allowed_page_may_ask_first_and_then_call_without_cookies(make_world: Callable[..., Any]) -> None:
    world = make_world(cors_origins=(APP, "http://localhost:3000"))
    async with world.client() as api:
        del api.headers["authorization"]
        for origin in (APP, "http://localhost:3000"):
            asked = await api.options("/posts/x", headers={"Origin": origin, **ASKED})
            assert (asked.status_code, asked.content) == (204, b""), "browsers send no token with this question"
            assert asked.headers[ALLOWS] == origin
            assert asked.headers["vary"] == "Origin"
            assert asked.headers["access-control-allow-methods"] == "DELETE, GET, PUT"
            assert "*" not in asked.headers["access-control-allow-headers"]
            assert int(asked.headers["access-control-max-age"]) <= 600
            check(asked, "preflight")
        refused = await api.get("/posts", headers={"Origin": APP})
        assert refused.status_code == 401
        assert refused.headers[ALLOWS] == APP, "or else the page cannot read why"
        assert (await api.options("/nothing", headers={"Origin": APP, **ASKED})).status_code == 404
        assert (await api.options("/posts", headers={"Origin": APP})).status_code == 405, "that asks for nothing"


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "*",
        "",
        " ",
        "https://evil.example",
        "http://app.example",
        "https://app.example:443",
        "https://app.example:8443",
        "https://app.example/",
        "https://app.example.",
        "https://APP.example",
        "HTTPS://app.example",
        "https://app.example.evil.example",
        "https://evilapp.example",
        "https://evil-app.example",
        "https://sub.app.example",
        "https://app.example@evil.example",
        "https://evil.example#app.example",
        "https://evil.example?app.example",
        "https://evil.example/https://app.example",
        "https://app.example https://evil.example",
        "https://app.example, https://evil.example",
        "https://app.exampl\u00e9",
        "https://app\uff0eexample",
        "https://app.example\x00.evil.example",
        "https://app.example`.evil.example",
        "https://appXexample",
        "//app.example",
        "app.example",
        "file://",
        "chrome-extension://app.example",
    ],
)
async def test_what_only_looks_like_an_allowed_origin_may_not(make_world: Callable[..., Any], origin: str) -> None:
    world = make_world(cors_origins=(APP,))
    async with world.client() as api:
        for answer in (
            await api.get("/posts", headers={"Origin": origin.encode()}),
            await api.options("/posts", headers={"Origin": origin.encode(), **ASKED}),
            await api.get("/posts", headers=[("Origin", origin.encode()), ("Origin", APP.encode())]),
        ):
            assert ALLOWS not in answer.headers
            assert "access-control-expose-headers" not in answer.headers
            assert answer.headers["vary"] == "Origin", "a cache must not give it to those who may"


@pytest.mark.parametrize(
    "value",
    [
        "*",
        "null",
        "https://*",
        "https://*.example",
        "https://app.example/",
        "https://app.example/path",
        "https://App.example",
        "https://user@app.example",
        "app.example",
        "file://",
        "https://",
        "https://app.example,*",
    ],
)
def test_a_setting_that_would_allow_more_than_it_says_is_refused(make_world: Callable[..., Any], value: str) -> None:
    with pytest.raises(ValidationError):
        make_world(cors_origins=value)


def test_origins_are_separated_by_commas(make_world: Callable[..., Any]) -> None:
    world = make_world(cors_origins=f"{APP}, http://[::1]:3000,")
    assert world.settings.cors_origins == (APP, "http://[::1]:3000")


# --- how much -----------------------------------------------------------------------------------------


async def test_a_body_is_taken_up_to_its_limit_and_not_a_byte_further(make_world: Callable[..., Any]) -> None:
    world = make_world(max_body_bytes=1_000)
    headers = {"Content-Type": "application/json"}

    def body(size: int) -> bytes:
        return b'{"title": "' + b"a" * (size - 13) + b'"}'

    async def in_pieces(content: bytes) -> Any:
        for start in range(0, len(content), 100):
            yield content[start : start + 100]

    async with world.client() as api:
        for size, expected in ((300, 201), (1_000, 400), (1_001, 413)):  # a title has 300 characters at most
            for content in (body(size), in_pieces(body(size))):
                answer = await api.post("/posts", content=content, headers=headers)
                assert answer.status_code == expected, (size, answer.text)
        lying = await api.post("/posts", content=body(300), headers={**headers, "Content-Length": "1001"})
        assert lying.status_code == 413
        assert lying.headers["connection"] == "close"


async def test_path_query_and_headers_count_together(make_world: Callable[..., Any]) -> None:
    world = make_world(max_header_bytes=4_000)
    async with world.client() as api:
        assert (await api.get("/posts", headers={"X-Some": "x" * 2_000})).status_code == 200
        for answer in (
            await api.get("/posts", headers={"X-Much": "x" * 4_000}),
            await api.get("/posts", headers=[(f"X-{number}", "x" * 100) for number in range(40)]),
            await api.get("/posts", params={"tag": "x" * 4_000}),
            await api.get(f"/posts/{'x' * 4_000}"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")
            assert answer.headers["connection"] == "close"
