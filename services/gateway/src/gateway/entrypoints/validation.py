"""POST /posts/validate: the answer to a post or publication, without making one."""

from collections.abc import Callable, Sequence

from litestar import Response, post

from contracts.content import Content
from gateway import planning, views
from gateway.answers import Answer, answer
from gateway.calls import Write, write
from gateway.context import Req
from gateway.entrypoints.posts import check_create
from gateway.policy import BASE
from gateway.problems import FieldError, ProblemError
from gateway.requests import CreateBody, PublishBody, names_targets
from gateway.resolve import Wish
from gateway.schedule import scheduled
from platforms.composing import compose_text


@post(f"{BASE}/posts/validate", status_code=200)
async def validate_post(request: Req) -> Response[bytes]:
    return await write(request, _validate)


async def _validate(call: Write) -> Answer:
    if names_targets(call.context.body):
        publication = call.body(PublishBody)
        parts = (publication.content.content(),)
        wishes = planning.wishes_of_publish(publication)
        at, timezone, pointer, is_draft = publication.publish_at, publication.timezone, "/publish_at", False
        errors: list[FieldError] = []
    else:
        body = call.body(CreateBody)
        parts = (body.content.content(body.media),)
        wishes = planning.wishes_of_create(body)
        at, timezone, pointer, is_draft = body.scheduled_at, body.timezone, "/scheduled_at", body.status == "draft"
        errors = _errors_of(lambda: check_create(body))
    if at is not None:
        errors += _errors_of(lambda: scheduled(at, timezone, now=call.now, pointer=pointer))
    return await _judge(call, parts, wishes, errors, is_draft=is_draft)


async def _judge(
    call: Write, parts: Sequence[Content], wishes: Sequence[Wish], errors: list[FieldError], *, is_draft: bool
) -> Answer:
    accounts = await call.repository.accounts(call.tenant_id)
    found, chosen = planning.look_over(parts, "post", wishes, accounts, await call.uploads(parts, wishes))
    everything = [*errors, *found]
    reach = await call.reach([account for _, account in chosen if account is not None])
    return answer(
        views.ValidationView(
            valid=not [error for error in everything if error.severity != "incomplete" or not is_draft],
            publishable=bool(wishes) and not everything,
            violations=tuple(_violation(error) for error in everything),
            targets=tuple(
                views.ValidatedTarget(
                    platform=wish.platform,
                    account_id=None if account is None else account.account_id,
                    username=None if account is None else views.handle(wish.platform, account.username),
                    estimated_reach=None if account is None else reach[account.account_id],
                    texts=tuple(
                        compose_text(part, wish.platform, wish.options)
                        for part in (parts if wish.content is None else (wish.content,))
                    ),
                )
                for wish, account in chosen
            ),
        )
    )


def _errors_of(rule: Callable[[], object]) -> list[FieldError]:
    try:
        rule()
    except ProblemError as problem:
        return list(problem.errors)
    return []


def _violation(error: FieldError) -> views.ViolationView:
    return views.ViolationView(
        rule=error.rule,
        message=error.message,
        pointer=error.pointer,
        limit=error.limit,
        actual=error.actual,
        remediation=error.remediation,
        platform=error.platform,
        severity=error.severity or "invalid",
    )
