"""Creating, deleting and reading posts on LinkedIn."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import pytest


@pytest.fixture
def member(control: Any) -> Any:
    return control.account("linkedin", followers=7)


@pytest.fixture
def page(control: Any) -> Any:
    return control.account("linkedin", "acme", kind="organization", followers=900)


def _body(author: Any, commentary: str = "We open at nine.", **more: object) -> dict[str, object]:
    return {
        "author": author.id,
        "commentary": commentary,
        "visibility": "PUBLIC",
        "distribution": {
            "feedDistribution": "MAIN_FEED",
            "targetEntities": [],
            "thirdPartyDistributionChannels": [],
        },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
        **more,
    }


def _create(account: Any, commentary: str = "We open at nine.", **more: object) -> Any:
    return account.http.post("/rest/posts", json=_body(account, commentary, **more))


def _created(account: Any, commentary: str = "We open at nine.", **more: object) -> str:
    answer = _create(account, commentary, **more)
    assert answer.status_code == 201, answer.text
    return unquote(answer.headers["x-restli-id"])


def _code(answer: Any, status: int) -> str:
    """The code of a refusal, wherever its body carries it."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["status"] == status
    if "errorDetails" in body:
        return str(body["errorDetails"]["inputErrors"][0]["code"])
    return str(body["code"])


def _post_path(urn: str) -> str:
    return f"/rest/posts/{quote(urn, safe='')}"


def test_a_post_is_in_the_ledger_once(control: Any, member: Any) -> None:
    answer = _create(member)
    assert (answer.status_code, answer.content) == (201, b"")
    (post,) = control.posts(member)
    assert answer.headers["x-restli-id"] == post["id"]
    assert post["id"].startswith("urn:li:share:")
    assert "x-li-uuid" in answer.headers
    assert (post["platform"], post["account"], post["text"]) == ("linkedin", member.id, "We open at nine.")
    assert post["options"]["visibility"] == "PUBLIC"


def test_the_id_can_arrive_encoded(control: Any, member: Any) -> None:
    control.settings(linkedin={"encode_restli_id": True})
    assert _create(member).headers["x-restli-id"].startswith("urn%3Ali%3Ashare%3A")


def test_unescaped_text_is_cut_without_a_word(control: Any, member: Any) -> None:
    _created(member, "We open (finally) at nine")
    _created(member, "We open \\(finally\\) at nine")
    posts = control.posts(member)
    assert [post["text"] for post in posts] == ["We open ", "We open (finally) at nine"]
    assert [post["raw"] for post in posts] == ["We open (finally) at nine", "We open \\(finally\\) at nine"]
    assert [post["options"]["truncated"] for post in posts] == [True, False]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"LinkedIn-Version": None}, 400, "VERSION_MISSING"),
        ({"LinkedIn-Version": "202409"}, 426, "NONEXISTENT_VERSION"),
        ({"LinkedIn-Version": "202512"}, 426, "NONEXISTENT_VERSION"),
        ({"X-Restli-Protocol-Version": None}, 400, "ILLEGAL_ARGUMENT"),
        ({"X-Restli-Protocol-Version": "1.0.0"}, 400, "ILLEGAL_ARGUMENT"),
    ],
)
def test_versions(control: Any, member: Any, headers: dict[str, str | None], status: int, code: str) -> None:
    for name, value in headers.items():
        del member.http.headers[name]
        if value is not None:
            member.http.headers[name] = value
    assert _code(_create(member), status) == code
    assert control.posts(member) == []


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"author": None}, 403, "ACCESS_DENIED"),
        ({"author": "amara"}, 400, "INVALID_URN_TYPE"),
        ({"author": "urn:li:share:1"}, 400, "INVALID_URN_ID"),
        ({"author": "urn:li:person:somebody"}, 403, "ACCESS_DENIED"),
        ({"commentary": 1}, 400, "INVALID_VALUE_FOR_FIELD"),
        ({"commentary": " \n"}, 400, "INVALID_VALUE_BLANK_FIELD"),
        ({"commentary": "a" * 3001}, 400, "FIELD_LENGTH_TOO_LONG"),
        ({"commentary": "😀" * 1501}, 400, "FIELD_LENGTH_TOO_LONG"),
        ({"visibility": "FRIENDS"}, 400, "INVALID_VALUE_FOR_FIELD"),
        ({"lifecycleState": "DRAFT"}, 400, "INVALID_VALUE_FOR_FIELD"),
        ({"distribution": {}}, 400, "MISSING_FIELD"),
        ({"text": "a"}, 403, "ACCESS_DENIED"),
        ({"content": {"carousel": {}}}, 403, "ACCESS_DENIED"),
        ({"content": {}}, 400, "INVALID_VALUE_FOR_FIELD"),
        (
            {"content": {"article": {"source": "https://a.b"}, "media": {"id": "urn:li:image:1"}}},
            400,
            "INVALID_VALUE_FOR_FIELD",
        ),
        ({"content": {"article": {"source": "example.com"}}}, 400, "INVALID_VALUE_FOR_FIELD"),
        ({"content": {"article": {"source": "https://a.b", "title": "a" * 401}}}, 400, "FIELD_LENGTH_TOO_LONG"),
        ({"content": {"article": {"source": "https://a.b", "thumbnail": "x"}}}, 400, "INVALID_URN_TYPE"),
        ({"content": {"multiImage": {"images": [{"id": "urn:li:image:1"}]}}}, 400, "INVALID_VALUE_FOR_FIELD"),
        ({"content": {"multiImage": {"images": [{"id": "urn:li:image:1"}] * 21}}}, 400, "INVALID_VALUE_FOR_FIELD"),
        ({"content": {"media": {"id": "urn:li:image:1"}}}, 400, "INVALID_URN_ID"),
        ({"content": {"media": {"id": "urn:li:audio:1"}}}, 400, "INVALID_URN_TYPE"),
        ({"content": {"media": {"id": "urn:li:document:1"}}}, 400, "MISSING_FIELD"),
        ({"content": {"media": {"id": "urn:li:image:1", "altText": "a" * 4087}}}, 400, "FIELD_LENGTH_TOO_LONG"),
    ],
)
def test_bodies_that_are_refused(control: Any, member: Any, change: dict[str, object], status: int, code: str) -> None:
    assert _code(member.http.post("/rest/posts", json=_body(member) | change), status) == code
    assert control.posts(member) == []


