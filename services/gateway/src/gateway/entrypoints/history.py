"""GET /posts/{post_id}/history: the post's events, read from the log itself."""

from typing import Annotated

from litestar import Response, get
from msgspec import Meta, Struct

from contracts.topics import POSTS_EVENTS
from eventlog.history import HistoryUnavailableError
from gateway import history, views
from gateway.answers import Answer, answer
from gateway.calls import Call, post_not_found, read
from gateway.context import Req
from gateway.policy import BASE
from gateway.problems import ProblemError


class HistoryQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=200)] = 100
    before_version: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None


@get(f"{BASE}/posts/{{post_id:str}}/history")
async def get_history(request: Req) -> Response[bytes]:
    return await read(request, _get)


async def _get(call: Call) -> Answer:
    query = call.query(HistoryQuery)
    post_id = call.path("post_id")
    found = await call.repository.post(call.tenant_id, post_id)
    if found is None:
        raise post_not_found(post_id)
    oldest = found.version - len(found.log) + 1
    newest = found.version if query.before_version is None else min(found.version, query.before_version - 1)
    first = max(oldest, newest - query.limit + 1)
    offsets = found.log[first - oldest : max(newest - oldest + 1, 0)]
    try:
        events = await call.gateway.history.read(POSTS_EVENTS, found.partition, offsets) if offsets else []
    except HistoryUnavailableError as error:
        raise ProblemError("history_unavailable", "The log cannot be read now.") from error
    return answer(
        views.HistoryView(
            history=tuple(history.entry(envelope, event) for envelope, event in events),
            before_version=first if offsets and first > oldest else None,
        )
    )
