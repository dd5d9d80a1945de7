"""One good example of each request and answer, for the description of the API; answers are made as real ones are."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.analytics import PostMetrics, Reading
from contracts.connections import AccountConnection, AccountDisconnection, AccountHealth, ConnectionCompleted
from contracts.content import Content, Link, LivePart, Media, Schedule
from contracts.ids import sibling
from contracts.posts import Post, Target
from gateway import insight_views, views
from gateway.posting_weeks import PostingWeek
from gateway.problems import FieldError
from platforms import posting_times
from platforms.rollups import DayRollup, Summary, TopPost

POST_ID = "post_01KFSZ1V5R3W8Q6M2N7T4X9B0C"

IDS: Mapping[str, str] = {
    "post_id": POST_ID,
    "publish_id": sibling("pub", POST_ID),
    "thread_id": sibling("thread", POST_ID),
    "target_id": "twitter:acc_01J8ZQ4T7M0B3W5R9C2D6F8GHK",
    "command_id": sibling("cmd", POST_ID),
    "account_id": "acc_twitter_001",
    "webhook_id": "ep_01KFT0A6C2E4G8J1M3P5R7T9VX",
    "delivery_id": "msg_01KFT0A6C2E4G8J1M3P5R7T9VX",
    "request_id": sibling("req", POST_ID),
}

_TEXT = "Excited to announce our new AI-powered features! 🚀\n\nCheck out what's new in the latest update."
_MEDIA: dict[str, Any] = {
    "type": "image",
    "url": "https://cdn.example.com/images/announcement.png",
    "alt_text": "New features announcement graphic",
}
_LINK = {
    "url": "https://example.com/blog/new-features",
    "title": "New AI Features",
    "description": "Discover our latest innovations",
}
_PUBLISH: dict[str, Any] = {
    "content": {"text": _TEXT, "media": [_MEDIA]},
    "platforms": [
        {"platform": "twitter", "account_id": "acc_twitter_001", "options": {"reply_settings": "everyone"}},
        {"platform": "linkedin", "account_id": "acc_linkedin_001", "options": {"visibility": "public"}},
    ],
    "publish_at": "2027-01-24T20:00:00Z",
}
_DRAFT: dict[str, Any] = {
    "title": "Product Launch Announcement",
    "content": {
        "text": "Big news coming tomorrow! Stay tuned for our major product launch.",
        "hashtags": ["launch", "innovation", "tech"],
        "mentions": ["@partner_company"],
    },
    "media": [],
    "platforms": ["twitter", "linkedin", "instagram"],
    "status": "draft",
    "campaign_id": "campaign_001",
    "tags": ["product_launch", "q1_2026"],
}

_STATE = "Yv3sQ0cW5t8kZ1mN4rB7xJ2pL6hD9fGaEuTiOoSbKwM"
_SELECTION = "hQ8rT2vX5zB1nM4kJ7gF0dS3aP6wE9yUcLoIxRtVbNq"

REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "publish": {
        "later": _PUBLISH,
        "now": {
            "content": {"text": _TEXT, "link": _LINK},
            "platforms": [{"platform": "linkedin"}],
        },
    },
    "createPost": {
        "draft": _DRAFT,
        "scheduled": {
            "title": "Weekly Tips",
            "content": {"text": "Three tips for the week"},
            "platforms": ["twitter", "linkedin"],
            "accounts": {"twitter": "acc_twitter_001"},
            "overrides": {"twitter": {"text": "Three tips"}},
            "status": "scheduled",
            "scheduled_at": "2027-01-25T10:00:00",
            "timezone": "Europe/Paris",
        },
    },
    "validatePost": {"post": _DRAFT, "publication": _PUBLISH},
    "updatePost": {
        "text and platforms": {
            "content": {"text": "Updated announcement text!"},
            "platforms": ["twitter", "linkedin"],
        }
    },
    "publishPost": {"now": {"publish_now": True}},
    "schedulePost": {"local time": {"scheduled_at": "2027-01-25T14:00:00", "timezone": "America/Los_Angeles"}},
    "cancelPost": {"nothing": {}},
    "resolveTarget": {
        "confirm": {"resolution": "confirm", "url": "https://x.com/mycompany/status/1846987139428634858"},
        "republish": {"resolution": "republish"},
        "drop": {"resolution": "drop"},
    },
    "connectAccount": {
        "own page": {"platform": "instagram", "redirect_uri": "https://app.example.com/oauth/callback"},
        "page of this API": {"platform": "linkedin", "login": "pages", "return_to": "https://app.example.com/accounts"},
    },
    "completeConnection": {"came back": {"state": _STATE, "code": "bXlDb2RlRnJvbVRoZVBsYXRmb3Jt"}},
    "selectConnection": {"a page": {"selection_token": _SELECTION, "choice": "urn:li:organization:2414183"}},
    "createThread": {
        "thread": {
            "platform": "twitter",
            "account_id": "acc_twitter_001",
            "posts": [
                {"text": "🧵 Here's everything you need to know about our new AI features (thread):"},
                {"text": "1/ First, we've added intelligent order prediction.", "media": [_MEDIA]},
                {"text": "2/ Finally, the new analytics dashboard gives you real-time insights."},
            ],
            "schedule_at": "2027-01-25T10:00:00Z",
        }
    },
}

_AT = datetime(2027, 1, 24, 19, 30, tzinfo=UTC)
_DUE = datetime(2027, 1, 24, 20, 0, tzinfo=UTC)
_TWEET = "https://x.com/mycompany/status/1234567890"
_SHARE = "urn:li:share:7890"

_ON_X = Target(
    platform="twitter",
    account_id="acc_twitter_001",
    username="mycompany",
    options={"reply_settings": "everyone"},
    estimated_reach=15_420,
)
_ON_LINKEDIN = Target(
    platform="linkedin",
    account_id="acc_linkedin_001",
    username="my-company",
    options={"visibility": "public"},
    estimated_reach=8_500,
)

SCHEDULED = Post(
    post_id=POST_ID,
    kind="post",
    tenant_id="tenant_001",
    created_by="user_001",
    created_at=_AT,
    updated_at=_AT,
    title="Product Launch Announcement",
    parts=(Content(text=_TEXT, media=(Media(**_MEDIA),)),),
    platforms=("twitter", "linkedin"),
    accounts={"twitter": "acc_twitter_001", "linkedin": "acc_linkedin_001"},
    targets=(_ON_X, _ON_LINKEDIN),
    status="scheduled",
    schedule=Schedule(at=_DUE, timezone="Europe/Paris"),
    campaign_id="campaign_001",
    tags=("product_launch",),
    revision=1,
)

PUBLISHED = Post(
    post_id=POST_ID,
    kind="post",
    tenant_id="tenant_001",
    created_by="user_001",
    created_at=_AT,
    updated_at=_DUE,
    title="Product Launch Announcement",
    parts=(Content(text=_TEXT, link=Link(**_LINK)),),
    platforms=("twitter", "linkedin"),
    accounts={"twitter": "acc_twitter_001", "linkedin": "acc_linkedin_001"},
    targets=(
        Target(
            platform="twitter",
            account_id="acc_twitter_001",
            username="mycompany",
            estimated_reach=15_420,
            status="published",
            attempt=1,
            platform_post_id="1234567890",
            url=_TWEET,
            published_at=_DUE,
            live_parts=(LivePart(index=0, platform_post_id="1234567890", url=_TWEET),),
        ),
        Target(
            platform="linkedin",
            account_id="acc_linkedin_001",
            username="my-company",
            estimated_reach=8_500,
            status="published",
            attempt=1,
            platform_post_id=_SHARE,
            url=f"https://www.linkedin.com/feed/update/{_SHARE}/",
            published_at=_DUE,
            live_parts=(LivePart(index=0, platform_post_id=_SHARE),),
        ),
    ),
    status="published",
    published_at=_DUE,
    campaign_id="campaign_001",
    tags=("product_launch",),
    revision=4,
)

THREAD = Post(
    post_id=POST_ID,
    kind="thread",
    tenant_id="tenant_001",
    created_by="user_001",
    created_at=_AT,
    updated_at=_AT,
    title=None,
    parts=(Content(text="🧵 Here's everything you need to know:"), Content(text="1/ First, prediction.")),
    platforms=("twitter",),
    targets=(_ON_X,),
    status="scheduled",
    schedule=Schedule(at=_DUE),
    revision=1,
)

_ACCOUNTS = (
    Account(
        account_id="acc_twitter_001",
        tenant_id="tenant_001",
        platform="twitter",
        platform_user_id="2244994945",
        username="mycompany",
        display_name="My Company",
        account_type="personal",
        followers=15_420,
        permissions=("post", "read_analytics"),
        connected_at=datetime(2025, 6, 1, tzinfo=UTC),
    ),
    Account(
        account_id="acc_linkedin_001",
        tenant_id="tenant_001",
        platform="linkedin",
        platform_user_id="urn:li:organization:2414183",
        username="my-company",
        display_name="My Company",
        account_type="company_page",
        followers=8_500,
        connected_at=datetime(2025, 6, 1, tzinfo=UTC),
    ),
)

_HEALTH = AccountHealth(token_expires_at=_DUE, renews_itself=True, last_refreshed_at=_AT)


def _read(target: Target, after: timedelta, **counters: int) -> PostMetrics:
    return PostMetrics(
        tenant_id="tenant_001",
        account_id=target.account_id,
        platform=target.platform,
        post_id=POST_ID,
        target_id=target.target_id,
        published_at=_DUE,
        content_type="link",
        readings=(Reading(at=_DUE + after, sample_id="smp_1", counters=counters),),
    )


_MEASURED = (
    _read(
        _ON_X,
        timedelta(hours=1, minutes=30),
        impression_count=15_000,
        retweet_count=35,
        like_count=180,
        reply_count=22,
        quote_count=13,
        bookmark_count=30,
        url_link_clicks=125,
    ),
    _read(
        _ON_LINKEDIN,
        timedelta(hours=1, minutes=30),
        impressionCount=10_000,
        uniqueImpressionsCount=8_200,
        likeCount=120,
        commentCount=25,
        shareCount=25,
        clickCount=40,
    ),
)


def _week(zone: str) -> PostingWeek:
    """Of a tenant without posts."""
    week = posting_times.week("twitter", (), ZoneInfo(zone), now=_DUE)
    return PostingWeek(week=week, profile=posting_times.PROFILES["twitter"], as_of=None)


_DISTRIBUTION = insight_views.distribution(
    insight_views.Span(start=date(2027, 1, 1), end=date(2027, 1, 24), zone=ZoneInfo("UTC")),
    [
        DayRollup(
            account_id="acc_twitter_001",
            platform="twitter",
            summary=Summary(
                targets=20,
                measured=20,
                posts=20,
                platform_posts=20,
                impressions=450_000,
                engagements=8_100,
                rated_engagements=8_100,
                oldest_reading=_AT,
                newest_reading=_DUE,
                top=(TopPost(POST_ID, 45_000, 1_200),),
            ),
        )
    ],
    (),
    platform=None,
    top_by="engagements",
    weeks={"twitter": _week("UTC")},
)

ERRORS: Mapping[str, tuple[FieldError, ...]] = {
    "invalid_content": (
        FieldError(
            pointer="/content/text",
            rule="twitter.text.weighted_length",
            message="The text counts as 312 characters; X allows 280.",
            limit=280,
            actual=312,
            remediation="Shorten the text, or give X a text of its own.",
            platform="twitter",
            severity="invalid",
        ),
    ),
    "invalid_parameter": (
        FieldError(parameter="limit", rule="parameter.type", message="limit: Expected `int` <= 100."),
    ),
}

ANSWERS: Mapping[str, Struct] = {
    "publish": views.publication(SCHEDULED),
    "getPublication": views.publication(PUBLISHED),
    "createPost": views.post_view(SCHEDULED),
    "listPosts": views.PostList(posts=(views.post_view(PUBLISHED),), cursor=None),
    "getPost": views.post_view(PUBLISHED),
    "updatePost": views.post_view(SCHEDULED),
    "publishPost": views.post_view(PUBLISHED),
    "schedulePost": views.post_view(SCHEDULED),
    "cancelPost": views.post_view(SCHEDULED),
    "resolveTarget": views.post_view(PUBLISHED),
    "createThread": views.thread(THREAD),
    "getThread": views.thread(THREAD),
    "getQueue": views.QueueView(queue=(views.queue_entry(SCHEDULED),), total_scheduled=1, cursor=None),
    "connectAccount": views.ConnectionBegunView(
        authorization_url=f"https://www.instagram.com/oauth/authorize?response_type=code&client_id=1&state={_STATE}",
        state=_STATE,
        expires_in=300,
    ),
    "completeConnection": views.ConnectionView(
        status="selection_required",
        account=None,
        selection_token=_SELECTION,
        expires_in=600,
        choices=(
            views.ChoiceView(
                id="urn:li:organization:2414183",
                username="my-company",
                display_name="My Company",
                account_type="company_page",
                profile_image=None,
                followers=8_500,
            ),
        ),
        missing_permissions=(),
    ),
    "selectConnection": views.connection(
        ConnectionCompleted(connection=AccountConnection(account=_ACCOUNTS[1], missing_permissions=()))
    ),
    "getAccount": views.account_detail(_ACCOUNTS[0], _HEALTH),
    "refreshAccount": views.account_detail(_ACCOUNTS[0], _HEALTH),
    "disconnectAccount": views.disconnection(
        AccountDisconnection(
            account=replace(_ACCOUNTS[1], status="disconnected", disconnected_at=_DUE, disconnect_reason="By a user."),
            revoked=False,
            notice="LinkedIn lists permitted apps under Settings, Data privacy, Permitted services.",
        )
    ),
    "listAccounts": views.AccountList(accounts=tuple(views.account(account) for account in _ACCOUNTS)),
    "validatePost": views.ValidationView(
        valid=True,
        publishable=True,
        violations=(),
        targets=(
            views.ValidatedTarget(
                platform="twitter",
                account_id="acc_twitter_001",
                username="@mycompany",
                estimated_reach=15_420,
                texts=(_TEXT,),
            ),
        ),
    ),
    "getPostAnalytics": insight_views.post_analytics(PUBLISHED, _MEASURED, granularity="hour", zone=ZoneInfo("UTC")),
    "streamAnalytics": insight_views.fresh_numbers(POST_ID, _MEASURED),
    "refreshPostAnalytics": insight_views.RefreshView(post_id=POST_ID, status="requested"),
    "getDistributionMetrics": replace(
        _DISTRIBUTION, top_posts=insight_views.titled(_DISTRIBUTION.top_posts, {POST_ID: PUBLISHED.title})
    ),
    "getOptimalTimes": insight_views.optimal_times(
        "twitter", _week("Europe/Paris"), ZoneInfo("Europe/Paris"), content_type=None, now=_DUE
    ),
    "getHistory": views.HistoryView(
        history=(
            views.HistoryEntry(
                version=1,
                type="post.created.v1",
                at=_AT,
                actor="user_001",
                summary="Created the post as a draft.",
                details={},
                event_id=sibling("evt", POST_ID),
                command_id=IDS["command_id"],
            ),
        ),
        before_version=None,
    ),
    "getCommand": views.CommandView(command_id=IDS["command_id"], post_id=POST_ID, status="accepted", reason=None),
}
