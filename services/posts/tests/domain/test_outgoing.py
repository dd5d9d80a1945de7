"""Who is told what, once a fact is accepted."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from contracts.content import Content, LivePart, Media, Schedule, TargetSpec
from contracts.media import Source, UploadMedia, import_id
from contracts.messages import Event
from contracts.posts import (
    AttemptsDue,
    CreatePost,
    Deferred,
    DuplicateDetected,
    Outcome,
    Post,
    PostCancelled,
    PostChanges,
    PostDeleted,
    PostEdited,
    PostScheduled,
    PublicationStarted,
    Published,
    Rejected,
    TargetOutcomeRecorded,
    Unknown,
)
from contracts.public_events import PlatformPost, SocialPostFailed, SocialPostPublished
from contracts.publishing import PublishRequested
from eventlog.aggregate import FollowUp
from eventlog.spec import Spec
from posts.domain.post import PostAggregate


def told(before: Spec[Post], event: Event) -> list[FollowUp]:
    """What is owed to others because of the event, called evt_9."""
    after = before.given(event).state
    return list(PostAggregate().follow_ups(before.state, event, "evt_9", after))


def told_at_creation(nothing: Spec[Post], wish: CreatePost) -> list[FollowUp]:
    event = nothing.when(wish).decision
    assert isinstance(event, Event)
    return list(PostAggregate().follow_ups(None, event, "evt_1", nothing.given(event).state))


def outcome_of(target: TargetSpec, outcome: Outcome, now: datetime, attempt: int = 1) -> TargetOutcomeRecorded:
    return TargetOutcomeRecorded(at=now, target_id=target.target_id, attempt=attempt, outcome=outcome)


# --- media --------------------------------------------------------------------------------------------

URL = "https://cdn.example.com/a.png"
PICTURE = Content(text="Look", media=(Media(type="image", url=URL, alt_text="A cat"),))


def test_what_a_post_names_by_url_is_fetched_when_it_is_accepted_and_only_then(
    nothing: Spec[Post], create: Callable[..., CreatePost], now: datetime, twitter: TargetSpec
) -> None:
    own_words = TargetSpec(platform="linkedin", account_id="acc_li", content=PICTURE)
    at = Schedule(at=now + timedelta(days=1))
    wish = create(parts=(PICTURE,), targets=(twitter, own_words), schedule=at)

    (fetched,) = told_at_creation(nothing, wish)

    media_id = import_id("post_1", URL)
    assert fetched == FollowUp(
        topic="media.commands",
        key=media_id,
        id=f"{media_id}:import",
        tenant_id="tenant_1",
        message=UploadMedia(
            media_id=media_id,
            tenant_id="tenant_1",
            actor=wish.actor,
            issued_at=now,
            source=Source(url=URL),
            alt_text="A cat",
        ),
    )
    assert told_at_creation(nothing, create(parts=(PICTURE,), targets=())) == [], "a draft"
    document = Content(text="Read", media=(Media(type="document", url="https://cdn.example.com/a.pdf"),))
    assert (
        told_at_creation(nothing, create(parts=(document,), platforms=("twitter",), targets=(twitter,), schedule=at))
        == []
    )


def test_what_is_new_in_an_edited_post_is_fetched_too(
    a_scheduled_post: Spec[Post], now: datetime, twitter: TargetSpec
) -> None:
    edited = PostEdited(actor="u", at=now, changes=PostChanges(parts=(PICTURE,)), targets=(twitter,))
    assert [each.key for each in told(a_scheduled_post, edited)] == [import_id("post_1", URL)]
    assert told(a_scheduled_post.given(edited), replace(edited, changes=PostChanges(title="Cats"))) == []


def test_what_is_fetched_is_among_the_uploads_that_a_post_uses(
    a_scheduled_post: Spec[Post], now: datetime, twitter: TargetSpec
) -> None:
    edited = PostEdited(actor="u", at=now, changes=PostChanges(parts=(PICTURE,)), targets=(twitter,))
    after = a_scheduled_post.given(edited).state
    assert after is not None
    assert PostAggregate().index(after)["media_ids"] == [import_id("post_1", URL)]


# --- jobs ---------------------------------------------------------------------------------------------


def test_each_platform_gets_its_job_when_a_post_goes_out_at_once(
    nothing: Spec[Post], create: Callable[..., CreatePost], now: datetime, twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    wish = create(publish_now=True, targets=(twitter, linkedin))

    assert told_at_creation(nothing, wish) == [
        FollowUp(
            topic="publish.requests.twitter",
            key="acc_tw",
            id="post_1/twitter:acc_tw/1",
            tenant_id="tenant_1",
            message=PublishRequested(
                post_id="post_1",
                tenant_id="tenant_1",
                target_id="twitter:acc_tw",
                attempt=1,
                platform="twitter",
                account_id="acc_tw",
                parts=(Content(text="Good morning"),),
                options={},
                live_parts=(),
                due_at=now,
                unresolved_since=None,
            ),
        ),
        FollowUp(
            topic="publish.requests.linkedin",
            key="acc_li",
            id="post_1/linkedin:acc_li/1",
            tenant_id="tenant_1",
            message=PublishRequested(
                post_id="post_1",
                tenant_id="tenant_1",
                target_id="linkedin:acc_li",
                attempt=1,
                platform="linkedin",
                account_id="acc_li",
                parts=(Content(text="Good morning, LinkedIn"),),
                options={},
                live_parts=(),
                due_at=now,
                unresolved_since=None,
            ),
        ),
    ]


def test_a_thread_goes_out_whole_and_in_order(
    nothing: Spec[Post], create: Callable[..., CreatePost], twitter: TargetSpec
) -> None:
    parts = (Content(text="1/2"), Content(text="2/2"))
    wish = create(kind="thread", parts=parts, platforms=("twitter",), targets=(twitter,), publish_now=True)

    (job,) = told_at_creation(nothing, wish)

    assert isinstance(job.message, PublishRequested)
    assert job.message.parts == parts


def test_a_platforms_options_go_with_its_job(
    nothing: Spec[Post], create: Callable[..., CreatePost], linkedin: TargetSpec
) -> None:
    connections_only = TargetSpec(
        platform="linkedin", account_id=linkedin.account_id, options={"visibility": "CONNECTIONS"}
    )
    wish = create(platforms=("linkedin",), targets=(connections_only,), publish_now=True)

    (job,) = told_at_creation(nothing, wish)

    assert isinstance(job.message, PublishRequested)
    assert job.message.options == {"visibility": "CONNECTIONS"}


def test_a_schedule_that_starts_late_tells_when_it_was_due(a_scheduled_post: Spec[Post], now: datetime) -> None:
    due_at = now + timedelta(hours=1)
    started = PublicationStarted(
        at=now + timedelta(hours=3),
        actor=None,
        due_at=due_at,
        target_ids=("twitter:acc_tw", "linkedin:acc_li"),
        targets=(),
    )

    jobs = told(a_scheduled_post, started)

    assert [(job.id, job.message.due_at) for job in jobs if isinstance(job.message, PublishRequested)] == [
        ("post_1/twitter:acc_tw/1", due_at),
        ("post_1/linkedin:acc_li/1", due_at),
    ]


def test_a_retry_asks_only_for_what_is_not_live(a_partly_failed_post: Spec[Post], now: datetime) -> None:
    again = PublicationStarted(at=now, actor="user_1", due_at=None, target_ids=("linkedin:acc_li",), targets=())

    (job,) = told(a_partly_failed_post, again)

    assert (job.topic, job.id) == ("publish.requests.linkedin", "post_1/linkedin:acc_li/2")


def test_a_look_up_tells_since_when_the_outcome_is_unknown(
    an_unresolved_post: Spec[Post], unknown: Unknown, now: datetime
) -> None:
    (job,) = told(an_unresolved_post, AttemptsDue(at=unknown.probe_at, target_ids=("twitter:acc_tw",)))

    assert job.id == "post_1/twitter:acc_tw/2"
    assert isinstance(job.message, PublishRequested)
    assert (job.message.unresolved_since, job.message.due_at) == (now, unknown.probe_at)


def test_a_resumed_thread_tells_which_parts_are_live(
    a_publishing_post: Spec[Post], twitter: TargetSpec, deferred: Deferred, now: datetime
) -> None:
    first_part = (LivePart(index=0, platform_post_id="tw_1"),)
    waiting = a_publishing_post.given(
        outcome_of(twitter, Deferred(until=deferred.until, reason=deferred.reason, parts=first_part), now)
    )

    (job,) = told(waiting, AttemptsDue(at=deferred.until, target_ids=(twitter.target_id,)))

    assert isinstance(job.message, PublishRequested)
    assert job.message.live_parts == first_part


# --- the public ---------------------------------------------------------------------------------------


@pytest.fixture
def last_target_open(
    a_publishing_post: Spec[Post], twitter: TargetSpec, published: Callable[[str], Published], now: datetime
) -> Spec[Post]:
    """Live on X; LinkedIn has not answered yet."""
    return a_publishing_post.given(outcome_of(twitter, published("tw_1"), now))


def test_everybody_hears_of_a_post_that_is_live(
    last_target_open: Spec[Post], linkedin: TargetSpec, published: Callable[[str], Published], now: datetime
) -> None:
    assert told(last_target_open, outcome_of(linkedin, published("li_1"), now)) == [
        FollowUp(
            topic="social.post_published",
            key="post_1",
            id="evt_9:published",
            tenant_id="tenant_1",
            message=SocialPostPublished(
                tenant_id="tenant_1",
                post_id="post_1",
                publish_id="pub_1",
                title="Greeting",
                campaign_id="campaign_1",
                tags=("greetings",),
                published_at=now,
                platforms=(
                    PlatformPost(
                        platform="twitter",
                        account_id="acc_tw",
                        status="published",
                        post_id="tw_1",
                        url="https://example.com/tw_1",
                        published_at=now,
                    ),
                    PlatformPost(
                        platform="linkedin",
                        account_id="acc_li",
                        status="published",
                        post_id="li_1",
                        url="https://example.com/li_1",
                        published_at=now,
                    ),
                ),
            ),
        )
    ]


def test_everybody_hears_of_a_post_that_failed(
    last_target_open: Spec[Post], linkedin: TargetSpec, rejected: Rejected, now: datetime
) -> None:
    (news,) = told(last_target_open, outcome_of(linkedin, rejected, now))

    assert (news.topic, news.key, news.id) == ("social.post_failed", "post_1", "evt_9:failed")
    assert isinstance(news.message, SocialPostFailed)
    assert (news.message.reason, news.message.message) == (rejected.failure.code, rejected.failure.message)
    assert (news.message.publish_id, news.message.failed_at) == ("pub_1", now)
    assert [(target.status, target.failure) for target in news.message.platforms] == [
        ("published", None),
        ("failed", rejected.failure),
    ]


def test_a_held_target_is_told_as_a_failure(
    last_target_open: Spec[Post], linkedin: TargetSpec, held: Outcome, now: datetime
) -> None:
    (news,) = told(last_target_open, outcome_of(linkedin, held, now))

    assert isinstance(news.message, SocialPostFailed)
    assert (news.message.reason, news.message.platforms[1].status) == ("outcome_unknown", "held")


def test_a_cancellation_that_leaves_part_of_a_post_live_is_told_as_a_failure(
    last_target_open: Spec[Post], linkedin: TargetSpec, deferred: Deferred, now: datetime
) -> None:
    waiting = last_target_open.given(outcome_of(linkedin, deferred, now))

    (news,) = told(waiting, PostCancelled(actor="user_1", at=now))

    assert isinstance(news.message, SocialPostFailed)
    assert news.message.reason == "cancelled"


def test_a_failed_post_that_was_live_after_all_is_told_as_published(
    a_partly_failed_post: Spec[Post], linkedin: TargetSpec, published: Callable[[str], Published], now: datetime
) -> None:
    (news,) = told(a_partly_failed_post, outcome_of(linkedin, published("li_1"), now))

    assert news.id == "evt_9:published"


# --- nobody -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["rejected", "deferred", "unknown", "held"])
def test_nobody_hears_while_another_target_is_open(
    request: pytest.FixtureRequest, outcome: str, a_publishing_post: Spec[Post], twitter: TargetSpec, now: datetime
) -> None:
    assert told(a_publishing_post, outcome_of(twitter, request.getfixturevalue(outcome), now)) == []


def test_a_draft_and_a_schedule_concern_nobody_yet(
    nothing: Spec[Post], create: Callable[..., CreatePost], now: datetime, twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    assert told_at_creation(nothing, create()) == []
    assert told_at_creation(nothing, create(schedule=Schedule(at=now), targets=(twitter, linkedin))) == []


def test_what_happens_before_publication_concerns_nobody(
    a_draft: Spec[Post], a_scheduled_post: Spec[Post], now: datetime, twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    edited = PostEdited(actor="user_1", at=now, changes=PostChanges(title="New"), targets=None)
    scheduled = PostScheduled(actor="user_1", at=now, schedule=Schedule(at=now), targets=(twitter, linkedin))

    assert told(a_draft, edited) == []
    assert told(a_draft, scheduled) == []
    assert told(a_scheduled_post, PostCancelled(actor="user_1", at=now)) == []
    assert told(a_draft, PostDeleted(actor="user_1", at=now)) == []


def test_a_duplicate_is_no_news_for_the_public(a_published_post: Spec[Post], now: datetime) -> None:
    duplicate = DuplicateDetected(
        at=now,
        target_id="twitter:acc_tw",
        attempt=2,
        first=LivePart(index=0, platform_post_id="tw_1"),
        second=LivePart(index=0, platform_post_id="tw_2"),
    )

    assert told(a_published_post, duplicate) == []


def test_a_second_failure_is_news_only_after_another_attempt(
    a_partly_failed_post: Spec[Post], linkedin: TargetSpec, rejected: Rejected, now: datetime
) -> None:
    again = PublicationStarted(at=now, actor="user_1", due_at=None, target_ids=(linkedin.target_id,), targets=())
    retried = a_partly_failed_post.given(again)

    (news,) = told(retried, outcome_of(linkedin, rejected, now, attempt=2))

    assert news.id == "evt_9:failed"
