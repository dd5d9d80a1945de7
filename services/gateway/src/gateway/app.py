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
from gateway.entrypoints import (
    accounts,
    analytics,
    commands,
    connecting,
    docs,
    events,
    files,
    history,
    media,
    posts,
    publish,
    resuming,
    scheduling,
    threads,
    validation,
    webhooks,
)
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
    posts.resolve_target,
    history.get_history,
    commands.get_command,
    threads.create_thread,
    threads.get_thread,
    scheduling.get_queue,
    analytics.get_post_analytics,
    analytics.refresh_post_analytics,
    analytics.stream_analytics,
    analytics.get_distribution,
    analytics.get_optimal_times,
    accounts.list_accounts,
    accounts.get_account,
    accounts.disconnect_account,
    accounts.refresh_account,
    connecting.connect_account,
    connecting.complete_connection,
    connecting.select_connection,
    connecting.get_callback,
    connecting.post_callback,
    media.upload_media,
    media.import_media,
    media.list_media,
    media.get_media,
    media.make_variant,
    media.delete_media,
    resuming.begin_upload,
    resuming.get_upload,
    resuming.go_on_with_upload,
    resuming.end_upload,
    files.get_file,
    webhooks.create_webhook,
    webhooks.list_webhooks,
    webhooks.get_webhook,
    webhooks.update_webhook,
    webhooks.delete_webhook,
    webhooks.enable_webhook,
    webhooks.disable_webhook,
    webhooks.rotate_secret,
    webhooks.test_webhook,
    webhooks.list_deliveries,
    webhooks.get_delivery,
    webhooks.replay_delivery,
    webhooks.replay_range,
    webhooks.recover_failed,
    events.list_events,
    events.stream_events,
    docs.get_docs,
    docs.get_event_docs,
    docs.get_asyncapi,
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
