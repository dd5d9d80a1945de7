"""Taking posts off their platforms. Deleting may be repeated at will, so there is nothing to journal."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from chassis import tracing
from contracts.content import Failure
from contracts.ids import derived_id
from contracts.posts import Deferred, Rejected, RemovalOutcome, Removed, ReportRemoval
from contracts.publishing import RemovalRequested
from contracts.topics import POSTS_COMMANDS
from publisher.authors import author_of
from publisher.domain.answers import Postponed, Refused, Retry, Setback, SetbackError
from publisher.ports import Accounts, Author, Connector, Sender, Tokens

log = structlog.get_logger()


class Remover:
    def __init__(
        self,
        *,
        accounts: Accounts,
        tokens: Tokens,
        connectors: Mapping[str, Connector],
        sender: Sender,
        now: Callable[[], datetime],
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._connectors = connectors
        self._sender = sender
        self._now = now

    async def remove(self, request: RemovalRequested, *, job_id: str) -> None:
        """Deletes what is live of the target, the last part first, and reports how that ended."""
        outcome = await self._outcome(request)
        await self._sender.send(
            POSTS_COMMANDS,
            request.post_id,
            ReportRemoval(
                post_id=request.post_id,
                tenant_id=request.tenant_id,
                target_id=request.target_id,
                attempt=request.attempt,
                issued_at=self._now(),
                outcome=outcome,
            ),
            command_id=derived_id("cmd", request.post_id, request.target_id, "removal", str(request.attempt)),
            tenant_id=request.tenant_id,
            traceparent=tracing.current(),
        )
        log.info(
            "removal handled",
            job_id=job_id,
            post_id=request.post_id,
            tenant_id=request.tenant_id,
            platform=request.platform,
            attempt=request.attempt,
            outcome=type(outcome).__name__.lower(),
        )

    async def _outcome(self, request: RemovalRequested) -> RemovalOutcome:
        connector = self._connectors[request.platform]
        account = await self._accounts.get(request.tenant_id, request.account_id)
        author = await author_of(account, request.platform, self._tokens)
        if not isinstance(author, Author):
            return self._set_back(author, request, connector)
        postponed = connector.budgets.exhausted(request.account_id, self._now())
        if postponed is not None:
            return self._set_back(postponed, request, connector)
        try:
            async with asyncio.timeout(connector.policy.call_timeout * len(request.live_parts)):
                for live in reversed(request.live_parts):
                    await connector.delete(author, live)
        except SetbackError as error:
            return self._set_back(error.setback, request, connector)
        except TimeoutError:
            failure = Failure(code="platform_unreachable", message="The platform did not answer in time.")
            return self._set_back(Retry("unreachable", failure), request, connector)
        return Removed()

    def _set_back(self, setback: Setback, request: RemovalRequested, connector: Connector) -> RemovalOutcome:
        match setback:
            case Refused(failure):
                return Rejected(failure=failure)
            case Postponed(until, failure):
                return Deferred(until=until, reason=replace(failure, retryable=True))
            case Retry(cause, failure):
                delays = connector.policy.retry_delays[cause]
                if request.attempt > len(delays):
                    return Rejected(failure=failure)
                until = self._now() + timedelta(seconds=delays[request.attempt - 1])
                return Deferred(until=until, reason=replace(failure, retryable=True))
