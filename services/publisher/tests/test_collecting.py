"""Reading numbers from the sandbox: every platform's own counters, and what happens when it does not tell."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx
import pytest
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.collecting import (
    CollectAccount,
    CollectPosts,
    FollowersMeasured,
    LivePost,
    MentionsFound,
    NotMeasured,
    PostMeasured,
    Sample,
)
from contracts.content import Content, Failure, Media, Options
from contracts.ids import new_id
from contracts.posts import Deferred, Published, Unknown
from contracts.wire import Envelope, unpack
from eventlog.jobs import Job
from eventlog.ports import Outgoing
from platforms.measures import figures
from publisher.adapters.http import new_client
from publisher.adapters.metrics.linkedin import LinkedInMetrics
from publisher.adapters.metrics.meta import FacebookMetrics, InstagramMetrics
from publisher.adapters.metrics.tiktok import TikTokMetrics
from publisher.adapters.metrics.x import XMetrics
from publisher.adapters.metrics.youtube import YouTubeMetrics
from publisher.collecting import Collector, MetricsReader


class Outbox:
    def __init__(self) -> None:
        self.ids: list[str] = []
        self.samples: list[Sample] = []

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            envelope, sample = unpack(message.headers, message.value)
            assert message.key == envelope.subject
            self.ids.append(envelope.id)
            self.samples.append(sample)  # type: ignore[arg-type]


class Collecting:
    def __init__(self, world: Any) -> None:
        self.world = world
        self.outbox = Outbox()
        self.is_publishing = False
        now = world.clock.now
        self.clients = {
            name: new_client(f"{world.url}/{name}", timeout=2.0)
            for name in ("x", "linkedin", "tiktok", "facebook", "instagram", "youtube")
        }
        facebook, youtube = self.clients["facebook"], self.clients["youtube"]
        readers: dict[str, MetricsReader] = {
            "twitter": XMetrics(self.clients["x"], now=now),
            "linkedin": LinkedInMetrics(self.clients["linkedin"], version="202609", now=now),
            "tiktok": TikTokMetrics(self.clients["tiktok"], now=now),
            "facebook": FacebookMetrics(facebook, version="v26.0", now=now),
            "instagram": InstagramMetrics(
                facebook, self.clients["instagram"], facebook_version="v26.0", instagram_version="v26.0", now=now
            ),
            "youtube": YouTubeMetrics(youtube, youtube, now=now),
        }
        self.collector = Collector(
            accounts=world.accounts,
            tokens=world.tokens,
            readers=readers,
            connectors=world.connectors,
            outbox=self.outbox,
            source="test",
            now=now,
            is_publishing=lambda: self.is_publishing,
            sleep=world.clock.sleep,
        )

    async def handle(self, request: CollectPosts | CollectAccount, *, request_id: str = "req_1") -> list[Sample]:
        """The samples of this request."""
        envelope = Envelope(id=request_id, source="t", subject=request.account_id, time=datetime.now(UTC))
        job = Job(topic="t", partition=0, offset=0, key=request.account_id, envelope=envelope, message=request)
        before = len(self.outbox.samples)
        await self.collector.handle(job)
        return self.outbox.samples[before:]

    async def posts(
        self,
        account: Account,
        *ids: Sequence[str],
        content_type: Any = "text",
        age: timedelta = timedelta(hours=1),
    ) -> list[Sample]:
        now = self.world.clock.now()
        return await self.handle(
            CollectPosts(
                tenant_id=account.tenant_id,
                account_id=account.account_id,
                platform=account.platform,
                posts=tuple(
                    LivePost(
                        post_id=f"post_{number}",
                        target_id=f"{account.platform}:{account.account_id}",
                        platform_post_ids=tuple(parts),
                        published_at=now - age,
                        content_type=content_type,
                    )
                    for number, parts in enumerate(ids)
                ),
                expires_at=now + timedelta(minutes=5),
            )
        )

    async def account(self, account: Account, *, mentions: bool = True) -> list[Sample]:
        now = self.world.clock.now()
        return await self.handle(
            CollectAccount(
                tenant_id=account.tenant_id,
                account_id=account.account_id,
                platform=account.platform,
                followers=True,
                mentions_since=now - timedelta(hours=1) if mentions else None,
                expires_at=now + timedelta(minutes=5),
            )
        )

    async def metrics(self, post_id: str, **counts: int) -> None:
        (await self.world.control.post(f"/ledger/{post_id}/metrics", json=counts)).raise_for_status()

    async def mention(self, account: Account, text: str, **more: str) -> None:
        answer = await self.world.control.post(
            f"/accounts/{account.platform_user_id}/mentions", json={"author": "customer", "text": text, **more}
        )
        assert answer.status_code == 201, answer.text

    def token(self, account: Account) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.world.tokens.known[account.account_id].reveal()}"}


@pytest.fixture
async def collecting(world: Any) -> AsyncIterator[Collecting]:
    collecting = Collecting(world)
    yield collecting
    for client in collecting.clients.values():
        await client.aclose()


async def tweet(collecting: Collecting, account: Account, text: str, **more: Any) -> str:
    answer = await collecting.clients["x"].post(
        "/2/tweets", json={"text": text, **more}, headers=collecting.token(account)
    )
    assert answer.status_code == 201, answer.text
    post_id: str = answer.json()["data"]["id"]
    return post_id


async def test_x(world: Any, collecting: Collecting) -> None:
    account = await world.account("twitter", followers=1_234)
    first, second = await tweet(collecting, account, "One"), await tweet(collecting, account, "Two")
    await collecting.metrics(
        first, impressions=900, likes=30, reposts=4, replies=2, quotes=1, bookmarks=3, link_clicks=17
    )
    await collecting.metrics(second, impressions=100, likes=3)
    (measured,) = await collecting.posts(account, [first])
    assert isinstance(measured, PostMeasured)
    assert measured.counters == {
        "impression_count": 900,
        "like_count": 30,
        "retweet_count": 4,
        "reply_count": 2,
        "quote_count": 1,
        "bookmark_count": 3,
        "url_link_clicks": 17,
        "user_profile_clicks": 0,
    }
    # The parts of a thread are measured together.
    (thread,) = await collecting.posts(account, [first, second])
    assert isinstance(thread, PostMeasured)
    assert (thread.counters["impression_count"], thread.counters["like_count"]) == (1_000, 33)


async def test_x_names_new_counters_anew(world: Any, collecting: Collecting) -> None:
    account = await world.account("twitter")
    post_id = await tweet(collecting, account, "One")
    await collecting.metrics(post_id, impressions=900, reposts=4)
    await world.control.post("/settings", json={"twitter": {"fields": "both"}})
    (measured,) = await collecting.posts(account, [post_id])
    assert isinstance(measured, PostMeasured)
    assert measured.counters["retweet_count"] == 4


async def test_what_is_gone_is_not_asked_for_again(world: Any, collecting: Collecting) -> None:
    account = await world.account("twitter")
    kept, gone = await tweet(collecting, account, "One"), await tweet(collecting, account, "Two")
    await collecting.clients["x"].delete(f"/2/tweets/{gone}", headers=collecting.token(account))
    there, missing = await collecting.posts(account, [kept], [gone])
    assert isinstance(there, PostMeasured)
    assert isinstance(missing, NotMeasured)
    assert missing.gone


async def test_followers_and_mentions_on_x(world: Any, collecting: Collecting) -> None:
    account = await world.account("twitter", followers=1_234)
    await tweet(collecting, account, "One")
    await collecting.mention(account, "I like it")
    await collecting.mention(account, "Indeed", kind="reply")
    await collecting.mention(account, "Look at this", kind="quote")
    followers, mentions = await collecting.account(account)
    assert isinstance(followers, FollowersMeasured)
    assert followers.followers == 1_234
    assert isinstance(mentions, MentionsFound)
    assert [(each.kind, each.author) for each in mentions.mentions] == [
        ("quote", "customer"),
        ("reply", "customer"),
        ("mention", "customer"),
    ]
    assert mentions.mentions[2].text.endswith("I like it")
    assert mentions.mentions[0].url == f"https://x.com/customer/status/{mentions.mentions[0].mention_id}"


async def test_linkedin_page(world: Any, collecting: Collecting) -> None:
    account = await world.account("linkedin", kind="organization", account_type="organization", followers=77)
    headers = {
        **collecting.token(account),
        "LinkedIn-Version": "202609",
        "X-Restli-Protocol-Version": "2.0.0",
    }
    urns = []
    for text in ("One", "Two"):
        body = {
            "author": account.platform_user_id,
            "commentary": text,
            "visibility": "PUBLIC",
            "distribution": {
                "feedDistribution": "MAIN_FEED",
                "targetEntities": [],
                "thirdPartyDistributionChannels": [],
            },
            "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": False,
        }
        answer = await collecting.clients["linkedin"].post("/rest/posts", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        urns.append(str(httpx.URL("http://x/" + answer.headers["x-restli-id"]).path.removeprefix("/")))
    await collecting.metrics(
        urns[0], impressions=500, unique_impressions=400, likes=9, replies=3, reposts=2, link_clicks=6
    )
    active, quiet = await collecting.posts(account, [urns[0]], [urns[1]])
    assert isinstance(active, PostMeasured)
    assert active.counters == {
        "impressionCount": 500,
        "uniqueImpressionsCount": 400,
        "clickCount": 6,
        "likeCount": 9,
        "commentCount": 3,
        "shareCount": 2,
    }
    # LinkedIn leaves out posts that nothing has happened to.
    assert isinstance(quiet, PostMeasured)
    assert set(quiet.counters.values()) == {0}
    await collecting.mention(account, "They are good")
    followers, mentions = await collecting.account(account)
    assert isinstance(followers, FollowersMeasured)
    assert followers.followers == 77
    assert isinstance(mentions, MentionsFound)
    assert len(mentions.mentions) == 1


async def test_linkedin_member_without_the_permission(world: Any, collecting: Collecting) -> None:
    account = await world.account("linkedin")
    (failed,) = await collecting.posts(account, ["urn:li:share:1"])
    assert isinstance(failed, NotMeasured)
    assert (failed.reason.code, failed.gone) == ("permission_missing", False)
    _, mentions = await collecting.account(account)
    assert isinstance(mentions, NotMeasured)
    assert (mentions.reason.code, mentions.gone) == ("not_offered", True)


async def test_a_limit_is_respected_without_asking_again(world: Any, collecting: Collecting) -> None:
    account = await world.account("twitter")
    post_id = await tweet(collecting, account, "One")
    script = {"platform": "twitter", "account": account.platform_user_id, "call": "get_posts", "fault": "rate_limited"}
    (await world.control.post("/faults", json={**script, "params": {"seconds": 600}})).raise_for_status()
    (failed,) = await collecting.posts(account, [post_id])
    assert isinstance(failed, NotMeasured)
    assert failed.reason.code == "rate_limited"
    assert failed.retry_at is not None
    assert failed.retry_at > world.clock.now() + timedelta(minutes=8)
    (again,) = await collecting.posts(account, [post_id])
    assert isinstance(again, NotMeasured)
    asked = (await world.control.get("/requests", params={"call": "get_posts"})).json()["requests"]
    assert len([each for each in asked if account.platform_user_id in each["accounts"]]) == 1


@pytest.mark.parametrize("fault", ["server_error_503", "garbage", "reset_before", "unauthorized_401"])
async def test_failures_are_told_and_tried_again(world: Any, collecting: Collecting, fault: str) -> None:
    account = await world.account("twitter")
    post_id = await tweet(collecting, account, "One")
    script = {"platform": "twitter", "account": account.platform_user_id, "call": "get_posts", "fault": fault}
    (await world.control.post("/faults", json=script)).raise_for_status()
    (failed,) = await collecting.posts(account, [post_id])
    assert isinstance(failed, NotMeasured)
    assert not failed.gone
    (measured,) = await collecting.posts(account, [post_id])
    assert isinstance(measured, PostMeasured)


async def test_publishing_goes_first(world: Any, collecting: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await world.account("twitter")
    post_id = await tweet(collecting, account, "One")
    collecting.is_publishing = True
    monkeypatch.setattr("publisher.collecting.LONGEST_WAIT", 0.0)
    (put_off,) = await collecting.posts(account, [post_id])
    assert isinstance(put_off, NotMeasured)
    assert put_off.reason.code == "publishing_first"
    assert put_off.retry_at is not None


async def test_budgets_of_publishing_are_not_touched_when_they_are_spent(world: Any, collecting: Collecting) -> None:
    account = await world.account("facebook", account_type="page")
    until = world.clock.now() + timedelta(hours=1)
    failure = Failure(code="rate_limited", message="Enough.", retryable=True)
    world.connectors["facebook"].budgets.use_up(account.account_id, until, failure)
    (failed,) = await collecting.posts(account, ["1_2"])
    assert isinstance(failed, NotMeasured)
    assert failed.retry_at == until


async def test_the_same_request_makes_samples_with_the_same_ids(world: Any, collecting: Collecting) -> None:
    account = await world.account("twitter")
    post_id = await tweet(collecting, account, "One")
    await collecting.posts(account, [post_id])
    await collecting.posts(account, [post_id])
    assert len(set(collecting.outbox.ids)) == 1


async def test_what_comes_too_late_is_left(world: Any, collecting: Collecting) -> None:
    account = await world.account("twitter")
    now = world.clock.now()
    request = CollectAccount(
        tenant_id=account.tenant_id,
        account_id=account.account_id,
        platform="twitter",
        followers=True,
        mentions_since=None,
        expires_at=now - timedelta(seconds=1),
    )
    assert await collecting.handle(request) == []


async def test_an_account_that_is_disconnected_says_so(world: Any, collecting: Collecting) -> None:
    account = await world.account("twitter")
    del world.tokens.known[account.account_id]
    (failed,) = await collecting.posts(account, ["1"])
    assert isinstance(failed, NotMeasured)
    assert failed.reason.code == "account_disconnected"


async def test_facebook_page(world: Any, collecting: Collecting) -> None:
    account = await world.account("facebook", account_type="page", followers=321)
    answer = await collecting.clients["facebook"].post(
        f"/v26.0/{account.platform_user_id}/feed", data={"message": "One"}, headers=collecting.token(account)
    )
    post_id = answer.json()["id"]
    await collecting.metrics(
        post_id, impressions=700, unique_impressions=600, likes=12, replies=4, reposts=3, link_clicks=8
    )
    (measured,) = await collecting.posts(account, [post_id])
    assert isinstance(measured, PostMeasured), measured
    assert measured.counters == {
        "post_media_view": 700,
        "post_total_media_view_unique": 600,
        "post_clicks": 8,
        "post_reactions_by_type_total": 12,
        "comments": 4,
        "shares": 3,
    }
    await collecting.mention(account, "What a page")
    followers, mentions = await collecting.account(account)
    assert isinstance(followers, FollowersMeasured), followers
    assert followers.followers == 321
    assert isinstance(mentions, MentionsFound), mentions
    assert [(each.author, each.text) for each in mentions.mentions] == [("customer", "What a page")]


async def live(world: Any, account: Account, content: Content, options: Options | None = None) -> str:
    """The platform's id of what has been published there, by our own connector."""
    request = replace(world.request(account, content, options=options), post_id=new_id("post"))
    for attempt in range(1, 40):
        report = await world.run(replace(request, attempt=attempt))
        match report.outcome:
            case Published(parts=(part,)):
                post_id: str = part.platform_post_id
                return post_id
            case Unknown(probe_at=at) | Deferred(until=at):
                await world.clock.reach(at)
            case other:
                raise AssertionError(other)
    raise AssertionError("never live")