@pytest.mark.parametrize("name", ["author", "commentary", "visibility", "distribution", "lifecycleState"])
def test_fields_that_must_be_there(member: Any, name: str) -> None:
    body = _body(member)
    del body[name]
    assert _code(member.http.post("/rest/posts", json=body), 400) == "MISSING_FIELD"


@pytest.mark.parametrize("content", [b"", b"{", b'{"author":"\xff"}', b'{"author":1'])
def test_what_is_not_json(member: Any, content: bytes) -> None:
    assert member.http.post("/rest/posts", content=content).status_code == 400


@pytest.mark.parametrize(
    "poll",
    [
        {"question": "a" * 141, "options": [{"text": "a"}, {"text": "b"}], "settings": {"duration": "ONE_DAY"}},
        {"question": "a", "options": [{"text": "a"}], "settings": {"duration": "ONE_DAY"}},
        {"question": "a", "options": [{"text": "a"}] * 5, "settings": {"duration": "ONE_DAY"}},
        {"question": "a", "options": [{"text": "a"}, {"text": "b" * 31}], "settings": {"duration": "ONE_DAY"}},
        {"question": "a", "options": [{"text": "a"}, {"text": "b"}], "settings": {"duration": "ONE_WEEK"}},
    ],
)
def test_polls_that_are_refused(member: Any, poll: dict[str, object]) -> None:
    assert _create(member, content={"poll": poll}).status_code == 400


def test_polls_and_articles_are_in_the_ledger(control: Any, member: Any) -> None:
    poll = {"question": "Which?", "options": [{"text": "Tea"}, {"text": "Coffee"}], "settings": {"duration": "ONE_DAY"}}
    article = {"source": "https://example.com/menu", "title": "The menu"}
    _created(member, "Vote", content={"poll": poll})
    _created(member, "", content={"article": article})
    first, second = control.posts(member)
    assert first["options"]["poll"] == poll
    assert second["options"]["article"] == article


def test_a_reshare_needs_no_words(control: Any, member: Any) -> None:
    urn = _created(member)
    _created(member, "", reshareContext={"parent": urn})
    assert control.posts(member)[1]["options"]["reshare_of"] == urn


def test_duplicates_name_the_earlier_post_for_ten_minutes(control: Any, member: Any, page: Any) -> None:
    urn = _created(member)
    refused = _create(member)
    assert _code(refused, 422) == "DUPLICATE_POST"
    assert refused.json()["errorDetails"]["inputErrors"][0]["description"] == f"Content is a duplicate of {urn}"
    _created(page)
    _created(member, "We open at ten.")
    _created(member, content={"article": {"source": "https://example.com"}})
    control.advance(601)
    assert _created(member) != urn


