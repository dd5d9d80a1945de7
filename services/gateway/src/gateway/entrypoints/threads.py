"""Threads: posts in a row, each a reply to the one before. Under /posts they are posts of the kind `thread`."""

from litestar import Response, get, post

from contracts.content import Schedule
from contracts.ids import sibling
from contracts.posts import CreatePost
from gateway import planning, views
from gateway.answers import Answer, answer
from gateway.calls import Call, Write, read, write
from gateway.context import Req
from gateway.policy import BASE
from gateway.problems import ProblemError
from gateway.requests import ThreadBody
from gateway.schedule import scheduled


@post(f"{BASE}/threads")
async def create_thread(request: Req) -> Response[bytes]:
    return await write(request, _create)


async def _create(call: Write) -> Answer:
    body = call.body(ThreadBody)
    schedule: Schedule | None = None
    notes: tuple[str, ...] = ()
    if body.schedule_at is not None:
        schedule, notes = scheduled(body.schedule_at, body.timezone, now=call.now, pointer="/schedule_at")
    parts = tuple(part.content() for part in body.posts)
    accounts = await call.repository.accounts(call.tenant_id)
    wishes = planning.wishes_of_thread(body)
    targets = await call.with_reach(
        planning.targets(parts, "thread", wishes, accounts, await call.uploads(parts, wishes))
    )
    created = await call.create(
        CreatePost(
            post_id=call.new_post_id,
            kind="thread",
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            title=body.title,
            parts=parts,
            platforms=(body.platform,),
            accounts={} if body.account_id is None else {body.platform: body.account_id},
            options={body.platform: body.options} if body.options else {},
            targets=targets,
            tags=tuple(body.tags),
            campaign_id=body.campaign_id,
            schedule=schedule,
            publish_now=schedule is None,
        )
    )
    view = views.thread(created, notes)
    return answer(view, status=201, headers={"Location": f"{BASE}/threads/{view.thread_id}"})


@get(f"{BASE}/threads/{{thread_id:str}}")
async def get_thread(request: Req) -> Response[bytes]:
    return await read(request, _get)


async def _get(call: Call) -> Answer:
    thread_id = call.path("thread_id")
    found = await call.repository.post(call.tenant_id, sibling("post", thread_id))
    if found is None or found.post.kind != "thread" or sibling("thread", thread_id) != thread_id:
        raise ProblemError("post_not_found", f"There is no thread {thread_id}.")
    return answer(views.thread(found.post), headers={"ETag": f'"{found.post.revision}"'})
