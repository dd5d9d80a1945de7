"""What is said of an operation of the API, and what several say alike."""

from typing import Any

from msgspec import Struct

EVERYWHERE = (
    "unauthenticated",
    "forbidden_role",
    "too_many_requests",
    "headers_too_large",
    "internal_error",
    "keys_unavailable",
)
READ = (*EVERYWHERE, "store_unavailable")
BODY = (
    *READ,
    "invalid_content",
    "invalid_parameter",
    "idempotency_in_flight",
    "body_too_large",
    "request_timeout",
    "unsupported_media_type",
    "idempotency_key_reuse",
)
COMMAND = (*BODY, "log_unavailable", "append_unknown", "overloaded", "expired")
RESOLVE = ("media_unsupported", "account_required", "account_ambiguous", "account_disconnected", "account_not_found")
CHANGE = (*COMMAND, "post_not_found", "revision_mismatch")
SIMPLE_BODY = tuple(code for code in BODY if not code.startswith("idempotency_"))
WEBHOOKS = ("webhooks_unavailable",)
PUBLISHER = ("platform_unreachable", "connecting_unavailable")
PATIENCE = (
    " When no verdict comes within a few seconds the answer is 202 with a `status_url`: the command is safe in the log "
    "and will be decided."
)
JSON = "application/json"


class Operation(Struct, frozen=True, kw_only=True):
    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str = ""
    body: tuple[type[Struct], ...] = ()
    """What the request body may be; empty when there is none."""
    body_is_optional: bool = False
    query: type[Struct] | None = None
    status: int
    answer: type[Struct] | None
    problems: tuple[str, ...]
    other_form: str | None = None
    """A content type besides JSON that the answer may have."""
    takes_if_match: bool = False
    accepted: type[Struct] | None = None
    """What 202 is answered with when the request is obeyed bit by bit."""
    takes_key: bool = True
    """Whether an Idempotency-Key means anything to it, if it is a write."""
    content: tuple[str, dict[str, Any]] | None = None
    """Type and schema of a body that is not JSON."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers that it asks for, each with what it says."""
    media_type: str = JSON
    """Of the answer."""
    may_be_pending: bool = False
    """Whether 202 with a status URL is answered when the verdict takes too long."""