def sample_media(world: Any, kind: Literal["image", "video"], query: str) -> Media:
    name = "image.jpg" if kind == "image" else "video.mp4"
    return Media(type=kind, url=f"{world.url}/_sandbox/media/{name}?{query}")


def counters_of(sample: Sample) -> dict[str, int]:
    assert isinstance(sample, PostMeasured), sample
    return sample.counters


COUNTS = {
    "views": 900,
    "impressions": 900,
    "unique_impressions": 700,
    "likes": 40,
    "replies": 5,
    "saves": 8,
    "shares": 3,
    "reposts": 2,
    "followers_gained": 6,
    "profile_views": 11,
}


@pytest.mark.parametrize("login", [None, "facebook"])
async def test_instagram(world: Any, collecting: Collecting, login: Any) -> None:
    """Each kind of media has metrics of its own; one that does not fit would fail them all."""
    page = await world.account("facebook")
    administrator = {} if login is None else {"administrator": page.platform_user_id}
    account = replace(await world.account("instagram", followers=4_321, **administrator), login=login)
    world.accounts.known[account.account_id] = account
    everywhere = {"views": 900, "reach": 700, "shares": 3, "reposts": 2}
    image, video = sample_media(world, "image", "w=600&h=600"), sample_media(world, "video", "w=544&h=960&seconds=3")
    expected: dict[str, tuple[str, dict[str, int]]] = {
        "feed": (
            await live(world, account, Content(text="A day", media=(image,))),
            {**everywhere, "likes": 40, "comments": 5, "saved": 8, "follows": 6, "profile_visits": 11},
        ),
        "reel": (
            await live(world, account, Content(text="A reel", media=(video,)), {"share_to_feed": True}),
            {**everywhere, "likes": 40, "comments": 5, "saved": 8},
        ),
        "story": (
            await live(world, account, Content(text="", media=(image,)), {"post_type": "story"}),
            {**everywhere, "replies": 5, "follows": 6, "profile_visits": 11},
        ),
    }
    for post_id, _ in expected.values():
        await collecting.metrics(post_id, **COUNTS)
    measured = await collecting.posts(account, *([post_id] for post_id, _ in expected.values()), content_type="image")
    assert [counters_of(sample) for sample in measured] == [counters for _, counters in expected.values()]
    told = figures("instagram", counters_of(measured[0]))
    # 40 likes, 5 comments, 8 saves, 3 shares and 2 reposts.
    assert (told.impressions, told.reach, told.engagements, told.engagement_rate) == (900, 700, 58, 6.44)
    await collecting.mention(account, "Look at @them")
    followers, mentions = await collecting.account(account)
    assert isinstance(followers, FollowersMeasured), followers
    assert followers.followers == 4_321
    if login is None:
        assert isinstance(mentions, NotMeasured)
        assert (mentions.reason.code, mentions.gone) == ("not_offered", True)
    else:
        assert isinstance(mentions, MentionsFound), mentions
        assert [(each.author, each.text) for each in mentions.mentions] == [("customer", "Look at @them")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"post_type": "reel"},
            {"blue_reels_play_count": 900, "post_impressions_unique": 700, "post_video_likes_by_reaction_type": 40},
        ),
        (
            {},
            {
                "total_video_views": 900,
                "total_video_impressions_unique": 700,
                "total_video_reactions_by_type_total": 40,
            },
        ),
    ],
)
async def test_videos_of_a_page_have_counters_of_their_own(
    world: Any, collecting: Collecting, options: Options, expected: dict[str, int]
) -> None:
    account = await world.account("facebook")
    video = sample_media(world, "video", "w=544&h=960&seconds=5")
    post_id = await live(world, account, Content(text="Moving", media=(video,)), options)
    await collecting.metrics(post_id, **COUNTS)
    (measured,) = await collecting.posts(account, [post_id], content_type="video")
    counters = counters_of(measured)
    assert counters == {**expected, "comments": 5, "shares": 2}
    told = figures("facebook", counters)
    assert (told.impressions, told.reach, told.engagements, told.likes) == (900, 700, 47, 40)


