"""How posts did, over HTTP, against figures that were worked out by hand."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from contracts.analytics import DayEntry, FollowersReading, Outcome, PostMetrics, Reading
from contracts.collecting import RefreshAnalytics
from contracts.content import Failure, LivePart
from contracts.posts import Published, ReportOutcome
from gateway.app import create_app
from gateway.insights import AccountFacts, Change, PlannedReading
from gateway.posting_weeks import PostingWeeks
from platforms.posting_times import HOURS, PROFILES, Profile

TENANT = "tenant_a"
LIVE = datetime(2026, 11, 24, 12, 0, 10, tzinfo=UTC)
ON_X, ON_LINKEDIN = "twitter:acc_x", "linkedin:acc_in"


def reading(after: timedelta, **counters: int) -> Reading:
    return Reading(at=LIVE + after, sample_id=f"s{after}", counters=counters)


async def published(world: Any, api: Any) -> str:
    """A post that is live on X and LinkedIn."""
    body = {
        "content": {"text": "Big news"},
        "platforms": [
            {"platform": "twitter", "account_id": "acc_x"},
            {"platform": "linkedin", "account_id": "acc_in"},
        ],
    }
    answer = await api.post("/publish", json=body)
    assert answer.status_code == 201, answer.text
    post_id: str = answer.json()["post_id"]
    for target_id in (ON_X, ON_LINKEDIN):
        part = LivePart(index=0, platform_post_id="1")
        world.log.obey(
            post_id,
            ReportOutcome(
                post_id=post_id,
                tenant_id=TENANT,
                target_id=target_id,
                attempt=world.log.stored[post_id].state.targets[0].attempt
                if target_id == ON_X
                else world.log.stored[post_id].state.targets[1].attempt,
                issued_at=LIVE,
                outcome=Published(parts=(part,), at=LIVE),
                sent_at=LIVE,
            ),
            f"outcome-{target_id}",
        )
    assert world.log.stored[post_id].state.status == "published"
    return post_id


def metrics(post_id: str, target_id: str, *readings: Reading, **more: Any) -> PostMetrics:
    platform, _, account_id = target_id.partition(":")
    return PostMetrics(
        tenant_id=TENANT,
        account_id=account_id,
        platform=platform,
        post_id=post_id,
        target_id=target_id,
        published_at=LIVE,
        content_type="text",
        readings=readings,
        **more,
    )


async def test_nothing_measured_yet(world: Any, api: Any) -> None:
    post_id = await published(world, api)
    answer = (await api.get(f"/posts/{post_id}/analytics")).json()
    assert answer["total"] == dict.fromkeys(
        ("impressions", "reach", "engagements", "engagement_rate", "clicks", "shares", "comments", "likes")
    )
    assert [each["status"] for each in answer["by_platform"]] == ["pending", "pending"]
    assert answer["timeseries"] == []
    assert answer["as_of"] is None
    assert answer["completeness"] == {"complete": False, "expected": 2, "measured": 0}


async def test_figures_by_hand(world: Any, api: Any) -> None:
    post_id = await published(world, api)
    world.insights.metrics = [
        metrics(
            post_id,
            ON_X,
            reading(timedelta(minutes=5), impression_count=600, like_count=10),
            reading(timedelta(minutes=50), impression_count=5_000, like_count=90, retweet_count=20, reply_count=10),
            reading(
                timedelta(minutes=110),
                impression_count=15_000,
                like_count=180,
                retweet_count=35,
                reply_count=22,
                quote_count=13,
                bookmark_count=30,
                url_link_clicks=125,
            ),
        ),
        metrics(
            post_id,
            ON_LINKEDIN,
            reading(
                timedelta(minutes=50),
                impressionCount=10_000,
                uniqueImpressionsCount=8_200,
                likeCount=120,
                commentCount=25,
                shareCount=25,
                clickCount=40,
            ),
        ),
    ]
    answer = (await api.get(f"/posts/{post_id}/analytics")).json()
    # 180 + 35 + 22 + 13 + 30 = 280 on X, 120 + 25 + 25 = 170 on LinkedIn.
    assert answer["total"] == {
        "impressions": 25_000,
        "reach": 8_200,
        "engagements": 450,
        "engagement_rate": 1.8,
        "clicks": 165,
        "shares": 73,
        "comments": 47,
        "likes": 300,
    }
    twitter, linkedin = answer["by_platform"]
    assert {
        "platform": "twitter",
        "account_id": "acc_x",
        "impressions": 15_000,
        "engagements": 280,
        "engagement_rate": 1.87,
        "retweets": 35,
        "likes": 180,
        "replies": 22,
        "quotes": 13,
        "bookmarks": 30,
        "clicks": 125,
    }.items() <= twitter.items()
    assert "reactions" not in twitter
    assert {
        "impressions": 10_000,
        "engagements": 170,
        "engagement_rate": 1.7,
        "reactions": 120,
        "comments": 25,
        "shares": 25,
        "reach": 8_200,
    }.items() <= linkedin.items()
    assert "retweets" not in linkedin
    # X at 13:00 stands between 5,000 at 12:50:10 and 15,000 at 13:50:10: 590 of 3,600 s, so 1,638 more; and
    # engagements between 120 and 280: 26 more. LinkedIn was read once, in the first hour.
    assert answer["timeseries"] == [
        {"timestamp": "2026-11-24T12:00:00Z", "impressions": 16_638, "engagements": 316, "estimated": False},
        {"timestamp": "2026-11-24T13:00:00Z", "impressions": 8_362, "engagements": 134, "estimated": False},
    ]
    assert answer["as_of"] == "2026-11-24T12:50:10Z"
    assert answer["completeness"] == {"complete": True, "expected": 2, "measured": 2}

    block = (await api.get(f"/posts/{post_id}")).json()["analytics"]
    assert block == {
        "total_impressions": 25_000,
        "total_engagements": 450,
        "engagement_rate": 1.8,
        "as_of": "2026-11-24T12:50:10Z",
    }
    assert (await api.get("/posts")).json()["posts"][0]["analytics"] == block


async def test_the_series_as_csv_and_by_day(world: Any, api: Any) -> None:
    post_id = await published(world, api)
    world.insights.metrics = [
        metrics(post_id, ON_X, *(reading(timedelta(hours=hour), impression_count=100 * hour) for hour in range(1, 31)))
    ]
    answer = await api.get(f"/posts/{post_id}/analytics", params={"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = answer.text.splitlines()
    assert lines[0] == "timestamp,impressions,engagements,estimated"
    assert lines[3] == "2026-11-24T14:00:00+00:00,100,,false"
    assert sum(int(line.split(",")[1]) for line in lines[1:]) == 3_000
    days = await api.get(f"/posts/{post_id}/analytics", params={"granularity": "day", "timezone": "Asia/Tokyo"})
    # From 21:00 in Tokyo: three hours of the 24th, a whole day, and the rest.
    assert [(point["timestamp"], point["impressions"]) for point in days.json()["timeseries"]] == [
        ("2026-11-24T00:00:00+09:00", 299),
        ("2026-11-25T00:00:00+09:00", 2_400),
        ("2026-11-26T00:00:00+09:00", 301),
    ]


async def test_a_platform_that_does_not_tell_is_named_with_the_reason(world: Any, api: Any) -> None:
    post_id = await published(world, api)
    problem = Failure(code="permission_missing", message="LinkedIn does not let the app read this.")
    world.insights.metrics = [
        metrics(post_id, ON_X, reading(timedelta(minutes=5), impression_count=600, like_count=12)),
        metrics(post_id, ON_LINKEDIN, problem=problem, problem_at=LIVE),
    ]
    answer = (await api.get(f"/posts/{post_id}/analytics")).json()
    assert [each["status"] for each in answer["by_platform"]] == ["measured", "unavailable"]
    assert answer["by_platform"][1]["reason"]["code"] == "permission_missing"
    assert answer["completeness"] == {"complete": False, "expected": 2, "measured": 1}
    assert answer["total"]["engagement_rate"] == 2.0


async def test_posts_of_others_are_not_there(world: Any, api: Any) -> None:
    post_id = await published(world, api)
    world.insights.metrics = [metrics(post_id, ON_X, reading(timedelta(minutes=5), impression_count=600))]
    async with world.client(tenant_id="tenant_b", sub="user_b") as stranger:
        for path in (f"/posts/{post_id}/analytics", f"/posts/{post_id}"):
            assert (await stranger.get(path)).json()["code"] == "post_not_found"
        assert (await stranger.post(f"/posts/{post_id}/analytics/refresh")).status_code == 404
        assert (await stranger.get("/distribution/metrics")).json()["summary"]["total_posts"] == 0


async def test_fresh_numbers_on_demand_but_not_all_the_time(world: Any, api: Any) -> None:
    post_id = await published(world, api)
    just_now, soon = world.clock.now - timedelta(seconds=20), world.clock.now + timedelta(minutes=5)

    def planned(target_id: str, *, asked: datetime | None = None, over: bool = False) -> PlannedReading:
        return PlannedReading(target_id=target_id, due_at=None if over else soon, requested_at=asked)

    async def ask(*plans: PlannedReading) -> httpx.Response:
        world.insights.plans[TENANT, post_id] = list(plans)
        answer: httpx.Response = await api.post(f"/posts/{post_id}/analytics/refresh")
        return answer

    # It went live a moment ago, so nothing is planned yet: the wish waits for that.
    assert (await ask()).status_code == 202
    (wish,) = [command for command in world.log.sent if isinstance(command, RefreshAnalytics)]
    assert (wish.post_id, wish.tenant_id) == (post_id, TENANT)
    assert (await ask(planned(ON_X, asked=just_now))).status_code == 202
    assert (await ask(planned(ON_X), planned(ON_LINKEDIN, asked=just_now))).status_code == 202
    answer = await ask(planned(ON_X, asked=just_now), planned(ON_LINKEDIN, over=True))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "40")
    answer = await ask(planned(ON_X, over=True), planned(ON_LINKEDIN, over=True))
    assert (answer.status_code, answer.json()["code"]) == (409, "not_measurable")
    draft = (await api.post("/posts", json={"content": {"text": "Later"}})).json()["id"]
    assert (await api.post(f"/posts/{draft}/analytics/refresh")).json()["code"] == "not_measurable"


def changed(post_id: str, target_id: str, after: timedelta, position: int) -> Change:
    return Change(key=f"{post_id}|{target_id}", post_id=post_id, position=position, at=LIVE + after)


def sent(answer: httpx.Response) -> list[tuple[str, str, Any]]:
    """Id, type and data of each event."""
    found = []
    for block in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        if "data" in lines:
            found.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return found


async def test_fresh_numbers_are_streamed_to_their_tenant(world: Any, api: Any) -> None:
    world.clock.now = LIVE + timedelta(minutes=10)
    first, second = await published(world, api), await published(world, api)
    numbers = reading(timedelta(minutes=5), impression_count=600, like_count=12)
    world.insights.metrics = [
        metrics(first, ON_X, numbers),
        metrics(first, ON_LINKEDIN),
        metrics(second, ON_X, numbers),
    ]
    world.insights.changes = [
        (TENANT, changed(second, ON_X, timedelta(minutes=8), 7)),
        (TENANT, changed(first, ON_X, timedelta(minutes=5), 3)),
        ("tenant_b", changed("post_b", ON_X, timedelta(minutes=6), 3)),
    ]
    begins_now = await api.get("/analytics/stream")
    assert begins_now.headers["content-type"].startswith("text/event-stream")
    assert sent(begins_now) == []
    everything = sent(await api.get("/analytics/stream", params={"cursor": "0"}))
    assert [(kind, data["post_id"]) for _, kind, data in everything] == [
        ("analytics.updated", first),
        ("analytics.updated", second),
    ]
    at, _, told = everything[0]
    assert told["total"]["impressions"] == 600
    assert told["total"]["engagement_rate"] == 2.0
    assert [each["status"] for each in told["by_platform"]] == ["measured", "pending"]
    assert told["as_of"] == "2026-11-24T12:05:10Z"
    # From a minute before the last one on, so that nothing is missed that came into sight late.
    resumed = sent(await api.get("/analytics/stream", headers={"Last-Event-ID": everything[1][0]}))
    assert [data["post_id"] for _, _, data in resumed] == [second]
    assert int(everything[1][0]) - int(at) == 180_000
    only = sent(await api.get("/analytics/stream", params={"cursor": "0", "post_id": second}))
    assert [data["post_id"] for _, _, data in only] == [second]
    for wrong in ({"cursor": "x"}, {"cursor": "9" * 18}, {"post": "x"}):
        assert (await api.get("/analytics/stream", params=wrong)).status_code == 400
    async with world.client(tenant_id="tenant_b", sub="user_b") as stranger:
        foreign = await stranger.get("/analytics/stream", params={"cursor": "0"})
        assert first not in foreign.text
        assert second not in foreign.text


async def test_what_comes_into_sight_late_is_streamed_once(
    world: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dated before what has been told already, changed again while streaming, and more than fits into a page."""
    monkeypatch.setattr("gateway.entrypoints.analytics._CHANGES", 2)
    world.clock.now = LIVE + timedelta(minutes=5)
    numbers = reading(timedelta(minutes=5), impression_count=600, like_count=12)
    ids = [f"post_{number}" for number in range(7)]
    world.insights.metrics = [metrics(post_id, ON_X, numbers) for post_id in ids]
    at = [timedelta(minutes=5, seconds=second) for second in range(7)]
    world.insights.changes = [(TENANT, changed(ids[n], ON_X, at[n], n)) for n in (1, 3, 4, 5, 6)]
    looks = 0
    looked = world.insights.changed

    async def look(*question: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 6:
            world.insights.changes.append((TENANT, changed(ids[2], ON_X, at[2], 2)))
            world.insights.changes[0] = TENANT, changed(ids[1], ON_X, at[6] + timedelta(seconds=1), 9)
        return await looked(*question)

    world.insights.changed = look
    told = [data["post_id"] for _, _, data in sent(await api.get("/analytics/stream", params={"cursor": "0"}))]
    assert told == [ids[n] for n in (1, 3, 4, 5, 6, 2, 1)]
    world.gateway.streams.ending.set()
    assert sent(await api.get("/analytics/stream", params={"cursor": "0"})) == []


def entry(post_id: str, at: str, impressions: int | None, engagements: int | None, **more: Any) -> DayEntry:
    published_at = datetime.fromisoformat(at)
    return DayEntry(
        post_id=post_id,
        target_id="t",
        published_at=published_at,
        content_type="text",
        first=more.get("first", True),
        first_on_platform=True,
        observed_at=None if engagements is None else published_at + timedelta(days=1),
        sample_id="s",
        impressions=impressions,
        engagements=engagements,
    )


def followers(account_id: str, platform: Any, **counts: int) -> AccountFacts:
    return AccountFacts(
        account_id=account_id,
        platform=platform,
        followers={
            day: FollowersReading(
                at=datetime.fromisoformat(f"2026-{day[1:].replace('_', '-')}T06:00:00Z"), sample_id="s", followers=count
            )
            for day, count in counts.items()
        },
    )


@pytest.fixture
def november(world: Any) -> None:
    """Three posts on X, one of them also on LinkedIn, where it was not told how often it was seen; one not read yet."""
    world.insights.entries = [
        (TENANT, "acc_x", "twitter", entry("post_a", "2026-11-02T09:00:00Z", 1_000, 10)),
        (TENANT, "acc_x", "twitter", entry("post_b", "2026-11-10T23:30:00Z", 3_000, 90)),
        (TENANT, "acc_x", "twitter", entry("post_c", "2026-11-11T10:00:00Z", None, None)),
        (TENANT, "acc_in", "linkedin", entry("post_a", "2026-11-02T09:00:00Z", None, 25, first=False)),
        (TENANT, "acc_x", "twitter", entry("post_z", "2026-10-01T10:00:00Z", 9_999, 9_999)),
        ("tenant_b", "acc_y", "twitter", entry("post_y", "2026-11-02T10:00:00Z", 5_555, 5_555)),
    ]
    world.insights.facts = [
        (TENANT, followers("acc_x", "twitter", _10_31=15_000, _11_01=15_020, _11_20=15_400)),
        (TENANT, followers("acc_in", "linkedin", _11_05=8_500, _11_20=8_450)),
        ("tenant_b", followers("acc_y", "twitter", _11_05=1, _11_20=1_000_000)),
    ]


@pytest.mark.usefixtures("november")
async def test_a_period_by_hand(api: Any) -> None:
    period = {"start_date": "2026-11-01", "end_date": "2026-11-20"}
    answer = (await api.get("/distribution/metrics", params=period)).json()
    assert answer["period"] == {"start": "2026-11-01", "end": "2026-11-20", "timezone": "UTC"}
    # LinkedIn's 25 engagements have no impressions to be compared with: (10 + 90) / 4,000 = 2.5 %.
    assert answer["summary"] == {
        "total_posts": 3,
        "total_impressions": 4_000,
        "total_engagements": 125,
        "avg_engagement_rate": 2.5,
        "followers_gained": 350,
    }
    twitter, linkedin = answer["by_platform"]
    assert twitter == {
        "platform": "twitter",
        "posts": 3,
        "impressions": 4_000,
        "engagements": 100,
        "engagement_rate": 2.5,
        "followers_gained": 400,
        "best_performing_post": "post_b",
        "mentions": [{"account_id": "acc_x", "status": "pending", "reason": None, "read_to": None}],
    }
    assert linkedin == {
        "platform": "linkedin",
        "posts": 1,
        "impressions": 0,
        "engagements": 25,
        "engagement_rate": None,
        "followers_gained": -50,
        "best_performing_post": "post_a",
        "mentions": [{"account_id": "acc_in", "status": "pending", "reason": None, "read_to": None}],
    }
    assert [(top["id"], top["impressions"], top["engagements"]) for top in answer["top_posts"]] == [
        ("post_b", 3_000, 90),
        ("post_a", 1_000, 35),
    ]
    assert answer["optimal_posting_times"] == {
        "twitter": ["09:00", "12:00", "17:00"],
        "linkedin": ["08:00", "12:00", "16:00"],
    }
    assert answer["as_of"] == "2026-11-11T23:30:00Z"
    assert answer["completeness"] == {"complete": False, "expected": 4, "measured": 3}


async def test_best_posts_by_either_measure(world: Any, api: Any) -> None:
    """More than are shown; what is equal in one measure is decided by the other."""
    figures = {"post_a": (900, 5), "post_b": (100, 90), "post_c": (500, 40), "post_d": (400, 40), "post_e": (800, 1)}
    world.insights.entries = [
        (TENANT, "acc_x", "twitter", entry(post_id, f"2026-11-0{number}T09:00:00Z", *told))
        for number, (post_id, told) in enumerate(figures.items(), 1)
    ] + [(TENANT, "acc_x", "twitter", entry("post_f", "2026-11-09T09:00:00Z", 1, 0))]
    ranks = {
        "engagements": ["post_b", "post_c", "post_d", "post_a", "post_e"],
        "impressions": ["post_a", "post_e", "post_c", "post_d", "post_b"],
    }
    for measure, ranked in ranks.items():
        period = {"start_date": "2026-11-01", "end_date": "2026-11-20", "top_by": measure}
        answer = (await api.get("/distribution/metrics", params=period)).json()
        assert [top["id"] for top in answer["top_posts"]] == ranked
        assert answer["by_platform"][0]["best_performing_post"] == ranked[0]


async def test_a_day_on_which_clocks_change_has_25_hours(world: Any, api: Any) -> None:
    """25 October 2026 in Paris: from 22:00 UTC the day before to 23:00 UTC."""
    world.insights.entries = [
        (TENANT, "acc_x", "twitter", entry("post_a", "2026-10-24T21:59:59Z", 1, 1)),
        (TENANT, "acc_x", "twitter", entry("post_b", "2026-10-24T22:00:00Z", 10, 1)),
        (TENANT, "acc_x", "twitter", entry("post_c", "2026-10-25T22:59:59Z", 100, 1)),
        (TENANT, "acc_x", "twitter", entry("post_d", "2026-10-25T23:00:00Z", 1_000, 1)),
    ]
    seen = []
    for day in ("2026-10-24", "2026-10-25", "2026-10-26"):
        period = {"start_date": day, "end_date": day, "timezone": "Europe/Paris"}
        summary = (await api.get("/distribution/metrics", params=period)).json()["summary"]
        seen.append((summary["total_posts"], summary["total_impressions"]))
    assert seen == [(1, 1), (2, 110), (1, 1_000)]

    post_id = await published(world, api)
    start = datetime(2026, 10, 24, 20, tzinfo=UTC)
    readings = tuple(
        Reading(at=start + timedelta(hours=hour), sample_id=f"s{hour}", counters={"impression_count": 100 * hour})
        for hour in range(1, 29)
    )
    world.insights.metrics = [replace(metrics(post_id, ON_X, *readings), published_at=start)]
    answer = await api.get(
        f"/posts/{post_id}/analytics", params={"granularity": "day", "timezone": "Europe/Paris", "format": "csv"}
    )
    assert answer.text.splitlines() == [
        "timestamp,impressions,engagements,estimated",
        "2026-10-24T00:00:00+02:00,200,,false",
        "2026-10-25T00:00:00+02:00,2500,,false",
        "2026-10-26T00:00:00+01:00,100,,false",
    ]


async def test_where_mentions_are_looked_for_and_where_they_cannot_be(world: Any, api: Any) -> None:
    not_offered = Failure(code="not_offered", message="LinkedIn does not tell members who has mentioned them.")
    limited = Failure(code="rate_limited", message="X lets no more be read for now.", retryable=True)
    denied = Failure(code="permission_missing", message="Facebook does not let the app read this.")
    world.insights.facts = [
        (TENANT, AccountFacts(account_id="acc_x", platform="twitter", mentions_read_to=LIVE, mentions_problem=limited)),
        (TENANT, AccountFacts(account_id="acc_in", platform="linkedin", mentions_problem=not_offered)),
        (TENANT, AccountFacts(account_id="acc_page", platform="facebook", mentions_problem=denied)),
        (TENANT, AccountFacts(account_id="acc_ig", platform="instagram", mentions_problem=limited)),
        (TENANT, AccountFacts(account_id="acc_yt", platform="youtube")),
        (TENANT, AccountFacts(account_id="acc_tt", platform="tiktok")),
    ]
    answer = (await api.get("/distribution/metrics")).json()
    told = {
        mentions["account_id"]: (mentions["status"], (mentions["reason"] or {}).get("code"), mentions["read_to"])
        for each in answer["by_platform"]
        for mentions in each["mentions"]
    }
    assert told == {
        "acc_x": ("read", "rate_limited", "2026-11-24T12:00:10Z"),
        "acc_in": ("not_offered", "not_offered", None),
        "acc_page": ("unavailable", "permission_missing", None),
        "acc_ig": ("pending", "rate_limited", None),
        "acc_yt": ("not_offered", "not_offered", None),
        "acc_tt": ("not_offered", "not_offered", None),
    }


@pytest.mark.usefixtures("november")
async def test_days_are_those_of_the_zone(api: Any) -> None:
    """23:30 UTC on the 10th is the 11th in Paris."""
    day = {"start_date": "2026-11-11", "end_date": "2026-11-11"}
    utc = (await api.get("/distribution/metrics", params=day)).json()
    paris = (await api.get("/distribution/metrics", params={**day, "timezone": "Europe/Paris"})).json()
    assert (utc["summary"]["total_posts"], utc["summary"]["total_impressions"]) == (1, 0)
    assert (paris["summary"]["total_posts"], paris["summary"]["total_impressions"]) == (2, 3_000)
    kolkata = {"start_date": "2026-11-02", "end_date": "2026-11-10", "timezone": "Asia/Kolkata"}
    assert (await api.get("/distribution/metrics", params=kolkata)).json()["summary"]["total_posts"] == 1


@pytest.mark.usefixtures("november")
async def test_one_platform_and_an_empty_period(api: Any) -> None:
    period = {"start_date": "2026-11-01", "end_date": "2026-11-20", "platform": "linkedin"}
    answer = (await api.get("/distribution/metrics", params=period)).json()
    assert answer["summary"]["total_posts"] == 1
    assert [each["platform"] for each in answer["by_platform"]] == ["linkedin"]
    empty = (
        await api.get("/distribution/metrics", params={"start_date": "2026-01-01", "end_date": "2026-01-02"})
    ).json()
    assert empty["summary"] == {
        "total_posts": 0,
        "total_impressions": 0,
        "total_engagements": 0,
        "avg_engagement_rate": None,
        "followers_gained": None,
    }
    assert empty["top_posts"] == []
    assert empty["as_of"] is None
    assert empty["completeness"] == {"complete": True, "expected": 0, "measured": 0}


@pytest.mark.parametrize(
    ("path", "params", "parameter"),
    [
        ("/distribution/metrics", {"start_date": "2026-02-30"}, "start_date"),
        ("/distribution/metrics", {"start_date": "2026-03-02", "end_date": "2026-03-01"}, "start_date"),
        ("/distribution/metrics", {"start_date": "2020-03-02", "end_date": "2026-03-01"}, "start_date"),
        ("/distribution/metrics", {"platform": "myspace"}, "platform"),
        ("/distribution/metrics", {"timezone": "Europe/Pariss"}, "timezone"),
        ("/scheduling/optimal-times", {}, "platform"),
        ("/scheduling/optimal-times", {"platform": "twitter", "content_type": "smell"}, "content_type"),
        ("/scheduling/optimal-times", {"platform": "twitter", "timezone": "Nowhere"}, "timezone"),
    ],
)
async def test_what_makes_no_sense_is_refused(api: Any, path: str, params: dict[str, str], parameter: str) -> None:
    answer = await api.get(path, params=params)
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["parameter"] == parameter


async def test_times_of_a_new_tenant_come_from_the_platform_and_say_so(api: Any) -> None:
    answer = (
        await api.get("/scheduling/optimal-times", params={"platform": "linkedin", "timezone": "America/New_York"})
    ).json()
    assert (answer["basis"], answer["sample_size"], answer["confidence"]) == ("prior", 0, 0.0)
    best = answer["recommendations"][0]
    assert best["day"] in ("tuesday", "wednesday")
    assert [time["time"] for time in best["times"]] == ["08:00", "12:00", "16:00"]
    assert all(1 <= time["score"] <= 99 and time["reason"] for time in best["times"])
    # NOW is a Tuesday, 07:00 in New York.
    tuesday = next(each for each in answer["recommendations"] if each["day"] == "tuesday")
    assert tuesday["times"][0]["next_at"] == "2026-11-24T13:00:00Z"
    assert answer["avoid"]
    assert all(window.count(":") == 2 for each in answer["avoid"] for window in each["times"])


def outcome(at: datetime, engagements: int, **more: Any) -> Outcome:
    return Outcome(
        published_at=at,
        observed_at=at + timedelta(days=2),
        sample_id="s",
        content_type=more.get("content_type", "text"),
        impressions=1_000,
        engagements=engagements,
        reach=more.get("reach"),
    )


def learned(world: Any, outcomes: list[Outcome], version: int = 1) -> None:
    """Of the account on X."""
    world.insights.facts = [(TENANT, AccountFacts(account_id="acc_x", platform="twitter", version=version))]
    world.insights.learned[TENANT, "acc_x"] = outcomes


async def test_own_posts_decide_where_there_are_enough(world: Any, api: Any) -> None:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    learned(
        world,
        [
            outcome(start + timedelta(days=day, hours=hour), engagements)
            for day in range(80)
            for hour, engagements in ((6, 120), (14, 20))
        ],
    )
    world.insights.facts.append(("tenant_b", AccountFacts(account_id="acc_x", platform="twitter")))
    answer = (await api.get("/scheduling/optimal-times", params={"platform": "twitter"})).json()
    assert answer["sample_size"] == 160
    assert answer["basis"] in ("own", "mixed")
    for day in answer["recommendations"]:
        best = max(day["times"], key=lambda time: time["score"])
        assert best["time"] in ("05:00", "06:00", "07:00")
    async with world.client(tenant_id="tenant_b", sub="user_b") as stranger:
        other = (await stranger.get("/scheduling/optimal-times", params={"platform": "twitter"})).json()
        assert (other["basis"], other["sample_size"]) == ("prior", 0)


async def test_each_kind_of_content_has_its_times(world: Any, api: Any) -> None:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    learned(
        world,
        [
            outcome(start + timedelta(days=day, hours=hour), engagements, content_type=kind)
            for day in range(80)
            for kind, hour, engagements in (
                ("text", 6, 120),
                ("text", 20, 20),
                ("video", 6, 20),
                ("video", 20, 120),
            )
        ],
    )
    for content_type, hours in (("text", {5, 6, 7}), ("video", {19, 20, 21}), ("reel", {19, 20, 21})):
        query = {"platform": "twitter", "content_type": content_type}
        answer = (await api.get("/scheduling/optimal-times", params=query)).json()
        assert answer["content_type"] == content_type
        for day in answer["recommendations"]:
            best = max(day["times"], key=lambda time: time["score"])
            assert int(best["time"][:2]) in hours
    # Next Monday at nine, after clocks have changed: an hour later in UTC than the Monday before.
    world.clock.now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    world.insights.facts = []
    query = {"platform": "twitter", "timezone": "Europe/Paris"}
    answer = (await api.get("/scheduling/optimal-times", params=query)).json()
    (monday,) = [day for day in answer["recommendations"] if day["day"] == "monday"]
    (nine,) = [time for time in monday["times"] if time["time"] == "09:00"]
    assert nine["next_at"] == "2026-10-26T08:00:00Z"


async def test_what_is_known_is_worked_out_again_when_something_is_read_or_an_hour_is_over(
    world: Any, api: Any
) -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)

    async def sample_size(zone: str = "UTC") -> int:
        query = {"platform": "twitter", "timezone": zone}
        found: int = (await api.get("/scheduling/optimal-times", params=query)).json()["sample_size"]
        return found

    learned(world, [outcome(start, 5)])
    assert await sample_size() == 1
    world.insights.learned[TENANT, "acc_x"] = [outcome(start, 5)] * 2
    assert await sample_size() == 1
    assert await sample_size("Europe/Paris") == 2
    learned(world, [outcome(start, 5)] * 3, version=2)
    assert await sample_size() == 3
    world.insights.learned[TENANT, "acc_x"] = [outcome(start, 5)] * 4
    world.clock.forward(hours=1)
    assert await sample_size() == 4


