"""Nothing of another tenant can be reached: every route, every kind of id of theirs, every place where an id can stand.

The answer must be the one that an id gets which never existed: the same status, code and words, so that nobody even
learns what there is. Nothing of theirs may be told, changed, or sent into the log.

Each place gets each of the ids that belong there. `make tenants` goes on with any ids anywhere, as any role and with
other headers, up to 50,000 requests.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pymongo
import pytest
import structlog
from tests.security.house import Belongings, House

from chassis import store
from contracts.ids import new_id
from gateway.policy import BASE, EVENT_STREAM, POLICY, PUBLIC
from gateway.repository import cursor_at

pytestmark = pytest.mark.stack

REQUESTS = int(os.environ.get("TENANT_REQUESTS", "0"))
AT_ONCE = 64
DROP_SECONDS = 120.0
"""The long form leaves much behind."""
KINDS = {"post_id": "post", "publish_id": "publish", "thread_id": "thread", "target_id": "target"} | {
    f"{name}_id": name for name in ("command", "account", "media", "upload")
}
KINDS |= {"webhook_id": "webhook", "delivery_id": "delivery"}
UNIQUE = r"[0-9A-HJKMNP-TV-Z]{26}"
ID = "<id>"
"""Stands for the id in what follows."""
TEXT = {"text": "Hello"}
NOW = datetime.now(UTC)
LATER = f"{NOW + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
PIECE = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
BODIES: dict[tuple[str, str], Sequence[dict[str, Any]]] = {
    ("PUT", "/posts/{post_id}"): ({"title": "mine"}, {"content": TEXT}, {"platforms": ["twitter"]}, {"tags": []}),
    ("POST", "/posts/{post_id}/schedule"): ({"scheduled_at": LATER},),
    ("POST", "/posts/{post_id}/publish"): ({}, {"publish_now": True}),
    ("POST", "/posts/{post_id}/cancel"): ({},),
    ("POST", "/posts/{post_id}/targets/{target_id}/resolve"): (
        {"resolution": "drop"},
        {"resolution": "republish"},
        {"resolution": "confirm", "platform_post_id": "1846987139428634858"},
    ),
    ("POST", "/media/{media_id}/variants"): ({"platform": "instagram"}, {"platform": "twitter"}),
    ("PUT", "/webhooks/{webhook_id}"): ({"description": "mine"}, {"fifo": True}, {"event_types": []}),
    ("POST", "/webhooks/{webhook_id}/rotate-secret"): ({}, {"overlap_seconds": 0}),
    ("POST", "/webhooks/{webhook_id}/replay"): ({"since": "2020-01-01T00:00:00Z"},),
    ("POST", "/webhooks/{webhook_id}/recover"): ({"since": "2020-01-01T00:00:00Z"},),
}
"""What is well-formed on these routes: nothing but the id may be a reason to refuse."""


@dataclass(frozen=True)
class Place:
    """Where ids can stand in a request, and whose."""

    name: str
    method: str
    route: str
    kinds: tuple[str, ...]
    """What the ids should be of, one for each."""
    build: Callable[..., dict[str, Any]]
    """The request's path and, where it has them, params, headers, json and content, from ids."""
    statuses: frozenset[int]
    """With which it must be answered."""


@dataclass
class Tally:
    sent: int = 0
    controls: dict[Any, Any] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)


def places(mine: Belongings) -> Iterator[Place]:
    yield from in_paths(mine)
    yield from in_bodies(mine)
    yield from in_queries()


def in_paths(mine: Belongings) -> Iterator[Place]:
    for (method, route), roles in sorted(POLICY.items(), key=lambda entry: (entry[0][1], entry[0][0])):
        names = re.findall(r"{(\w+)}", route)
        if roles == PUBLIC or not names:
            continue
        kinds = tuple(KINDS[name] for name in names)
        bodies: Sequence[dict[str, Any] | None] = BODIES.get((method, route.removeprefix(BASE)), (None,))
        for number, body in enumerate(bodies):
            for foreign in itertools.product((True, False), repeat=len(kinds)):
                if not any(foreign):
                    continue
                statuses = {404}
                if "command" in kinds:
                    statuses.add(200)  # one that may still be waiting is "pending", whoever asks
                if kinds == ("post", "target") and foreign == (False, True):
                    statuses.add(202)  # whether a post of one's own has it, its decider says
                yield Place(
                    name=f"{method} {route} {number} {foreign}",
                    method=method,
                    route=route,
                    kinds=tuple(kind for kind, is_foreign in zip(kinds, foreign, strict=True) if is_foreign),
                    build=_path(route, kinds, foreign, mine, body, method),
                    statuses=frozenset(statuses),
                )


