"""The description of the API (OpenAPI 3.1), made from the structs that requests are read into and answers made of."""

from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from gateway import examples, insight_views, media_examples, media_views, views, webhook_examples, webhook_views
from gateway.entrypoints.accounts import AccountsQuery
from gateway.entrypoints.analytics import AnalyticsQuery, DistributionQuery, OptimalTimesQuery
from gateway.entrypoints.connecting import CompleteBody, ConnectBody, SelectBody
from gateway.entrypoints.events import EventsQuery, StreamQuery
from gateway.entrypoints.history import HistoryQuery
from gateway.entrypoints.media import ImportBody, MediaQuery, VariantBody
from gateway.entrypoints.posts import DeleteQuery, ListQuery
from gateway.entrypoints.scheduling import QueueQuery
from gateway.entrypoints.webhooks import (
    CreateWebhookBody,
    DeliveriesQuery,
    ReplayBody,
    RotateSecretBody,
    UpdateWebhookBody,
)
from gateway.idempotency import MAX_KEY
from gateway.policy import BASE, ROLES
from gateway.problems import KINDS, MEDIA_TYPE, Problem, ProblemError
from gateway.requests import (
    CreateBody,
    EditBody,
    NothingBody,
    PublishBody,
    PublishNowBody,
    PublishTarget,
    ResolveBody,
    ScheduleBody,
    ThreadBody,
)
from platforms.checking import OPTIONS

TITLE = "Social Publishing API"
VERSION = "1.0.0"

_REQUESTS = {**examples.REQUESTS, **media_examples.REQUESTS, **webhook_examples.REQUESTS}
_ANSWERS = {**examples.ANSWERS, **media_examples.ANSWERS, **webhook_examples.ANSWERS}
_IDS = {**examples.IDS, **media_examples.IDS}
_REF = "#/components/schemas/{name}"
_JSON = "application/json"

_EVERYWHERE = (
    "unauthenticated",
    "forbidden_role",
    "too_many_requests",
    "headers_too_large",
    "internal_error",
    "keys_unavailable",
)
_READ = (*_EVERYWHERE, "store_unavailable")
_BODY = (
    *_READ,
    "invalid_content",
    "invalid_parameter",
    "idempotency_in_flight",
    "body_too_large",
    "request_timeout",
    "unsupported_media_type",
    "idempotency_key_reuse",
)
_COMMAND = (*_BODY, "log_unavailable", "append_unknown", "overloaded", "expired")
_RESOLVE = ("media_unsupported", "account_required", "account_ambiguous", "account_disconnected", "account_not_found")
_CHANGE = (*_COMMAND, "post_not_found", "revision_mismatch")


_SIMPLE_BODY = tuple(code for code in _BODY if not code.startswith("idempotency_"))
_WEBHOOKS = ("webhooks_unavailable",)
_PUBLISHER = ("platform_unreachable", "connecting_unavailable")


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
    media_type: str = _JSON
    """Of the answer."""
    may_be_pending: bool = False
    """Whether 202 with a status URL is answered when the verdict takes too long."""


_PATIENCE = (
    " When no verdict comes within a few seconds the answer is 202 with a `status_url`: the command is safe in the log "
    "and will be decided."
)