def test_which_posts_are_duplicates_can_be_set(control: Any, member: Any) -> None:
    control.settings(linkedin={"duplicates_compare_media": False})
    urn = _created(member)
    assert _create(member, content={"article": {"source": "https://example.com"}}).status_code == 422
    assert member.http.delete(_post_path(urn)).status_code == 204
    assert _create(member).status_code == 422
    control.settings(linkedin={"deleted_are_duplicates": False})
    _created(member)


def test_deleting(control: Any, member: Any, page: Any) -> None:
    urn = _created(member)
    assert _code(page.http.delete(_post_path(urn)), 403) == "ACCESS_DENIED"
    assert _code(member.http.delete(f"/rest/posts/{urn}"), 400) == "ILLEGAL_ARGUMENT"
    assert member.http.delete(_post_path(urn)).status_code == 204
    assert member.http.delete(_post_path(urn)).status_code == 204
    assert _code(member.http.delete(_post_path("urn:li:share:1")), 404) == "NOT_FOUND"
    assert control.posts(member) == []


def test_members_only_write(member: Any) -> None:
    urn = _created(member)
    refused = member.http.get(_post_path(urn))
    assert _code(refused, 403) == "ACCESS_DENIED"
    assert refused.json()["message"] == "Not enough permissions to access: partnerApiPostsExternal.GET.20260901"
    query = f"q=author&author={quote(member.id, safe='')}"
    assert member.http.get(f"/rest/posts?{query}").status_code == 403


def test_pages_read_their_posts(control: Any, page: Any) -> None:
    urns = []
    for number in range(12):
        urns.append(_created(page, f"Post \\#{number}"))
        control.advance(1)
    query = f"q=author&author={quote(page.id, safe='')}&sortBy=CREATED"
    first = page.http.get(f"/rest/posts?{query}&count=10").json()
    second = page.http.get(f"/rest/posts?{query}&count=10&start=10").json()
    assert [post["id"] for post in first["elements"] + second["elements"]] == urns[::-1]
    assert first["paging"]["total"] == 12
    newest = page.http.get(_post_path(urns[-1]), params={"viewContext": "AUTHOR"}).json()
    assert newest == first["elements"][0]
    assert (newest["commentary"], newest["author"], newest["lifecycleState"]) == ("Post \\#11", page.id, "PUBLISHED")
    assert abs(newest["createdAt"] / 1000 - control.done(control.http.post("/clock", json={"advance": 0}))["now"]) < 60


def test_reads_return_hashtags_as_templates(page: Any) -> None:
    urn = _created(page, "#tea for @[Acme](urn:li:organization:1)")
    assert page.http.get(_post_path(urn)).json()["commentary"] == (
        "{hashtag|\\#|tea} for @[Acme](urn:li:organization:1)"
    )


@pytest.mark.parametrize(
    "query",
    [
        "",
        "q=author",
        "q=title&author=x",
        "q=author&author=URN&count=0",
        "q=author&author=URN&count=101",
        "q=author&author=URN&count=ten",
        "q=author&author=URN&sortBy=LIKES",
    ],
)
def test_finders_that_are_wrong(page: Any, query: str) -> None:
    answer = page.http.get(f"/rest/posts?{query.replace('URN', quote(page.id, safe=''))}")
    assert answer.status_code == 400


def test_a_page_is_written_to_by_its_administrator_only(control: Any, page: Any) -> None:
    other = control.account("linkedin", "other", kind="organization")
    assert _code(other.http.post("/rest/posts", json=_body(page)), 403) == "ACCESS_DENIED"
    manager = control.account("linkedin", "manager", scopes=["w_organization_social", "w_member_social"])
    shop = control.account("linkedin", "shop", kind="organization", administrator=manager.id)
    assert manager.http.post("/rest/posts", json=_body(shop)).status_code == 201
    assert manager.http.post("/rest/posts", json=_body(manager)).status_code == 201
    assert manager.http.post("/rest/posts", json=_body(page)).status_code == 403
    assert len(control.posts(shop)) == 1


def test_pages_have_no_connections(page: Any) -> None:
    assert _code(_create(page, visibility="CONNECTIONS"), 400) == "INVALID_VALUE_FOR_FIELD"


