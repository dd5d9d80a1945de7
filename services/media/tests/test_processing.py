"""A job that is cut off leaves nothing half, and what it leaves is collected; what comes by URL is kept once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.media.corpus import clip, png

from contracts.media import DeleteMedia, Processed, Source, Unfit, import_id
from media import processing
from media.adapters.fetching import FetchFailedError, FetchRefusedError
from media.collecting import Collector
from media.domain.asset import keys_of

DAY, WEEK = timedelta(days=1), timedelta(days=7)
URL = "https://cdn.example.com/a.png"


class CutOffError(Exception):
    pass


def collector(service: Any, *, every: float = 3_600) -> Collector:
    return Collector(
        service.objects,
        service.assets,
        every=every,
        keep_unused=DAY.total_seconds(),
        keep_deleted=WEEK.total_seconds(),
    )


def named(service: Any) -> set[str]:
    return {key for each in service.assets.known.values() for key in keys_of(each)}


# --- cut off ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step", ["media.before_decode", "media.decoded", "media.stored", "media.before_record", "media.recorded"]
)
@pytest.mark.parametrize("data", [png(301, 200), clip()], ids=["image", "video"])
async def test_a_job_that_is_cut_off_is_done_again_and_nothing_is_half(
    step: str, data: bytes, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await service.sent_in("media_1", data)

    async def reached(point: str) -> None:
        if point == step:
            raise CutOffError

    with monkeypatch.context() as faults:
        faults.setattr(processing, "reached", reached)
        with pytest.raises(CutOffError):
            await service.processor.handle(job)
    assert named(service) <= await service.keys(), "a file is named that is not there"

    await service.processor.handle(job)

    assert len(service.records) == 1
    asset = service.assets.known["media_1"]
    assert asset.status == "ready"
    assert named(service) == keys_of(asset) <= await service.keys()
    assert len(keys_of(asset)) == 3

    await collector(service).collect(datetime.now(UTC) + 2 * DAY)

    assert await service.keys() == keys_of(asset), "what was sent in, or what was cut off has left, is still there"


# --- what nothing needs -------------------------------------------------------------------------------


async def test_objects_are_kept_for_as_long_as_they_are_needed(service: Any) -> None:
    now = datetime.now(UTC)
    await service.processor.handle(await service.sent_in("media_1", png(40, 40)))
    waiting = await service.sent_in("media_2", png(41, 41))
    (untouched,) = waiting.message.source.keys
    async with service.objects.writer("folder/part") as part:
        await part.write(b"x")
    service.assets.uploading.add("folder/part")
    files = keys_of(service.assets.known["media_1"])
    everything = await service.keys()

    assert await collector(service).collect(now + DAY / 2) == 0, "all of it is younger than a day"
    assert await service.keys() == everything

    assert await collector(service).collect(now + 2 * DAY) == 1
    assert await service.keys() == {*files, untouched, "folder/part"}, "only the first upload was needed no more"

    service.assets.obey(DeleteMedia(media_id="media_1", tenant_id="tenant_a", actor="u", issued_at=now + 2 * DAY))
    assert await collector(service).collect(now + 8 * DAY) == 0, "a post that was accepted meanwhile still goes out"

    service.assets.under_way.add("media_1")
    assert await collector(service).collect(now + 20 * DAY) == 0
    service.assets.under_way.clear()
    assert await collector(service).collect(now + 20 * DAY) == len(files)
    assert await service.keys() == {untouched, "folder/part"}

    service.assets.uploading.clear()
    assert await collector(service).collect(now + 20 * DAY) == 1
    assert await service.keys() == {untouched}


async def test_what_two_uploads_share_goes_with_the_last(service: Any) -> None:
    service.web.files[URL] = png(60, 60)
    now = datetime.now(UTC)
    for media_id in ("media_1", "media_2"):
        await service.processor.handle(service.job(media_id, Source(url=URL)))
    shared = keys_of(service.assets.known["media_1"])
    assert keys_of(service.assets.known["media_2"]) == shared
    for media_id, left in (("media_1", shared), ("media_2", set())):
        service.assets.obey(DeleteMedia(media_id=media_id, tenant_id="tenant_a", actor="u", issued_at=now))
        await collector(service).collect(now + 9 * DAY)
        assert await service.keys() == left


async def test_it_collects_again_and_again_until_it_is_stopped(service: Any) -> None:
    stop = asyncio.Event()
    rounds = 0

    class Counting(Collector):
        async def collect(self, now: datetime) -> int:
            nonlocal rounds
            rounds += 1
            if rounds == 3:
                stop.set()
            return await super().collect(now)

    counting = Counting(service.objects, service.assets, every=0.001, keep_unused=1, keep_deleted=1)
    async with asyncio.timeout(10):
        await counting.run(stop)
    assert rounds == 3


# --- by URL -------------------------------------------------------------------------------------------


async def test_a_file_that_came_before_is_not_looked_into_again(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service.web.files[URL] = png(60, 60)
    first, second = import_id("post_1", URL), import_id("post_2", URL)
    await service.processor.handle(service.job(first, Source(url=URL)))
    kept = await service.keys()
    with monkeypatch.context() as guard:
        guard.delattr(type(service.processor), "_decode")
        await service.processor.handle(service.job(second, Source(url=URL)))
    one, two = service.assets.known[first], service.assets.known[second]
    assert (two.status, two.original, two.medium) == ("ready", one.original, one.medium)
    assert one.source.sha256 == two.source.sha256
    assert await service.keys() == kept

    # Another file under the same address, a deleted one, and another tenant's are other files.
    service.web.files[URL] = png(61, 61)
    await service.processor.handle(service.job("media_3", Source(url=URL)))
    assert service.assets.known["media_3"].original != one.original
    service.web.files[URL] = png(60, 60)
    for media_id in (first, second):
        gone = DeleteMedia(media_id=media_id, tenant_id="tenant_a", actor="u", issued_at=datetime.now(UTC))
        service.assets.obey(gone)
    await service.processor.handle(service.job("media_4", Source(url=URL)))
    assert service.assets.known["media_4"].original not in (one.original, None)
    assert await service.assets.same_file("tenant_b", one.source.sha256 or "") is None


async def test_a_file_behind_a_url_has_to_pass_what_an_upload_has_to(service: Any) -> None:
    service.web.files[URL] = b"%PDF-1.7\n"
    await service.processor.handle(service.job("media_1", Source(url=URL)))
    outcome = service.records[-1].outcome
    assert isinstance(outcome, Unfit)
    assert (outcome.failure.code, outcome.failure.rule) == ("media_unsupported", "media.type")
    service.web.files[URL] = png(60, 60)[:-40]
    await service.processor.handle(service.job("media_2", Source(url=URL)))
    broken = service.records[-1].outcome
    assert isinstance(broken, Unfit)
    assert broken.failure.rule == "media.broken"


async def test_an_upload_that_is_not_there_any_more_or_has_changed_is_refused(service: Any) -> None:
    changed, lost = [await service.sent_in(f"media_{number}", png(40, 40)) for number in (1, 2)]
    (key,) = changed.message.source.keys
    async with service.objects.writer(key) as writer:
        await writer.write(png(41, 41))
    await service.objects.delete(lost.message.source.keys)
    for job in (changed, lost):
        await service.processor.handle(job)
    assert [record.outcome.failure.rule for record in service.records] == ["media.checksum", "media.lost"]
    assert [each.status for each in service.assets.known.values()] == ["rejected", "rejected"]


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (FetchRefusedError("media.url", "Its server answered 404."), "media_unsupported", False),
        (FetchRefusedError("media.size", "The file is larger than allowed."), "media_unsupported", False),
        (FetchFailedError("Its server answered 503."), "media_unavailable", True),
    ],
)
async def test_it_is_told_whether_fetching_it_later_may_help(
    error: Exception, code: str, retryable: bool, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "_FETCH_PAUSES", (0.0, 0.0))
    service.web.files[URL] = error
    await service.processor.handle(service.job("media_1", Source(url=URL)))
    outcome = service.records[-1].outcome
    assert isinstance(outcome, Unfit)
    assert (outcome.failure.code, outcome.failure.retryable) == (code, retryable)
    assert str(error) in outcome.failure.message


async def test_a_job_that_comes_again_after_its_record_changes_nothing(service: Any) -> None:
    job = await service.sent_in("media_1", png(40, 40))
    await service.processor.handle(job)
    await service.processor.handle(replace(job, offset=1))
    assert [type(each.outcome) for each in service.records] == [Processed]