def _path(
    route: str,
    kinds: Sequence[str],
    foreign: Sequence[bool],
    mine: Belongings,
    body: dict[str, Any] | None,
    method: str,
) -> Callable[..., dict[str, Any]]:
    def build(*ids: str) -> dict[str, Any]:
        given = iter(ids)
        values = [
            next(given) if is_foreign else mine.ids[kind][0] for kind, is_foreign in zip(kinds, foreign, strict=True)
        ]
        path = re.sub(r"{\w+}", lambda _: quote(values.pop(0), safe=""), route)
        request: dict[str, Any] = {"path": path}
        if body is not None:
            request["json"] = body
        if method == "PATCH":
            request |= {"headers": PIECE, "content": b"\x89PNG\r\n\x1a\n"}
        return request

    return build


def in_bodies(mine: Belongings) -> Iterator[Place]:
    own, draft, scheduled = mine.ids["account"][0], mine.ids["post"][1], mine.ids["post"][0]
    on_own = {"platform": "twitter", "account_id": own}
    on_theirs = {"platform": "twitter", "account_id": ID}
    shown = {**TEXT, "media": [{"type": "image", "media_id": ID}]}

    def place(kind: str, method: str, route: str, body: dict[str, Any], *statuses: int, path: str = "") -> Place:
        text = json.dumps(body)
        return Place(
            name=f"{method} {path or route} {text}",
            method=method,
            route=f"{BASE}{route}",
            kinds=(kind,),
            build=lambda value: {"path": f"{BASE}{path or route}", "json": json.loads(text.replace(ID, value))},
            statuses=frozenset(statuses),
        )

    statuses: tuple[int, ...]
    for route, statuses in (("/publish", (400, 404)), ("/posts/validate", (200,))):
        yield place("account", "POST", route, {"content": TEXT, "platforms": [on_theirs]}, *statuses)
        yield place("account", "POST", route, {"content": TEXT, "platforms": [on_own, on_theirs]}, *statuses)
        yield place("media", "POST", route, {"content": shown, "platforms": [on_own]}, *statuses)
        yield place("media", "POST", route, {"content": TEXT, "platforms": [{**on_own, "content": shown}]}, *statuses)
    post = {"content": TEXT, "platforms": ["twitter"], "accounts": {"twitter": own}}
    for due in ({}, {"status": "scheduled", "scheduled_at": LATER}):
        # A draft may name what is not there yet: it is looked at when the draft is to go out.
        statuses = (400, 404) if due else (202, 400, 404)
        yield place("account", "POST", "/posts", {**post, **due, "accounts": {"twitter": ID}}, *statuses)
        yield place("media", "POST", "/posts", {**post, **due, "content": shown}, *statuses)
        yield place("media", "POST", "/posts", {**post, **due, "overrides": {"twitter": shown}}, *statuses)
    for post_id, statuses in ((draft, (202, 400, 404)), (scheduled, (400, 404))):
        route, path = "/posts/{post_id}", f"/posts/{post_id}"
        yield place("account", "PUT", route, {"accounts": {"twitter": ID}}, *statuses, path=path)
        yield place("media", "PUT", route, {"content": shown}, *statuses, path=path)
        yield place("media", "PUT", route, {"media": shown["media"]}, *statuses, path=path)
        yield place("media", "PUT", route, {"overrides": {"twitter": shown}}, *statuses, path=path)
    yield place("account", "POST", "/threads", {**on_theirs, "posts": [TEXT, TEXT]}, 400, 404)
    yield place("media", "POST", "/threads", {**on_own, "posts": [shown, TEXT]}, 400, 404)
    yield place("media", "POST", "/threads", {**on_own, "posts": [TEXT, shown]}, 400, 404)
    yield place("state", "POST", "/accounts/connect/complete", {"state": ID, "code": "c"}, 400)
    yield place("state", "POST", "/accounts/connect/complete", {"state": ID}, 400)
    for choice in ("x", own):
        yield place("selection", "POST", "/accounts/connect/select", {"selection_token": ID, "choice": choice}, 400)