def test_comments(control: Any, member: Any, page: Any) -> None:
    urn = _created(page)
    path = f"/rest/socialActions/{quote(urn, safe='')}/comments"
    body = {"actor": page.id, "object": urn, "message": {"text": "The first"}}
    assert _code(page.http.post(path, json=body), 403) == "ACCESS_DENIED"
    control.settings(linkedin={"comments_need_feed_scope": False})
    answer = page.http.post(path, json=body)
    assert answer.status_code == 201
    comment = answer.json()
    assert comment["commentUrn"] == f"urn:li:comment:({urn},{answer.headers['x-restli-id']})"
    assert page.http.post(path, json=body | {"message": {"text": "a" * 1251}}).status_code == 400
    assert page.http.post(path, json=body | {"message": {"text": " "}}).status_code == 400
    assert member.http.post(path, json=body).status_code == 403
    ledger = control.posts(page)
    assert [post["in_reply_to"] for post in ledger] == [None, urn]
    assert ledger[1]["conversation_id"] == urn


def test_the_quota_of_a_member_is_150_calls_a_day(control: Any, member: Any) -> None:
    answers = [member.http.get("/v2/userinfo") for _ in range(150)]
    assert {answer.status_code for answer in answers} == {200}
    refused = _create(member)
    assert _code(refused, 429) == "TOO_MANY_REQUESTS"
    assert refused.json()["serviceErrorCode"] == 101
    assert "retry-after" not in refused.headers
    control.advance(86_400)
    _created(member)
    control.settings(linkedin={"rate_limits": {"enabled": False}})
    assert {member.http.get("/v2/userinfo").status_code for _ in range(151)} == {200}


def test_tokens(control: Any, member: Any) -> None:
    def refusal(authorization: str) -> Any:
        answer = member.http.get("/v2/userinfo", headers={"Authorization": authorization})
        assert answer.status_code == 401
        return answer.json()

    assert refusal("") == {"message": "Empty oauth2_access_token", "serviceErrorCode": 401, "status": 401}
    assert refusal("Bearer made-up")["serviceErrorCode"] == 65600
    mine = f"Bearer {member.access_token}"
    control.http.post(f"/accounts/{member.id}/expire")
    assert refusal(mine)["code"] == "EXPIRED_ACCESS_TOKEN"
    assert refusal(mine)["serviceErrorCode"] == 65602
    control.http.post(f"/accounts/{member.id}/revoke")
    assert refusal(mine)["code"] == "REVOKED_ACCESS_TOKEN"
    assert refusal(mine)["serviceErrorCode"] == 65601
    control.http.delete(f"/accounts/{member.id}")
    assert refusal(mine)["serviceErrorCode"] == 65600


def test_new_tokens_can_need_a_moment(control: Any) -> None:
    control.settings(linkedin={"fresh_token_delay_seconds": 5})
    member = control.account("linkedin")
    assert member.http.get("/v2/userinfo").json()["serviceErrorCode"] == 65601
    control.advance(6)
    assert member.http.get("/v2/userinfo").status_code == 200


def test_unknown_paths(member: Any) -> None:
    assert _code(member.http.get("/rest/nothing"), 404) == "NOT_FOUND"
    assert member.http.put("/rest/posts").status_code == 404


def test_identity(member: Any) -> None:
    me = member.http.get("/v2/userinfo").json()
    assert f"urn:li:person:{me['sub']}" == member.id
    assert (me["name"], me["locale"]) == ("Amara", "en-US")
    assert "email" not in me
    assert _code(member.http.get("/rest/me"), 403) == "ACCESS_DENIED"


def test_the_administrator_of_a_page(control: Any, page: Any) -> None:
    me = page.http.get("/rest/me").json()
    assert me["vanityName"] == "acme-admin"
    control.account("linkedin", "other", kind="organization")
    roles = page.http.get("/rest/organizationAcls?q=roleAssignee&role=ADMINISTRATOR&state=APPROVED").json()
    (role,) = roles["elements"]
    assert (role["organization"], role["roleAssignee"], role["role"], role["state"]) == (
        page.id,
        f"urn:li:person:{me['id']}",
        "ADMINISTRATOR",
        "APPROVED",
    )
    number = page.id.rpartition(":")[2]
    assert page.http.get(f"/rest/organizations/{number}").json()["localizedName"] == "Acme"
    size = page.http.get(f"/rest/networkSizes/{quote(page.id, safe='')}?edgeType=COMPANY_FOLLOWED_BY_MEMBER")
    assert size.json() == {"firstDegreeSize": 900}
    assert page.http.get(f"/rest/networkSizes/{quote(page.id, safe='')}").status_code == 400
    assert page.http.get("/rest/organizationAcls?q=organization").status_code == 400
    assert page.http.get("/rest/organizations/1").status_code == 404


