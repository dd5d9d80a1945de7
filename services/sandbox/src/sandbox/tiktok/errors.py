"""TikTok's answers: the envelope of its API, where a success carries an error too, and the flat errors of OAuth."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from sandbox.web import RefusedError, Response, as_json

_JSON = "application/json"

# What a refusal says besides its code, as far as it was recorded.
_MESSAGES = {
    "access_token_invalid": "The access token is invalid or not found in the request.",
    "scope_not_authorized": "The user did not authorize the scope required for completing this request.",
    "rate_limit_exceeded": "The API rate limit was exceeded. Please try again later.",
    "spam_risk_too_many_posts": "The daily post cap from the API is reached for the current user.",
    "spam_risk_too_many_pending_share": "The user has too many pending shares. Please try again later.",
    "spam_risk_user_banned_from_posting": "The user is banned from making new posts.",
    "reached_active_user_cap": "The daily quota for active publishing users from your client is reached.",
    "unaudited_client_can_only_post_to_private_accounts": (
        "Unaudited clients can only post to a private account. The publish attempt will be blocked when calling "
        "/publish/ with a non-private account."
    ),
    "url_ownership_unverified": "Please review our URL ownership verification rules.",
    "privacy_level_option_mismatch": "The privacy level option is not offered to this creator.",
    "invalid_publish_id": "The publish_id does not exist.",
    "token_not_authorized_for_specified_publish_id": "The access token does not own this publish_id.",
    "publish_not_cancellable": "The post can no longer be cancelled.",
    "internal_error": "Something went wrong. Please try again later.",
    "unsupported_path": "Unsupported path(Janus)",
}
_STATUSES = {
    "access_token_invalid": 401,
    "scope_not_authorized": 401,
    "rate_limit_exceeded": 429,
    "spam_risk_too_many_posts": 403,
    "spam_risk_too_many_pending_share": 403,
    "spam_risk_user_banned_from_posting": 403,
    "reached_active_user_cap": 403,
    "unaudited_client_can_only_post_to_private_accounts": 403,
    "url_ownership_unverified": 403,
    "privacy_level_option_mismatch": 403,
    "internal_error": 500,
    "unsupported_path": 404,
}


def log_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d%H%M%S}{secrets.token_hex(9).upper()}"


def success(data: object) -> Response:
    return as_json(200, {"data": data, "error": {"code": "ok", "message": "", "log_id": log_id()}}, content_type=_JSON)


def refused(code: str, message: str | None = None, *, status: int | None = None) -> RefusedError:
    """A refusal in the envelope, with the status that belongs to its code; 400 when none is known."""
    error = {"code": code, "message": _MESSAGES.get(code, "") if message is None else message, "log_id": log_id()}
    found = _STATUSES.get(code, 400) if status is None else status
    return RefusedError(as_json(found, {"data": {}, "error": error}, content_type=_JSON))


def oauth_error(name: str, description: str, status: int) -> RefusedError:
    body = {"error": name, "error_description": description, "log_id": log_id()}
    return RefusedError(as_json(status, body, content_type=_JSON))