def in_queries() -> Iterator[Place]:
    def place(kind: str, route: str, status: int, **params: Any) -> Place:
        return Place(
            name=f"GET {route} {params}",
            method="GET",
            route=f"{BASE}{route}",
            kinds=(kind,),
            build=lambda value: {
                "path": f"{BASE}{route}",
                "params": {
                    name: given.encode_with(value) if isinstance(given, At) else str(given).replace(ID, value)
                    for name, given in params.items()
                },
            },
            statuses=frozenset({status}),
        )

    for route, kind in (("/posts", "post"), ("/scheduling/queue", "post"), ("/media", "media")):
        yield place(kind, route, 200, cursor=At())
        yield place(kind, route, 200, cursor=At(), limit=1)
        yield place(kind, route, 400, cursor=ID)
    for kind in ("post", "account", "media"):
        yield place(kind, "/posts", 200, campaign_id=ID)
        yield place(kind, "/posts", 200, tag=ID)
    for name in ("platform", "account_id", "tenant_id", "post_id"):
        yield place("account", "/accounts", 400, **{name: ID})
        yield place("account", "/distribution/metrics", 400, **{name: ID})


class At:
    """Stands for a cursor that ends at the id."""

    def encode_with(self, identifier: str) -> str:
        return cursor_at(NOW, identifier).encode()


# --- asking -------------------------------------------------------------------------------------------


def never_existed(ids: Sequence[str]) -> list[str]:
    """Ids of the same form; what is the same in two of them is so here."""
    fresh: dict[str, str] = {}
    return [re.sub(UNIQUE, lambda found: fresh.setdefault(found[0], new_id("x")[2:]), each) for each in ids]


def likeness(ids: Sequence[str]) -> tuple[int, ...]:
    """Which of them have the same in them: an answer that names them shows it."""
    unique = [re.findall(UNIQUE, each) for each in ids]
    return tuple(map(unique.index, unique))


def shape(answer: httpx.Response, ids: Sequence[str]) -> tuple[int, dict[str, str], str]:
    """What an answer tells, but for the ids in the question and what is new in every answer."""
    text = answer.text
    for index, identifier in enumerate(ids):
        for part in (identifier, identifier.partition("_")[2]):
            text = text.replace(part, f"<{index}>")
    text = re.sub(r'"(request_id|trace_id)":"[^"]*"', r'"\1":""', text)
    # What is created anew has an id and a time of its own.
    text = re.sub(rf"(post|cmd|pub|thread|media)_{UNIQUE}", r"\1_", text)
    told = ("content-type", "content-length", "www-authenticate", "retry-after", "allow", "cache-control", "etag")
    headers = {name: answer.headers[name] for name in told if name in answer.headers}
    if answer.is_success:
        headers.pop("content-length", None)
    return answer.status_code, headers, text


class Intruder:
    """A user of one tenant who has come by all the ids of another."""

    def __init__(self, house: House, mine: Belongings, theirs: Belongings) -> None:
        self._house = house
        self._mine = mine
        self._theirs = theirs
        self.tally = Tally()
        self._client = house.client()

    async def ask(self, place: Place, ids: Sequence[str], role: str, extra: dict[str, str]) -> httpx.Response:
        request = place.build(*ids)
        headers = {"Authorization": f"Bearer {self._house.token(self._mine.tenant_id, role)}"}
        if place.method not in ("GET", "HEAD") and extra.get("Idempotency-Key") == "fresh":
            extra = {**extra, "Idempotency-Key": uuid4().hex}
        headers |= request.pop("headers", {}) | extra
        return await self._client.request(place.method, request.pop("path"), headers=headers, **request)

    async def intrude(self, place: Place, ids: Sequence[str], role: str, extra: dict[str, str]) -> None:
        answer = await self.ask(place, ids, role, extra)
        found = shape(answer, ids)
        self.tally.sent += 1
        self.tally.statuses[answer.status_code] = self.tally.statuses.get(answer.status_code, 0) + 1
        where = (place.name, ids, role, extra, answer.status_code, answer.text[:500])
        assert answer.status_code in place.statuses, where
        assert self._theirs.canary not in answer.text + str(answer.headers), where
        kinds = tuple(identifier.partition("_")[0] for identifier in ids)
        # Roles are let in or not; what they are answered is the same.
        key = (place.name, kinds, likeness(ids), tuple(extra.items()), answer.status_code == 200)
        expected = self.tally.controls.get(key)
        if expected is None:
            others = never_existed(ids)
            expected = shape(await self.ask(place, others, role, extra), others)
            self.tally.controls[key] = expected
        assert found == expected, (where, expected)


