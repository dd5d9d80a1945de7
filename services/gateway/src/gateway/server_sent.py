"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec
from msgspec import Struct

from gateway.feed import Streams
from gateway.problems import ProblemError

HEARTBEAT_SECONDS = 15.0


def sent_event(id_: int, kind: str, data: Struct) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (id_, kind.encode(), msgspec.json.encode(data))


async def stream(
    streams: Streams, tenant_id: str, read: Callable[[], Awaitable[Sequence[bytes]]]
) -> AsyncIterator[bytes]:
    """What `read` finds, again and again, with a pause whenever that is nothing. It ends after a while: then the client
    comes again with its Last-Event-ID, and with a token that is looked at again. A ProblemError that `read` raises ends
    it, too.
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + streams.seconds
    with streams.opened(tenant_id):
        yield b"retry: 1000\n\n"
        told_at = loop.time()
        while not streams.ending.is_set() and loop.time() < ends_at:
            try:
                found = await read()
            except ProblemError:
                return  # the store is away; the client will come again
            for message in found:
                yield message
            if found:
                told_at = loop.time()
                continue
            if loop.time() - told_at >= HEARTBEAT_SECONDS:
                told_at = loop.time()
                yield b": still here\n\n"
            await streams.pause()
