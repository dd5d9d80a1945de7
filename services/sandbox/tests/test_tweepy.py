"""A client that knows nothing of the sandbox: tweepy, with only its host rewritten."""

from __future__ import annotations

from typing import Any

import pytest
import tweepy
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter


class ToSandbox(HTTPAdapter):
    """Sends what is meant for the real host to the sandbox, path unchanged."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        request.url = str(request.url).replace("https://api.twitter.com", self._url)
        kwargs["proxies"] = {}
        return super().send(request, *args, **kwargs)


@pytest.fixture
def amara(control: Any) -> Any:
    return control.account("twitter")


@pytest.fixture
def client(control: Any, amara: Any) -> tweepy.Client:
    client = tweepy.Client(bearer_token=amara.access_token)
    client.session.mount("https://api.twitter.com", ToSandbox(control.url))
    return client


def test_a_post_is_created_read_and_deleted(control: Any, amara: Any, client: tweepy.Client) -> None:
    assert client.get_me(user_auth=False).data.username == "amara"
    created = client.create_tweet(text="Hello from https://example.com", user_auth=False)
    post_id = created.data["id"]
    assert control.posts(amara)[0]["id"] == post_id

    read = client.get_tweet(post_id, tweet_fields=["created_at", "entities", "public_metrics"])
    assert read.data.entities["urls"][0]["expanded_url"] == "https://example.com"
    assert read.data.public_metrics["retweet_count"] == 0
    assert read.data.created_at.tzinfo is not None

    reply = client.create_tweet(text="And on", in_reply_to_tweet_id=post_id, user_auth=False)
    timeline = client.get_users_tweets(amara.id, max_results=5, tweet_fields=["referenced_tweets"])
    assert [str(tweet.id) for tweet in timeline.data] == [reply.data["id"], post_id]
    assert str(timeline.data[0].referenced_tweets[0].id) == post_id

    assert client.delete_tweet(post_id, user_auth=False).data == {"deleted": True}
    gone = client.get_tweet(post_id)
    assert gone.data is None
    assert gone.errors[0]["title"] == "Not Found Error"


def test_pages_follow_each_other(amara: Any, client: tweepy.Client) -> None:
    ids = [client.create_tweet(text=f"Post {number}", user_auth=False).data["id"] for number in range(12)]
    pages = tweepy.Paginator(client.get_users_tweets, amara.id, max_results=5)
    assert [str(tweet.id) for tweet in pages.flatten()] == ids[::-1]


def test_refusals_are_the_exceptions_that_tweepy_has_for_them(control: Any, client: tweepy.Client) -> None:
    client.create_tweet(text="Once", user_auth=False)
    with pytest.raises(tweepy.Forbidden, match="duplicate content"):
        client.create_tweet(text="Once", user_auth=False)
    with pytest.raises(tweepy.BadRequest, match="too long"):
        client.create_tweet(text="a" * 281, user_auth=False)
    control.fault("twitter", "rate_limited")
    with pytest.raises(tweepy.TooManyRequests):
        client.create_tweet(text="Twice", user_auth=False)