OPERATIONS = (
    Operation(
        method="POST",
        path=f"{BASE}/publish",
        id="publish",
        tag="Publishing",
        summary="Publish Content",
        description="Publishes content to one or more accounts, at once or at `publish_at`. Everything that can be "
        "checked is checked now, so that nothing fails later for a reason known today." + _PATIENCE,
        body=(PublishBody,),
        status=201,
        answer=views.PublicationView,
        problems=(*_COMMAND, *_RESOLVE),
        may_be_pending=True,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/publish/{{publish_id}}",
        id="getPublication",
        tag="Publishing",
        summary="Get Publication",
        description="How far a publication has got on each account.",
        status=200,
        answer=views.PublicationView,
        problems=(*_READ, "post_not_found"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts",
        id="createPost",
        tag="Posts",
        summary="Create Post",
        description="Creates a draft, or with `status: scheduled` and `scheduled_at` a scheduled post. A draft may "
        "still lack text, accounts, or platforms that can be published to." + _PATIENCE,
        body=(CreateBody,),
        status=201,
        answer=views.PostView,
        problems=(*_COMMAND, *_RESOLVE),
        may_be_pending=True,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/posts",
        id="listPosts",
        tag="Posts",
        summary="List Posts",
        description="Newest first. Pages stay put while posts are added.",
        query=ListQuery,
        status=200,
        answer=views.PostList,
        problems=(*_READ, "invalid_parameter"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/validate",
        id="validatePost",
        tag="Posts",
        summary="Validate Post",
        description="The verdict that creating this post, or publishing this content, would meet; nothing is created.",
        body=(CreateBody, PublishBody),
        status=200,
        answer=views.ValidationView,
        problems=_BODY,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/posts/{{post_id}}",
        id="getPost",
        tag="Posts",
        summary="Get Post",
        status=200,
        answer=views.PostView,
        problems=(*_READ, "post_not_found"),
    ),
    Operation(
        method="PUT",
        path=f"{BASE}/posts/{{post_id}}",
        id="updatePost",
        tag="Posts",
        summary="Update Post",
        description="Changes the fields given; the others stay, also those within `content`. A failed or cancelled "
        "post becomes a draft again." + _PATIENCE,
        body=(EditBody,),
        status=200,
        answer=views.PostView,
        problems=(*_CHANGE, *_RESOLVE, "not_editable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="DELETE",
        path=f"{BASE}/posts/{{post_id}}",
        id="deletePost",
        tag="Posts",
        summary="Delete Post",
        description="Deletes the post here. What is live on a platform stays there, unless `from_platforms` is true: "
        "then it is taken down first, answered with 202, and deleted here when it is gone everywhere; where a platform "
        "has no call for it, or refuses, `targets[].removal` says why." + _PATIENCE,
        query=DeleteQuery,
        status=204,
        answer=None,
        accepted=views.PostView,
        problems=(*_CHANGE, "invalid_parameter", "not_deletable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/{{post_id}}/publish",
        id="publishPost",
        tag="Posts",
        summary="Publish Post",
        description="Publishes a draft, scheduled, cancelled or failed post now; of a failed one what is not live.",
        body=(PublishNowBody,),
        body_is_optional=True,
        status=202,
        answer=views.PostView,
        problems=(*_CHANGE, *_RESOLVE, "not_publishable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/{{post_id}}/schedule",
        id="schedulePost",
        tag="Posts",
        summary="Schedule Post",
        description="A time without an offset is the local time of `timezone`." + _PATIENCE,
        body=(ScheduleBody,),
        status=200,
        answer=views.PostView,
        problems=(*_CHANGE, *_RESOLVE, "not_schedulable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/{{post_id}}/cancel",
        id="cancelPost",
        tag="Posts",
        summary="Cancel Scheduled Post",
        description="Once this is answered with 200, nothing of the post goes out any more." + _PATIENCE,
        body=(NothingBody,),
        body_is_optional=True,
        status=200,
        answer=views.PostView,
        problems=(*_CHANGE, "not_cancellable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/{{post_id}}/targets/{{target_id}}/resolve",
        id="resolveTarget",
        tag="Posts",
        summary="Resolve Held Target",
        description="A target is held when its platform offers no proof whether it is live. Look there, and say: "
        "`confirm` with its `url` or `platform_post_id`, `republish`, or `drop`." + _PATIENCE,
        body=(ResolveBody,),
        status=200,
        answer=views.PostView,
        problems=(*_CHANGE, "target_not_found", "not_resolvable"),
        takes_if_match=True,
        may_be_pending=True,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/posts/{{post_id}}/history",
        id="getHistory",
        tag="Posts",
        summary="Get History",
        description="Why the post is as it is: its events, in words, refusals included.",
        query=HistoryQuery,
        status=200,
        answer=views.HistoryView,
        problems=(*_READ, "invalid_parameter", "post_not_found", "history_unavailable"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/posts/{{post_id}}/commands/{{command_id}}",
        id="getCommand",
        tag="Posts",
        summary="Get Command",
        description="What became of a command that was answered with 202 or 503.",
        status=200,
        answer=views.CommandView,
        problems=(*_READ, "command_not_found"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/threads",
        id="createThread",
        tag="Threads",
        summary="Create Thread",
        description="Several posts, each a reply to the one before; at once or at `schedule_at`. Under /posts the "
        "thread can be rescheduled, cancelled and deleted." + _PATIENCE,
        body=(ThreadBody,),
        status=201,
        answer=views.ThreadView,
        problems=(*_COMMAND, *_RESOLVE),
        may_be_pending=True,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/threads/{{thread_id}}",
        id="getThread",
        tag="Threads",
        summary="Get Thread",
        status=200,
        answer=views.ThreadView,
        problems=(*_READ, "post_not_found"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/posts/{{post_id}}/analytics",
        id="getPostAnalytics",
        tag="Analytics",
        summary="Get Post Analytics",
        description="How a post did: in all, on each platform in its own words, and hour by hour. Numbers are read "
        "when a post is 5 and 15 minutes, 1 and 6 hours old, then daily for thirty days; `as_of` says how fresh they "
        "are, `completeness` what is missing. Null is what a platform does not tell. With `format=csv` the series "
        "comes as text/csv.",
        query=AnalyticsQuery,
        status=200,
        answer=insight_views.PostAnalyticsView,
        other_form="text/csv",
        problems=(*_READ, "invalid_parameter", "post_not_found"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/{{post_id}}/analytics/refresh",
        id="refreshPostAnalytics",
        tag="Analytics",
        summary="Refresh Post Analytics",
        description="Has the numbers read now, within what the platforms allow. They are in the analytics when `as_of` "
        "is later than this request.",
        status=202,
        answer=insight_views.RefreshView,
        problems=(*_SIMPLE_BODY, "post_not_found", "not_measurable", "log_unavailable", "append_unknown"),
        takes_key=False,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/distribution/metrics",
        id="getDistributionMetrics",
        tag="Analytics",
        summary="Get Distribution Metrics",
        description="How the posts published in a period did, as they stand now. Days are those of `timezone`; rates "
        "are weighted by impressions; a post on several platforms counts once in `total_posts`.",
        query=DistributionQuery,
        status=200,
        answer=insight_views.DistributionView,
        problems=(*_READ, "invalid_parameter"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/scheduling/optimal-times",
        id="getOptimalTimes",
        tag="Scheduling",
        summary="Get Optimal Times",
        description="When to post, on the clock of `timezone`: learned from your own posts, and as far as these are "
        "few, from what is usual on the platform; `basis` says which.",
        query=OptimalTimesQuery,
        status=200,
        answer=insight_views.OptimalTimesView,
        problems=(*_READ, "invalid_parameter"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/scheduling/queue",
        id="getQueue",
        tag="Scheduling",
        summary="Get Queue",
        description="What is scheduled, the next first.",
        query=QueueQuery,
        status=200,
        answer=views.QueueView,
        problems=(*_READ, "invalid_parameter"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/media/upload",
        id="uploadMedia",
        tag="Media",
        summary="Upload Media",
        description="Takes an image or a video as a form. It is recognised by content, cleared of metadata (places, "
        "names, comments), turned upright, and judged for each platform. An image is answered complete; a video that "
        "takes longer is answered with 202: read it until its `status` is `ready`.",
        content=("multipart/form-data", dict(media_examples.FORM)),
        status=201,
        answer=media_views.MediaView,
        accepted=media_views.PendingMediaView,
        problems=(*_COMMAND, "media_unsupported", "media_too_large", "uploads_unavailable"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/media/import",
        id="importMedia",
        tag="Media",
        summary="Import Media",
        description="The same for a file that is fetched from its public URL.",
        body=(ImportBody,),
        status=201,
        answer=media_views.MediaView,
        accepted=media_views.PendingMediaView,
        problems=(*_COMMAND, "media_unsupported", "media_too_large", "uploads_unavailable"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/media/uploads",
        id="beginUpload",
        tag="Media",
        summary="Begin Resumable Upload",
        description="For large videos: tus 1.0.0, which has clients for every language. `Upload-Metadata` may name "
        "`filename`, `alt_text` and `platform_hints`, each in base64. `Location` is where the pieces go, `Media-Id` "
        "what the upload will be called.",
        headers=(("Upload-Length", "Bytes of the whole file."),),
        takes_key=False,
        status=201,
        answer=None,
        problems=(*_SIMPLE_BODY, "media_too_large", "uploads_unavailable"),
    ),
    Operation(
        method="HEAD",
        path=f"{BASE}/media/uploads/{{upload_id}}",
        id="getUpload",
        tag="Media",
        summary="Get Resumable Upload",
        description="`Upload-Offset` says how much is there.",
        status=200,
        answer=None,
        problems=(*_COMMAND, "media_unsupported", "upload_not_found", "uploads_unavailable"),
    ),
    Operation(
        method="PATCH",
        path=f"{BASE}/media/uploads/{{upload_id}}",
        id="continueUpload",
        tag="Media",
        summary="Continue Resumable Upload",
        description="The next piece, of any size. What came of a piece that breaks off is kept. After the last one the "
        "media is looked into.",
        content=("application/offset+octet-stream", {"type": "string", "contentMediaType": "application/octet-stream"}),
        headers=(("Upload-Offset", "Where the piece begins."),),
        takes_key=False,
        status=204,
        answer=None,
        problems=(
            *_COMMAND,
            "media_unsupported",
            "media_too_large",
            "upload_not_found",
            "upload_offset",
            "uploads_unavailable",
        ),
    ),
    Operation(
        method="DELETE",
        path=f"{BASE}/media/uploads/{{upload_id}}",
        id="endUpload",
        tag="Media",
        summary="End Resumable Upload",
        takes_key=False,
        status=204,
        answer=None,
        problems=(*_SIMPLE_BODY, "upload_not_found", "uploads_unavailable"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/media",
        id="listMedia",
        tag="Media",
        summary="List Media",
        description="Newest first.",
        query=MediaQuery,
        status=200,
        answer=media_views.MediaList,
        problems=(*_READ, "invalid_parameter", "uploads_unavailable"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/media/{{media_id}}",
        id="getMedia",
        tag="Media",
        summary="Get Media",
        description="With fresh addresses of its files, and how far the work on it has come.",
        status=200,
        answer=media_views.MediaView,
        problems=(*_READ, "media_not_found", "uploads_unavailable"),
    ),
    Operation(
        method="DELETE",
        path=f"{BASE}/media/{{media_id}}",
        id="deleteMedia",
        tag="Media",
        summary="Delete Media",
        description="Refused while a scheduled or publishing post uses it; `errors` names the posts.",
        status=204,
        answer=None,
        accepted=media_views.PendingMediaView,
        problems=(*_COMMAND, "media_not_found", "media_in_use", "uploads_unavailable"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/media/{{media_id}}/variants",
        id="makeVariant",
        tag="Media",
        summary="Make Variant",
        description="Does what `suggestion` says: crops, scales, converts. What is published is chosen by itself: the "
        "original where it fits, else the variant that does. One that takes longer is answered with 202.",
        body=(VariantBody,),
        status=201,
        answer=media_views.VariantView,
        accepted=media_views.VariantView,
        problems=(
            *_COMMAND,
            "variant_impossible",
            "media_not_found",
            "media_not_ready",
            "variant_unneeded",
            "too_many_variants",
            "uploads_unavailable",
        ),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/media/files/{{token}}/{{name}}",
        id="getFile",
        tag="Media",
        summary="Get File",
        description="The bytes, under a signed address that expires. No token is needed; ranges are understood.",
        media_type="application/octet-stream",
        status=200,
        answer=None,
        problems=(
            "file_not_found",
            "range_unsatisfiable",
            "too_many_requests",
            "headers_too_large",
            "internal_error",
            "uploads_unavailable",
        ),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/accounts",
        id="listAccounts",
        tag="Connected Accounts",
        summary="List Connected Accounts",
        query=AccountsQuery,
        status=200,
        answer=views.AccountList,
        problems=(*_READ, "invalid_parameter"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/accounts/connect",
        id="connectAccount",
        tag="Connected Accounts",
        summary="Connect Account",
        description="Send the person to `authorization_url`. With a `redirect_uri` of your own, which the operator has "
        "listed, they come back there with `state` and `code`, or an `error`: complete the connection within "
        "`expires_in` seconds, as the same user who began it, and make sure that the person is that user. Without one "
        "they come back to a page of this API, which asks them to confirm, and may then lead to `return_to`. "
        "Connecting an account again renews its authorization and keeps its id.",
        body=(ConnectBody,),
        status=200,
        answer=views.ConnectionBegunView,
        problems=(*_SIMPLE_BODY, "platform_not_configured", "redirect_not_allowed", "connecting_unavailable"),
        takes_key=False,
    ),
    Operation(
        method="POST",
        path=f"{BASE}/accounts/connect/complete",
        id="completeConnection",
        tag="Connected Accounts",
        summary="Complete Connection",
        description="Exchanges what the platform gave to your redirect URI. Works once. When the login may act for "
        "several accounts the answer is `selection_required`, with the choices.",
        body=(CompleteBody,),
        status=200,
        answer=views.ConnectionView,
        problems=(
            *_BODY,
            "platform_not_configured",
            "invalid_state",
            "authorization_denied",
            "authorization_failed",
            "permissions_missing",
            "nothing_to_connect",
            "account_mismatch",
            *_PUBLISHER,
        ),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/accounts/connect/select",
        id="selectConnection",
        tag="Connected Accounts",
        summary="Select Account",
        description="Connects one of the choices that completing has answered.",
        body=(SelectBody,),
        status=200,
        answer=views.ConnectionView,
        problems=(
            *_BODY,
            "platform_not_configured",
            "invalid_selection",
            "invalid_choice",
            "account_mismatch",
            *_PUBLISHER,
        ),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/accounts/{{account_id}}",
        id="getAccount",
        tag="Connected Accounts",
        summary="Get Connected Account",
        description="With the health of its authorization.",
        status=200,
        answer=views.AccountDetailView,
        problems=(*_READ, "account_not_found"),
    ),
    Operation(
        method="DELETE",
        path=f"{BASE}/accounts/{{account_id}}",
        id="disconnectAccount",
        tag="Connected Accounts",
        summary="Disconnect Account",
        description="Ends the connection and forgets its tokens; they are revoked at the platform where it has a call "
        "for that and nothing else that is connected depends on them, else `notice` says what can be done there. "
        "Posts that are to go out on this account fail.",
        status=200,
        answer=views.DisconnectionView,
        problems=(*_BODY, "account_not_found", "already_disconnected", *_PUBLISHER),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/accounts/{{account_id}}/refresh",
        id="refreshAccount",
        tag="Connected Accounts",
        summary="Refresh Profile",
        description="Reads the account's name, picture and followers from the platform again.",
        status=200,
        answer=views.AccountDetailView,
        problems=(
            *_BODY,
            "platform_not_configured",
            "account_disconnected",
            "account_not_found",
            "account_mismatch",
            *_PUBLISHER,
        ),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/webhooks",
        id="createWebhook",
        tag="Webhooks",
        summary="Create Webhook",
        description="Has events sent to a URL, signed as Standard Webhooks 1.0 says. `secret` is in this answer and in "
        "no other.",
        body=(CreateWebhookBody,),
        status=201,
        answer=webhook_views.EndpointSecretView,
        problems=(*_BODY, "url_not_allowed", "too_many_endpoints", *_WEBHOOKS),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/webhooks",
        id="listWebhooks",
        tag="Webhooks",
        summary="List Webhooks",
        status=200,
        answer=webhook_views.EndpointsView,
        problems=(*_READ, *_WEBHOOKS),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/webhooks/{{webhook_id}}",
        id="getWebhook",
        tag="Webhooks",
        summary="Get Webhook",
        description="A webhook that was disabled for what its receiver did says so in `disable_reason`.",
        status=200,
        answer=webhook_views.EndpointView,
        problems=(*_READ, "endpoint_not_found", *_WEBHOOKS),
    ),
    Operation(
        method="PUT",
        path=f"{BASE}/webhooks/{{webhook_id}}",
        id="updateWebhook",
        tag="Webhooks",
        summary="Update Webhook",
        body=(UpdateWebhookBody,),
        status=200,
        answer=webhook_views.EndpointView,
        problems=(*_BODY, "url_not_allowed", "endpoint_not_found", *_WEBHOOKS),
    ),
    Operation(
        method="DELETE",
        path=f"{BASE}/webhooks/{{webhook_id}}",
        id="deleteWebhook",
        tag="Webhooks",
        summary="Delete Webhook",
        description="Its secrets and deliveries are forgotten.",
        status=204,
        answer=None,
        problems=(*_BODY, "endpoint_not_found", *_WEBHOOKS),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/webhooks/{{webhook_id}}/enable",
        id="enableWebhook",
        tag="Webhooks",
        summary="Enable Webhook",
        description="What was pending when it was disabled goes out. What happened meanwhile comes with `recover`.",
        status=200,
        answer=webhook_views.EndpointView,
        problems=(*_BODY, "endpoint_not_found", *_WEBHOOKS),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/webhooks/{{webhook_id}}/disable",
        id="disableWebhook",
        tag="Webhooks",
        summary="Disable Webhook",
        status=200,
        answer=webhook_views.EndpointView,
        problems=(*_BODY, "endpoint_not_found", *_WEBHOOKS),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/webhooks/{{webhook_id}}/rotate-secret",
        id="rotateWebhookSecret",
        tag="Webhooks",
        summary="Rotate Secret",
        description="Makes a new secret, which is in this answer and in no other. For `overlap_seconds` deliveries are "
        "signed with the older ones too.",
        body=(RotateSecretBody,),
        body_is_optional=True,
        status=200,
        answer=webhook_views.EndpointSecretView,
        problems=(*_BODY, "endpoint_not_found", "too_many_secrets", *_WEBHOOKS),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/webhooks/{{webhook_id}}/test",
        id="testWebhook",
        tag="Webhooks",
        summary="Send Test Event",
        description="Sends an event of type `webhook.test`, whatever types the webhook wants.",
        status=202,
        answer=webhook_views.DeliveryDetailView,
        problems=(*_BODY, "endpoint_not_found", "endpoint_disabled", *_WEBHOOKS),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/webhooks/{{webhook_id}}/deliveries",
        id="listDeliveries",
        tag="Webhooks",
        summary="List Deliveries",
        query=DeliveriesQuery,
        status=200,
        answer=webhook_views.DeliveriesView,
        problems=(*_READ, "invalid_parameter", "endpoint_not_found", *_WEBHOOKS),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/webhooks/{{webhook_id}}/deliveries/{{delivery_id}}",
        id="getDelivery",
        tag="Webhooks",
        summary="Get Delivery",
        description="With each attempt: when, what was answered, how long it took.",
        status=200,
        answer=webhook_views.DeliveryDetailView,
        problems=(*_READ, "endpoint_not_found", "delivery_not_found", *_WEBHOOKS),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/webhooks/{{webhook_id}}/deliveries/{{delivery_id}}/replay",
        id="replayDelivery",
        tag="Webhooks",
        summary="Replay Delivery",
        description="Sends it again, with the same `webhook-id` and `sequence`.",
        status=202,
        answer=webhook_views.DeliveryDetailView,
        problems=(*_BODY, "endpoint_not_found", "delivery_not_found", "endpoint_disabled", *_WEBHOOKS),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/webhooks/{{webhook_id}}/replay",
        id="replayRange",
        tag="Webhooks",
        summary="Replay Range",
        description="Sends all events of a time again, and those for the first time that this webhook did not get "
        "then. With a `cursor` in the answer there is more: send the same request with it.",
        body=(ReplayBody,),
        status=202,
        answer=webhook_views.ReplayView,
        problems=(*_BODY, "endpoint_not_found", "endpoint_disabled", *_WEBHOOKS),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/webhooks/{{webhook_id}}/recover",
        id="recoverFailed",
        tag="Webhooks",
        summary="Recover Failed",
        description="Sends what was given up, and what happened while the webhook was disabled.",
        body=(ReplayBody,),
        status=202,
        answer=webhook_views.ReplayView,
        problems=(*_BODY, "endpoint_not_found", "endpoint_disabled", *_WEBHOOKS),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/events",
        id="listEvents",
        tag="Events",
        summary="List Events",
        description="The tenant's events in one order. Keep `cursor`, and give it the next time.",
        query=EventsQuery,
        status=200,
        answer=webhook_views.EventsView,
        problems=(*_READ, "invalid_parameter"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/events/stream",
        id="streamEvents",
        tag="Events",
        summary="Stream Events",
        description="The same, live, as server-sent events: `id` is the cursor, `event` the type, `data` the event. A "
        "client that comes again with `Last-Event-ID` misses nothing.",
        query=StreamQuery,
        status=200,
        answer=webhook_views.EventView,
        media_type="text/event-stream",
        problems=(*_READ, "invalid_parameter", "too_many_streams"),
    ),
)

_TAGS = (
    "Publishing",
    "Posts",
    "Threads",
    "Media",
    "Scheduling",
    "Connected Accounts",
    "Webhooks",
    "Events",
    "Analytics",
)

_ABOUT = f"""Publish to social platforms, now or later, and see what became of it.

Every answer that is not a success is `{MEDIA_TYPE}` (RFC 9457). Its `code` is one of the table below; `errors`
names each field that is wrong, with the rule, the limit and what to do.

**Repeating safely.** Send an `Idempotency-Key` with every write: a repeat with the same key and body never acts twice,
and gets the first answer again (`Idempotency-Replayed: true`). Keys are kept for a day.

**Changing only what you have seen.** Posts come with an `ETag`; send it as `If-Match`, and a change meant for an older
revision is refused with 412.

**Limits.** `RateLimit` and `RateLimit-Policy` say what is left.

Roles: {", ".join(ROLES)}.

| status | code | meaning | what to do | may succeed unchanged |
|---|---|---|---|---|
""" + "\n".join(
    f"| {kind.status} | `{code}` | {kind.title} | {kind.remediation} | {'yes' if kind.retryable else 'no'} |"
    for code, kind in sorted(KINDS.items(), key=lambda item: (item[1].status, item[0]))
)


@cache
def document_bytes() -> bytes:
    return msgspec.json.format(msgspec.json.encode(document()), indent=2) + b"\n"


def document() -> dict[str, Any]:
    shapes: set[type[Struct]] = {Problem, views.PendingView}
    for operation in OPERATIONS:
        shapes |= {*operation.body}
        shapes |= {shape for shape in (operation.answer, operation.accepted) if shape is not None}
    _, components = msgspec.json.schema_components(sorted(shapes, key=_name), ref_template=_REF)
    _describe_options(components)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": tag} for tag in _TAGS],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _describe_options(components: dict[str, dict[str, Any]]) -> None:
    """Says what the options of each platform are, instead of only that there are some."""
    references = {platform: {"$ref": _REF.format(name=_options_name(platform))} for platform in OPTIONS}
    for platform, known in OPTIONS.items():
        components[_options_name(platform)] = {
            "type": "object",
            "properties": {name: option.schema() for name, option in sorted(known.items())},
            "additionalProperties": False,
        }
    for shape in (CreateBody, EditBody):
        by_platform = components[_name(shape)]["properties"]["options"]
        by_platform |= {"properties": references, "additionalProperties": False}
    for described in (components[_name(PublishTarget)], components[_name(ThreadBody)]):
        described["properties"]["options"] = {"anyOf": list(references.values()), "default": {}}
        described["allOf"] = [
            {
                "if": {"properties": {"platform": {"const": platform}}},
                "then": {"properties": {"options": reference}},
            }
            for platform, reference in references.items()
        ]


def _options_name(platform: str) -> str:
    return f"{platform.title()}Options"


def _name(shape: type[Struct]) -> str:
    return shape.__name__


def _schema(*shapes: type[Struct]) -> dict[str, Any]:
    references = [{"$ref": _REF.format(name=shape.__name__)} for shape in shapes]
    return references[0] if len(references) == 1 else {"oneOf": references}


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.content is not None:
        kind, schema = operation.content
        described["requestBody"] = {"required": True, "content": {kind: {"schema": schema}}}
    if operation.body:
        described["requestBody"] = {
            "required": not operation.body_is_optional,
            "content": {
                _JSON: {
                    "schema": _schema(*operation.body),
                    "examples": {name: {"value": value} for name, value in _REQUESTS.get(operation.id, {}).items()},
                }
            },
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters = [
        {
            "name": segment[1:-1],
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
            "example": _IDS[segment[1:-1]],
        }
        for segment in operation.path.split("/")
        if segment.startswith("{")
    ]
    if operation.query is not None:
        (reference,), components = msgspec.json.schema_components([operation.query], ref_template="{name}")
        properties = components[reference["$ref"]]["properties"]
        parameters += [
            {"name": name, "in": "query", "required": False, "schema": _not_null(schema)}
            for name, schema in properties.items()
        ]
    if operation.method not in ("GET", "HEAD") and operation.takes_key:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Makes a repeat of this request harmless.",
                "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]+$"},
            }
        )
    parameters += [
        {"name": name, "in": "header", "required": True, "description": said, "schema": {"type": "string"}}
        for name, said in operation.headers
    ]
    if operation.takes_if_match:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "description": "The `ETag` of the revision you have seen.",
                "schema": {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
                "example": '"3"',
            }
        )
    return parameters


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is left out is null to us, but nobody can send null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    kept = {key: value for key, value in schema.items() if key not in ("anyOf", "default") or value is not None}
    if choices:
        kept.pop("anyOf")
        kept |= choices[0]
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value is not None]
    return kept


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {str(operation.status): _success(operation)}
    if operation.accepted is not None:
        schema = _schema(operation.accepted)
        responses["202"] = {"description": "Begun", "content": {_JSON: {"schema": schema}}}
    if operation.may_be_pending:
        pending = _schema(views.PendingView)
        accepted = responses.setdefault(
            "202", {"description": "Safe in the log, not decided yet", "content": {_JSON: {"schema": pending}}}
        )
        if operation.status == 202 or operation.accepted is not None:
            accepted["description"] += "; or safe in the log and not decided yet"
            accepted["content"][_JSON]["schema"] = {"oneOf": [accepted["content"][_JSON]["schema"], pending]}
        accepted["headers"] = {"Location": {"schema": {"type": "string"}, "description": "The status URL"}}
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(operation.problems):
        by_status.setdefault(KINDS[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
            "content": {
                MEDIA_TYPE: {
                    "schema": _schema(Problem),
                    "examples": {code: {"value": _problem_example(code)} for code in codes},
                }
            },
        }
    return responses


def _success(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": "Done"}
    described: dict[str, Any] = {
        "description": operation.answer.__name__.removesuffix("View"),
        "content": {operation.media_type: {"schema": _schema(operation.answer)}},
    }
    if operation.other_form is not None:
        described["content"][operation.other_form] = {"schema": {"type": "string"}}
    example = _ANSWERS.get(operation.id)
    if example is not None:
        described["content"][operation.media_type]["example"] = msgspec.json.decode(msgspec.json.encode(example))
    return described


def _problem_example(code: str) -> Any:
    body = ProblemError(code, KINDS[code].title + ".", errors=examples.ERRORS.get(code, ())).body(
        request_id=examples.IDS["request_id"], trace_id="0af7651916cd43dd8448eb211c80319c"
    )
    return msgspec.json.decode(body)