def test_identity_needs_scopes(member: Any, page: Any) -> None:
    assert page.http.get("/v2/userinfo").status_code == 403
    assert member.http.get("/rest/organizationAcls?q=roleAssignee").status_code == 403
    assert member.http.get(f"/rest/networkSizes/{quote(page.id, safe='')}?edgeType=X").status_code == 403
    assert member.http.get("/rest/memberFollowersCount?q=me").status_code == 403


def test_followers_of_a_member(control: Any) -> None:
    member = control.account("linkedin", followers=7, scopes=["r_member_profileAnalytics"])
    answer = member.http.get("/rest/memberFollowersCount?q=me").json()
    assert answer["elements"] == [{"memberFollowersCount": 7}]
    assert member.http.get("/rest/memberFollowersCount").status_code == 400


def test_statistics_of_a_page_leave_out_idle_posts(control: Any, page: Any) -> None:
    busy, idle = _created(page, "Busy"), _created(page, "Idle")
    metrics = {"impressions": 100, "likes": 7, "replies": 2, "reposts": 1}
    control.done(control.http.post(f"/ledger/{quote(busy, safe='')}/metrics", json=metrics))
    encoded = quote(page.id, safe="")
    shares = f"List({quote(busy, safe='')},{quote(idle, safe='')})"
    path = f"/rest/organizationalEntityShareStatistics?q=organizationalEntity&organizationalEntity={encoded}"
    (element,) = page.http.get(f"{path}&shares={shares}").json()["elements"]
    assert element["share"] == busy
    totals = element["totalShareStatistics"]
    assert (totals["impressionCount"], totals["likeCount"], totals["engagement"]) == (100, 7, 0.1)
    (whole,) = page.http.get(path).json()["elements"]
    assert whole["totalShareStatistics"] == totals
    assert page.http.get(f"{path}&shares=List({busy})").status_code == 400
    assert page.http.get(path.replace("q=organizationalEntity&", "q=me&")).status_code == 400
    assert page.http.get(path.replace(encoded, quote("urn:li:organization:1", safe=""))).status_code == 403
    likes = page.http.get(f"/rest/socialActions/{quote(busy, safe='')}").json()
    assert likes["likesSummary"]["totalLikes"] == 7


def test_statistics_of_a_member_are_one_metric_per_call(control: Any) -> None:
    member = control.account("linkedin", scopes=["w_member_social", "r_member_postAnalytics"])
    urn = _created(member)
    control.done(control.http.post(f"/ledger/{quote(urn, safe='')}/metrics", json={"impressions": 1204}))
    path = f"/rest/memberCreatorPostAnalytics?q=entity&entity=(share:{quote(urn, safe='')})"
    answer = member.http.get(f"{path}&queryType=IMPRESSION&aggregation=TOTAL").json()
    assert answer["elements"] == [{"count": 1204, "metricType": "IMPRESSION", "targetEntity": {"share": urn}}]
    assert member.http.get(f"{path}&queryType=MOOD").status_code == 400
    assert member.http.get(f"{path.replace('share:', 'post:')}&queryType=IMPRESSION").status_code == 400
    other = control.account("linkedin", "other", scopes=["r_member_postAnalytics"])
    assert other.http.get(f"{path}&queryType=IMPRESSION").status_code == 404


def test_a_page_learns_who_mentioned_it(member: Any, page: Any) -> None:
    urn = _created(member, f"Thanks @[Acme]({page.id})")
    _created(member, "Nothing about Acme")
    encoded = quote(page.id, safe="")
    path = f"/rest/organizationalEntityNotifications?q=criteria&organizationalEntity={encoded}"
    (element,) = page.http.get(f"{path}&actions=List(SHARE_MENTION)").json()["elements"]
    assert (element["action"], element["sourcePost"]) == ("SHARE_MENTION", urn)
    assert page.http.get(f"{path}&actions=List(LIKE)").json()["elements"] == []
    assert member.http.get(path).status_code == 403


_FEED = ("w_organization_social", "w_organization_social_feed", "r_organization_social_feed")


def _comments(urn: str, number: str = "") -> str:
    return f"/rest/socialActions/{quote(urn, safe='')}/comments" + (f"/{number}" if number else "")


