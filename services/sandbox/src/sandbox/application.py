"""The ASGI application: finds the platform, lets faults interfere, keeps the journal."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sandbox.control import Control
from sandbox.delivery import Exchange, Receive, Scope, Send, edge_error, garbage, host_of
from sandbox.faults import AFTERWARDS, INSTEAD, Fault
from sandbox.journal import Received
from sandbox.linkedin.api import LinkedIn
from sandbox.meta.api import platforms as meta
from sandbox.platforms import Platform
from sandbox.tiktok.api import TikTok
from sandbox.web import RefusedError, Request, Response, Route, as_json
from sandbox.world import World
from sandbox.x.api import X
from sandbox.youtube.api import YouTube

_BODY_LIMIT = 128 * 1024 * 1024
_PATIENCE = 300.0
_CONTROL_PREFIX = "/_sandbox"


class Sandbox:
    """All simulated platforms and the control API."""

    def __init__(self) -> None:
        self._late: set[asyncio.Task[None]] = set()
        self.reset()

    def reset(self) -> None:
        """Forget everything: accounts, posts, faults, switches and requests that would still take effect."""
        for task in self._late:
            task.cancel()
        self._world = World()
        self._platforms: tuple[Platform, ...] = (
            X(self._world),
            LinkedIn(self._world),
            *meta(self._world),
            TikTok(self._world),
            YouTube(self._world),
        )
        self._control = Control(self._world, self._platforms, self.reset)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        body = await exchange.read(_BODY_LIMIT)
        if body is None and not exchange.left:
            await exchange.answer(Response(413))
            return
        self._world.growth.settle(self._world.clock.now())
        path = scope["raw_path"].decode("latin-1")
        platform, path = self._locate(path)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = Request(
            method=scope["method"],
            path=path,
            raw_query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=exchange.partial if body is None else body,
            base_url=host_of(scope, headers) + (platform.prefix if platform else _CONTROL_PREFIX),
        )
        if body is None:
            if platform is not None and (found := platform.router.find(request.method, path)) is not None:
                request.path_parameters = found[1]
                platform.interrupted(request)
        elif platform is not None:
            await self._serve(platform, request, exchange)
        elif path.startswith(_CONTROL_PREFIX + "/"):
            await exchange.answer(self._control.handle(request))
        else:
            await exchange.answer(as_json(404, {"error": "no platform lives at this path"}))

    def _locate(self, path: str) -> tuple[Platform | None, str]:
        """The platform that a path belongs to, and the path within its API."""
        for platform in self._platforms:
            if path.startswith(platform.prefix + "/"):
                return platform, path.removeprefix(platform.prefix)
        for platform in self._platforms:
            if path.startswith(platform.roots):
                return platform, path
        return None, path

    async def _serve(self, platform: Platform, request: Request, exchange: Exchange) -> None:
        found = platform.router.find(request.method, request.path)
        if found is None:
            await exchange.answer(platform.unknown_path())
            return
        route, request.path_parameters = found
        call = platform.call_of(route, request)
        accounts = platform.accounts_of(call, request)
        name = platform.name_for(accounts)
        received = Received(
            time=self._world.clock.now(),
            platform=name,
            method=request.method,
            path=_without_signature(request),
            call=call,
            accounts=accounts,
        )
        self._world.journal.add(received)
        faults = self._world.faults
        fault = faults.draw(name, accounts, call, INSTEAD)
        if fault is not None:
            received.fault = fault.script.fault
            await self._misbehave(
                fault,
                platform=platform,
                route=route,
                request=request,
                exchange=exchange,
                received=received,
            )
            return
        response = _handle(route, request)
        # 308 is how resumable uploads say that they go on.
        if response.status < 300 or response.status == 308:
            fault = faults.draw(name, accounts, call, AFTERWARDS)
        if fault is not None:
            received.fault = fault.script.fault
            await self._spoil(fault, response, exchange, received)
            return
        received.status = response.status
        await exchange.answer(response)

    async def _misbehave(
        self,
        fault: Fault,
        *,
        platform: Platform,
        route: Route,
        request: Request,
        exchange: Exchange,
        received: Received,
    ) -> None:
        """Do something else than handle the request."""
        params = fault.script.params
        match fault.script.fault:
            case "reset_before":
                await exchange.reset()
            case "lost_timeout":
                await exchange.hold(params.lasting(_PATIENCE))
            case "late_accept":
                self._accept_later(params.lasting(5.0), route, request, received)
                await exchange.hold(_PATIENCE)
            case "upload_cut":
                platform.interrupted(replace(request, body=request.body[: params.bytes]))
                await exchange.reset()
            case "scripted_error":
                received.status = params.status
                await exchange.answer(as_json(params.status, params.body or {}))
            case "garbage":
                received.status = 200
                await exchange.answer(garbage(params.kind))
            case "server_error_500" | "server_error_502" | "server_error_503" as name:
                response = edge_error(int(name.removeprefix("server_error_")))
                received.status = response.status
                await exchange.answer(response)
            case _:
                response = platform.refusal(fault)
                received.status = response.status
                await exchange.answer(response)

    async def _spoil(self, fault: Fault, response: Response, exchange: Exchange, received: Received) -> None:
        """Answer a handled request badly."""
        params = fault.script.params
        match fault.script.fault:
            case "accept_then_reset":
                await exchange.reset()
                return
            case "accept_then_500":
                response = edge_error(500)
            case "accept_then_garbage":
                response = garbage(params.kind)
            case "accept_then_error":
                response = as_json(params.status, params.body or {})
            case "accept_then_slow":
                if not await exchange.pause(params.lasting(30.0)):
                    return
            case "slow_body":
                received.status = response.status
                await exchange.drip(response, params.lasting(5.0))
                return
        received.status = response.status
        await exchange.answer(response)

    def _accept_later(self, seconds: float, route: Route, request: Request, received: Received) -> None:
        async def accept() -> None:
            await asyncio.sleep(seconds)
            _handle(route, request)
            received.accepted_late_at = self._world.clock.now()

        task = asyncio.get_running_loop().create_task(accept())
        self._late.add(task)
        task.add_done_callback(self._late.discard)


def _without_signature(request: Request) -> str:
    """The path as the journal keeps it: whoever knows a pre-signed address may upload to it."""
    signature = request.path_parameters.get("signature")
    return request.path if signature is None else request.path.removesuffix(signature)


def _handle(route: Route, request: Request) -> Response:
    try:
        return route.handler(request)
    except RefusedError as refused:
        return refused.response
