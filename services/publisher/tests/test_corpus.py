"""Good and bad posts for every platform: judged by the rules, and by the platform itself.

The rules are there to say no before the platform does. So each bad post is refused by the rule that is named beside it,
and no good one is; and of the posts that a platform refuses nearly all are refused by the rules. For that the posts go
out past the rules, the corpus itself and posts crossed of two of its entries.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from msgspec import Struct
from msgspec.structs import replace

from contracts.content import PLATFORMS, Content, Link, Media, MediaType, Options, Platform
from contracts.posts import Deferred, Published, Rejected, ReportOutcome, Unknown
from platforms.checking import AccountFacts, check

FOLDER = Path(__file__).parent / "corpus"
CROSSED = 40
"""Posts crossed of two entries, for each platform."""
ENOUGH = 0.95

FILES: dict[MediaType, str] = {
    "image": "image.jpg?w=640&h=640&shade={n}",
    "gif": "image.gif?shade={n}",
    "video": "video.mp4?w=720&h=1280&bytes=2000000&shade={n}",
    "document": "document.pdf?bytes={n}000",
}
FEED = ("w_organization_social", "r_organization_social", "w_organization_social_feed", "r_organization_social_feed")
ACCOUNTS: dict[str, tuple[AccountFacts, dict[str, Any]]] = {
    "premium": (AccountFacts(account_type="premium"), {"account_type": "premium", "premium": True}),
    "page": (
        AccountFacts(account_type="company_page", permissions=("post", "comment")),
        {"account_type": "company_page", "kind": "organization", "scopes": list(FEED)},
    ),
    "silent": (AccountFacts(account_type="member", permissions=("post",)), {}),
    "plain": (AccountFacts(account_type="personal"), {}),
}


class Entry(Struct, frozen=True, kw_only=True):
    """One post. `rule` is None for a good one."""

    platform: Platform
    why: str
    rule: str | None
    kind: Any
    parts: tuple[Content, ...]
    options: Options
    title: str | None
    account: str

    def refusals(self) -> list[str]:
        """The rules that it breaks, without the name of the platform."""
        facts = ACCOUNTS[self.account][0]
        found = check(
            self.parts,
            kind=self.kind,
            platform=self.platform,
            options=self.options,
            account=facts,
            title=self.title,
        )
        return [violation.rule.removeprefix(f"{self.platform}.") for violation in found]


def written(value: Any) -> Any:
    """`[[a, 3], b]` is `aaab`: a list that begins with a text and a number is a text in pieces."""
    if isinstance(value, dict):
        return {name: written(each) for name, each in value.items()}
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], list) and len(value[0]) == 2 and isinstance(value[0][1], int):
        return "".join(piece[0] * piece[1] for piece in value)
    return [written(each) for each in value]


def media_of(named: Iterable[Any], alt_text: str | None) -> Iterable[Media]:
    """`[image, [video, 2]]` is an image and two videos. The host of their URLs is left open."""
    types = [kind for each in named for kind in ([each] if isinstance(each, str) else [each[0]] * each[1])]
    for number, kind in enumerate(types, 1):
        assert kind in get_args(MediaType)
        yield Media(type=kind, url="http://sandbox/_sandbox/media/" + FILES[kind].format(n=number), alt_text=alt_text)


def content_of(raw: dict[str, Any]) -> Content:
    link = written(raw.get("link"))
    return Content(
        text=written(raw.get("text", "")),
        hashtags=tuple(written(raw.get("hashtags", []))),
        mentions=tuple(written(raw.get("mentions", []))),
        media=tuple(media_of(raw.get("media", []), written(raw.get("alt_text")))),
        link=None if link is None else Link(**link),
    )


@cache
def corpus(platform: Platform) -> tuple[Entry, ...]:
    data = yaml.safe_load((FOLDER / f"{platform}.yaml").read_text())
    return tuple(
        Entry(
            platform=platform,
            why=raw["why"],
            rule=raw["rule"] if side == "bad" else None,
            kind=raw.get("kind", "post"),
            parts=tuple(content_of(part) for part in raw.get("parts", [raw])),
            options=written(raw.get("options", {})),
            title=written(raw.get("title")),
            account=raw.get("account", "plain"),
        )
        for side in ("bad", "good")
        for raw in data[side]
    )


def crossed(platform: Platform) -> list[Entry]:
    """What one entry says with the options of another. The same ones every time."""
    dice = random.Random(platform)
    entries = [entry for entry in corpus(platform) if entry.kind == "post"]
    return [
        replace(one, why=f"{one.why} × {other.why}", rule=None, options=other.options, account=other.account)
        for one, other in (dice.sample(entries, 2) for _ in range(CROSSED))
    ]


EVERYTHING = [entry for platform in PLATFORMS for entry in corpus(platform)]


def named(entries: Iterable[Entry]) -> list[Any]:
    return [pytest.param(entry, id=f"{entry.platform}: {entry.why}") for entry in entries]


@pytest.mark.parametrize("entry", named(entry for entry in EVERYTHING if entry.rule is not None))
def test_the_bad_ones_are_refused_by_their_rule(entry: Entry) -> None:
    assert entry.rule in entry.refusals()


@pytest.mark.parametrize("entry", named(entry for entry in EVERYTHING if entry.rule is None))
def test_the_good_ones_are_not_refused(entry: Entry) -> None:
    assert entry.refusals() == []


def test_there_are_many_of_them_and_no_two_alike() -> None:
    assert sum(entry.rule is not None for entry in EVERYTHING) >= 150
    assert sum(entry.rule is None for entry in EVERYTHING) >= 60
    assert len({(entry.platform, entry.why) for entry in EVERYTHING}) == len(EVERYTHING)


# --- the platforms' own judgement ---------------------------------------------------------------------


def located(content: Content, url: str) -> Content:
    return replace(
        content,
        media=tuple(replace(media, url=(media.url or "").replace("http://sandbox", url)) for media in content.media),
    )


async def judged(world: Any, entry: Entry) -> ReportOutcome:
    """What becomes of the post past the rules, on an account of its own. A first comment goes out after it."""
    account = await world.account(entry.platform, **ACCOUNTS[entry.account][1])
    world.journal.entries.clear()
    parts = [located(part, world.url) for part in entry.parts]
    comment = entry.options.get("first_comment")
    if isinstance(comment, str):
        parts.append(Content(text=comment))
    for attempt in range(1, 40):
        request = world.request(account, *parts, options=entry.options, attempt=attempt, title=entry.title)
        report: ReportOutcome = await world.run(request)
        match report.outcome:
            case Unknown(probe_at=at):
                await world.clock.reach(at)
                # What the sandbox fetches by itself takes real time.
                await asyncio.sleep(0.05)
            case Deferred(until=at):
                await world.clock.reach(at)
            case _:
                return report
    raise AssertionError(f"never resolved: {entry.why}")


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_what_a_platform_refuses_the_rules_refuse_before(
    world: Any, platform: Platform, record_property: Callable[[str, object], None]
) -> None:
    await world.control.post("/settings", json={"twitter": {"quotes": True}})
    refused = 0
    missed: list[str] = []
    unpublished: list[str] = []
    for entry in [*corpus(platform), *crossed(platform)]:
        by_rules = entry.refusals()
        try:
            outcome = (await judged(world, entry)).outcome
        except (LookupError, ValueError):
            # A post that cannot be put into the platform's words does not get there.
            assert by_rules
            continue
        by_platform = isinstance(outcome, Rejected) and outcome.failure.platform_error is not None
        refused += by_platform
        if by_rules or isinstance(outcome, Published):
            continue
        (missed if by_platform else unpublished).append(f"{entry.why}: {outcome}")
    record_property("refused by the platform", refused)
    record_property("of these not refused by the rules", len(missed))
    assert unpublished == []
    assert refused >= 10
    assert len(missed) <= (1 - ENOUGH) * refused, missed
