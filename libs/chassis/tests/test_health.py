"""Probes and metrics over real HTTP."""

import asyncio

import httpx
import pytest

from chassis import health as health_module
from chassis.health import Health, Heartbeat
from localstack.process import free_ports


async def test_probes_say_what_is_wrong_and_liveness_only_what_a_restart_mends() -> None:
    health, stop = Health(), asyncio.Event()
    wrong: dict[str, str | None] = {"store": "no answer", "loop": None}
    health.add("store", lambda: wrong["store"])
    health.add_liveness("loop", lambda: wrong["loop"])
    (port,) = free_ports(1)
    serving = asyncio.create_task(health.serve("127.0.0.1", port, stop))
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", trust_env=False, transport=httpx.AsyncHTTPTransport(retries=5)
    ) as client:

        async def answer(path: str) -> tuple[int, object]:
            response = await client.get(path)
            return response.status_code, response.json()

        assert await answer("/readyz") == (503, {"store": "no answer"})
        assert await answer("/livez") == (200, {"status": "ok"})
        wrong["store"] = None
        assert await answer("/readyz") == (200, {"status": "ok"})
        wrong["loop"] = "stuck"
        assert await answer("/livez") == (503, {"loop": "stuck"})
        assert await answer("/readyz") == (503, {"loop": "stuck"})
        assert "python_info" in (await client.get("/metrics")).text
        assert (await client.get("/elsewhere")).status_code == 404
    stop.set()
    await serving


async def test_without_a_port_there_is_no_server() -> None:
    await Health().serve("127.0.0.1", None, asyncio.Event())


def test_a_loop_that_has_not_begun_is_not_ready_and_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(health_module.time, "monotonic", lambda: now)
    loop = Heartbeat("fetching", stale_after=30)
    now += 3_600
    assert loop.missed() is None, "it waits for Kafka, which a restart does not mend"
    assert loop.resting() == "the fetching loop has not begun"
    loop.beat()
    now += 30
    assert (loop.missed(), loop.resting()) == (None, None)
    now += 1
    assert loop.missed() == loop.resting() == "the fetching loop does not turn"
