"""Graph API errors (developers.facebook.com, Graph API, "Handle errors"; Instagram Platform, "Error codes")."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sandbox.web import RefusedError, as_json

_EXPIRED = (
    "Error validating access token: Session has expired on Tuesday, 24-Nov-26 05:00:00 PST. "
    "The current time is Tuesday, 24-Nov-26 06:00:00 PST."
)
_REVOKED = (
    "Error validating access token: The session has been invalidated because the user changed their password or "
    "Facebook has changed the session for security reasons."
)


class Flaw(NamedTuple):
    """What is wrong with a file or a container: an Instagram publishing error."""

    code: int
    subcode: int
    message: str


UNREACHABLE = Flaw(9004, 2207052, "The media could not be fetched from this URI.")
TOO_LARGE = Flaw(36000, 2207004, "The image size is too large.")
NOT_JPEG = Flaw(36001, 2207005, "The image format is not supported.")
BAD_RATIO = Flaw(36003, 2207009, "The submitted image with aspect ratio is not supported.")
BAD_VIDEO = Flaw(352, 2207026, "The video format is not supported.")
BROKEN = Flaw(-1, 2207082, "Media upload has failed.")
LONG_CAPTION = Flaw(36004, 2207010, "The caption was too long.")
BAD_CAROUSEL = Flaw(100, 2207028, "Your post won't work as a carousel. Carousels need at least 2 and at most 10 items.")
NOT_READY = Flaw(9007, 2207027, "Media ID is not available")
NO_CONTAINER = Flaw(24, 2207008, "The requested resource does not exist")
QUOTA = Flaw(9, 2207042, "Application request limit reached")
BAD_TYPE = Flaw(100, 2207023, "The media type is unknown.")
BAD_OFFSET = Flaw(1, 2207057, "The thumbnail offset must be within the video.")


def error(
    code: int,
    message: str,
    *,
    status: int = 400,
    subcode: int | None = None,
    kind: str = "OAuthException",
    user_message: str | None = None,
    transient: bool | None = None,
    data: dict[str, object] | None = None,
) -> RefusedError:
    body: dict[str, object] = {"message": message, "type": kind, "code": code}
    optional: dict[str, object | None] = {
        "error_subcode": subcode,
        "is_transient": transient,
        "error_user_title": None if user_message is None else "Error",
        "error_user_msg": user_message,
        "error_data": data,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    body["fbtrace_id"] = secrets.token_urlsafe(16)
    return RefusedError(as_json(status, {"error": body}))


def flawed(flaw: Flaw) -> RefusedError:
    return error(flaw.code, flaw.message, subcode=flaw.subcode, user_message=flaw.message, transient=False)


def invalid(message: str) -> RefusedError:
    return error(100, f"(#100) {message}")


def missing_object(object_id: str, method: str = "get") -> RefusedError:
    return error(
        100,
        f"Unsupported {method} request. Object with ID '{object_id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
        subcode=33,
        kind="GraphMethodException",
    )


def permission(message: str, code: int = 200) -> RefusedError:
    return error(code, f"(#{code}) {message}", status=403)


def no_token() -> RefusedError:
    return error(104, "An access token is required to request this resource.")


def bad_token(status: int) -> RefusedError:
    return error(190, "Invalid OAuth access token - Cannot parse access token", status=status)


def expired_token(status: int) -> RefusedError:
    return error(190, _EXPIRED, status=status, subcode=463)


def revoked_token(status: int) -> RefusedError:
    return error(190, _REVOKED, status=status, subcode=460)


def rupload_error(status: int, kind: str, message: str, *, retriable: bool) -> RefusedError:
    """What rupload.facebook.com answers: another shape than Graph's."""
    return RefusedError(as_json(status, {"debug_info": {"retriable": retriable, "type": kind, "message": message}}))
