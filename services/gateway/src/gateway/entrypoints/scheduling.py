"""What is to go out, in the order in which it will."""

from datetime import datetime
from typing import Annotated

from litestar import Response, get
from msgspec import Meta, Struct

from contracts.content import Platform
from contracts.posts import Post
from gateway import views
from gateway.answers import Answer, answer
from gateway.calls import Call, read
from gateway.context import Req
from gateway.policy import BASE
from gateway.repository import cursor_at, read_cursor


class QueueQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    platform: Platform | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(max_length=300)] | None = None


@get(f"{BASE}/scheduling/queue")
async def get_queue(request: Req) -> Response[bytes]:
    return await read(request, _queue)


async def _queue(call: Call) -> Answer:
    query = call.query(QueueQuery)
    after = None if query.cursor is None else read_cursor(query.cursor)
    found, total = await call.repository.queue(call.tenant_id, query.platform, after=after, limit=query.limit + 1)
    page = found[: query.limit]
    more = len(found) > query.limit
    return answer(
        views.QueueView(
            queue=tuple(views.queue_entry(post) for post in page),
            total_scheduled=total,
            cursor=cursor_at(_due(page[-1]), page[-1].post_id).encode() if more else None,
        )
    )


def _due(post: Post) -> datetime:
    return views.queue_entry(post).scheduled_at
