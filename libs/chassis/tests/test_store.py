"""Waiting for the store, and giving up while it is away."""

from __future__ import annotations

import asyncio

import pytest
from pymongo import lock

import chassis.store  # noqa: F401  # it mends PyMongo


async def test_giving_up_while_another_has_the_lock_leaves_it_to_him() -> None:
    """Fails with what `asyncio.wait_for` is before Python 3.12: RuntimeError, and a lock that is held by nobody."""
    mutex = lock._async_create_lock()
    condition = lock._async_create_condition(mutex)

    async def wait() -> None:
        async with mutex:
            await lock._async_cond_wait(condition, 0.01)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    async with mutex:
        # It has waited long enough, and wants the lock back, as all do who are cancelled in a condition.
        while not mutex._waiters:  # noqa: ASYNC110  # the lock sets no event
            await asyncio.sleep(0.001)
        waiting.cancel()
        await asyncio.sleep(0)
        assert not waiting.done()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not mutex.locked()
