"""What follows once a post is live, or may be: its first comment, taking it down, and looking for oneself."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.ids import new_id

pytestmark = pytest.mark.stack


def publish(client: Any, account: Any, text: str, **options: Any) -> Any:
    body = {
        "content": {"text": text},
        "platforms": [{"platform": account.platform, "account_id": account.id, "options": options}],
    }
    return client.post("/publish", body, status=201)["post_id"]


@pytest.fixture(params=["twitter", "linkedin"])
def account(request: Any) -> Any:
    return request.getfixturevalue(request.param)


def test_the_first_comment_follows_the_post(client: Any, sandbox: Any, account: Any, eventually: Any) -> None:
    text = f"Read the comment {new_id('n')}"
    post_id = publish(client, account, text, first_comment=f"Here it is {text}")
    client.settled(post_id, "published")
    comment = eventually(lambda: _comment(client, post_id, "published"))
    live = {post["text"]: post for post in sandbox.live(account)}
    assert live[f"Here it is {text}"]["in_reply_to"] == live[text]["id"]
    assert comment["post_id"] == live[f"Here it is {text}"]["id"]
    assert client.get(f"/posts/{post_id}")["status"] == "published"


def _comment(client: Any, post_id: str, status: str) -> Any:
    comment = client.get(f"/posts/{post_id}")["targets"][0]["first_comment"]
    return comment if comment is not None and comment["status"] == status else None


def test_a_refused_comment_is_told_and_the_post_stays_published(
    client: Any, sandbox: Any, twitter: Any, eventually: Any
) -> None:
    text = f"Read the comment {new_id('n')}"
    sandbox.fault(twitter, "create_post", "forbidden_403", after=1)
    post_id = publish(client, twitter, text, first_comment=f"Here it is {text}")
    comment = eventually(lambda: _comment(client, post_id, "failed"))
    assert comment["error"]["message"]
    assert client.get(f"/posts/{post_id}")["status"] == "published"
    assert [post["text"] for post in sandbox.live(twitter) if text in post["text"]] == [text]


def test_a_post_is_taken_off_its_platforms(
    client: Any, sandbox: Any, twitter: Any, linkedin: Any, eventually: Any
) -> None:
    text = f"To be regretted {new_id('n')}"
    body = {
        "content": {"text": text},
        "platforms": [{"platform": each.platform, "account_id": each.id} for each in (twitter, linkedin)],
    }
    post_id = client.post("/publish", body, status=201)["post_id"]
    client.settled(post_id, "published")
    begun = client.delete(f"/posts/{post_id}?from_platforms=true", status=202)
    assert {target["removal"]["status"] for target in begun["targets"]} <= {"requested", "removed"}
    eventually(lambda: client.request("GET", f"/posts/{post_id}").status_code == 404, what="the post being gone")
    for each in (twitter, linkedin):
        assert [post for post in sandbox.live(each) if post["text"] == text] == []


def test_what_a_platform_refuses_to_take_down_stays_and_says_why(
    client: Any, sandbox: Any, twitter: Any, eventually: Any
) -> None:
    text = f"To be regretted {new_id('n')}"
    post_id = publish(client, twitter, text)
    client.settled(post_id, "published")
    sandbox.fault(twitter, "delete_post", "forbidden_403")
    client.delete(f"/posts/{post_id}?from_platforms=true", status=202)

    def failed() -> Any:
        removal = client.get(f"/posts/{post_id}")["targets"][0]["removal"]
        return removal if removal["status"] == "failed" else None

    assert eventually(failed)["error"]["message"]
    assert [post["text"] for post in sandbox.live(twitter) if post["text"] == text] == [text]
    client.delete(f"/posts/{post_id}?from_platforms=true", status=202)
    eventually(lambda: client.request("GET", f"/posts/{post_id}").status_code == 404, what="the post being gone")


def test_an_ordinary_delete_leaves_the_platforms_alone(client: Any, sandbox: Any, twitter: Any) -> None:
    text = f"To be kept {new_id('n')}"
    post_id = publish(client, twitter, text)
    client.settled(post_id, "published")
    client.delete(f"/posts/{post_id}")
    assert [post["text"] for post in sandbox.live(twitter) if post["text"] == text] == [text]


def test_what_nobody_can_find_out_is_held_until_somebody_looks(stranger: Any, sandbox: Any, connect: Any) -> None:
    client = stranger
    account = connect(client.tenant, "twitter", username=new_id("u")[-12:])
    text = f"Lost in the mail {new_id('n')}"
    sandbox.fault(account, "create_post", "accept_then_reset")
    sandbox.fault(account, "timeline", "server_error_500", times=100)
    post_id = publish(client, account, text)
    post = client.settled(post_id, "failed", seconds=180)
    target = post["targets"][0]
    assert (target["status"], target["error"]["code"]) == ("held", "outcome_unknown")
    resolve = f"/posts/{post_id}/targets/{target['target_id']}/resolve"
    client.refused(400, "invalid_content", "POST", resolve, {"resolution": "confirm"})
    (live,) = sandbox.live(account)
    url = f"https://x.com/somebody/status/{live['id']}"
    confirmed = client.post(resolve, {"resolution": "confirm", "url": url})
    assert (confirmed["status"], confirmed["platform_posts"][0]["post_id"]) == ("published", live["id"])
    client.refused(409, "not_resolvable", "POST", resolve, {"resolution": "drop"})
    client.refused(404, "target_not_found", "POST", f"/posts/{post_id}/targets/nobody/resolve", {"resolution": "drop"})
