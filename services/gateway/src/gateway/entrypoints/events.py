"""The tenant's public events: to catch up with what was missed, and live."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from litestar import Response, get
from litestar.response import Stream
from msgspec import Meta, Raw, Struct

from contracts.topics import PUBLIC_TOPICS
from gateway import webhook_views as views
from gateway.answers import Answer, answer
from gateway.calls import Call, Gateway, read
from gateway.context import Req
from gateway.feed import FedEvent, read_number
from gateway.policy import BASE, EVENT_STREAM
from gateway.problems import invalid_parameter
from gateway.server_sent import sent_event, stream

_STREAM_PAGE = 200

Types = Annotated[str, Meta(max_length=300)]
Cursor = Annotated[str, Meta(max_length=20)]


class EventsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    types: Types | None = None
    """Separated by commas; all when left out."""
    cursor: Cursor | None = None
    """Where the last answer ended; from the oldest kept event on when left out."""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class StreamQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    types: Types | None = None
    """Separated by commas; all when left out."""
    cursor: Cursor | None = None
    """Like the header Last-Event-ID, which wins. Without either the stream begins now."""


@get(f"{BASE}/events")
async def list_events(request: Req) -> Response[bytes]:
    return await read(request, _list)


async def _list(call: Call) -> Answer:
    query = call.query(EventsQuery)
    after = 0 if query.cursor is None else read_number(query.cursor)
    page = await call.gateway.feed.after(call.tenant_id, after, _types(query.types), query.limit)
    shown = views.EventsView(events=tuple(map(_view, page.events)), cursor=str(page.position), more=page.more)
    return answer(shown)


@get(EVENT_STREAM)
async def stream_events(request: Req) -> Stream:
    gateway: Gateway = request.app.state.gateway
    call = Call(gateway, request)
    query = call.query(StreamQuery)
    types = _types(query.types)
    last = request.headers.get("last-event-id") or query.cursor
    after = await gateway.feed.head(call.tenant_id) if last is None else read_number(last)
    gateway.streams.check(call.tenant_id)
    return Stream(
        stream(gateway.streams, call.tenant_id, _newer(gateway, call.tenant_id, after, types)),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _newer(gateway: Gateway, tenant_id: str, after: int, types: Sequence[str]) -> Callable[[], Awaitable[list[bytes]]]:
    async def newer() -> list[bytes]:
        nonlocal after
        while True:
            page = await gateway.feed.after(tenant_id, after, types, _STREAM_PAGE)
            after = page.position
            if page.events or not page.more:
                return [sent_event(event.number, event.type, _view(event)) for event in page.events]

    return newer


def _view(event: FedEvent) -> views.EventView:
    return views.EventView(
        id=event.id,
        type=event.type,
        timestamp=event.time,
        subject=event.subject,
        cursor=str(event.number),
        data=Raw(event.data),
    )


def _types(text: str | None) -> Sequence[str]:
    """Raises ProblemError."""
    types = [] if text is None else text.split(",")
    if unknown := [each for each in types if each not in PUBLIC_TOPICS]:
        raise invalid_parameter(
            "types", "event.type", f"There are no events {', '.join(unknown)[:100]}.", limit=list(PUBLIC_TOPICS)
        )
    return types