@pytest.fixture
async def house(mongodb_uri: str, tmp_path: Path) -> AsyncIterator[House]:
    client = store.connect(mongodb_uri)
    name = f"tenants_{uuid4().hex[:12]}"
    with structlog.testing.capture_logs():
        yield House(store.database(client, name), tmp_path)
    with pymongo.timeout(DROP_SECONDS):
        await client.drop_database(name)
    await client.close()


EXTRAS: Sequence[dict[str, str]] = (
    {},
    {"Idempotency-Key": "fresh"},
    {"If-Match": "*"},
    {"If-Match": '"1"', "Idempotency-Key": "fresh"},
    {"X-Tenant-Id": "tenant_theirs", "X-Forwarded-User": "tenant_theirs"},
    {"Prefer": "respond-async"},
)


def requests(mine: Belongings, theirs: Belongings) -> Iterator[tuple[Place, tuple[str, ...], str, dict[str, str]]]:
    """First each place with each of the ids that belong there; then, without end, anything anywhere."""
    everywhere = list(places(mine))
    for place in everywhere:
        role = sorted(POLICY[place.method, place.route])[0]
        for ids in itertools.product(*(theirs.ids[kind] for kind in place.kinds)):
            yield place, ids, role, EXTRAS[0]
    chance = random.Random(4)
    all_ids = [identifier for ids in theirs.ids.values() for identifier in ids]
    while True:
        place = chance.choice(everywhere)
        fitting = chance.random() < 0.5
        ids = tuple(chance.choice(theirs.ids[kind] if fitting else all_ids) for kind in place.kinds)
        yield place, ids, chance.choice(sorted(POLICY[place.method, place.route])), chance.choice(EXTRAS)


async def test_ids_of_another_tenant_are_as_if_they_had_never_existed(
    house: House, record_property: Callable[[str, object], None]
) -> None:
    theirs, mine = await house.furnish("tenant_theirs"), await house.furnish("tenant_mine")
    before = await house.documents_of(theirs)
    intruder = Intruder(house, mine, theirs)
    planned, wrong = requests(mine, theirs), list[str]()
    exhaustive = sum(
        len(list(itertools.product(*(theirs.ids[kind] for kind in place.kinds)))) for place in places(mine)
    )
    left = max(REQUESTS, exhaustive)
    while left > 0:
        batch = list(itertools.islice(planned, min(AT_ONCE, left)))
        done = await asyncio.gather(*(intruder.intrude(*each) for each in batch), return_exceptions=True)
        wrong += [str(error) for error in done if isinstance(error, BaseException)]
        left -= len(batch)
    assert not wrong, f"{len(wrong)} of {intruder.tally.sent}, beginning with:\n" + "\n".join(wrong[:40])
    assert intruder.tally.sent >= max(REQUESTS, 600)
    record_property("requests", intruder.tally.sent)
    record_property("controls", len(intruder.tally.controls))
    record_property("statuses", dict(sorted(intruder.tally.statuses.items())))
    assert await house.documents_of(theirs) == before, "nothing of theirs has changed"
    named = {identifier for ids in theirs.ids.values() for identifier in ids}
    for key, command, tenant_id in house.log.sent:
        assert tenant_id == mine.tenant_id
        assert key not in named, command