@pytest.fixture
def talking(control: Any) -> Any:
    """A page that may comment, and read comments."""
    return control.account("linkedin", "acme", kind="organization", scopes=list(_FEED))


def _comment(account: Any, urn: str, text: str = "First", **more: object) -> Any:
    body = {"actor": account.id, "object": urn, "message": {"text": text}, **more}
    return account.http.post(_comments(urn), json=body)


def test_comments_are_listed_and_deleted_by_those_who_made_them(control: Any, talking: Any, member: Any) -> None:
    urn = _created(talking)
    numbers = [_comment(talking, urn, text).headers["x-restli-id"] for text in ("One", "Two")]

    listed = talking.http.get(_comments(urn), params={"start": "1", "count": "1"}).json()
    assert [(each["id"], each["message"]["text"], each["actor"]) for each in listed["elements"]] == [
        (numbers[1], "Two", talking.id)
    ]
    assert listed["paging"]["total"] == 2
    assert _code(member.http.get(_comments(urn)), 403) == "ACCESS_DENIED"
    assert _code(talking.http.get(_comments("urn:li:share:1")), 404) == "NOT_FOUND"

    actor = f"?actor={quote(talking.id, safe='')}"
    assert _code(talking.http.delete(_comments(urn, numbers[0])), 400) == "ILLEGAL_ARGUMENT"
    assert talking.http.delete(_comments(urn, numbers[0]) + actor).status_code == 204
    assert _code(talking.http.delete(_comments(urn, numbers[0]) + actor), 404) == "NOT_FOUND"
    other = control.account("linkedin", "other", scopes=["w_member_social_feed"])
    stolen = _comments(urn, numbers[1]) + f"?actor={quote(other.id, safe='')}"
    assert _code(other.http.delete(stolen), 403) == "ACCESS_DENIED"
    assert [post["text"] for post in control.posts(talking) if post["in_reply_to"] == urn] == ["Two"]


def test_comments_name_the_post_of_their_path_and_wait_until_it_is_known(control: Any, talking: Any) -> None:
    urn = _created(talking)
    other = _created(talking, "Another")
    answer = talking.http.post(
        _comments(urn), json={"actor": talking.id, "object": other, "message": {"text": "First"}}
    )
    assert _code(answer, 400) == "INVALID_VALUE_FOR_FIELD"
    control.settings(linkedin={"comments_lag_seconds": 60})
    assert _code(_comment(talking, urn), 404) == "NOT_FOUND"
    control.advance(60)
    assert _comment(talking, urn).status_code == 201


def test_reshares_have_a_parent_and_no_content(member: Any) -> None:
    parent = _created(member, "News")
    closed = _created(member, "Ours", isReshareDisabledByAuthor=True)

    def reshared(urn: str, **more: object) -> Any:
        return _create(member, "", reshareContext={"parent": urn}, **more)

    assert reshared(parent).status_code == 201
    assert _code(reshared("urn:li:share:1"), 400) == "INVALID_URN_ID"
    assert _code(reshared(closed), 400) == "INVALID_VALUE_FOR_FIELD"
    article = {"article": {"source": "https://example.com", "title": "A"}}
    assert _code(reshared(parent, content=article), 400) == "INVALID_VALUE_FOR_FIELD"


@pytest.mark.parametrize(("question", "option"), [(" ", "Tea"), ("Which?", " ")])
def test_polls_say_something(member: Any, question: str, option: str) -> None:
    poll = {
        "question": question,
        "options": [{"text": option}, {"text": "Coffee"}],
        "settings": {"duration": "ONE_DAY"},
    }
    assert _code(_create(member, content={"poll": poll}), 400) == "INVALID_VALUE_BLANK_FIELD"


def test_durations_of_polls_have_the_names_that_the_switch_says(control: Any, member: Any) -> None:
    def answered(duration: str) -> int:
        poll = {
            "question": f"Which, {duration}?",
            "options": [{"text": "Tea"}, {"text": "Coffee"}],
            "settings": {"duration": duration},
        }
        return int(_create(member, content={"poll": poll}).status_code)

    assert [answered(name) for name in ("ONE_DAY", "SEVEN_DAYS", "ONE_WEEK")] == [201, 201, 400]
    control.settings(linkedin={"poll_durations": "weeks"})
    assert [answered(name) for name in ("THREE_DAYS", "FOURTEEN_DAYS", "TWO_WEEKS")] == [201, 400, 201]
