"""Creating and deleting posts on X."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def amara(control: Any) -> Any:
    return control.account("twitter")


@pytest.fixture
def bola(control: Any) -> Any:
    return control.account("twitter", "bola")


def _create(account: Any, text: str = "We open at nine.", **more: Any) -> Any:
    return account.http.post("/2/tweets", json={"text": text, **more})


def _created(account: Any, text: str = "We open at nine.", **more: Any) -> str:
    answer = _create(account, text, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


def _refused(answer: Any, status: int) -> str:
    """The words of a refusal."""
    assert answer.status_code == status, answer.text
    problem = answer.json()
    if "errors" in problem:
        assert problem["type"].endswith("/invalid-request")
        return str(problem["errors"][0]["message"])
    assert problem["status"] == status
    return str(problem["detail"])


def test_a_post_is_in_the_ledger_once(control: Any, amara: Any) -> None:
    answer = _create(amara)
    (post,) = control.posts(amara)
    assert answer.json() == {
        "data": {"id": post["id"], "text": "We open at nine.", "edit_history_tweet_ids": [post["id"]]}
    }
    assert (post["platform"], post["account"], post["text"]) == ("twitter", amara.id, "We open at nine.")
    assert (post["in_reply_to"], post["conversation_id"], post["deleted_at"]) == (None, post["id"], None)


def test_ids_grow(amara: Any) -> None:
    ids = [int(_created(amara, f"Post {number}")) for number in range(20)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Request body must be a JSON object."),
        (b'{"text":"a"', "Request body must be a JSON object."),
        (b'{"text":1', "Request body must be a JSON object."),
        (b'{"text":"\xff"}', "Request body must be a JSON object."),
        (b"[]", "$: expected `object`, got `array`"),
        (b"{}", "$.text: is missing but it is required"),
        (b'{"text":" \\n"}', "$.text: is missing but it is required"),
        (b'{"text":null}', "$.text: expected `str`, got `null`"),
        (b'{"text":"a","reply":{}}', "$.reply.in_reply_to_tweet_id: is missing but it is required"),
        (
            b'{"text":"a","link":"x"}',
            "$.link: is not defined in the schema and the schema does not allow additional properties",
        ),
        (
            b'{"text":"a","reply":{"in_reply_to_tweet_id":"1","x":1}}',
            "$.reply.x: is not defined in the schema and the schema does not allow additional properties",
        ),
    ],
)
def test_bodies_outside_the_schema(control: Any, amara: Any, body: bytes, words: str) -> None:
    assert _refused(amara.http.post("/2/tweets", content=body), 400) == words
    assert control.posts(amara) == []


@pytest.mark.parametrize(
    "more",
    [
        {"media": {"media_ids": []}},
        {"media": {"media_ids": ["1", "2", "3", "4", "5"]}},
        {"media": {"media_ids": ["3_1"]}},
        {"media": {"media_ids": ["1"], "tagged_user_ids": ["1"] * 11}},
        {"reply": {"in_reply_to_tweet_id": "abc"}},
        {"reply_settings": "everyone"},
        {"poll": {"options": ["one"], "duration_minutes": 10}},
        {"poll": {"options": ["a"] * 5, "duration_minutes": 10}},
        {"poll": {"options": ["a", "b" * 26], "duration_minutes": 10}},
        {"poll": {"options": ["a", ""], "duration_minutes": 10}},
        {"poll": {"options": ["a", "b"], "duration_minutes": 4}},
        {"poll": {"options": ["a", "b"], "duration_minutes": 10_081}},
        {"poll": {"options": ["a", "b"]}},
        {"made_with_ai": "yes"},
        {"poll": {"options": ["a", "b"], "duration_minutes": 10}, "media": {"media_ids": ["1"]}},
        {"quote_tweet_id": "1", "card_uri": "card://1"},
    ],
)
def test_values_outside_the_schema(control: Any, amara: Any, more: dict[str, Any]) -> None:
    _refused(_create(amara, **more), 400)
    assert control.posts(amara) == []


def test_the_echo_names_the_wrong_part(amara: Any) -> None:
    answer = _create(amara, reply={})
    assert answer.json()["errors"][0]["parameters"] == {"$.reply": ["{}"]}


def test_length(control: Any, amara: Any) -> None:
    assert _refused(_create(amara, "a" * 281), 400).startswith("Your Tweet text is too long.")
    assert _refused(_create(amara, "語" * 141), 400).startswith("Your Tweet text is too long.")
    _created(amara, "a" * 280)
    _created(amara, "語" * 140)
    _created(amara, "b" * 256 + " https://example.com/" + "c" * 300)
    control.settings(twitter={"over_length_status": 403})
    assert _refused(_create(amara, "a" * 281), 403).startswith("Your Tweet text is too long.")


def test_premium_may_write_long(control: Any) -> None:
    premium = control.account("twitter", premium=True)
    post_id = _created(premium, "a" * 25_000)
    assert _refused(_create(premium, "a" * 25_001), 400).startswith("Your Tweet text is too long.")
    shown = premium.http.get(f"/2/tweets/{post_id}", params={"tweet.fields": "note_tweet"}).json()["data"]
    assert shown["note_tweet"]["text"] == "a" * 25_000
    assert shown["text"].endswith("…")
    assert len(shown["text"]) < 280


def test_one_cashtag(control: Any, amara: Any) -> None:
    _created(amara, "Up: $AAPL")
    assert "maximum of one cashtag" in _refused(_create(amara, "Up: $AAPL $MSFT"), 403)
    control.settings(twitter={"max_cashtags": None})
    _created(amara, "Up: $AAPL $MSFT")


def test_invalid_characters(amara: Any) -> None:
    assert "invalid characters" in _refused(_create(amara, "a\uffffb"), 400)


def test_duplicates_are_refused_while_remembered(control: Any, amara: Any, bola: Any) -> None:
    control.settings(twitter={"duplicate_window_seconds": 600})
    _created(amara, "We open\nat nine.")
    refusal = "You are not allowed to create a Tweet with duplicate content."
    assert _refused(_create(amara, "We  open at nine."), 403) == refusal
    _created(bola, "We open at nine.")
    _created(amara, "We open at ten.")
    control.advance(601)
    _created(amara, "We open at nine.")
    assert control.done(control.http.get("/ledger/stats"))["duplicates"] == []


def test_a_deleted_post_is_no_duplicate(control: Any, amara: Any) -> None:
    post_id = _created(amara)
    assert amara.http.delete(f"/2/tweets/{post_id}").json() == {"data": {"deleted": True}}
    _created(amara)
    assert len(control.posts(amara)) == 1
    assert len(control.posts(amara, include_deleted="true")) == 2


def test_the_ledger_counts_live_duplicates(control: Any, amara: Any) -> None:
    control.settings(twitter={"duplicate_window_seconds": 0})
    ids = [_created(amara), _created(amara)]
    stats = control.done(control.http.get("/ledger/stats"))
    assert stats["duplicates"] == [{"account": amara.id, "text": "We open at nine.", "ids": ids}]
    assert (stats["live"], stats["accounts"][amara.id]) == (2, {"live": 2, "deleted": 0})


def test_links_are_shortened_and_text_is_escaped_in_answers_only(control: Any, amara: Any) -> None:
    answer = _create(amara, "Tea & cake: https://example.com/menu?a=1&b=2").json()["data"]["text"]
    assert answer.startswith("Tea &amp; cake: https://t.co/")
    (post,) = control.posts(amara)
    assert post["text"] == post["raw"] == "Tea & cake: https://example.com/menu?a=1&b=2"


def test_a_thread_shares_a_conversation(control: Any, amara: Any) -> None:
    first = _created(amara, "One")
    second = _created(amara, "Two", reply={"in_reply_to_tweet_id": first})
    _created(amara, "Three", reply={"in_reply_to_tweet_id": second})
    posts = control.posts(amara)
    assert [post["in_reply_to"] for post in posts] == [None, first, second]
    assert {post["conversation_id"] for post in posts} == {first}


def test_replies_to_strangers_are_refused_until_they_mention_us(control: Any, amara: Any, bola: Any) -> None:
    post_id = _created(bola, "Good morning")
    reply = {"in_reply_to_tweet_id": post_id}
    assert _refused(_create(amara, "Hi", reply=reply), 403).startswith("Reply to this conversation is not allowed")
    invitation = _created(bola, "What do you say, @Amara?")
    _created(amara, "Hi", reply={"in_reply_to_tweet_id": invitation})
    control.settings(twitter={"reply_restriction": False})
    _created(amara, "Hi", reply=reply)


def test_self_threads_can_be_forbidden(control: Any, amara: Any) -> None:
    first = _created(amara, "One")
    control.settings(twitter={"self_threads": False})
    _refused(_create(amara, "Two", reply={"in_reply_to_tweet_id": first}), 403)


def test_replies_to_deleted_posts(control: Any, amara: Any) -> None:
    first = _created(amara, "One")
    amara.http.delete(f"/2/tweets/{first}")
    reply = {"in_reply_to_tweet_id": first}
    assert "deleted or not visible" in _refused(_create(amara, "Two", reply=reply), 403)
    control.settings(twitter={"missing_parent_status": 404})
    assert _create(amara, "Two", reply=reply).json()["type"].endswith("/resource-not-found")


def test_quotes_and_edits_need_more_access(control: Any, amara: Any) -> None:
    first = _created(amara, "One")
    assert _refused(_create(amara, "Look", quote_tweet_id=first), 403).startswith("You are not permitted")
    assert _refused(_create(amara, "One!", edit_options={"previous_post_id": first}), 403).startswith("You are not")
    control.settings(twitter={"quotes": True})
    _created(amara, "Look", quote_tweet_id=first)


def test_options_are_in_the_ledger(control: Any, amara: Any) -> None:
    poll = {"options": ["Tea", "Coffee"], "duration_minutes": 60}
    _created(amara, "Which?", poll=poll, reply_settings="mentionedUsers", made_with_ai=True)
    (post,) = control.posts(amara)
    assert post["options"] == {"poll": poll, "reply_settings": "mentionedUsers", "made_with_ai": True}


def test_deleting(control: Any, amara: Any, bola: Any) -> None:
    post_id = _created(amara)
    assert "not authorized to delete" in _refused(bola.http.delete(f"/2/tweets/{post_id}"), 403)
    assert amara.http.delete(f"/2/tweets/{post_id}").json() == {"data": {"deleted": True}}
    assert amara.http.delete(f"/2/tweets/{post_id}").status_code == 404
    assert control.posts(amara) == []
    control.settings(twitter={"delete_missing": "false"})
    assert amara.http.delete(f"/2/tweets/{post_id}").json() == {"data": {"deleted": False}}


def test_a_hundred_posts_in_a_window(amara: Any) -> None:
    answers = [_create(amara, f"Post {number}") for number in range(101)]
    assert [answer.status_code for answer in answers] == [201] * 100 + [429]
    assert answers[0].headers["x-rate-limit-limit"] == "100"
    assert [answer.headers["x-rate-limit-remaining"] for answer in answers[-3:]] == ["1", "0", "0"]
    assert answers[0].headers["x-app-limit-24hour-limit"] == "10000"
    assert answers[-1].json()["title"] == "Too Many Requests"


def test_windows_pass_with_the_clock_and_can_be_set(control: Any, amara: Any) -> None:
    control.settings(twitter={"rate_limits": {"window_seconds": 60, "calls": {"create_post": {"user": 1}}}})
    _created(amara, "One")
    assert _create(amara, "Two").status_code == 429
    control.advance(61)
    _created(amara, "Two")
    control.settings(twitter={"rate_limits": {"enabled": False}})
    answer = _create(amara, "Three")
    assert (answer.status_code, answer.headers["x-rate-limit-remaining"]) == (201, "1")


def test_credits_run_out(control: Any, amara: Any) -> None:
    control.settings(twitter={"credits": 0.24})
    _created(amara, "One")
    _created(amara, "Two https://example.com")
    _created(amara, "Three")
    answer = _create(amara, "Four")
    assert answer.status_code == 402
    assert answer.json()["type"].endswith("/credits-depleted")
    assert len(control.posts(amara)) == 3


def test_tokens(control: Any, amara: Any) -> None:
    http = amara.http
    assert http.post("/2/tweets", json={"text": "a"}, headers={"Authorization": ""}).status_code == 401
    unknown = http.post("/2/tweets", json={"text": "a"}, headers={"Authorization": "Bearer made-up"})
    assert unknown.status_code == 403
    assert unknown.json()["type"].endswith("/unsupported-authentication")
    assert "x-rate-limit-limit" not in unknown.headers
    control.settings(twitter={"unknown_token_status": 401})
    assert http.post("/2/tweets", json={"text": "a"}, headers={"Authorization": "Bearer x"}).status_code == 401
    control.advance(7_190)
    _created(amara, "In time")
    control.advance(11)
    assert _create(amara, "Too late").json() == {
        "title": "Unauthorized",
        "type": "about:blank",
        "status": 401,
        "detail": "Unauthorized",
    }


@pytest.mark.parametrize("action", ["revoke", "expire"])
def test_tokens_can_be_ended(control: Any, amara: Any, bola: Any, action: str) -> None:
    assert control.http.post(f"/accounts/{amara.id}/{action}").status_code == 204
    assert _create(amara).status_code == 401
    _created(bola)


def test_a_token_of_another_platform_is_unknown(control: Any, amara: Any) -> None:
    member = control.account("linkedin")
    answer = amara.http.get("/2/users/me", headers={"Authorization": f"Bearer {member.access_token}"})
    assert answer.status_code == 403


def test_scopes(control: Any) -> None:
    reader = control.account("twitter", scopes=["tweet.read", "users.read"])
    assert reader.refresh_token is None
    assert _create(reader).status_code == 403
    assert reader.http.get("/2/users/me").status_code == 200
    assert reader.http.post("/2/media/upload/initialize", json={}).status_code == 403


def test_unknown_paths(amara: Any) -> None:
    assert amara.http.get("/2/nothing").json()["title"] == "Not Found"
    assert amara.http.put("/2/tweets").status_code == 404


def test_only_what_is_there_can_be_quoted(control: Any, amara: Any) -> None:
    control.settings(twitter={"quotes": True})
    post_id = amara.http.post("/2/tweets", json={"text": "One"}).json()["data"]["id"]

    def quoted(of: str, text: str) -> int:
        return int(amara.http.post("/2/tweets", json={"text": text, "quote_tweet_id": of}).status_code)

    assert quoted("12345", "Indeed") == 403
    assert quoted(post_id, "Indeed") == 201
    amara.http.delete(f"/2/tweets/{post_id}")
    assert quoted(post_id, "Again") == 403