async def test_what_is_assumed_says_so_and_can_be_replaced(world: Any, api: Any) -> None:
    query = {"platform": "twitter"}
    answer = (await api.get("/scheduling/optimal-times", params=query)).json()
    assert answer["profile"]["basis"] == "assumption"
    assert "assumed" in answer["profile"]["note"]
    assert answer["profile"]["belief"] == 0.4
    own = PROFILES | {
        "twitter": Profile(
            basis="measured",
            note="Our tenants, 2025.",
            belief=1.0,
            levels=tuple(float(hour % 24 == 3) for hour in range(HOURS)),
        )
    }
    world.app = create_app(
        dataclasses.replace(world.gateway, weeks=PostingWeeks(world.insights, own)),
        verifier=world.verifier,
        settings=world.settings,
    )
    async with world.client() as client:
        answer = (await client.get("/scheduling/optimal-times", params=query)).json()
        assert answer["profile"] == {"basis": "measured", "note": "Our tenants, 2025.", "belief": 1.0}
        assert {time["time"] for day in answer["recommendations"] for time in day["times"]} == {"03:00"}
        period = (await client.get("/distribution/metrics", params=query)).json()
        assert period["optimal_posting_times"] == {}


async def test_reach_is_estimated_from_own_posts(world: Any, api: Any) -> None:
    body = {"content": {"text": "Hello"}, "platforms": [{"platform": "twitter", "account_id": "acc_x"}]}
    start = datetime(2026, 11, 1, tzinfo=UTC)
    few = [outcome(start + timedelta(days=n), 1, reach=1_000 * n) for n in range(1, 5)]
    learned(world, few)
    before = (await api.post("/publish", json=body)).json()
    assert before["platforms"][0]["estimated_reach"] == 15_420
    learned(world, [*few, outcome(start + timedelta(days=5), 1, reach=9_000)])
    after = (await api.post("/publish", json={**body, "content": {"text": "Hello again"}})).json()
    assert after["platforms"][0]["estimated_reach"] == 3_000
    checked = (await api.post("/posts/validate", json={**body, "content": {"text": "Hello you"}})).json()
    assert checked["targets"][0]["estimated_reach"] == 3_000
