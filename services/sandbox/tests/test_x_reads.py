"""Reading from X: lookups, timelines, mentions, metrics, both vocabularies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

ALL_FIELDS = "created_at,author_id,conversation_id,referenced_tweets,entities,public_metrics,reply_settings,attachments"


@pytest.fixture
def amara(control: Any) -> Any:
    return control.account("twitter", followers=42)


@pytest.fixture
def bola(control: Any) -> Any:
    return control.account("twitter", "bola")


def _created(account: Any, text: str, **more: object) -> str:
    return str(account.http.post("/2/tweets", json={"text": text, **more}).json()["data"]["id"])


def _timeline(account: Any, **query: Any) -> Any:
    answer = account.http.get(f"/2/users/{account.id}/tweets", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _ids(timeline: Any) -> list[str]:
    return [post["id"] for post in timeline.get("data", [])]


def test_one_post(amara: Any) -> None:
    post_id = _created(amara, "We open at nine.")
    assert amara.http.get(f"/2/tweets/{post_id}").json() == {
        "data": {"id": post_id, "text": "We open at nine.", "edit_history_tweet_ids": [post_id]}
    }


def test_missing_posts_are_errors_in_a_200(amara: Any) -> None:
    post_id = _created(amara, "One")
    answer = amara.http.get("/2/tweets", params={"ids": f"{post_id},12345"})
    assert answer.status_code == 200
    body = answer.json()
    assert [post["id"] for post in body["data"]] == [post_id]
    assert body["errors"][0]["resource_id"] == "12345"
    assert body["errors"][0]["type"].endswith("/resource-not-found")
    alone = amara.http.get("/2/tweets/12345")
    assert (alone.status_code, list(alone.json())) == (200, ["errors"])


def test_an_empty_timeline_has_no_data(amara: Any) -> None:
    assert _timeline(amara) == {"meta": {"result_count": 0}}


def test_timelines_are_newest_first_and_in_pages(amara: Any) -> None:
    ids = [_created(amara, f"Post {number}") for number in range(12)]
    first = _timeline(amara, max_results=5)
    assert _ids(first) == ids[:-6:-1]
    assert first["meta"]["newest_id"] == ids[-1]
    assert first["meta"]["oldest_id"] == ids[-5]
    second = _timeline(amara, max_results=5, pagination_token=first["meta"]["next_token"])
    third = _timeline(amara, max_results=5, pagination_token=second["meta"]["next_token"])
    assert _ids(first) + _ids(second) + _ids(third) == ids[::-1]
    assert "next_token" not in third["meta"]


def test_timelines_between_ids_and_times(control: Any, amara: Any) -> None:
    ids = []
    for number in range(4):
        ids.append(_created(amara, f"Post {number}"))
        control.advance(100)
    assert _ids(_timeline(amara, since_id=ids[1])) == [ids[3], ids[2]]
    assert _ids(_timeline(amara, until_id=ids[1])) == [ids[0]]
    written = control.posts(amara)[1]["created_at"]
    moment = datetime.fromisoformat(written)
    before, after = moment - timedelta(seconds=1), moment + timedelta(seconds=1)
    assert _ids(_timeline(amara, start_time=before.isoformat())) == [ids[3], ids[2], ids[1]]
    assert _ids(_timeline(amara, end_time=after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))) == [ids[1], ids[0]]


def test_replies_can_be_excluded_and_deleted_posts_are(amara: Any) -> None:
    first = _created(amara, "One")
    reply = _created(amara, "Two", reply={"in_reply_to_tweet_id": first})
    gone = _created(amara, "Three")
    amara.http.delete(f"/2/tweets/{gone}")
    assert _ids(_timeline(amara)) == [reply, first]
    assert _ids(_timeline(amara, exclude="replies,retweets")) == [first]


def test_promoted_only_posts_are_not_on_timelines(amara: Any) -> None:
    post_id = _created(amara, "Hidden", nullcast=True)
    assert _ids(_timeline(amara)) == []
    assert amara.http.get(f"/2/tweets/{post_id}").json()["data"]["id"] == post_id


@pytest.mark.parametrize(
    "query",
    [
        {"max_results": "4"},
        {"max_results": "101"},
        {"max_results": "x"},
        {"since_id": "x"},
        {"start_time": "yesterday"},
        {"start_time": "2026-01-01"},
        {"start_time": "2026-01-01T00:00:00"},
        {"exclude": "everything"},
        {"tweet.fields": "mood"},
        {"expansions": "author"},
        {"pagination_token": "zzz"},
        {"unknown": "1"},
    ],
)
def test_queries_outside_the_schema(amara: Any, query: dict[str, str]) -> None:
    answer = amara.http.get(f"/2/users/{amara.id}/tweets", params=query)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/invalid-request")


@pytest.mark.parametrize("ids", ["", "abc", ",".join(["1"] * 101)])
def test_lookups_outside_the_schema(amara: Any, ids: str) -> None:
    assert amara.http.get("/2/tweets", params={"ids": ids}).status_code == 400


def test_links_lead_back_to_the_published_text(amara: Any) -> None:
    written = "Menu: https://example.com/menu?a=1, more at example.org/x #tea @bola"
    _created(amara, written)
    post = _timeline(amara, **{"tweet.fields": ALL_FIELDS})["data"][0]
    text = post["text"]
    assert "example.com" not in text
    for url in reversed(post["entities"]["urls"]):
        assert text[url["start"] : url["end"]] == url["url"]
        text = text[: url["start"]] + url["expanded_url"].removeprefix("http://") + text[url["end"] :]
    assert text == written
    assert post["entities"]["hashtags"][0]["tag"] == "tea"
    assert post["entities"]["mentions"][0]["username"] == "bola"


def test_classic_names_answer_classic_questions(amara: Any, bola: Any) -> None:
    first = _created(bola, "Hello @amara")
    reply = _created(amara, "Hello", reply={"in_reply_to_tweet_id": first})
    body = amara.http.get(
        f"/2/tweets/{reply}",
        params={"tweet.fields": ALL_FIELDS, "expansions": "author_id,referenced_tweets.id", "user.fields": "verified"},
    ).json()
    post = body["data"]
    assert post["referenced_tweets"] == [{"type": "replied_to", "id": first}]
    assert post["conversation_id"] == first
    assert post["author_id"] == amara.id
    assert post["public_metrics"]["retweet_count"] == 0
    assert body["includes"]["users"] == [{"id": amara.id, "name": "Amara", "username": "amara", "verified": False}]
    assert [included["id"] for included in body["includes"]["tweets"]] == [first]


def test_renamed_names_answer_renamed_questions(amara: Any, bola: Any) -> None:
    first = _created(bola, "Hello @amara")
    reply = _created(amara, "Hello", reply={"in_reply_to_tweet_id": first})
    body = amara.http.get(
        f"/2/tweets/{reply}", params={"post.fields": "public_metrics,created_at", "expansions": "referenced_posts"}
    ).json()
    post = body["data"]
    assert post["referenced_posts"] == [{"type": "replied_to", "id": first}]
    assert post["edit_history_post_ids"] == [reply]
    assert post["public_metrics"]["repost_count"] == 0
    assert not {"referenced_tweets", "edit_history_tweet_ids"} & set(post)
    assert [included["id"] for included in body["includes"]["posts"]] == [first]


def test_the_vocabulary_can_be_pinned(control: Any, amara: Any) -> None:
    post_id = _created(amara, "One")
    control.settings(twitter={"fields": "classic"})
    assert amara.http.get(f"/2/tweets/{post_id}", params={"post.fields": "created_at"}).status_code == 400
    control.settings(twitter={"fields": "2.167"})
    assert amara.http.get(f"/2/tweets/{post_id}", params={"tweet.fields": "created_at"}).status_code == 400
    control.settings(twitter={"fields": "both"})
    metrics = amara.http.get(f"/2/tweets/{post_id}", params={"post.fields": "public_metrics"}).json()["data"][
        "public_metrics"
    ]
    assert metrics["retweet_count"] == metrics["repost_count"] == 0


def test_metrics_come_from_the_ledger_and_private_ones_are_private(control: Any, amara: Any, bola: Any) -> None:
    post_id = _created(amara, "One")
    control.done(control.http.post(f"/ledger/{post_id}/metrics", json={"likes": 7, "impressions": 90}))
    query = {"ids": post_id, "tweet.fields": "public_metrics,non_public_metrics"}
    mine = amara.http.get("/2/tweets", params=query).json()
    assert mine["data"][0]["public_metrics"]["like_count"] == 7
    assert mine["data"][0]["non_public_metrics"]["impression_count"] == 90
    theirs = bola.http.get("/2/tweets", params=query).json()
    assert theirs["data"][0]["public_metrics"]["like_count"] == 7
    assert "non_public_metrics" not in theirs["data"][0]
    assert theirs["errors"][0]["type"].endswith("/not-authorized-for-field")
    control.settings(twitter={"access_token_seconds": 40 * 86_400})
    again = amara.http.post(
        "/2/oauth2/token",
        data={"grant_type": "refresh_token", "refresh_token": amara.refresh_token, "client_id": "app"},
    ).json()
    control.advance(31 * 86_400)
    old = amara.http.get("/2/tweets", params=query, headers={"Authorization": f"Bearer {again['access_token']}"}).json()
    assert "non_public_metrics" not in old["data"][0]


def test_mentions_are_posts_of_others_that_name_or_answer(amara: Any, bola: Any) -> None:
    _created(bola, "Nothing about anyone")
    named = _created(bola, "Well done, @Amara!")
    first = _created(amara, "Thanks @bola")
    answered = _created(bola, "Welcome", reply={"in_reply_to_tweet_id": first})
    body = amara.http.get(f"/2/users/{amara.id}/mentions", params={"expansions": "author_id"}).json()
    assert _ids(body) == [answered, named]
    assert body["includes"]["users"][0]["username"] == "bola"


def test_me(amara: Any) -> None:
    _created(amara, "One")
    assert amara.http.get("/2/users/me").json() == {"data": {"id": amara.id, "name": "Amara", "username": "amara"}}
    fields = {"user.fields": "public_metrics,verified_type,subscription_type,profile_image_url"}
    me = amara.http.get("/2/users/me", params=fields).json()["data"]
    assert me["public_metrics"]["followers_count"] == 42
    assert me["public_metrics"]["tweet_count"] == 1
    assert (me["verified_type"], me["subscription_type"]) == ("none", "None")


def test_users_that_do_not_exist(amara: Any) -> None:
    body = amara.http.get("/2/users/12345/tweets").json()
    assert body["errors"][0]["resource_type"] == "user"
    assert amara.http.get("/2/users/12345/mentions").json().keys() == {"errors"}


def test_polls_are_shown(amara: Any) -> None:
    post_id = _created(amara, "Which?", poll={"options": ["Tea", "Coffee"], "duration_minutes": 60})
    body = amara.http.get(
        f"/2/tweets/{post_id}", params={"expansions": "attachments.poll_ids", "poll.fields": "duration_minutes"}
    ).json()
    (poll,) = body["includes"]["polls"]
    assert body["data"]["attachments"]["poll_ids"] == [poll["id"]]
    assert [option["label"] for option in poll["options"]] == ["Tea", "Coffee"]
    assert poll["duration_minutes"] == 60
