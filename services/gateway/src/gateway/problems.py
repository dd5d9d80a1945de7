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
        "variant_impossible": Kind(
            400, "No variant would make it fit", "Use another file: `errors` says what the platform asks for."
        ),
        "media_not_found": Kind(404, "Media ID not found", "Check the id; deleted media are gone for good."),
        "upload_not_found": Kind(404, "Upload not found", "Begin a new upload; unfinished ones are kept for a day."),
        "file_not_found": Kind(404, "No file at this address", "Read the media again: addresses of files expire."),
        "media_in_use": Kind(
            409,
            "The media is used by posts that are still to go out",
            "Change or cancel the posts that `errors` names.",
        ),
        "media_not_ready": Kind(
            409,
            "The media is not ready",
            "Read it until its status is `ready`; what is rejected must be sent anew.",
            True,
        ),
        "variant_unneeded": Kind(409, "The media fits as it is", "Nothing to do."),
        "too_many_variants": Kind(409, "Too many variants", "Use one of those that have been made."),
        "upload_offset": Kind(409, "The upload stands elsewhere", "Ask with HEAD where to go on.", True),
        "range_unsatisfiable": Kind(416, "The file has no such bytes", "Ask for a range within the file."),
        "invalid_parameter": Kind(400, "A parameter is not valid", "Correct what `errors` lists and send it again."),
        "account_required": Kind(
            400, "No account to publish to", "Connect an account of this platform, or leave the platform out."
        ),
        "account_ambiguous": Kind(
            400, "More than one account to publish to", "Name one of `choices`, or make one the default."
        ),
        "platform_not_configured": Kind(
            400, "The platform is not configured here", "Ask the operator to register an app with the platform."
        ),
        "redirect_not_allowed": Kind(
            400, "The redirect URI is not allowed", "Use one that the operator has listed, letter by letter."
        ),
        "invalid_state": Kind(400, "The authorization is not known, or is over", "Begin the connection anew."),
        "authorization_denied": Kind(400, "The person did not allow the connection", "Begin anew, and allow it."),
        "authorization_failed": Kind(400, "The platform did not accept the authorization", "Begin anew."),
        "nothing_to_connect": Kind(
            400, "The login has nothing to publish to", "Log in as somebody who manages a page or channel."
        ),
        "invalid_selection": Kind(400, "There is nothing to select any more", "Begin the connection anew."),
        "invalid_choice": Kind(400, "Not one of the choices", "Use the id of one of the choices."),
        "url_not_allowed": Kind(
            400, "The URL may not be called", "Use a public https address with no redirect, user name or fragment."
        ),
        "unauthenticated": Kind(401, "Authentication required", "Send a valid bearer token."),
        "forbidden_role": Kind(403, "Role not sufficient", "Ask your administrator for one of the roles named."),
        "permissions_missing": Kind(
            403, "Publishing was not permitted", "Begin anew, and allow everything that is asked for."
        ),
        "account_not_found": Kind(404, "Account ID not found", "Choose one of the accounts that GET /accounts lists."),
        "endpoint_not_found": Kind(404, "Webhook ID not found", "Choose one of those that GET /webhooks lists."),
        "delivery_not_found": Kind(404, "Delivery ID not found", "The webhook's deliveries list the ids."),
        "target_not_found": Kind(404, "Target ID not found", "The post's `targets` list the ids."),
        "command_not_found": Kind(404, "Command ID not found", "Check the id; commands are remembered for a while."),
        "route_not_found": Kind(404, "No such resource", "The paths are listed at /docs."),
        "method_not_allowed": Kind(405, "Method not allowed", "Use one of the methods in the Allow header."),
        "request_timeout": Kind(408, "The body did not arrive in time", "Send the request again.", True),
        "not_editable": Kind(409, "The post cannot be changed now", _OF_STATUS_CONFLICT),
        "not_schedulable": Kind(409, "The post cannot be scheduled now", _OF_STATUS_CONFLICT),
        "not_publishable": Kind(409, "The post cannot be published now", _OF_STATUS_CONFLICT),
        "not_cancellable": Kind(409, "The post cannot be cancelled now", _OF_STATUS_CONFLICT),
        "not_deletable": Kind(409, "The post cannot be deleted now", _OF_STATUS_CONFLICT),
        "not_resolvable": Kind(409, "The target is not held", _OF_STATUS_CONFLICT),
        "not_measurable": Kind(
            409, "Nothing of the post is being measured", "Publish it; thirty days later nothing is read any more."
        ),
        "already_disconnected": Kind(409, "The account is disconnected already", "Nothing to do."),
        "account_mismatch": Kind(409, "The platform answers with another account", "Connect that account instead."),
        "endpoint_disabled": Kind(409, "The webhook is disabled", "Enable it, then repeat."),
        "too_many_endpoints": Kind(409, "No more webhooks", "Delete one that is not needed."),
        "too_many_secrets": Kind(409, "Too many secrets in use", "Wait until the overlap of an older one is over."),
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
        "too_many_streams": Kind(429, "Too many streams", "Close one, or poll GET /events.", True),
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
        "uploads_unavailable": Kind(503, "Media cannot be stored or read now", "Repeat after Retry-After.", True),
        "store_unavailable": Kind(503, "Posts cannot be read now", "Repeat after Retry-After.", True),
        "history_unavailable": Kind(503, "The history cannot be read now", "Repeat after Retry-After.", True),
        "platform_unreachable": Kind(503, "The platform does not answer now", "Repeat in a while.", True),
        "connecting_unavailable": Kind(
            503, "Accounts cannot be connected or changed now", "Repeat after a few seconds.", True
        ),
        "webhooks_unavailable": Kind(
            503, "Webhooks cannot be read or changed now", "Repeat with the same Idempotency-Key.", True
        ),
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