async def test_tiktok(world: Any, collecting: Collecting) -> None:
    account = await world.account("tiktok", token_expires_in=10**8)
    clip = Content(text="Hello", media=(sample_media(world, "video", "w=368&h=640&seconds=3"),))
    post_id = await live(world, account, clip, {"privacy_level": "public_to_everyone"})
    await collecting.metrics(post_id, **COUNTS)
    measured, unknown = await collecting.posts(account, [post_id], ["v_pub_url~v2.1"], content_type="video")
    counters = counters_of(measured)
    assert counters == {"view_count": 900, "like_count": 40, "comment_count": 5, "share_count": 2}
    told = figures("tiktok", counters)
    assert (told.impressions, told.reach, told.engagements, told.engagement_rate) == (900, None, 47, 5.22)
    # Until its public id is known, nothing is told of it; that is no reason to give it up.
    assert isinstance(unknown, NotMeasured)
    assert (unknown.reason.code, unknown.gone) == ("not_told", False)


async def test_youtube(world: Any, collecting: Collecting) -> None:
    account = await world.account("youtube", token_expires_in=10**8)
    clip = Content(text="Behind the scenes", media=(sample_media(world, "video", "w=160&h=240"),))
    options: Options = {"title": "Launch", "privacy": "PUBLIC", "made_for_kids": False}
    post_id = await live(world, account, clip, options)
    await collecting.metrics(
        post_id, views=900, likes=40, comments=5, shares=3, minutes_watched=77, subscribers_gained=2
    )
    young, gone = await collecting.posts(account, [post_id], ["nosuchvideo"], content_type="video")
    assert counters_of(young) == {"viewCount": 900, "likeCount": 40, "commentCount": 5}
    assert isinstance(gone, NotMeasured)
    assert gone.gone
    # Reports come days later.
    await world.clock.sleep(timedelta(days=5).total_seconds())
    (old,) = await collecting.posts(account, [post_id], content_type="video", age=timedelta(days=5))
    assert counters_of(old) == {
        "viewCount": 900,
        "likeCount": 40,
        "commentCount": 5,
        "shares": 3,
        "estimatedMinutesWatched": 77,
        "subscribersGained": 2,
    }
    told = figures("youtube", counters_of(old))
    assert (told.impressions, told.engagements, told.engagement_rate) == (900, 48, 5.33)


