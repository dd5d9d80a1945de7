"""The description of the API (OpenAPI 3.1), made from the structs that requests are read into and answers made of."""

from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from gateway import examples, views
from gateway.entrypoints.accounts import AccountsQuery
from gateway.entrypoints.history import HistoryQuery
from gateway.entrypoints.posts import ListQuery
from gateway.entrypoints.scheduling import QueueQuery
from gateway.idempotency import MAX_KEY
from gateway.policy import BASE, ROLES
from gateway.problems import KINDS, MEDIA_TYPE, Problem, ProblemError
from gateway.requests import (
    CreateBody,
    EditBody,
    NothingBody,
    PublishBody,
    PublishNowBody,
    ScheduleBody,
    ThreadBody,
)

TITLE = "Social Publishing API"
VERSION = "1.0.0"

_REF = "#/components/schemas/{name}"
_JSON = "application/json"

_EVERYWHERE = (
    "unauthenticated",
    "forbidden_role",
    "too_many_requests",
    "headers_too_large",
    "internal_error",
    "keys_unavailable",
)
_READ = (*_EVERYWHERE, "store_unavailable")
_BODY = (
    *_READ,
    "invalid_content",
    "invalid_parameter",
    "idempotency_in_flight",
    "body_too_large",
    "request_timeout",
    "unsupported_media_type",
    "idempotency_key_reuse",
)
_COMMAND = (*_BODY, "log_unavailable", "append_unknown", "overloaded", "expired")
_RESOLVE = ("media_unsupported", "account_required", "account_ambiguous", "account_disconnected", "account_not_found")
_CHANGE = (*_COMMAND, "post_not_found", "revision_mismatch")


class Operation(Struct, frozen=True, kw_only=True):
    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str = ""
    body: tuple[type[Struct], ...] = ()
    """What the request body may be; empty when there is none."""
    body_is_optional: bool = False
    query: type[Struct] | None = None
    status: int
    answer: type[Struct] | None
    problems: tuple[str, ...]
    takes_if_match: bool = False
    may_be_pending: bool = False
    """Whether 202 with a status URL is answered when the verdict takes too long."""


_PATIENCE = (
    " When no verdict comes within a few seconds the answer is 202 with a `status_url`: the command is safe in the log "
    "and will be decided."
)

