"""Everything that can go wrong, by code: one table for the answers, the documentation and the tests (RFC 9457)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from contracts.verdicts import Refusal

MEDIA_TYPE = "application/problem+json"


class Kind(Struct, frozen=True):
    status: int
    title: str
    remediation: str
    retryable: bool = False
    """Whether the same request may succeed later, unchanged."""


_OF_STATUS_CONFLICT = "Read the post again: `current_status` says where it stands."

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # The contract's own codes.
        "invalid_content": Kind(400, "Content validation failed", "Correct what `errors` lists and send it again."),
        "media_unsupported": Kind(
            400, "Media format not supported", "Use media of the types and counts that `errors` names."
        ),
        "account_disconnected": Kind(401, "Platform auth expired", "Connect the account again, then repeat."),
        "rate_limited": Kind(403, "Platform rate limit reached", "Wait until the platform's limit resets.", True),
        "post_not_found": Kind(404, "Post ID not found", "Check the id; deleted posts are gone for good."),
        "media_too_large": Kind(413, "Media exceeds size limit", "Use a smaller file."),
        # What else a request can meet.
        "invalid_parameter": Kind(400, "A parameter is not valid", "Correct what `errors` lists and send it again."),
        "account_required": Kind(
            400, "No account to publish to", "Connect an account of this platform, or leave the platform out."
        ),
        "account_ambiguous": Kind(
            400, "More than one account to publish to", "Name one of `choices`, or make one the default."
        ),
        "unauthenticated": Kind(401, "Authentication required", "Send a valid bearer token."),
        "forbidden_role": Kind(403, "Role not sufficient", "Ask your administrator for one of the roles named."),
        "account_not_found": Kind(404, "Account ID not found", "Choose one of the accounts that GET /accounts lists."),
        "command_not_found": Kind(404, "Command ID not found", "Check the id; commands are remembered for a while."),
        "route_not_found": Kind(404, "No such resource", "The paths are listed at /docs."),
        "method_not_allowed": Kind(405, "Method not allowed", "Use one of the methods in the Allow header."),
        "request_timeout": Kind(408, "The body did not arrive in time", "Send the request again.", True),
        "not_editable": Kind(409, "The post cannot be changed now", _OF_STATUS_CONFLICT),
        "not_schedulable": Kind(409, "The post cannot be scheduled now", _OF_STATUS_CONFLICT),
        "not_publishable": Kind(409, "The post cannot be published now", _OF_STATUS_CONFLICT),
        "not_cancellable": Kind(409, "The post cannot be cancelled now", _OF_STATUS_CONFLICT),
        "not_deletable": Kind(409, "The post cannot be deleted now", _OF_STATUS_CONFLICT),
        "idempotency_in_flight": Kind(
            409, "The first request with this key is in progress", "Wait for Retry-After and repeat.", True
        ),
        "revision_mismatch": Kind(
            412, "The post has changed since you read it", "Read it again and apply your change to the new revision."
        ),
        "body_too_large": Kind(413, "The request body is too large", "Send a smaller body."),
        "unsupported_media_type": Kind(415, "The body is not JSON", "Send JSON, with Content-Type: application/json."),
        "idempotency_key_reuse": Kind(
            422, "The key was used for another request", "Use a new Idempotency-Key for a new request."
        ),
        "too_many_requests": Kind(429, "Too many requests", "Wait for Retry-After; RateLimit says what is left.", True),
        "headers_too_large": Kind(431, "The headers are too large", "Send fewer or shorter headers."),
        "internal_error": Kind(500, "Something broke on our side", "Report the request_id.", True),
        "log_unavailable": Kind(
            503, "Commands cannot be accepted now", "Nothing was done. Repeat with the same Idempotency-Key.", True
        ),
        "append_unknown": Kind(
            503,
            "It is not known whether the command was accepted",
            "Repeat with the same Idempotency-Key, or look at `status_url` after Retry-After.",
            True,
        ),
        "store_unavailable": Kind(503, "Posts cannot be read now", "Repeat after Retry-After.", True),
        "history_unavailable": Kind(503, "The history cannot be read now", "Repeat after Retry-After.", True),
        "keys_unavailable": Kind(503, "Tokens cannot be checked now", "Repeat after Retry-After.", True),
        "overloaded": Kind(503, "Too many requests in progress", "Repeat after Retry-After.", True),
        "expired": Kind(
            503,
            "The command came too late to be obeyed",
            "Nothing was done. Repeat with the same Idempotency-Key.",
            True,
        ),
    }
)


class AccountChoice(Struct, frozen=True, kw_only=True):
    id: str
    username: str


class FieldError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, and where: `pointer` into the body (RFC 6901), or the name of a `parameter`."""

    rule: str
    message: str
    pointer: str | None = None
    parameter: str | None = None
    limit: int | float | str | list[Any] | None = None
    actual: int | float | str | list[Any] | None = None
    remediation: str | None = None
    platform: str | None = None
    severity: str | None = None
    """`incomplete`: a draft may be so. Only where drafts are looked at."""
    choices: tuple[AccountChoice, ...] = ()


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that is not a success."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[FieldError, ...] = ()
    platform: str | None = None
    platform_error: str | None = None
    remediation: str
    retryable: bool
    choices: tuple[AccountChoice, ...] = ()
    current_status: str | None = None
    current_revision: int | None = None
    command_id: str | None = None
    status_url: str | None = None
    request_id: str
    trace_id: str


class ProblemError(Exception):
    """Ends a request with the problem of this code. `more` fills further members of `Problem`."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.more = more
        if self.kind.status == 401:
            # RFC 9110, 11.6.1: every 401 carries a challenge.
            self.headers.setdefault("WWW-Authenticate", 'Bearer realm="social-publishing"')
        if self.kind.status == 503:
            self.headers.setdefault("Retry-After", "2")

    @property
    def status(self) -> int:
        return self.kind.status

    def body(self, *, request_id: str, trace_id: str) -> bytes:
        return msgspec.json.encode(
            Problem(
                type=f"urn:social-publishing:problem:{self.code}",
                title=self.kind.title,
                status=self.kind.status,
                detail=self.detail,
                code=self.code,
                errors=self.errors,
                remediation=self.kind.remediation,
                retryable=self.kind.retryable,
                request_id=request_id,
                trace_id=trace_id,
                **self.more,
            )
        )


def invalid_content(*errors: FieldError) -> ProblemError:
    """400 for a body that breaks rules."""
    return ProblemError("invalid_content", _summary(errors), errors=errors)


def invalid_parameter(parameter: str, rule: str, message: str, **more: Any) -> ProblemError:
    """400 for a query parameter or header."""
    return ProblemError(
        "invalid_parameter",
        message,
        errors=(FieldError(parameter=parameter, rule=rule, message=message, **more),),
    )


def refused(refusal: Refusal) -> ProblemError:
    """The problem that tells a decider's refusal."""
    code = refusal.code if refusal.code in KINDS else "internal_error"
    return ProblemError(
        code,
        refusal.message,
        errors=(FieldError(rule="post.decision", message=refusal.message),) if code == "invalid_content" else (),
        current_status=refusal.details.get("status"),
        current_revision=refusal.details.get("revision"),
    )


def _summary(errors: Sequence[FieldError]) -> str:
    first = errors[0].message
    return first if len(errors) == 1 else f"{first} ({len(errors)} errors in all)"