@pytest.mark.parametrize(
    ("platform", "limits", "most"),
    [
        # Two calls for each post; the one that finds 60 % of 20 used is the last.
        ("facebook", {"calls": 20}, 13),
        # Five calls for each of a member's posts: 60 of the 150 that the day has for them.
        ("linkedin", {"member_day": 150}, 60),
    ],
)
async def test_reading_leaves_publishing_its_share(
    world: Any, collecting: Collecting, platform: str, limits: dict[str, int], most: int
) -> None:
    """However much there is to read, what is to be published goes out."""

    async def limit(**switches: Any) -> None:
        answer = await world.control.post("/settings", json={platform: {"rate_limits": switches}})
        answer.raise_for_status()

    await limit(enabled=False)
    scopes = ["openid", "profile", "w_member_social", "r_member_postAnalytics"] if platform == "linkedin" else None
    account = await world.account(platform, **({} if scopes is None else {"scopes": scopes}))
    ids = [await live(world, account, Content(text=f"Before, {number}")) for number in range(15)]
    await limit(enabled=True, **limits)
    before = await calls(world, account)
    samples = await collecting.posts(account, *([post_id] for post_id in ids))
    refused = [sample for sample in samples if isinstance(sample, NotMeasured)]
    assert refused
    assert {sample.reason.code for sample in refused} == {"budget_spent"}
    assert all(sample.retry_at is not None and sample.retry_at > world.clock.now() for sample in refused)
    spent = await calls(world, account) - before
    assert spent == most
    await collecting.posts(account, ids[:1])
    assert await calls(world, account) - before == spent
    for number in range(3):
        assert await live(world, account, Content(text=f"After reading, {number}"))


async def calls(world: Any, account: Account) -> int:
    answer = await world.control.get("/requests", params={"account": account.platform_user_id})
    return len(answer.raise_for_status().json()["requests"])


async def test_platforms_without_mentions_say_so(world: Any, collecting: Collecting) -> None:
    for platform in ("tiktok", "youtube"):
        account = await world.account(platform, followers=55)
        followers, mentions = await collecting.account(account)
        assert isinstance(followers, FollowersMeasured), followers
        assert followers.followers == 55
        assert isinstance(mentions, NotMeasured)
        assert (mentions.reason.code, mentions.gone) == ("not_offered", True)
