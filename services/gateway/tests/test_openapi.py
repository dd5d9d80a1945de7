"""The description of the API: the file in docs is the one that is served, and its examples are true."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from contracts.content import Content, Platform
from gateway import examples, openapi
from gateway.operations import OPERATIONS
from gateway.operations.described import Operation
from gateway.problems import KINDS, MEDIA_TYPE
from platforms.checking import OPTIONS, check

FILE = Path(__file__).parents[3] / "docs" / "openapi.json"


def test_the_file_in_docs_is_up_to_date() -> None:
    assert FILE.read_bytes() == openapi.document_bytes(), "run: python -m gateway openapi > docs/openapi.json"


async def test_it_is_served(api: Any) -> None:
    assert (await api.get("http://gateway/openapi.json")).content == openapi.document_bytes()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": openapi.document()["components"]}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_examples_fit_their_schemas(operation: Operation) -> None:
    described = openapi.document()["paths"][operation.path][operation.method.lower()]
    contents = [described.get("requestBody", {}).get("content", {}).get("application/json", {})]
    contents += [
        content for response in described["responses"].values() for content in response.get("content", {}).values()
    ]
    checked = 0
    for content in filter(None, contents):
        values = [entry["value"] for entry in content.get("examples", {}).values()]
        for value in [*values, *([content["example"]] if "example" in content else [])]:
            plain = json.loads(json.dumps(value))
            jsonschema.Draft202012Validator(resolved(content["schema"])).validate(plain)
            checked += 1
    assert checked > 0


def test_request_examples_are_read_by_the_gateway() -> None:
    by_id = {operation.id: operation for operation in OPERATIONS}
    for name, bodies in examples.REQUESTS.items():
        for body in bodies.values():
            raw = msgspec.json.encode(body)
            assert any(_reads(raw, shape) for shape in by_id[name].body), name


ODD_OPTIONS: list[tuple[Platform, dict[str, Any]]] = [
    *((platform, {"nobody_knows_this": 1}) for platform in OPTIONS),
    *((platform, {name: None}) for platform, known in OPTIONS.items() for name in known),
    ("twitter", {"poll_options": ["one"]}),
    ("twitter", {"poll_options": ["a", "x" * 26]}),
    ("twitter", {"poll_duration_minutes": 4}),
    ("twitter", {"quote_post_id": "https://x.com/a/status/1"}),
    ("linkedin", {"visibility": "private"}),
    ("linkedin", {"poll_options": ["a", "b", "c", "d", "e"]}),
]
GOOD_OPTIONS: list[tuple[Platform, dict[str, Any]]] = [
    *((platform, {}) for platform in OPTIONS),
    ("twitter", {"poll_options": ["Tea", "Coffee"], "poll_duration_minutes": 5, "reply_settings": "following"}),
    ("linkedin", {"visibility": "PUBLIC", "is_reshare_disabled": True, "title": "Report"}),
]


@pytest.mark.parametrize(("platform", "options"), ODD_OPTIONS + GOOD_OPTIONS)
def test_options_are_described_as_they_are_judged(platform: Platform, options: dict[str, Any]) -> None:
    found = check([Content(text="a")], kind="post", platform=platform, options=options, account=None)
    judged = not [each for each in found if each.rule.endswith((".options.unknown", ".options.value"))]
    assert judged == ((platform, options) in GOOD_OPTIONS)
    bodies: dict[str, dict[str, Any]] = {
        "PublishTarget": {"platform": platform, "options": options},
        "ThreadBody": {"platform": platform, "posts": [{}, {}], "options": options},
        "CreateBody": {"options": {platform: options}},
        "EditBody": {"options": {platform: options}},
    }
    for name, body in bodies.items():
        schema = resolved({"$ref": f"#/components/schemas/{name}"})
        assert jsonschema.Draft202012Validator(schema).is_valid(body) == judged, name


def test_options_of_one_platform_are_not_those_of_another() -> None:
    schema = resolved({"$ref": "#/components/schemas/PublishTarget"})
    body = {"platform": "linkedin", "options": {"reply_settings": "following"}}
    assert not jsonschema.Draft202012Validator(schema).is_valid(body)


def _reads(raw: bytes, shape: type[msgspec.Struct]) -> bool:
    try:
        msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError:
        return False
    return True


def test_every_code_is_explained_and_documented_with_its_status() -> None:
    document = openapi.document()
    about = document["info"]["description"]
    for code, kind in KINDS.items():
        assert f"| {kind.status} | `{code}` |" in about
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                for code in response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {}):
                    assert KINDS[code].status == int(status)


async def test_what_happens_is_documented(world: Any, api: Any) -> None:
    """Statuses met by a walk over all operations with odd input are among those described."""
    for operation in OPERATIONS:
        described = openapi.document()["paths"][operation.path][operation.method.lower()]["responses"]
        url = "http://gateway" + operation.path
        for name, value in examples.IDS.items():
            url = url.replace(f"{{{name}}}", value)
        requests: list[dict[str, Any]] = [
            {"json": {}},
            {"json": []},
            {"content": b"{"},
            {"content": b"x", "headers": {"Content-Type": "text/plain"}},
            {"content": b"x" * 300_000},
            {"json": {}, "headers": {"Idempotency-Key": "ü".encode()}},
            {"json": {}, "headers": {"If-Match": "x"}},
            {"headers": {"X-Much": "x" * 40_000}},
            {"headers": {"Authorization": "none"}},
            {"params": {"limit": "x"}},
            *({"json": body} for body in examples.REQUESTS.get(operation.id, {}).values()),
        ]
        for options in requests:
            answer = await api.request(operation.method, url, **options)
            assert str(answer.status_code) in described, (operation.id, options, answer.text)
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == MEDIA_TYPE
