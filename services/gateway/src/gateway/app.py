"""The routes, put together behind the front."""

import structlog
from litestar import Litestar, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from gateway import answers, context, policy
from gateway.auth import TokenVerifier
from gateway.calls import Gateway
from gateway.context import Req
from gateway.entrypoints import accounts, commands, docs, history, posts, publish, scheduling, threads, validation
from gateway.middleware import Front
from gateway.problems import ProblemError
from gateway.settings import Settings

log = structlog.get_logger()

HANDLERS = (
    publish.publish,
    publish.get_publication,
    posts.create_post,
    posts.list_posts,
    validation.validate_post,
    posts.get_post,
    posts.edit_post,
    posts.delete_post,
    posts.publish_post,
    posts.schedule_post,
    posts.cancel_post,
    history.get_history,
    commands.get_command,
    threads.create_thread,
    threads.get_thread,
    scheduling.get_queue,
    accounts.list_accounts,
    docs.get_docs,
    docs.get_docs_asset,
    docs.get_openapi,
    docs.get_livez,
)


def create_app(gateway: Gateway, *, verifier: TokenVerifier, settings: Settings) -> ASGIApp:
    """Raises policy.UnguardedRouteError when a route has no policy, or a policy no route."""
    routes = Litestar(
        route_handlers=HANDLERS,
        exception_handlers={Exception: _on_exception},
        openapi_config=None,
        logging_config=None,
        state=State({"gateway": gateway}),
    )
    policy.check_complete(served(routes))
    return Front(routes, verifier=verifier, settings=settings)


def served(routes: Litestar) -> set[tuple[str, str]]:
    """Method and path template of each route, as the policy writes them."""
    return {
        (str(method), route.path_format)
        for route in routes.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"  # Litestar's own; the front never lets it through
    }


_OF_LITESTAR = {404: "route_not_found", 405: "method_not_allowed"}


def _on_exception(request: Req, error: Exception) -> Response[bytes]:
    where = context.of(request)
    if isinstance(error, ProblemError):
        problem = error
    elif isinstance(error, HTTPException) and error.status_code in _OF_LITESTAR:
        problem = ProblemError(_OF_LITESTAR[error.status_code], error.detail)
    else:
        log.error("a request failed", request_id=where.request_id, exc_info=error)
        problem = ProblemError("internal_error", "Something unforeseen happened.")
    return answers.problem(problem, request_id=where.request_id, trace_id=where.trace_id).response()
