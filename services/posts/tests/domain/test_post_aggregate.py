from datetime import datetime, timedelta

import pytest

from contracts.accounts import AccountDisconnected, DisconnectAccount
from contracts.posts import Post, PostDeleted
from eventlog.spec import Spec
from posts.domain.post import PostAggregate


def test_queries_find_a_post_by_what_it_is(a_scheduled_post: Spec[Post], now: datetime) -> None:
    assert PostAggregate().index(a_scheduled_post.state) == {
        "tenant_id": "tenant_1",
        "kind": "post",
        "status": "scheduled",
        "created_at": now,
        "scheduled_at": now + timedelta(hours=1),
        "platforms": ["twitter", "linkedin"],
        "campaign_id": "campaign_1",
        "tags": ["greetings"],
        "deleted": False,
        "media_ids": [],
    }


def test_a_draft_has_no_hour(a_draft: Spec[Post]) -> None:
    assert PostAggregate().index(a_draft.state)["scheduled_at"] is None


@pytest.mark.parametrize("before", ["nothing", "a_draft"])
def test_a_command_for_another_aggregate_is_refused(request: pytest.FixtureRequest, before: str, now: datetime) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)
    stray = DisconnectAccount(account_id="acc_tw", tenant_id="tenant_1", actor=None, issued_at=now, reason="revoked")

    spec.when(stray).then_refused("unknown_command")


def test_an_event_before_the_creation_is_an_error(nothing: Spec[Post], now: datetime) -> None:
    with pytest.raises(ValueError, match="never created"):
        nothing.given(PostDeleted(actor="user_1", at=now))


def test_an_event_of_another_aggregate_is_an_error(a_draft: Spec[Post], now: datetime) -> None:
    with pytest.raises(ValueError, match=r"account\.disconnected\.v1"):
        a_draft.given(AccountDisconnected(actor=None, at=now, reason="revoked"))
