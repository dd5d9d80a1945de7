"""The control API: accounts, the ledger, faults, switches and the clock, under ``/_sandbox``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from sandbox.accounts import Account
from sandbox.faults import Fault, NewFault, UnfitFaultError
from sandbox.growth import NewBurst, NewGrowth
from sandbox.ledger import entry
from sandbox.mentions import NewMention
from sandbox.platforms import NewAccount, Platform, UnfitAccountError
from sandbox.samples import SAMPLES, UnfitSampleError
from sandbox.web import NOT_JSON, RefusedError, Request, Response, Route, Router, as_json
from sandbox.world import World

T = TypeVar("T")


class _Advance(msgspec.Struct, forbid_unknown_fields=True):
    advance: float


class Control:
    """Serves the control API over a world and its platforms."""

    def __init__(self, world: World, platforms: Sequence[Platform], reset: Callable[[], None]) -> None:
        self._world = world
        self._platforms = {platform.name: platform for platform in platforms}
        self._reset = reset
        routes = [
            ("GET", "/health", self._health),
            ("POST", "/accounts", self._open_account),
            ("GET", "/accounts", self._accounts),
            ("DELETE", "/accounts/{id}", self._close_account),
            ("POST", "/accounts/{id}/revoke", self._revoke),
            ("POST", "/accounts/{id}/expire", self._expire),
            ("GET", "/ledger", self._ledger),
            ("GET", "/ledger/stats", self._stats),
            ("POST", "/ledger/{id}/metrics", self._set_metrics),
            ("POST", "/ledger/{id}/burst", self._burst),
            ("POST", "/accounts/{id}/growth", self._grow),
            ("POST", "/accounts/{id}/mentions", self._mention),
            ("GET", "/requests", self._requests),
            ("POST", "/faults", self._script_fault),
            ("GET", "/faults", self._faults),
            ("DELETE", "/faults", self._clear_faults),
            ("DELETE", "/faults/{id}", self._remove_fault),
            ("GET", "/settings", self._settings),
            ("POST", "/settings", self._change_settings),
            ("POST", "/clock", self._advance_clock),
            ("POST", "/reset", self._forget_everything),
            ("GET", "/media/{name}", self._sample),
        ]
        self._router = Router(Route(method, "/_sandbox" + path, path, handler) for method, path, handler in routes)

    def handle(self, request: Request) -> Response:
        found = self._router.find(request.method, request.path)
        if found is None:
            return _problem(404, "no such control call")
        route, request.path_parameters = found
        try:
            return route.handler(request)
        except RefusedError as refused:
            return refused.response

    def _health(self, _request: Request) -> Response:
        return as_json(200, {"status": "ok", "platforms": sorted(self._platforms)})

    def _open_account(self, request: Request) -> Response:
        new = _decode(request, NewAccount)
        platform = self._platform(new.platform)
        try:
            account = platform.open_account(new)
        except UnfitAccountError as error:
            return _problem(400, str(error))
        access, refresh = platform.grant(account, new.scopes, new.token_expires_in)
        return as_json(
            201,
            {
                "platform": account.platform,
                "platform_user_id": account.id,
                "username": account.username,
                "display_name": account.display_name,
                "access_token": access.value,
                "refresh_token": refresh.value if refresh else None,
                "scopes": sorted(access.scopes),
            },
        )

    def _accounts(self, _request: Request) -> Response:
        return as_json(200, {"accounts": self._world.accounts.all()})

    def _close_account(self, request: Request) -> Response:
        account = self._account(request)
        self._world.accounts.remove(account.id)
        self._world.tokens.forget_account(account.id)
        return Response(204)

    def _revoke(self, request: Request) -> Response:
        self._world.tokens.revoke_account(self._account(request).id)
        return Response(204)

    def _expire(self, request: Request) -> Response:
        self._world.tokens.expire_account(self._account(request).id)
        return Response(204)

    def _ledger(self, request: Request) -> Response:
        posts = [
            entry(post)
            for post in self._world.ledger.posts(
                request.query.get("platform"),
                request.query.get("account"),
                request.query.get("include_deleted") == "true",
            )
        ]
        return as_json(200, {"posts": posts, "total": len(posts)})

    def _stats(self, _request: Request) -> Response:
        return as_json(200, self._world.ledger.stats())

    def _set_metrics(self, request: Request) -> Response:
        post = self._world.ledger.get(request.path_parameters["id"])
        if post is None:
            return _problem(404, "no such post")
        post.metrics.update(_decode(request, dict[str, int]))
        return as_json(200, entry(post))

    def _burst(self, request: Request) -> Response:
        post = self._world.ledger.get(request.path_parameters["id"])
        if post is None:
            return _problem(404, "no such post")
        self._world.growth.burst(post.id, _decode(request, NewBurst), self._world.clock.now())
        return Response(204)

    def _grow(self, request: Request) -> Response:
        account = self._account(request)
        self._world.growth.begin(account.id, _decode(request, NewGrowth), self._world.clock.now())
        return Response(204)

    def _mention(self, request: Request) -> Response:
        account = self._account(request)
        platform = self._platform(account.platform)
        if not platform.tells_mentions:
            return _problem(400, f"{platform.name} tells nobody who has mentioned them")
        return as_json(201, {"id": platform.hear(account, _decode(request, NewMention))})

    def _requests(self, request: Request) -> Response:
        received = list(self._world.journal.of(request.query.get("account"), request.query.get("call")))
        return as_json(200, {"requests": received, "total": len(received)})

    def _script_fault(self, request: Request) -> Response:
        script = _decode(request, NewFault)
        platform = self._platform(script.platform)
        if script.call != "*" and script.call not in platform.router.calls:
            return _problem(400, f"{platform.name} has the calls {', '.join(sorted(platform.router.calls))}")
        if script.fault in platform.foreign_faults:
            return _problem(400, f"{script.fault} does not happen on {platform.name}")
        try:
            return as_json(201, _shown(self._world.faults.add(script)))
        except UnfitFaultError as error:
            return _problem(400, str(error))

    def _faults(self, _request: Request) -> Response:
        return as_json(200, {"faults": [_shown(fault) for fault in self._world.faults.all()]})

    def _clear_faults(self, _request: Request) -> Response:
        self._world.faults.clear()
        return Response(204)

    def _remove_fault(self, request: Request) -> Response:
        if not self._world.faults.remove(request.path_parameters["id"]):
            return _problem(404, "no such fault")
        return Response(204)

    def _settings(self, _request: Request) -> Response:
        return as_json(200, {name: platform.settings for name, platform in self._platforms.items()})

    def _change_settings(self, request: Request) -> Response:
        for name, changes in _decode(request, dict[str, dict[str, object]]).items():
            try:
                self._platform(name).change_settings(changes)
            except msgspec.ValidationError as error:
                return _problem(400, f"{name}: {error}")
        return self._settings(request)

    def _advance_clock(self, request: Request) -> Response:
        try:
            self._world.clock.advance(_decode(request, _Advance).advance)
        except ValueError as error:
            return _problem(400, str(error))
        return as_json(200, {"now": self._world.clock.now()})

    def _forget_everything(self, _request: Request) -> Response:
        self._reset()
        return Response(204)

    def _sample(self, request: Request) -> Response:
        sample = SAMPLES.get(request.path_parameters["name"])
        if sample is None:
            return _problem(404, f"the samples are {', '.join(SAMPLES)}")
        try:
            numbers = {name: int(value) for name, value in request.query.items()}
            return Response(200, sample.render(**numbers), sample.content_type)
        except (UnfitSampleError, TypeError, ValueError) as error:
            return _problem(400, str(error))

    def _platform(self, name: str) -> Platform:
        platform = self._platforms.get(name)
        if platform is None:
            raise RefusedError(_problem(400, f"the platforms are {', '.join(sorted(self._platforms))}"))
        return platform

    def _account(self, request: Request) -> Account:
        account = self._world.accounts.get(request.path_parameters["id"])
        if account is None:
            raise RefusedError(_problem(404, "no such account"))
        return account


def _decode(request: Request, expected: type[T]) -> T:
    try:
        return msgspec.json.decode(request.body, type=expected)
    except NOT_JSON as error:
        raise RefusedError(_problem(400, str(error))) from error


def _problem(status: int, detail: str) -> Response:
    return as_json(status, {"error": detail})


def _shown(fault: Fault) -> dict[str, object]:
    return {"id": fault.id, "fired": fault.fired, **msgspec.to_builtins(fault.script)}
