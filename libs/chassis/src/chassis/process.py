"""The life of a service process: start, run, drain on SIGTERM, exit with what happened."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog
import uvloop

from chassis import tracing
from chassis.settings import ServiceSettings

log = structlog.get_logger()

DRAIN_SECONDS = 30.0
"""For what is under way when the process is asked to end. With Kafka and the store there it takes the services 20 s at
most. Clients whose servers are gone would go on asking for ever.
"""
CLOSE_SECONDS = 5.0
"""Then for what is given up to put away what it holds."""
LAST_SPANS_SECONDS = 3.0
"""For which the end of a process waits until its last spans are sent."""


def freeze_garbage() -> None:
    """What lives after start lives for ever: keeping the collector off it takes the long pauses away."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def run(
    main: Callable[[asyncio.Event], Awaitable[None]],
    *,
    service: str | None = None,
    settings: ServiceSettings | None = None,
) -> None:
    """Runs `main` until it returns. The event is set by SIGTERM or SIGINT: stop taking work, finish, return.

    Meanwhile spans are recorded as those of `service`, where the settings say to whom they are sent. A second signal
    ends the process at once.

    Exits with 1 when `main` raises, and when it has not returned `DRAIN_SECONDS` after `stop`: then it is cancelled,
    and `CLOSE_SECONDS` later the process ends whatever it does. Work must survive that as it survives a power cut.
    """

    async def supervised() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_signal() -> None:
            if stop.is_set():
                sys.exit(1)
            log.info("draining")
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)
        loop.call_later(1.0, freeze_garbage)
        working = asyncio.ensure_future(main(stop))
        bounding = asyncio.create_task(_bound(working, stop))
        try:
            await working
        except asyncio.CancelledError:
            # Also by itself: clients whose servers are gone raise it when they are closed.
            log.warning("ended without putting everything away")
            return 1
        except Exception:
            log.exception("service failed")
            return 1
        finally:
            bounding.cancel()
        log.info("stopped")
        return 0

    with _recording(service, settings):
        status = uvloop.run(supervised())
    sys.exit(status)


async def _bound(working: asyncio.Future[None], stop: asyncio.Event) -> None:
    await stop.wait()
    # Also for what the loop itself waits for when it is closed.
    asyncio.get_running_loop().call_later(DRAIN_SECONDS + CLOSE_SECONDS, _end_at_once)
    await asyncio.sleep(DRAIN_SECONDS)
    log.warning("drain given up", still_busy=_busy())
    working.cancel()


def _busy() -> list[str]:
    """What runs, by the names of its functions."""
    return sorted({getattr(task.get_coro(), "__qualname__", task.get_name()) for task in asyncio.all_tasks()})


def _end_at_once() -> None:
    log.error("ended without farewells")
    os._exit(1)


@contextmanager
def _recording(service: str | None, settings: ServiceSettings | None) -> Iterator[None]:
    if service is None or settings is None or not settings.otel_exporter_otlp_endpoint:
        yield
        return
    # Who does not record does not load it either: it costs a second and 20 MB.
    from chassis.exporting import Exporter  # noqa: PLC0415

    exporter = Exporter(service, endpoint=settings.otel_exporter_otlp_endpoint, ratio=settings.traces_sample_ratio)
    tracing.record_with(exporter.recorder)
    try:
        yield
    finally:
        exporter.close(LAST_SPANS_SECONDS)


async def run_together(stop: asyncio.Event, *parts: Awaitable[None]) -> None:
    """Runs the parts of a service until all have returned. When one fails the others are asked to stop.

    Raises the first failure.
    """

    async def guarded(part: Awaitable[None]) -> None:
        try:
            await part
        except BaseException:
            stop.set()
            raise

    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(guarded(part))
