"""POST /publish, GET /publish/{publish_id}: a post and its publication in one step."""

from litestar import Response, get, post

from contracts.content import Options, Platform, Schedule
from contracts.ids import sibling
from contracts.posts import CreatePost
from gateway import planning, views
from gateway.answers import Answer, answer
from gateway.calls import Call, Write, read, write
from gateway.context import Req
from gateway.policy import BASE
from gateway.problems import ProblemError
from gateway.requests import PublishBody
from gateway.schedule import scheduled


@post(f"{BASE}/publish")
async def publish(request: Req) -> Response[bytes]:
    return await write(request, _publish)


async def _publish(call: Write) -> Answer:
    body = call.body(PublishBody)
    schedule: Schedule | None = None
    notes: tuple[str, ...] = ()
    if body.publish_at is not None:
        schedule, notes = scheduled(body.publish_at, body.timezone, now=call.now, pointer="/publish_at")
    parts = (body.content.content(),)
    wishes = planning.wishes_of_publish(body)
    platforms: tuple[Platform, ...] = tuple(dict.fromkeys(wish.platform for wish in wishes))
    accounts = await call.repository.accounts(call.tenant_id)
    targets = await call.with_reach(
        planning.targets(parts, "post", wishes, accounts, await call.uploads(parts, wishes))
    )
    own_options: dict[str, Options] = {}
    for wish in wishes:
        own_options.setdefault(wish.platform, wish.options)
    created = await call.create(
        CreatePost(
            post_id=call.new_post_id,
            kind="post",
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            issued_at=call.now,
            title=body.title,
            parts=parts,
            platforms=platforms,
            accounts={wish.platform: wish.account_id for wish in reversed(wishes) if wish.account_id is not None},
            options={platform: options for platform, options in own_options.items() if options},
            overrides={wish.platform: wish.content for wish in reversed(wishes) if wish.content is not None},
            targets=targets,
            tags=tuple(body.tags),
            campaign_id=body.campaign_id,
            schedule=schedule,
            publish_now=schedule is None,
        )
    )
    view = views.publication(created, notes)
    return answer(view, status=201, headers={"Location": f"{BASE}/publish/{view.publish_id}"})


@get(f"{BASE}/publish/{{publish_id:str}}")
async def get_publication(request: Req) -> Response[bytes]:
    return await read(request, _get_publication)


async def _get_publication(call: Call) -> Answer:
    publish_id = call.path("publish_id")
    found = await call.repository.post(call.tenant_id, sibling("post", publish_id))
    if found is None or sibling("pub", publish_id) != publish_id:
        raise ProblemError("post_not_found", f"There is no publication {publish_id}.")
    return answer(views.publication(found.post))
