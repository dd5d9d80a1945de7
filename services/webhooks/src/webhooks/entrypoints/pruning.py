"""Forgetting what is old: settled deliveries, and events that nobody can catch up with any more."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from webhooks.adapters.deliveries import MongoDeliveries
from webhooks.adapters.feed import MongoFeed

log = structlog.get_logger()

EVERY = 3_600.0


class Pruner:
    def __init__(
        self,
        *,
        deliveries: MongoDeliveries,
        feed: MongoFeed,
        deliveries_kept: timedelta,
        feed_kept: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._deliveries = deliveries
        self._feed = feed
        self._deliveries_kept = deliveries_kept
        self._feed_kept = feed_kept
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        """Now and then, until `stop`. Several processes may do so at once."""
        while not await _is_over(stop, EVERY * (0.5 + random.random())):
            try:
                await self.prune()
            except Exception as error:  # next time
                log.warning("old deliveries cannot be removed now", reason=type(error).__name__)

    async def prune(self) -> None:
        for endpoint_id in await self._deliveries.endpoints():
            while await self._deliveries.prune(endpoint_id, before=self._now() - self._deliveries_kept):
                pass
        for tenant_id in await self._feed.tenants():
            while await self._feed.prune(tenant_id, before=self._now() - self._feed_kept):
                pass


async def _is_over(stop: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