OPERATIONS = (
    Operation(
        method="POST",
        path=f"{BASE}/publish",
        id="publish",
        tag="Publishing",
        summary="Publish Content",
        description="Publishes content to one or more accounts, at once or at `publish_at`. Everything that can be "
        "checked is checked now, so that nothing fails later for a reason known today." + _PATIENCE,
        body=(PublishBody,),
        status=201,
        answer=views.PublicationView,
        problems=(*_COMMAND, *_RESOLVE),
        may_be_pending=True,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/publish/{{publish_id}}",
        id="getPublication",
        tag="Publishing",
        summary="Get Publication",
        description="How far a publication has got on each account.",
        status=200,
        answer=views.PublicationView,
        problems=(*_READ, "post_not_found"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts",
        id="createPost",
        tag="Posts",
        summary="Create Post",
        description="Creates a draft, or with `status: scheduled` and `scheduled_at` a scheduled post. A draft may "
        "still lack text, accounts, or platforms that can be published to." + _PATIENCE,
        body=(CreateBody,),
        status=201,
        answer=views.PostView,
        problems=(*_COMMAND, *_RESOLVE),
        may_be_pending=True,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/posts",
        id="listPosts",
        tag="Posts",
        summary="List Posts",
        description="Newest first. Pages stay put while posts are added.",
        query=ListQuery,
        status=200,
        answer=views.PostList,
        problems=(*_READ, "invalid_parameter"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/validate",
        id="validatePost",
        tag="Posts",
        summary="Validate Post",
        description="The verdict that creating this post, or publishing this content, would meet; nothing is created.",
        body=(CreateBody, PublishBody),
        status=200,
        answer=views.ValidationView,
        problems=_BODY,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/posts/{{post_id}}",
        id="getPost",
        tag="Posts",
        summary="Get Post",
        status=200,
        answer=views.PostView,
        problems=(*_READ, "post_not_found"),
    ),
    Operation(
        method="PUT",
        path=f"{BASE}/posts/{{post_id}}",
        id="updatePost",
        tag="Posts",
        summary="Update Post",
        description="Changes the fields given; the others stay, also those within `content`. A failed or cancelled "
        "post becomes a draft again." + _PATIENCE,
        body=(EditBody,),
        status=200,
        answer=views.PostView,
        problems=(*_CHANGE, *_RESOLVE, "not_editable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="DELETE",
        path=f"{BASE}/posts/{{post_id}}",
        id="deletePost",
        tag="Posts",
        summary="Delete Post",
        description="Deletes the post here. What is live on a platform stays there." + _PATIENCE,
        status=204,
        answer=None,
        problems=(*_CHANGE, "not_deletable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/{{post_id}}/publish",
        id="publishPost",
        tag="Posts",
        summary="Publish Post",
        description="Publishes a draft, scheduled, cancelled or failed post now; of a failed one what is not live.",
        body=(PublishNowBody,),
        body_is_optional=True,
        status=202,
        answer=views.PostView,
        problems=(*_CHANGE, *_RESOLVE, "not_publishable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/{{post_id}}/schedule",
        id="schedulePost",
        tag="Posts",
        summary="Schedule Post",
        description="A time without an offset is the local time of `timezone`." + _PATIENCE,
        body=(ScheduleBody,),
        status=200,
        answer=views.PostView,
        problems=(*_CHANGE, *_RESOLVE, "not_schedulable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/{{post_id}}/cancel",
        id="cancelPost",
        tag="Posts",
        summary="Cancel Scheduled Post",
        description="Once this is answered with 200, nothing of the post goes out any more." + _PATIENCE,
        body=(NothingBody,),
        body_is_optional=True,
        status=200,
        answer=views.PostView,
        problems=(*_CHANGE, "not_cancellable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/posts/{{post_id}}/history",
        id="getHistory",
        tag="Posts",
        summary="Get History",
        description="Why the post is as it is: its events, in words, refusals included.",
        query=HistoryQuery,
        status=200,
        answer=views.HistoryView,
        problems=(*_READ, "invalid_parameter", "post_not_found", "history_unavailable"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/posts/{{post_id}}/commands/{{command_id}}",
        id="getCommand",
        tag="Posts",
        summary="Get Command",
        description="What became of a command that was answered with 202 or 503.",
        status=200,
        answer=views.CommandView,
        problems=(*_READ, "command_not_found"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/threads",
        id="createThread",
        tag="Threads",
        summary="Create Thread",
        description="Several posts, each a reply to the one before; at once or at `schedule_at`. Under /posts the "
        "thread can be rescheduled, cancelled and deleted." + _PATIENCE,
        body=(ThreadBody,),
        status=201,
        answer=views.ThreadView,
        problems=(*_COMMAND, *_RESOLVE),
        may_be_pending=True,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/threads/{{thread_id}}",
        id="getThread",
        tag="Threads",
        summary="Get Thread",
        status=200,
        answer=views.ThreadView,
        problems=(*_READ, "post_not_found"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/scheduling/queue",
        id="getQueue",
        tag="Scheduling",
        summary="Get Queue",
        description="What is scheduled, the next first.",
        query=QueueQuery,
        status=200,
        answer=views.QueueView,
        problems=(*_READ, "invalid_parameter"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/accounts",
        id="listAccounts",
        tag="Connected Accounts",
        summary="List Connected Accounts",
        query=AccountsQuery,
        status=200,
        answer=views.AccountList,
        problems=(*_READ, "invalid_parameter"),
    ),
)

_TAGS = ("Publishing", "Posts", "Threads", "Scheduling", "Connected Accounts")

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
        shapes |= set() if operation.answer is None else {operation.answer}
    _, components = msgspec.json.schema_components(sorted(shapes, key=_name), ref_template=_REF)
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
    if operation.body:
        described["requestBody"] = {
            "required": not operation.body_is_optional,
            "content": {
                _JSON: {
                    "schema": _schema(*operation.body),
                    "examples": {
                        name: {"value": value} for name, value in examples.REQUESTS.get(operation.id, {}).items()
                    },
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
            "example": examples.IDS[segment[1:-1]],
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
    if operation.method != "GET":
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Makes a repeat of this request harmless.",
                "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]+$"},
            }
        )
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
    if operation.may_be_pending:
        pending = _schema(views.PendingView)
        accepted = responses.setdefault(
            "202", {"description": "Safe in the log, not decided yet", "content": {_JSON: {"schema": pending}}}
        )
        if operation.status == 202:
            accepted["description"] += "; or safe in the log and not decided yet"
            accepted["content"][_JSON]["schema"] = {"oneOf": [accepted["content"][_JSON]["schema"], pending]}
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
        "content": {_JSON: {"schema": _schema(operation.answer)}},
    }
    example = examples.ANSWERS.get(operation.id)
    if example is not None:
        described["content"][_JSON]["example"] = msgspec.to_builtins(example)
    return described


def _problem_example(code: str) -> Any:
    body = ProblemError(code, KINDS[code].title + ".", errors=examples.ERRORS.get(code, ())).body(
        request_id=examples.IDS["request_id"], trace_id="0af7651916cd43dd8448eb211c80319c"
    )
    return msgspec.json.decode(body)
