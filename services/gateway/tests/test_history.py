"""Every event of a post in words."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from contracts.content import Content, Failure, LivePart, Schedule, TargetSpec
from contracts.messages import Message
from contracts.posts import (
    AttemptsDue,
    Deferred,
    DuplicateDetected,
    Held,
    PostCancelled,
    PostChanges,
    PostCreated,
    PostDeleted,
    PostEdited,
    PostEvent,
    PostScheduled,
    PublicationStarted,
    Published,
    Rejected,
    RemovalOutcome,
    RemovalRecorded,
    RemovalStarted,
    Removed,
    TargetOutcomeRecorded,
    TargetResolved,
    Unknown,
)
from contracts.verdicts import CommandRefused, Refusal
from contracts.wire import Envelope
from gateway.history import entry

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ON_X = TargetSpec(platform="twitter", account_id="acc_1")
WHY = Failure(code="busy", message="The platform is busy.")
PART = LivePart(index=0, platform_post_id="1", url="https://x.com/i/status/1")


def created(
    *, targets: tuple[TargetSpec, ...] = (), schedule: Schedule | None = None, now: bool = False
) -> PostCreated:
    return PostCreated(
        post_id="post_1",
        kind="post",
        tenant_id="t",
        actor="u",
        at=AT,
        title=None,
        parts=(Content(text="Hi"),),
        platforms=("twitter",),
        accounts={},
        options={},
        overrides={},
        targets=targets,
        tags=(),
        campaign_id=None,
        schedule=schedule,
        publish_now=now,
    )


def ended(outcome: object) -> TargetOutcomeRecorded:
    return TargetOutcomeRecorded(at=AT, target_id=ON_X.target_id, attempt=1, outcome=outcome)  # type: ignore[arg-type]


def removal(outcome: RemovalOutcome) -> RemovalRecorded:
    return RemovalRecorded(at=AT, target_id=ON_X.target_id, attempt=1, outcome=outcome)


EVENTS: list[tuple[Message, str]] = [
    (created(), "Created the post as a draft."),
    (created(targets=(ON_X,), now=True), "Created the post and began to publish it on twitter (acc_1)."),
    (
        created(targets=(ON_X,), schedule=Schedule(at=AT)),
        "Created the post, to be published on twitter (acc_1) at 2026-11-24 12:00:00 UTC.",
    ),
    (
        PostEdited(actor="u", at=AT, changes=PostChanges(title=None, parts=(Content(),)), targets=None),
        "Changed title, content.",
    ),
    (
        PostScheduled(actor="u", at=AT, schedule=Schedule(at=AT), targets=(ON_X,)),
        "Scheduled for 2026-11-24 12:00:00 UTC on twitter (acc_1).",
    ),
    (
        PublicationStarted(at=AT, actor=None, due_at=AT, target_ids=("twitter:acc_1",), targets=()),
        "The scheduled time 2026-11-24 12:00:00 UTC had come. Began to publish on twitter (acc_1).",
    ),
    (
        PublicationStarted(at=AT, actor="u", due_at=None, target_ids=("twitter:acc_1",), targets=()),
        "Began to publish on twitter (acc_1).",
    ),
    (AttemptsDue(at=AT, target_ids=("twitter:acc_1",)), "Time to go on with twitter (acc_1)."),
    (PostCancelled(actor="u", at=AT), "Cancelled: what had not been sent will not be."),
    (PostDeleted(actor="u", at=AT), "Deleted here. What is live on the platforms stays there."),
    (ended(Published(parts=(PART,), at=AT)), "Live on twitter (acc_1): https://x.com/i/status/1."),
    (
        ended(Published(parts=(PART,), at=AT, proof="readback")),
        "Live on twitter (acc_1), found by looking it up there: https://x.com/i/status/1.",
    ),
    (ended(Rejected(failure=WHY)), "Not published on twitter (acc_1): The platform is busy."),
    (
        ended(Deferred(until=AT, reason=WHY)),
        "Put off on twitter (acc_1) until 2026-11-24 12:00:00 UTC: The platform is busy.",
    ),
    (
        ended(Unknown(probe_at=AT, reason=WHY)),
        (
            "Sent to twitter (acc_1), but it is not known yet whether it is live; "
            "to be looked up at 2026-11-24 12:00:00 UTC: The platform is busy."
        ),
    ),
    (ended(Held(reason=WHY)), "Held on twitter (acc_1), for somebody to look at: The platform is busy."),
    (
        DuplicateDetected(at=AT, target_id="twitter:acc_1", attempt=2, first=PART, second=PART),
        "A second live post was found on twitter (acc_1): 1 besides 1.",
    ),
    (
        TargetResolved(at=AT, actor="u", target_id="twitter:acc_1", resolution="confirm", live=PART),
        "Somebody looked at twitter (acc_1): it is live.",
    ),
    (RemovalStarted(at=AT, actor="u", target_ids=("twitter:acc_1",)), "To be taken off twitter (acc_1)."),
    (removal(Removed()), "Taken off twitter (acc_1)."),
    (
        removal(Rejected(failure=WHY)),
        "Still live on twitter (acc_1), which could not be changed: The platform is busy.",
    ),
    (
        removal(Deferred(until=AT, reason=WHY)),
        "To be taken off twitter (acc_1) at 2026-11-24 12:00:00 UTC: The platform is busy.",
    ),
    (
        CommandRefused(command_type="post.cancel.v1", refusal=Refusal(code="x", message="Too late.")),
        "Somebody asked to cancel it; refused: Too late.",
    ),
]


@pytest.mark.parametrize(("event", "words"), EVENTS)
def test_an_event_is_told_in_words(event: Message, words: str) -> None:
    told = entry(Envelope(id="e", source="s", subject="post_1", time=AT, sequence=3, command_id="cmd_1"), event)
    assert told.summary == words
    assert (told.version, told.type, told.at) == (3, event.type_name, AT)
    assert (told.event_id, told.command_id) == ("e", "cmd_1")
    assert "tenant_id" not in told.details


def test_no_kind_of_event_is_left_out() -> None:
    assert {type(event) for event, _ in EVENTS} == {*get_args(PostEvent), CommandRefused}
