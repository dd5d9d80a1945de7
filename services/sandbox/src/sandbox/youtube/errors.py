"""Google's error bodies, as recorded from production."""

from __future__ import annotations

from sandbox.web import RefusedError, Response, as_json


def error(
    status: int,
    reason: str,
    message: str,
    *,
    domain: str = "global",
    location: str | None = None,
    location_type: str = "parameter",
    name: str | None = None,
) -> RefusedError:
    """The first form of error bodies, which clients ask about by ``reason``.

    Args:
        name: the canonical code, present on what Google's front end answers and absent on what YouTube does.
    """
    detail: dict[str, object] = {"message": message, "domain": domain, "reason": reason}
    if location is not None:
        detail |= {"location": location, "locationType": location_type}
    body: dict[str, object] = {"code": status, "message": message, "errors": [detail]}
    if name is not None:
        body["status"] = name
    return RefusedError(as_json(status, {"error": body}))


def invalid_metadata(reason: str, message: str, field: str) -> RefusedError:
    """What a video's metadata is refused with, before a byte of it is sent."""
    return error(
        400, reason, message, domain="youtube.video", location=f"body.{field}" if field else None, location_type="other"
    )


def bad_request(message: str) -> RefusedError:
    return error(400, "badRequest", message, name="INVALID_ARGUMENT")


def missing_parameter(name: str) -> RefusedError:
    return error(
        400, "missingRequiredParameter", f"Required parameter: {name}", domain="youtube.parameter", location=name
    )


def not_found(kind: str, message: str, location: str) -> RefusedError:
    """``kind`` is the resource: ``video`` makes ``videoNotFound`` in the domain ``youtube.video``."""
    return error(404, f"{kind}NotFound", message, domain=f"youtube.{kind}", location=location)


def forbidden(domain: str = "youtube.common") -> RefusedError:
    message = "Access forbidden. The request may not be properly authorized."
    return error(403, "forbidden", message, domain=domain)


def unauthorized() -> RefusedError:
    message = (
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    )
    response = RefusedError(
        as_json(
            401,
            {
                "error": {
                    "code": 401,
                    "message": message,
                    "errors": [
                        {
                            "message": "Invalid Credentials",
                            "domain": "global",
                            "reason": "authError",
                            "location": "Authorization",
                            "locationType": "header",
                        }
                    ],
                    "status": "UNAUTHENTICATED",
                }
            },
        )
    )
    response.response.headers["WWW-Authenticate"] = 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
    return response


def insufficient_scopes() -> RefusedError:
    message = "Request had insufficient authentication scopes."
    return error(403, "insufficientPermissions", message, name="PERMISSION_DENIED")


def no_channel() -> RefusedError:
    return error(
        401,
        "youtubeSignupRequired",
        "Unauthorized",
        domain="youtube.header",
        location="Authorization",
        location_type="header",
    )


def quota_exceeded() -> RefusedError:
    message = (
        'The request cannot be completed because you have exceeded your <a href="/youtube/v3/getting-started#quota">'
        "quota</a>."
    )
    return error(403, "quotaExceeded", message, domain="youtube.quota")


def rate_limited(status: int) -> Response:
    message = "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user'."
    return error(status, "rateLimitExceeded", message, domain="usageLimits").response


def oauth_error(description: str, name: str, status: int = 400) -> RefusedError:
    return RefusedError(as_json(status, {"error": name, "error_description": description}))
