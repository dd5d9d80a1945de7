"""One good example of each request and answer, for the description of the API; answers are made as real ones are."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from contracts.accounts import Account
from contracts.content import Content, Link, LivePart, Media, Schedule
from contracts.ids import sibling
from contracts.posts import Post, Target
from gateway import views
from gateway.problems import FieldError

POST_ID = "post_01KFSZ1V5R3W8Q6M2N7T4X9B0C"

IDS: Mapping[str, str] = {
    "post_id": POST_ID,
    "publish_id": sibling("pub", POST_ID),
    "thread_id": sibling("thread", POST_ID),
    "command_id": sibling("cmd", POST_ID),
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

ANSWERS: Mapping[str, views.View] = {
    "publish": views.publication(SCHEDULED),
    "getPublication": views.publication(PUBLISHED),
    "createPost": views.post_view(SCHEDULED),
    "listPosts": views.PostList(posts=(views.post_view(PUBLISHED),), cursor=None),
    "getPost": views.post_view(PUBLISHED),
    "updatePost": views.post_view(SCHEDULED),
    "publishPost": views.post_view(PUBLISHED),
    "schedulePost": views.post_view(SCHEDULED),
    "cancelPost": views.post_view(SCHEDULED),
    "createThread": views.thread(THREAD),
    "getThread": views.thread(THREAD),
    "getQueue": views.QueueView(queue=(views.queue_entry(SCHEDULED),), total_scheduled=1, cursor=None),
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
