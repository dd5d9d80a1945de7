"""One good example of each message, and more where a message has several shapes.

They are what the documentation shows, what new golden lines are made of, and what the wire tests send.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from msgspec import Raw

from contracts import accounts, collecting, endpoints, media_examples, posts, public_events, publishing, verdicts
from contracts.content import Content, Failure, Link, LivePart, Media, Schedule, TargetSpec
from contracts.ids import sibling
from contracts.messages import Command, Message, encode
from contracts.wire import Envelope

TENANT_ID = "tenant_brand"
POST_ID = "post_01KFSZ1V5R3W8Q6M2N7T4X9B0C"
X_ACCOUNT_ID = "acc_01KFQ2M8C4T6V9Y3H5J7K1P0RA"
LINKEDIN_ACCOUNT_ID = "acc_01KFQ2N1D8W2X4Z6B9E3G5S7QB"
ENDPOINT_ID = "ep_01KFT0A6C2E4G8J1M3P5R7T9VX"
ACTOR = "user_01KEV0T3A9C5F7H2J4M6P8RSVW"

_WRITTEN = datetime(2026, 1, 23, 9, 15, tzinfo=UTC)
_STARTED = datetime(2026, 1, 24, 20, 0, 0, 120000, tzinfo=UTC)
_LIVE = datetime(2026, 1, 24, 20, 0, 1, 480000, tzinfo=UTC)
_LATER = datetime(2026, 1, 24, 20, 15, tzinfo=UTC)

_SCHEDULE = Schedule(at=datetime(2026, 1, 24, 20, tzinfo=UTC), timezone="Europe/Paris")
_CONTENT = Content(
    text="Excited to announce our new AI-powered features! 🚀",
    hashtags=("launch", "innovation"),
    mentions=("@partner_company",),
    media=(
        Media(
            type="image",
            url="https://cdn.example.com/images/announcement.png",
            alt_text="A bar chart of the new features",
        ),
    ),
)
_FOR_LINKEDIN = Content(
    text="Our new AI-powered features are here.",
    link=Link(url="https://example.com/blog/new-features", title="New AI features", description="What is new"),
)
_ON_X = TargetSpec(
    platform="twitter",
    account_id=X_ACCOUNT_ID,
    username="brand",
    options={"reply_settings": "following"},
    estimated_reach=12_500,
)
_ON_LINKEDIN = TargetSpec(
    platform="linkedin",
    account_id=LINKEDIN_ACCOUNT_ID,
    username="Brand Inc.",
    options={"visibility": "public"},
    content=_FOR_LINKEDIN,
)
_X_PART = LivePart(
    index=0, platform_post_id="1445880548472328192", url="https://x.com/brand/status/1445880548472328192"
)
_DUPLICATE_PART = LivePart(
    index=0, platform_post_id="1445880548472328193", url="https://x.com/brand/status/1445880548472328193"
)
_REJECTED = Failure(
    code="content_rejected",
    message="X refused the text as too long.",
    rule="twitter.text.weighted_length",
    remediation="Shorten the text to 280 characters.",
    platform_error="Your Tweet text is too long.",
)
_BUSY = Failure(code="rate_limited", message="The account has posted as often as X allows for now.", retryable=True)
_NO_ANSWER = Failure(code="no_answer", message="The connection ended before X answered.", retryable=True)
_PUBLISHED = posts.Published(parts=(_X_PART,), at=_LIVE)
_REFUSAL = verdicts.Refusal(
    code="not_editable",
    message="A published post cannot be edited.",
    details={"status": "published"},
)
_POST = posts.Post(
    post_id=POST_ID,
    kind="post",
    tenant_id=TENANT_ID,
    created_by=ACTOR,
    created_at=_WRITTEN,
    updated_at=_WRITTEN,
    title="Product launch",
    parts=(_CONTENT,),
    platforms=("twitter", "linkedin"),
    tags=("product_launch",),
    revision=1,
)
_X_LIVE = public_events.PlatformPost(
    platform="twitter",
    account_id=X_ACCOUNT_ID,
    status="published",
    post_id=_X_PART.platform_post_id,
    url=_X_PART.url,
    published_at=_LIVE,
)
_LINKEDIN_LIVE = public_events.PlatformPost(
    platform="linkedin",
    account_id=LINKEDIN_ACCOUNT_ID,
    status="published",
    post_id="urn:li:share:6844785523593134080",
    url="https://www.linkedin.com/feed/update/urn:li:share:6844785523593134080/",
    published_at=_LIVE,
)
_LINKEDIN_FAILED = public_events.PlatformPost(
    platform="linkedin",
    account_id=LINKEDIN_ACCOUNT_ID,
    status="failed",
    failure=Failure(
        code="account_disconnected",
        message="LinkedIn no longer accepts the account's authorization.",
        remediation="Connect the account again, then publish again.",
    ),
)

_WEBHOOK_URL = "https://hooks.example.com/social"
_PUBLIC_KEY = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
_ENDPOINT_MESSAGES: tuple[Message, ...] = (
    endpoints.CreateEndpoint(
        endpoint_id=ENDPOINT_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_WRITTEN,
        url=_WEBHOOK_URL,
        description="The newsroom",
        event_types=("social.post_published", "social.post_failed"),
        fifo=True,
        rate_per_second=50,
        max_in_flight=8,
        key_id=sibling("key", ENDPOINT_ID),
        public_key=_PUBLIC_KEY,
    ),
    endpoints.UpdateEndpoint(
        endpoint_id=ENDPOINT_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_LATER,
        changes=endpoints.EndpointChanges(event_types=(), rate_per_second=None, fifo=True),
    ),
    endpoints.EnableEndpoint(endpoint_id=ENDPOINT_ID, tenant_id=TENANT_ID, actor=ACTOR, issued_at=_LATER),
    endpoints.DisableEndpoint(
        endpoint_id=ENDPOINT_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_LATER,
        reason="user",
        detail="The receiver is being replaced.",
    ),
    endpoints.DeleteEndpoint(endpoint_id=ENDPOINT_ID, tenant_id=TENANT_ID, actor=ACTOR, issued_at=_LATER),
    endpoints.RotateSecret(
        endpoint_id=ENDPOINT_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_LATER,
        key_id="key_01KFT9Q3S5V7X9Z2B4D6F8H0KM",
        public_key=_PUBLIC_KEY,
        overlap_seconds=86_400,
    ),
    endpoints.EndpointCreated(
        endpoint_id=ENDPOINT_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        at=_WRITTEN,
        url=_WEBHOOK_URL,
        description="The newsroom",
        event_types=("social.post_published", "social.post_failed"),
        fifo=True,
        rate_per_second=50,
        max_in_flight=8,
        key_id=sibling("key", ENDPOINT_ID),
        public_key=_PUBLIC_KEY,
    ),
    endpoints.EndpointUpdated(
        actor=ACTOR,
        at=_LATER,
        changes=endpoints.EndpointChanges(event_types=(), rate_per_second=None, fifo=True),
    ),
    endpoints.EndpointEnabled(actor=ACTOR, at=_LATER),
    endpoints.EndpointDisabled(
        endpoint_id=ENDPOINT_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        at=_LATER,
        reason="user",
        detail="The receiver is being replaced.",
    ),
    endpoints.EndpointDeleted(actor=ACTOR, at=_LATER),
    endpoints.SecretRotated(
        actor=ACTOR,
        at=_LATER,
        key_id="key_01KFT9Q3S5V7X9Z2B4D6F8H0KM",
        public_key=_PUBLIC_KEY,
        older_expire_at=_LATER + timedelta(days=1),
    ),
)

_ALL: tuple[Message, ...] = (
    *_ENDPOINT_MESSAGES,
    posts.CreatePost(
        post_id=POST_ID,
        kind="post",
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_WRITTEN,
        title="Product launch",
        parts=(_CONTENT,),
        platforms=("twitter", "linkedin"),
        accounts={"twitter": X_ACCOUNT_ID},
        options={"twitter": {"reply_settings": "following"}},
        overrides={"linkedin": _FOR_LINKEDIN},
        targets=(_ON_X, _ON_LINKEDIN),
        tags=("product_launch", "q1_2026"),
        campaign_id="campaign_001",
        schedule=_SCHEDULE,
    ),
    posts.EditPost(
        post_id=POST_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_WRITTEN,
        changes=posts.PostChanges(title=None, parts=(_CONTENT,), tags=("product_launch",)),
        targets=(_ON_X,),
        expected_revision=1,
    ),
    posts.SchedulePost(
        post_id=POST_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_WRITTEN,
        schedule=_SCHEDULE,
        targets=(_ON_X, _ON_LINKEDIN),
        expected_revision=2,
    ),
    posts.PublishPost(
        post_id=POST_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_WRITTEN,
        targets=(_ON_X,),
    ),
    posts.CancelPost(post_id=POST_ID, tenant_id=TENANT_ID, actor=ACTOR, issued_at=_WRITTEN, expected_revision=3),
    posts.DeletePost(post_id=POST_ID, tenant_id=TENANT_ID, actor=ACTOR, issued_at=_WRITTEN),
    posts.RemovePost(post_id=POST_ID, tenant_id=TENANT_ID, actor=ACTOR, issued_at=_WRITTEN, expected_revision=3),
    posts.ResolveTarget(
        post_id=POST_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_LATER,
        target_id=_ON_X.target_id,
        resolution="confirm",
        platform_post_id=_X_PART.platform_post_id,
        url=_X_PART.url,
        expected_revision=4,
    ),
    posts.ReportRemoval(
        post_id=POST_ID,
        tenant_id=TENANT_ID,
        target_id=_ON_X.target_id,
        attempt=1,
        issued_at=_LATER,
        outcome=posts.Removed(),
    ),
    posts.ReportOutcome(
        post_id=POST_ID,
        tenant_id=TENANT_ID,
        target_id=_ON_X.target_id,
        attempt=1,
        issued_at=_LIVE,
        outcome=_PUBLISHED,
        sent_at=_STARTED,
        variants={media_examples.MEDIA_ID: media_examples.VARIANT_ID},
    ),
    posts.PostCreated(
        post_id=POST_ID,
        kind="post",
        tenant_id=TENANT_ID,
        actor=ACTOR,
        at=_WRITTEN,
        title="Product launch",
        parts=(_CONTENT,),
        platforms=("twitter", "linkedin"),
        accounts={"twitter": X_ACCOUNT_ID},
        options={"twitter": {"reply_settings": "following"}},
        overrides={"linkedin": _FOR_LINKEDIN},
        targets=(_ON_X, _ON_LINKEDIN),
        tags=("product_launch", "q1_2026"),
        campaign_id="campaign_001",
        schedule=_SCHEDULE,
        publish_now=False,
    ),
    posts.PostEdited(
        actor=ACTOR,
        at=_WRITTEN,
        changes=posts.PostChanges(title=None, parts=(_CONTENT,), tags=("product_launch",)),
        targets=(_ON_X,),
    ),
    posts.PostScheduled(actor=ACTOR, at=_WRITTEN, schedule=_SCHEDULE, targets=(_ON_X, _ON_LINKEDIN)),
    posts.PublicationStarted(
        at=_STARTED,
        actor=None,
        due_at=_SCHEDULE.at,
        target_ids=(_ON_X.target_id, _ON_LINKEDIN.target_id),
        targets=(),
    ),
    posts.AttemptsDue(at=_LATER, target_ids=(_ON_LINKEDIN.target_id,)),
    posts.PostCancelled(actor=ACTOR, at=_WRITTEN),
    posts.PostDeleted(actor=ACTOR, at=_WRITTEN),
    posts.TargetOutcomeRecorded(
        at=_LIVE,
        target_id=_ON_X.target_id,
        attempt=1,
        outcome=_PUBLISHED,
        sent_at=_STARTED,
        variants={media_examples.MEDIA_ID: media_examples.VARIANT_ID},
    ),
    posts.DuplicateDetected(at=_LATER, target_id=_ON_X.target_id, attempt=2, first=_X_PART, second=_DUPLICATE_PART),
    posts.TargetResolved(at=_LATER, actor=ACTOR, target_id=_ON_X.target_id, resolution="confirm", live=_X_PART),
    posts.RemovalStarted(at=_LATER, actor=ACTOR, target_ids=(_ON_X.target_id,)),
    posts.RemovalRecorded(at=_LATER, target_id=_ON_X.target_id, attempt=1, outcome=posts.Removed()),
    publishing.RemovalRequested(
        post_id=POST_ID,
        tenant_id=TENANT_ID,
        target_id=_ON_X.target_id,
        attempt=1,
        platform="twitter",
        account_id=X_ACCOUNT_ID,
        live_parts=(_X_PART,),
    ),
    publishing.PublishRequested(
        post_id=POST_ID,
        tenant_id=TENANT_ID,
        target_id=_ON_X.target_id,
        attempt=1,
        platform="twitter",
        account_id=X_ACCOUNT_ID,
        parts=(_CONTENT,),
        title="Launch day",
        options={"reply_settings": "following"},
        live_parts=(_X_PART,),
        due_at=_SCHEDULE.at,
        unresolved_since=_LATER,
        reply_to=_X_PART.platform_post_id,
        absent=True,
    ),
    accounts.ConnectAccount(
        account_id=X_ACCOUNT_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_WRITTEN,
        platform="twitter",
        platform_user_id="2244994945",
        username="brand",
        display_name="Brand",
        account_type="premium",
        profile_image="https://pbs.example.com/profile_images/brand_400x400.jpg",
        followers=12_500,
        permissions=("tweet.read", "tweet.write", "users.read", "media.write", "offline.access"),
        is_default=True,
        token_expires_at=_LATER,
        login="oauth2",
    ),
    accounts.DisconnectAccount(
        account_id=X_ACCOUNT_ID, tenant_id=TENANT_ID, actor=None, issued_at=_LATER, reason="token_refused"
    ),
    accounts.UpdateProfile(
        account_id=X_ACCOUNT_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        issued_at=_LATER,
        username="brand",
        display_name="Brand",
        account_type="premium",
        profile_image="https://pbs.example.com/profile_images/brand_400x400.jpg",
        followers=12_650,
    ),
    accounts.AccountConnected(
        account_id=X_ACCOUNT_ID,
        tenant_id=TENANT_ID,
        actor=ACTOR,
        at=_WRITTEN,
        platform="twitter",
        platform_user_id="2244994945",
        username="brand",
        display_name="Brand",
        account_type="premium",
        profile_image="https://pbs.example.com/profile_images/brand_400x400.jpg",
        followers=12_500,
        permissions=("tweet.read", "tweet.write", "users.read", "media.write", "offline.access"),
        is_default=True,
        token_expires_at=_LATER,
        login="oauth2",
    ),
    accounts.AccountDisconnected(actor=None, at=_LATER, reason="token_refused"),
    accounts.ProfileUpdated(
        actor=ACTOR,
        at=_LATER,
        username="brand",
        display_name="Brand",
        account_type="premium",
        profile_image="https://pbs.example.com/profile_images/brand_400x400.jpg",
        followers=12_650,
    ),
    collecting.CollectPosts(
        tenant_id=TENANT_ID,
        account_id=X_ACCOUNT_ID,
        platform="twitter",
        posts=(
            collecting.LivePost(
                post_id=POST_ID,
                target_id=_ON_X.target_id,
                platform_post_ids=(_X_PART.platform_post_id,),
                published_at=_LIVE,
                content_type="image",
            ),
        ),
        expires_at=_LATER,
    ),
    collecting.CollectAccount(
        tenant_id=TENANT_ID,
        account_id=X_ACCOUNT_ID,
        platform="twitter",
        followers=True,
        mentions_since=_WRITTEN,
        expires_at=_LATER,
    ),
    collecting.RefreshAnalytics(post_id=POST_ID, tenant_id=TENANT_ID, actor=ACTOR, issued_at=_LATER),
    collecting.PostTracked(
        tenant_id=TENANT_ID,
        account_id=X_ACCOUNT_ID,
        platform="twitter",
        post_id=POST_ID,
        target_id=_ON_X.target_id,
        published_at=_LIVE,
        content_type="image",
        first=True,
        first_on_platform=True,
    ),
    collecting.PostMeasured(
        tenant_id=TENANT_ID,
        account_id=X_ACCOUNT_ID,
        platform="twitter",
        post_id=POST_ID,
        target_id=_ON_X.target_id,
        published_at=_LIVE,
        content_type="image",
        observed_at=_LATER,
        counters={"impression_count": 15_000, "like_count": 180, "retweet_count": 35, "reply_count": 22},
    ),
    collecting.FollowersMeasured(
        tenant_id=TENANT_ID, account_id=X_ACCOUNT_ID, platform="twitter", observed_at=_LATER, followers=12_650
    ),
    collecting.MentionsFound(
        tenant_id=TENANT_ID,
        account_id=X_ACCOUNT_ID,
        platform="twitter",
        observed_at=_LATER,
        mentions=(
            collecting.Mention(
                mention_id="1445880548472330000",
                kind="mention",
                author="a_customer",
                text="@brand these features are just what we needed",
                url="https://x.com/a_customer/status/1445880548472330000",
                mentioned_at=_STARTED,
            ),
        ),
    ),
    collecting.NotMeasured(
        tenant_id=TENANT_ID,
        account_id=X_ACCOUNT_ID,
        platform="twitter",
        subject="post",
        post_id=POST_ID,
        target_id=_ON_X.target_id,
        at=_LATER,
        reason=_BUSY,
        retry_at=_LATER + timedelta(minutes=15),
    ),
    verdicts.CommandRefused(command_type="post.edit.v1", refusal=_REFUSAL),
    verdicts.Verdict(
        command_id=sibling("cmd", POST_ID),
        aggregate_id=POST_ID,
        version=1,
        refusal=None,
        state=Raw(encode(_POST)),
    ),
    public_events.SocialPostPublished(
        tenant_id=TENANT_ID,
        post_id=POST_ID,
        publish_id=sibling("pub", POST_ID),
        title="Product launch",
        campaign_id="campaign_001",
        tags=("product_launch", "q1_2026"),
        published_at=_LIVE,
        platforms=(_X_LIVE, _LINKEDIN_LIVE),
    ),
    public_events.SocialPostFailed(
        tenant_id=TENANT_ID,
        post_id=POST_ID,
        publish_id=sibling("pub", POST_ID),
        title="Product launch",
        campaign_id="campaign_001",
        tags=("product_launch", "q1_2026"),
        failed_at=_LATER,
        reason="account_disconnected",
        message="LinkedIn no longer accepts the account's authorization.",
        platforms=(_X_LIVE, _LINKEDIN_FAILED),
    ),
    public_events.SocialAccountDisconnected(
        tenant_id=TENANT_ID,
        account_id=X_ACCOUNT_ID,
        platform="twitter",
        username="brand",
        reason="token_refused",
        disconnected_at=_LATER,
    ),
    public_events.SocialEngagementSpike(
        tenant_id=TENANT_ID,
        post_id=POST_ID,
        platform="twitter",
        account_id=X_ACCOUNT_ID,
        metric="likes",
        value=940.0,
        baseline=118.5,
        factor=7.93,
        detected_at=_LATER,
    ),
    public_events.SocialMentionReceived(
        tenant_id=TENANT_ID,
        account_id=X_ACCOUNT_ID,
        platform="twitter",
        mention_id="1445880548472330000",
        kind="mention",
        author="a_customer",
        text="@brand these features are just what we needed",
        url="https://x.com/a_customer/status/1445880548472330000",
        mentioned_at=_LATER,
    ),
    *media_examples.EXAMPLES,
)

EXAMPLES: Mapping[str, Message] = {example.type_name: example for example in _ALL}
"""By type name, for each message of the registry."""

_OUTCOMES: tuple[posts.Outcome, ...] = (
    posts.Rejected(failure=_REJECTED, parts=(_X_PART,)),
    posts.Deferred(until=_LATER, reason=_BUSY),
    posts.Unknown(probe_at=_LATER, reason=_NO_ANSWER),
    posts.Held(reason=_NO_ANSWER),
)

VARIANTS: tuple[Message, ...] = (
    *(
        posts.TargetOutcomeRecorded(at=_LATER, target_id=_ON_X.target_id, attempt=2, outcome=outcome)
        for outcome in _OUTCOMES
    ),
    verdicts.Verdict(
        command_id=sibling("cmd", POST_ID), aggregate_id=POST_ID, version=4, refusal=_REFUSAL, state=Raw(b"null")
    ),
    collecting.NotMeasured(
        tenant_id=TENANT_ID,
        account_id=X_ACCOUNT_ID,
        platform="twitter",
        subject="post",
        post_id=POST_ID,
        target_id=_ON_X.target_id,
        at=_LATER,
        reason=Failure(code="gone", message="X does not have the post any more."),
        gone=True,
    ),
)
"""Further shapes of messages that have several."""


def envelope(example: Message) -> Envelope:
    """As whoever sends the example makes it: an event follows one, a command awaits its verdict."""
    about_account = example.type_name.startswith(
        ("account.", "collect.", "metrics.", "social.account_", "social.mention_")
    )
    subject = X_ACCOUNT_ID if about_account else POST_ID
    if example.type_name.startswith("media."):
        subject = media_examples.MEDIA_ID
    if example.type_name.startswith("endpoint."):
        subject = ENDPOINT_ID
    command_id = sibling("cmd", POST_ID)
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    match example:
        case verdicts.Verdict():
            return Envelope(
                id=f"{command_id}:verdict",
                source="posts/posts-0",
                subject=subject,
                time=_WRITTEN,
                command_id=command_id,
                traceparent=traceparent,
            )
        case Command():
            return Envelope(
                id=command_id,
                source="gateway/gateway-0",
                subject=subject,
                time=_WRITTEN,
                tenant_id=TENANT_ID,
                reply_partition=3,
                deadline=_WRITTEN + timedelta(seconds=10),
                traceparent=traceparent,
            )
        case _ if example.type_name.startswith("metrics."):
            return Envelope(
                id=sibling("smp", POST_ID),
                source="publisher/publisher-0",
                subject=subject,
                time=_LATER,
                tenant_id=TENANT_ID,
                traceparent=traceparent,
            )
        case _:
            internal = not example.type_name.startswith("social.")
            return Envelope(
                id=sibling("evt", POST_ID),
                source="posts/posts-0",
                subject=subject,
                time=_WRITTEN,
                sequence=4 if internal else None,
                previous_id="evt_01KFSZ1W9E2K4M6P8R0T3V5X7Z" if internal else None,
                command_id=command_id if internal else None,
                tenant_id=TENANT_ID,
                traceparent=traceparent,
            )
