"""Media that a post names by URL: nothing goes out before the media service has taken it, and no reason is lost."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.content import Content, Failure, Media, Platform
from contracts.ids import new_id
from contracts.media import AssetType, Facts, MediaAsset, Rendition, Source, UploadMedia, Variant, import_id
from contracts.posts import Deferred, Published, Rejected
from contracts.publishing import PublishRequested
from objects.signing import Signer
from objects.store import Objects
from platforms import fitting
from publisher.adapters.media import MediaFetcher
from publisher.adapters.uploads import Uploads
from publisher.adapters.x import XConnector
from publisher.domain import importing
from publisher.domain.answers import Refused, Retry
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Import, Part, Policy, Publication
from publisher.handlers import Publisher
from publisher.settings import RETRY_DELAYS
from sandbox.samples import SAMPLES

DUE = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL, OTHER = "https://cdn.example.com/a.png", "https://cdn.example.com/b.png"
POST = "post_1"
PICTURE = Media(type="image", url=URL, alt_text="A cat")
FACTS = Facts(content_type="image/png", size=9_000, width=1_080, height=1_080)
REFUSED = Failure(code="media_unsupported", rule="media.type", message="The file is application/pdf.")
AWAY = Failure(code="media_unavailable", rule="media.url", message="Its server answered 503.", retryable=True)


def asset(url: str = URL, number: int = 0, **more: Any) -> MediaAsset:
    known: dict[str, Any] = {
        "media_id": import_id(POST, url, number),
        "tenant_id": "tenant-1",
        "created_by": "u",
        "created_at": DUE,
        "updated_at": DUE,
        "source": Source(url=url),
        "status": "ready",
        "type": "image",
        "original": Rendition(key="folder/one", sha256="00", facts=FACTS),
        **more,
    }
    return MediaAsset(**known)


def waiting(**more: Any) -> MediaAsset:
    return asset(status="processing", type=None, original=None, **more)


def rejected(failure: Failure, at: datetime = DUE, number: int = 0) -> MediaAsset:
    return asset(status="rejected", type=None, original=None, failure=failure, updated_at=at, number=number)


def request(*media: Media, platform: Platform = "twitter", **more: Any) -> PublishRequested:
    known: dict[str, Any] = {
        "post_id": POST,
        "tenant_id": "tenant-1",
        "target_id": f"{platform}:acc",
        "attempt": 1,
        "platform": platform,
        "account_id": "acc",
        "parts": (Content(text="a", media=media),),
        "options": {},
        "live_parts": (),
        "due_at": DUE,
        "unresolved_since": None,
        **more,
    }
    return PublishRequested(**known)


def entry(**more: Any) -> Publication:
    known: dict[str, Any] = {
        "publication_id": f"{POST}/twitter:acc",
        "tenant_id": "tenant-1",
        "post_id": POST,
        "target_id": "twitter:acc",
        "platform": "twitter",
        "account_id": "acc",
        "attempt": 1,
        "parts": (Part(step="preparing"),),
        **more,
    }
    return Publication(**known)


def survey(asked: PublishRequested, *assets: MediaAsset, journal: Publication | None = None) -> importing.Survey:
    known = {each.media_id: each for each in assets}
    return importing.survey(journal or entry(), asked, known, account=None, now=DUE)


# --- the rules ----------------------------------------------------------------------------------------


def test_what_is_named_by_url_is_published_as_the_upload_that_is_made_of_it() -> None:
    upload, document = Media(type="image", media_id="media_1"), Media(type="document", url="https://a.example/a.pdf")
    as_uploads = importing.imported(request(PICTURE, upload, document), entry())
    assert as_uploads.parts[0].media == (
        Media(type="image", media_id=import_id(POST, URL), alt_text="A cat"),
        upload,
        document,
    )
    again = importing.imported(request(PICTURE), entry(imports=(Import(url=URL, number=2),)))
    assert again.parts[0].media[0].media_id == import_id(POST, URL, 2)


def test_all_that_is_still_to_go_out_is_waited_for() -> None:
    thread = request(
        parts=(
            Content(text="1", media=(PICTURE,)),
            Content(text="2"),
            Content(text="3", media=(Media(type="image", url=OTHER),)),
        )
    )
    parts = (Part(step="preparing"), Part(step="armed"), Part(step="preparing"))
    assert set(importing.wanted(entry(parts=parts), thread)) == {URL, OTHER}
    live = (Part(step="confirmed"), *parts[1:])
    assert set(importing.wanted(entry(parts=live), thread)) == {OTHER}
    # What may be live already is looked for, whatever has become of its files.
    in_doubt = (Part(step="unknown"), *parts[1:])
    assert importing.wanted(entry(parts=in_doubt), thread) == {}
    assert importing.wanted(entry(parts=parts, attempt=2), thread) == {}


def test_there_is_nothing_to_wait_for_once_all_is_there() -> None:
    assert survey(request(PICTURE), asset()).is_complete
    assert survey(request(Media(type="image", media_id="media_1"))).is_complete
    some = survey(request(PICTURE, Media(type="image", url=OTHER)), asset())
    assert not some.is_complete
    (ask,) = some.absent
    assert (ask.media_id, ask.source.url, ask.tenant_id) == (import_id(POST, OTHER), OTHER, "tenant-1")
    assert ask.instead_of is None
    assert survey(request(PICTURE), waiting()).awaited == (DUE,)


def test_a_refused_file_refuses_the_target_and_is_fetched_anew_when_it_is_published_again() -> None:
    found = survey(request(PICTURE), rejected(REFUSED, at=DUE + timedelta(seconds=1)))
    assert found.setback == Refused(REFUSED)
    again = survey(request(PICTURE), rejected(REFUSED), journal=found.entry)
    (ask,) = again.absent
    assert ask.media_id == import_id(POST, URL, 1)
    assert ask.instead_of == import_id(POST, URL), "the post names the first: else this one could be thrown away"


def test_a_file_that_was_thrown_away_before_it_is_published_again_is_fetched_anew() -> None:
    found = survey(request(PICTURE), asset(deleted_at=DUE))
    assert found.setback is None
    assert [ask.media_id for ask in found.absent] == [import_id(POST, URL, 1)]
    again = survey(request(PICTURE), asset(deleted_at=DUE), asset(number=1), journal=found.entry)
    assert again.is_complete


def test_a_server_that_is_away_is_tried_again_later() -> None:
    found = survey(request(PICTURE), rejected(AWAY, at=DUE + timedelta(seconds=1)))
    assert found.setback == Retry("media_unavailable", AWAY)
    assert importing.media_id(found.entry, URL) == import_id(POST, URL, 1)


def test_what_was_no_good_at_acceptance_gets_one_more_chance_when_it_is_due() -> None:
    early = rejected(REFUSED, at=DUE - timedelta(hours=1))
    found = survey(request(PICTURE), early)
    assert found.setback is None
    assert [ask.media_id for ask in found.absent] == [import_id(POST, URL, 1)]
    second = survey(request(PICTURE), early, rejected(REFUSED, number=1), journal=found.entry)
    assert second.setback == Refused(REFUSED)


@pytest.mark.parametrize(("named", "found", "fits"), [("image", "gif", True), ("video", "image", False)])
def test_a_file_is_what_it_is_called(named: Any, found: AssetType, fits: bool) -> None:
    seen = survey(request(Media(type=named, url=URL)), asset(type=found))
    assert seen.is_complete is fits
    if not fits:
        assert isinstance(seen.setback, Refused)
        assert seen.setback.failure.rule == "media.kind"


def test_what_does_not_fit_is_refused_by_the_same_rule_as_an_upload_until_a_variant_fits() -> None:
    found = survey(request(PICTURE, platform="instagram"), asset())
    assert isinstance(found.setback, Refused)
    failure = found.setback.failure
    assert (failure.code, failure.rule) == ("media_unsupported", "instagram.media.format")
    assert f"POST /media/{import_id(POST, URL)}/variants" in (failure.remediation or "")
    # The upload stays the same, so the variant that is made of it is found.
    assert importing.media_id(found.entry, URL) == import_id(POST, URL)
    recipe = fitting.fit(FACTS, "instagram", "feed").recipe
    assert recipe is not None
    made = Variant(
        variant_id="variant_1",
        platform="instagram",
        recipe=recipe,
        status="ready",
        requested_at=DUE,
        rendition=Rendition(key="v", sha256="00", facts=fitting.expected(recipe, FACTS)),
    )
    assert survey(request(PICTURE, platform="instagram"), asset(variants=(made,)), journal=found.entry).is_complete


def test_the_longer_it_takes_the_later_it_is_asked_for() -> None:
    def pause(seconds: float) -> float:
        found = importing.Survey(entry=entry(), awaited=(DUE - timedelta(seconds=seconds),))
        return (importing.postponed(found, DUE).until - DUE).total_seconds()

    assert [pause(0), pause(30), pause(3_600)] == [1, 15, 60]


# --- the publisher ------------------------------------------------------------------------------------


class MediaService:
    """The read model of uploads, as tests want it."""

    def __init__(self) -> None:
        self.known: dict[str, MediaAsset] = {}

    async def assets(self, tenant_id: str, media_ids: Collection[str]) -> Mapping[str, MediaAsset]:
        return {name: self.known[name] for name in media_ids if name in self.known}

    def has(self, found: MediaAsset) -> None:
        self.known[found.media_id] = found


@pytest.fixture
def service() -> MediaService:
    return MediaService()


@pytest.fixture
async def publisher(world: Any, service: MediaService, tmp_path: Path) -> AsyncIterator[Publisher]:
    objects, signer = Objects.at(tmp_path.as_uri()), Signer([b"s" * 32], base_url="https://api.example.com")
    async with objects.writer("folder/one") as writer:
        await writer.write(SAMPLES["image.png"].render())
    fetcher = MediaFetcher(allow_private=False, objects=objects, signer=signer)
    policy = Policy(call_timeout=2.0, fence=5.0, retry_delays=RETRY_DELAYS)
    connector = XConnector(world.client("twitter"), policy, fetcher, Budgets(), now=world.clock.now)
    yield Publisher(
        owner=new_id("process"),
        journal=world.journal,
        accounts=world.accounts,
        tokens=world.tokens,
        connectors={"twitter": connector},
        sender=world.sender,
        uploads=Uploads(service, signer),
        now=world.clock.now,
        sleep=world.clock.sleep,
    )
    await fetcher.close()


async def test_a_picture_goes_out_once_the_media_service_has_it(
    world: Any, publisher: Publisher, service: MediaService
) -> None:
    account = await world.account("twitter")
    asked = world.request(account, Content(text="Look", media=(PICTURE,)))

    early = await world.run(asked, publisher=publisher)

    assert isinstance(early.outcome, Deferred)
    assert early.outcome.reason.code == "media_processing"
    # The posts service asks when it accepts the post. In case it could not, it is asked again, as the same command.
    ((command_id, command),) = [each for each in world.sender.sent if isinstance(each[1], UploadMedia)]
    assert command_id == f"{import_id(POST, URL)}:import"
    assert command.source == Source(url=URL)

    service.has(asset())
    late = await world.run(replace(asked, attempt=2), publisher=publisher)

    assert isinstance(late.outcome, Published)
    (live,) = await world.live(account)
    assert len(live["media"]) == 1


async def test_a_thread_is_not_begun_while_one_of_its_files_is_no_good(
    world: Any, publisher: Publisher, service: MediaService
) -> None:
    account = await world.account("twitter")
    later = Content(text="two", media=(PICTURE,))
    service.has(rejected(REFUSED, at=world.clock.now() + timedelta(minutes=1)))

    report = await world.run(world.request(account, Content(text="one"), later), publisher=publisher)

    assert report.outcome == Rejected(failure=REFUSED)
    assert await world.live(account) == []


async def test_a_file_that_cannot_be_had_is_tried_for_until_the_patience_ends(
    world: Any, publisher: Publisher, service: MediaService
) -> None:
    account = await world.account("twitter")
    asked = world.request(account, Content(text="Look", media=(PICTURE,)))
    for number, _ in enumerate(RETRY_DELAYS["media_unavailable"]):
        service.has(rejected(AWAY, at=world.clock.now() + timedelta(minutes=1), number=number))
        report = await world.run(replace(asked, attempt=number + 1), publisher=publisher)
        assert isinstance(report.outcome, Deferred), number
        assert report.outcome.reason == AWAY
    last = len(RETRY_DELAYS["media_unavailable"])
    service.has(rejected(AWAY, at=world.clock.now() + timedelta(minutes=1), number=last))
    report = await world.run(replace(asked, attempt=last + 1), publisher=publisher)
    assert report.outcome == Rejected(failure=AWAY)
