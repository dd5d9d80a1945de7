"""LinkedIn's error bodies, as recorded from production."""

from __future__ import annotations

from sandbox.web import RefusedError, as_json

_BAD_REQUEST = "com.linkedin.common.error.BadRequest"


def error(status: int, message: str, code: str | None = None, service_code: int | None = None) -> RefusedError:
    """The flat form; ``code`` and ``serviceErrorCode`` may be absent."""
    body: dict[str, object] = {"status": status, "message": message}
    if service_code is not None:
        body["serviceErrorCode"] = service_code
    if code is not None:
        body["code"] = code
    return RefusedError(as_json(status, body))


def input_error(status: int, code: str, description: str, field: str | None = None) -> RefusedError:
    """The form that names what was wrong with the input."""
    place = {"inputPath": {"fieldPath": field}} if field else {}
    return RefusedError(
        as_json(
            status,
            {
                "errorDetailType": _BAD_REQUEST,
                "message": description,
                "errorDetails": {"inputErrors": [{"description": description, "input": place, "code": code}]},
                "status": status,
            },
        )
    )


def unpermitted(field: str) -> RefusedError:
    """A member that the endpoint does not take, or null where a value is due."""
    return error(
        403,
        f"Unpermitted fields present in REQUEST_BODY: Data Processing Exception while processing fields [{field}]",
        "ACCESS_DENIED",
        100,
    )


def no_permission(permission: str) -> RefusedError:
    """``permission`` carries resource, method and version: ``partnerApiPostsExternal.GET.20260901``."""
    return error(403, f"Not enough permissions to access: {permission}", "ACCESS_DENIED")


def throttled() -> RefusedError:
    """429; LinkedIn sends neither Retry-After nor what is left."""
    return error(
        429,
        "Resource level throttle limit for calls to this resource is reached.",
        "TOO_MANY_REQUESTS",
        101,
    )


def not_found(what: str) -> RefusedError:
    return error(404, f"Could not find entity {what}", "NOT_FOUND")


def oauth_error(description: str, name: str = "invalid_request", status: int = 400) -> RefusedError:
    return RefusedError(as_json(status, {"error": name, "error_description": description}))
