"""Connecting an account: sending a person to a platform, and what happens when they come back.

They come back to an address of the client's own, which then completes the connection with its user's token, or to our
page. There nobody is logged in: the state is the credential, and a person confirms whom they let publish as them.
"""

from collections.abc import Iterable
from typing import Annotated
from urllib.parse import parse_qsl

from litestar import Response, get, post
from msgspec import Meta

from contracts import connections
from contracts.connections import (
    AccountConnection,
    BeginConnection,
    CompleteConnection,
    ConnectionBegun,
    ConnectionCompleted,
    SelectConnection,
)
from contracts.content import PLATFORMS, Platform
from gateway import context, pages, views
from gateway.answers import Answer, answer
from gateway.calls import Gateway, Write, once, write
from gateway.connections import CALLBACK
from gateway.context import Req
from gateway.policy import BASE
from gateway.problems import ProblemError
from gateway.requests import Body

Credential = Annotated[str, Meta(min_length=1, max_length=4_096)]
Address = Annotated[str, Meta(min_length=1, max_length=2_048)]

_HTML = "text/html"
_LONGEST_FORM = 16_384
_MAX_FIELDS = 20


class ConnectBody(Body, frozen=True, kw_only=True):
    platform: Platform
    redirect_uri: Address | None = None
    """One of those that the operator has listed; without it the person comes back to our own page."""
    login: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    """Where a platform has several ways to log in: LinkedIn `pages`, Instagram `facebook`."""
    return_to: Address | None = None
    """Where our own page leads the person in the end; it must be listed as well."""


class CompleteBody(Body, frozen=True, kw_only=True):
    """What the platform gave to the redirect URI."""

    state: Credential
    code: Credential


class SelectBody(Body, frozen=True, kw_only=True):
    selection_token: Credential
    choice: Credential
    """The `id` of one of the choices."""


@post(f"{BASE}/accounts/connect", status_code=200)
async def connect_account(request: Req) -> Response[bytes]:
    return await once(request, _connect)


async def _connect(call: Write) -> Answer:
    body = call.body(ConnectBody)
    redirects = call.gateway.redirects
    redirect_uri, hosted = redirects.choose(body.platform, body.redirect_uri)
    redirects.check_return(body.return_to)
    begun = await call.gateway.publisher.call(
        connections.BEGIN,
        BeginConnection(
            tenant_id=call.tenant_id,
            user=call.principal.subject,
            platform=body.platform,
            login=body.login,
            redirect_uri=redirect_uri,
            hosted=hosted,
            return_to=body.return_to if hosted else None,
        ),
        ConnectionBegun,
    )
    return answer(
        views.ConnectionBegunView(
            authorization_url=begun.authorization_url, state=begun.state, expires_in=begun.expires_in
        )
    )


@post(f"{BASE}/accounts/connect/complete", status_code=200)
async def complete_connection(request: Req) -> Response[bytes]:
    return await write(request, _complete)


async def _complete(call: Write) -> Answer:
    body = call.body(CompleteBody)
    completed = await call.gateway.publisher.call(
        connections.COMPLETE,
        CompleteConnection(state=body.state, code=body.code, tenant_id=call.tenant_id, user=call.principal.subject),
        ConnectionCompleted,
    )
    return answer(views.connection(completed))


@post(f"{BASE}/accounts/connect/select", status_code=200)
async def select_connection(request: Req) -> Response[bytes]:
    return await write(request, _select)


async def _select(call: Write) -> Answer:
    body = call.body(SelectBody)
    connection = await call.gateway.publisher.call(
        connections.SELECT,
        SelectConnection(
            selection_token=body.selection_token,
            choice_id=body.choice,
            tenant_id=call.tenant_id,
            user=call.principal.subject,
        ),
        AccountConnection,
    )
    return answer(views.connection(ConnectionCompleted(connection=connection)))


# --- our own page -------------------------------------------------------------------------------------


@get(f"{CALLBACK}/{{platform:str}}")
async def get_callback(request: Req) -> Response[bytes]:
    gateway: Gateway = request.app.state.gateway
    try:
        return await _came_back(gateway, request)
    except ProblemError as problem:
        return _failed(problem)


async def _came_back(gateway: Gateway, request: Req) -> Response[bytes]:
    platform = _platform(request)
    given = _single(request.query_params.multi_items())
    state, code = given.get("state"), given.get("code")
    if not state or (not code and "error" not in given):
        raise ProblemError("invalid_state", "This address is not complete.")
    completed = await gateway.publisher.call(
        connections.COMPLETE,
        # With an error there is no code to be trusted.
        CompleteConnection(state=state, code=None if "error" in given else code, platform=platform),
        ConnectionCompleted,
    )
    if completed.selection is None:
        raise ProblemError("internal_error", "Something unforeseen happened.")
    return _page(pages.choosing(completed.selection))


@post(f"{CALLBACK}/{{platform:str}}", status_code=200)
async def post_callback(request: Req) -> Response[bytes]:
    gateway: Gateway = request.app.state.gateway
    try:
        return await _chosen(gateway, request)
    except ProblemError as problem:
        return _failed(problem)


async def _chosen(gateway: Gateway, request: Req) -> Response[bytes]:
    _platform(request)
    body = context.of(request).body
    if len(body) > _LONGEST_FORM:
        raise ProblemError("invalid_selection", "This is not the form of this page.")
    try:
        given = _single(parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise ProblemError("invalid_selection", "This is not the form of this page.") from None
    connection = await gateway.publisher.call(
        connections.SELECT,
        SelectConnection(selection_token=given.get("selection_token", ""), choice_id=given.get("choice", "")),
        AccountConnection,
    )
    return _page(pages.connected(connection.account, connection.return_to))


def _platform(request: Req) -> Platform:
    """Raises ProblemError."""
    named = request.path_params["platform"]
    platform = next((each for each in PLATFORMS if each == named), None)
    if platform is None:
        raise ProblemError("route_not_found", "There is nothing at this path.")
    return platform


def _single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Raises ProblemError when a name is given twice: two readers could each see another value."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise ProblemError("invalid_state", "This address is not what the platform gives.")
        given[name] = value
    return given


def _page(content: bytes, status: int = 200) -> Response[bytes]:
    return Response(content, status_code=status, media_type=_HTML)


def _failed(problem: ProblemError) -> Response[bytes]:
    return _page(pages.failed(problem.detail), problem.status)
