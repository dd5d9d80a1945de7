"""Commands into the log, and the wait for their verdicts."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from prometheus_client import Gauge, Histogram

from chassis import tracing
from contracts.messages import Command
from contracts.verdicts import Verdict
from eventlog import messaging
from eventlog.sending import AppendUnknownError, NotAppendedError
from gateway.problems import ProblemError

APPEND_TIMEOUT = 2.5
"""Seconds for handing a command to Kafka, and as many for its acknowledgement."""

_waiting = Gauge("gateway_commands_in_flight", "Commands sent or being sent, whose verdict is awaited")
_SECONDS = Histogram(
    "gateway_verdict_seconds",
    "From a command's sending to its verdict; those without one in time are not in it",
    ("topic",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class Sender(Protocol):
    """What is used of `eventlog.sending.CommandSender`."""

    def reachable(self) -> bool: ...

    async def send(
        self,
        topic: str,
        key: str,
        command: Command,
        *,
        command_id: str,
        tenant_id: str | None,
        reply_partition: int | None = None,
        deadline: datetime | None = None,
        traceparent: str | None = None,
        timeout: float = 5.0,  # noqa: ASYNC109
    ) -> None: ...


class WaitingRoom(Protocol):
    """What is used of `eventlog.replies.Replies`."""

    @property
    def partition(self) -> int: ...

    def expect(self, command_id: str) -> asyncio.Future[Verdict]: ...

    def forget(self, command_id: str) -> None: ...

    def alive(self) -> bool: ...


class Dispatcher:
    def __init__(
        self,
        sender: Sender,
        replies: WaitingRoom,
        *,
        verdict_timeout: float,
        max_in_flight: int,
        now: Callable[[], datetime],
    ) -> None:
        self._sender = sender
        self._replies = replies
        self._verdict_timeout = verdict_timeout
        self._max_in_flight = max_in_flight
        self._now = now
        self._in_flight = 0

    @property
    def reply_partition(self) -> int:
        """Where verdicts for this gateway arrive."""
        return self._replies.partition

    @contextmanager
    def expecting(self, command_id: str) -> Iterator[asyncio.Future[Verdict]]:
        """The verdict on a command that somebody else will send, if they send it to this gateway's partition."""
        try:
            yield self._replies.expect(command_id)
        finally:
            self._replies.forget(command_id)

    async def tell(
        self, topic: str, key: str, command: Command, *, command_id: str, tenant_id: str, traceparent: str
    ) -> None:
        """Sends a command that has no verdict. Raises ProblemError `log_unavailable` or `append_unknown`."""
        tracing.note(**messaging.about_message(command))
        try:
            await self._sender.send(
                topic,
                key,
                command,
                command_id=command_id,
                tenant_id=tenant_id,
                traceparent=traceparent,
                timeout=APPEND_TIMEOUT,
            )
        except NotAppendedError as error:
            raise ProblemError("log_unavailable", "The command was not accepted.") from error
        except AppendUnknownError as error:
            raise ProblemError("append_unknown", "It is not known whether the command was accepted.") from error

    async def ask(
        self,
        topic: str,
        key: str,
        command: Command,
        *,
        command_id: str,
        tenant_id: str,
        traceparent: str,
        status_url: str,
    ) -> Verdict | None:
        """The verdict; None when the command is durable and has none yet.

        Raises ProblemError `log_unavailable`, `overloaded` (both: nothing was done) or `append_unknown`.
        """
        if not self._sender.reachable() or not self._replies.alive():
            raise ProblemError("log_unavailable", "The log cannot be reached. The command was not accepted.")
        if self._in_flight >= self._max_in_flight:
            raise ProblemError("overloaded", "Too many commands are waiting for their verdict.")
        tracing.note(**messaging.about_message(command))
        self._in_flight += 1
        _waiting.inc()
        began = time.monotonic()
        verdict = self._replies.expect(command_id)
        try:
            await self._sender.send(
                topic,
                key,
                command,
                command_id=command_id,
                tenant_id=tenant_id,
                reply_partition=self._replies.partition,
                # A client told that its command was not, or may not have been, accepted will send it again. What the
                # producer still holds by then must not count when it reaches the log at last.
                deadline=self._now() + timedelta(seconds=2 * APPEND_TIMEOUT),
                traceparent=traceparent,
                timeout=APPEND_TIMEOUT,
            )
            async with asyncio.timeout(self._verdict_timeout):
                answer = await verdict
            _SECONDS.labels(topic).observe(time.monotonic() - began)
            return answer
        except NotAppendedError as error:
            raise ProblemError("log_unavailable", "The command was not accepted.") from error
        except AppendUnknownError as error:
            if verdict.done() and not verdict.cancelled():
                return verdict.result()
            raise ProblemError(
                "append_unknown",
                "The log did not say in time whether it has the command.",
                command_id=command_id,
                status_url=status_url,
            ) from error
        except TimeoutError:
            return None
        finally:
            self._replies.forget(command_id)
            self._in_flight -= 1
            _waiting.dec()