async def test_the_same_ids_work_for_those_they_belong_to(house: House) -> None:
    """Or else the refusals above would prove nothing."""
    mine, other = await house.furnish("tenant_mine"), await house.furnish("tenant_other")
    owner = Intruder(house, mine, other)
    found = {404: 0, 200: 0}
    for place in in_paths(other):
        if place.method != "GET" or "(False" in place.name or "False)" in place.name:
            continue
        for ids in zip(*(mine.ids[kind] for kind in place.kinds), strict=False):
            answer = await owner.ask(place, ids, sorted(POLICY["GET", place.route])[0], {})
            found[answer.status_code] += 1
            assert answer.status_code == 200 or ids[0] in _unseen(mine), (place.name, ids, answer.text)
    assert found[200] > 40, found
    lists = ("/posts", "/media", "/accounts", "/webhooks", "/events", "/scheduling/queue")
    async with house.client() as client:
        for route in (f"{BASE}{path}" for path in lists):
            token = house.token(mine.tenant_id, "tenant_admin")
            answer = await client.get(route, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
            assert mine.canary in answer.text, route
            assert other.canary not in answer.text, route


def _unseen(own: Belongings) -> set[str]:
    """What even its tenant does not find: what is deleted, and posts where threads are looked for."""
    gone = {own.ids[kind][-1] for kind in ("post", "publish", "media", "webhook")}
    return gone | {each for number, each in enumerate(own.ids["thread"]) if number != 7} | set(own.ids["webhook"][1:])


async def test_lists_filters_and_their_cursors_show_each_tenant_its_own(house: House) -> None:
    """With cursors that the other tenant was really given."""
    theirs, mine = await house.furnish("tenant_theirs"), await house.furnish("tenant_mine")
    async with house.client() as client:

        async def ask(own: Belongings, path: str, **params: Any) -> httpx.Response:
            headers = {"Authorization": f"Bearer {house.token(own.tenant_id, 'tenant_admin')}"}
            answer = await client.get(path, params=params or None, headers=headers)
            assert answer.status_code == 200, (path, params, answer.text)
            return answer

        for path in (
            "/posts",
            "/media",
            "/scheduling/queue",
            "/events",
            f"/webhooks/{mine.ids['webhook'][0]}/deliveries",
        ):
            of_theirs = path.replace(mine.ids["webhook"][0], theirs.ids["webhook"][0])
            first = await ask(theirs, f"{BASE}{of_theirs}", limit=1)
            cursor = first.json()["cursor"]
            for params in ({}, {"cursor": cursor}, {"cursor": cursor, "limit": 1}):
                if params.get("cursor", "") is None:
                    continue
                answer = await ask(mine, f"{BASE}{path}", **params)
                assert theirs.canary not in answer.text
                assert not [each for ids in theirs.ids.values() for each in ids if each in answer.text], path
        for path in ("/distribution/metrics", "/scheduling/optimal-times?platform=twitter", "/accounts", "/webhooks"):
            answer = await ask(mine, f"{BASE}{path}")
            assert theirs.canary not in answer.text
            assert not [each for ids in theirs.ids.values() for each in ids if each in answer.text], path
        for params in ({"campaign_id": "campaign"}, {"tag": "tag"}, {"status": "scheduled"}, {"platform": "twitter"}):
            answer = await ask(mine, f"{BASE}/posts", **params)
            assert mine.canary in answer.text
            assert theirs.canary not in answer.text
        for headers in ({}, {"Last-Event-ID": "0"}, {"Last-Event-ID": "3"}):
            token = house.token(mine.tenant_id, "creator")
            answer = await client.get(EVENT_STREAM, headers={"Authorization": f"Bearer {token}", **headers})
            assert theirs.canary not in answer.text
            assert (mine.canary in answer.text) == bool(headers)


async def test_an_idempotency_key_of_another_tenant_is_a_key_of_nobody(house: House) -> None:
    theirs, mine = await house.furnish("tenant_theirs"), await house.furnish("tenant_mine")
    async with house.client() as client:
        answers = [
            await client.post(
                f"{BASE}/posts",
                json={"title": own.canary},
                headers={"Authorization": f"Bearer {house.token(own.tenant_id, 'creator')}", "Idempotency-Key": "same"},
            )
            for own in (theirs, mine)
        ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert "idempotency-replayed" not in answers[1].headers
    assert answers[0].json()["post_id"] != answers[1].json()["post_id"]
