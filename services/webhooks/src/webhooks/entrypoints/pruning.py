"""Forgetting what is old: settled deliveries, and events that nobody can catch up with any more."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from webhooks.adapters.deliveries import MongoDeliveries
from webhooks.adapters.endpoints import MongoEndpoints
from webhooks.adapters.feed import MongoFeed

log = structlog.get_logger()

EVERY = 3_600.0


class Pruner:
    def __init__(
        self,
        *,
        endpoints: MongoEndpoints,
        deliveries: MongoDeliveries,
        feed: MongoFeed,
        deliveries_kept: timedelta,
        feed_kept: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._feed = feed
        self._deliveries_kept = deliveries_kept
        self._feed_kept = feed_kept
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        """Now and then, until `stop`. Several processes may do so at once."""
        while not stop.is_set():
            try:
                await self.prune()
            except Exception as error:  # next time
                log.warning("old deliveries cannot be removed now", reason=type(error).__name__)
            try:
                async with asyncio.timeout(EVERY):
                    await stop.wait()
            except TimeoutError:
                pass

    async def prune(self) -> None:
        for endpoint_id in await self._endpoints.ids():
            while await self._deliveries.prune(endpoint_id, before=self._now() - self._deliveries_kept):
                pass
        for tenant_id in await self._feed.tenants():
            while await self._feed.prune(tenant_id, before=self._now() - self._feed_kept):
                pass
