"""The description of the API (OpenAPI 3.1), made from the structs that requests are read into and answers made of."""

from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from gateway import examples, media_examples, views, webhook_examples
from gateway.idempotency import MAX_KEY
from gateway.operations import OPERATIONS
from gateway.operations.described import JSON, Operation
from gateway.policy import ROLES
from gateway.problems import KINDS, MEDIA_TYPE, Problem, ProblemError
from gateway.requests import CreateBody, EditBody, PublishTarget, ThreadBody
from platforms.checking import OPTIONS

TITLE = "Social Publishing API"
VERSION = "1.0.0"

_REQUESTS = {**examples.REQUESTS, **media_examples.REQUESTS, **webhook_examples.REQUESTS}
_ANSWERS = {**examples.ANSWERS, **media_examples.ANSWERS, **webhook_examples.ANSWERS}
_IDS = {**examples.IDS, **media_examples.IDS}
_REF = "#/components/schemas/{name}"

_TAGS = (
    "Publishing",
    "Posts",
    "Threads",
    "Media",
    "Scheduling",
    "Connected Accounts",
    "Webhooks",
    "Events",
    "Analytics",
)

_ABOUT = f"""Publish to social platforms, now or later, and see what became of it.

Every answer that is not a success is `{MEDIA_TYPE}` (RFC 9457). Its `code` is one of the table below; `errors`
names each field that is wrong, with the rule, the limit and what to do.

**Repeating safely.** Send an `Idempotency-Key` with every write: a repeat with the same key and body never acts twice,
and gets the first answer again (`Idempotency-Replayed: true`). Keys are kept for a day.

**Changing only what you have seen.** Posts come with an `ETag`; send it as `If-Match`, and a change meant for an older
revision is refused with 412.

**Limits.** `RateLimit` and `RateLimit-Policy` say what is left.

Roles: {", ".join(ROLES)}.

| status | code | meaning | what to do | may succeed unchanged |
|---|---|---|---|---|
""" + "\n".join(
    f"| {kind.status} | `{code}` | {kind.title} | {kind.remediation} | {'yes' if kind.retryable else 'no'} |"
    for code, kind in sorted(KINDS.items(), key=lambda item: (item[1].status, item[0]))
)


@cache
def document_bytes() -> bytes:
    return msgspec.json.format(msgspec.json.encode(document()), indent=2) + b"\n"


def document() -> dict[str, Any]:
    shapes: set[type[Struct]] = {Problem, views.PendingView}
    for operation in OPERATIONS:
        shapes |= {*operation.body}
        shapes |= {shape for shape in (operation.answer, operation.accepted) if shape is not None}
    _, components = msgspec.json.schema_components(sorted(shapes, key=_name), ref_template=_REF)
    _describe_options(components)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": tag} for tag in _TAGS],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _describe_options(components: dict[str, dict[str, Any]]) -> None:
    """Says what the options of each platform are, instead of only that there are some."""
    references = {platform: {"$ref": _REF.format(name=_options_name(platform))} for platform in OPTIONS}
    for platform, known in OPTIONS.items():
        components[_options_name(platform)] = {
            "type": "object",
            "properties": {name: option.schema() for name, option in sorted(known.items())},
            "additionalProperties": False,
        }
    for shape in (CreateBody, EditBody):
        by_platform = components[_name(shape)]["properties"]["options"]
        by_platform |= {"properties": references, "additionalProperties": False}
    for described in (components[_name(PublishTarget)], components[_name(ThreadBody)]):
        described["properties"]["options"] = {"anyOf": list(references.values()), "default": {}}
        described["allOf"] = [
            {
                "if": {"properties": {"platform": {"const": platform}}},
                "then": {"properties": {"options": reference}},
            }
            for platform, reference in references.items()
        ]


def _options_name(platform: str) -> str:
    return f"{platform.title()}Options"


def _name(shape: type[Struct]) -> str:
    return shape.__name__


def _schema(*shapes: type[Struct]) -> dict[str, Any]:
    references = [{"$ref": _REF.format(name=shape.__name__)} for shape in shapes]
    return references[0] if len(references) == 1 else {"oneOf": references}


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.content is not None:
        kind, schema = operation.content
        described["requestBody"] = {"required": True, "content": {kind: {"schema": schema}}}
    if operation.body:
        described["requestBody"] = {
            "required": not operation.body_is_optional,
            "content": {
                JSON: {
                    "schema": _schema(*operation.body),
                    "examples": {name: {"value": value} for name, value in _REQUESTS.get(operation.id, {}).items()},
                }
            },
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters = [
        {
            "name": segment[1:-1],
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
            "example": _IDS[segment[1:-1]],
        }
        for segment in operation.path.split("/")
        if segment.startswith("{")
    ]
    if operation.query is not None:
        (reference,), components = msgspec.json.schema_components([operation.query], ref_template="{name}")
        properties = components[reference["$ref"]]["properties"]
        parameters += [
            {"name": name, "in": "query", "required": False, "schema": _not_null(schema)}
            for name, schema in properties.items()
        ]
    if operation.method not in ("GET", "HEAD") and operation.takes_key:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Makes a repeat of this request harmless.",
                "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]+$"},
            }
        )
    parameters += [
        {"name": name, "in": "header", "required": True, "description": said, "schema": {"type": "string"}}
        for name, said in operation.headers
    ]
    if operation.takes_if_match:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "description": "The `ETag` of the revision you have seen.",
                "schema": {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
                "example": '"3"',
            }
        )
    return parameters


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is left out is null to us, but nobody can send null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    kept = {key: value for key, value in schema.items() if key not in ("anyOf", "default") or value is not None}
    if choices:
        kept.pop("anyOf")
        kept |= choices[0]
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value is not None]
    return kept


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {str(operation.status): _success(operation)}
    if operation.accepted is not None:
        schema = _schema(operation.accepted)
        responses["202"] = {"description": "Begun", "content": {JSON: {"schema": schema}}}
    if operation.may_be_pending:
        pending = _schema(views.PendingView)
        accepted = responses.setdefault(
            "202", {"description": "Safe in the log, not decided yet", "content": {JSON: {"schema": pending}}}
        )
        if operation.status == 202 or operation.accepted is not None:
            accepted["description"] += "; or safe in the log and not decided yet"
            accepted["content"][JSON]["schema"] = {"oneOf": [accepted["content"][JSON]["schema"], pending]}
        accepted["headers"] = {"Location": {"schema": {"type": "string"}, "description": "The status URL"}}
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(operation.problems):
        by_status.setdefault(KINDS[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
            "content": {
                MEDIA_TYPE: {
                    "schema": _schema(Problem),
                    "examples": {code: {"value": _problem_example(code)} for code in codes},
                }
            },
        }
    return responses


def _success(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": "Done"}
    described: dict[str, Any] = {
        "description": operation.answer.__name__.removesuffix("View"),
        "content": {operation.media_type: {"schema": _schema(operation.answer)}},
    }
    if operation.other_form is not None:
        described["content"][operation.other_form] = {"schema": {"type": "string"}}
    example = _ANSWERS.get(operation.id)
    if example is not None:
        described["content"][operation.media_type]["example"] = msgspec.json.decode(msgspec.json.encode(example))
    return described


def _problem_example(code: str) -> Any:
    body = ProblemError(code, KINDS[code].title + ".", errors=examples.ERRORS.get(code, ())).body(
        request_id=examples.IDS["request_id"], trace_id="0af7651916cd43dd8448eb211c80319c"
    )
    return msgspec.json.decode(body)
