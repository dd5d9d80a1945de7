"""The rules of an upload: given, when, then."""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from contracts.content import Failure
from contracts.media import (
    DeleteMedia,
    Facts,
    Made,
    MakeVariant,
    MediaDeleted,
    MediaReady,
    MediaRejected,
    MediaUploaded,
    Processed,
    ProcessMedia,
    Recipe,
    RecordProcessing,
    RecordVariant,
    Rendition,
    RequestVariant,
    Source,
    Unfit,
    UploadMedia,
    VariantFailed,
    VariantReady,
    VariantRequested,
)
from eventlog.spec import Spec
from media.domain.asset import MAX_VARIANTS, MediaAggregate, keys_of

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
ID, TENANT = "media_1", "tenant_a"
FACTS = Facts(content_type="image/png", size=10, width=4, height=4)
RECIPE = Recipe(content_type="image/jpeg", width=4, height=4)
FAILURE = Failure(code="media_unsupported", message="damaged")
SPEC = Spec(MediaAggregate())


def rendition(key: str) -> Rendition:
    return Rendition(key=key, sha256="00", facts=FACTS)


UPLOAD = UploadMedia(
    media_id=ID, tenant_id=TENANT, actor="u", issued_at=AT, source=Source(keys=("in",)), reply_partition=3
)
PROCESSED = RecordProcessing(
    media_id=ID,
    tenant_id=TENANT,
    issued_at=AT,
    outcome=Processed(
        asset_type="image", sha256="ab", original=rendition("o"), small=rendition("s"), medium=rendition("m")
    ),
)
UPLOADED = MediaUploaded(
    media_id=ID,
    tenant_id=TENANT,
    actor="u",
    at=AT,
    source=UPLOAD.source,
    filename=None,
    alt_text=None,
    platform_hints=(),
    reply_partition=3,
)
READY = MediaReady(
    at=AT, type="image", sha256="ab", original=rendition("o"), small=rendition("s"), medium=rendition("m")
)
DELETE = DeleteMedia(media_id=ID, tenant_id=TENANT, actor="u", issued_at=AT)


def request(number: int = 1, **changes: Any) -> RequestVariant:
    command = RequestVariant(
        media_id=ID,
        tenant_id=TENANT,
        actor="u",
        issued_at=AT,
        variant_id=f"variant_{number}",
        platform="instagram",
        post_type="feed",
        recipe=replace(RECIPE, max_bytes=number),
    )
    return replace(command, **changes)


def requested(number: int = 1) -> VariantRequested:
    return VariantRequested(
        actor="u",
        at=AT,
        variant_id=f"variant_{number}",
        platform="instagram",
        post_type="feed",
        recipe=replace(RECIPE, max_bytes=number),
        reply_partition=None,
    )


def test_an_upload_is_recorded_and_a_job_is_owed() -> None:
    outcome = SPEC.when(UPLOAD)
    state = outcome.then(UPLOADED)
    assert state.status == "processing"
    assert keys_of(state) == {"in"}
    assert outcome.follow_ups() == [
        ProcessMedia(media_id=ID, tenant_id=TENANT, source=UPLOAD.source, reply_partition=3)
    ]


def test_another_try_is_known_by_the_first_too() -> None:
    again = replace(UPLOAD, instead_of="media_0")
    state = SPEC.when(again).then(replace(UPLOADED, instead_of="media_0"))
    assert state.names == (ID, "media_0")
    assert SPEC.when(UPLOAD).then(UPLOADED).names == (ID,)


def test_one_id_is_uploaded_once_and_by_one_tenant() -> None:
    SPEC.given(UPLOADED).when(UPLOAD).then_refused("media_exists")
    SPEC.given(UPLOADED).when(replace(UPLOAD, tenant_id="tenant_b")).then_not_found()


def test_what_it_is_is_recorded_once() -> None:
    state = SPEC.given(UPLOADED).when(PROCESSED).then(READY)
    assert (state.status, state.type, keys_of(state)) == ("ready", "image", {"o", "s", "m"})
    SPEC.given(UPLOADED, READY).when(PROCESSED).then_nothing()
    unfit = replace(PROCESSED, outcome=Unfit(failure=FAILURE))
    rejected = SPEC.given(UPLOADED).when(unfit).then(MediaRejected(at=AT, failure=FAILURE))
    assert (rejected.status, keys_of(rejected)) == ("rejected", set())


def test_a_variant_is_owed_made_and_told() -> None:
    outcome = SPEC.given(UPLOADED, READY).when(request())
    outcome.then(requested())
    (job,) = outcome.follow_ups()
    assert isinstance(job, MakeVariant)
    assert job.original == rendition("o")
    made = RecordVariant(
        media_id=ID, tenant_id=TENANT, issued_at=AT, variant_id="variant_1", outcome=Made(rendition=rendition("v"))
    )
    past = SPEC.given(UPLOADED, READY, requested())
    state = past.when(made).then(VariantReady(at=AT, variant_id="variant_1", rendition=rendition("v")))
    assert "v" in keys_of(state)
    failed = replace(made, outcome=Unfit(failure=FAILURE))
    state = past.when(failed).then(VariantFailed(at=AT, variant_id="variant_1", failure=FAILURE))
    assert state.variants[0].status == "failed"
    past.given(VariantReady(at=AT, variant_id="variant_1", rendition=rendition("v"))).when(failed).then_nothing()
    past.when(replace(made, variant_id="variant_9")).then_nothing()


def test_the_same_variant_is_not_made_twice() -> None:
    past = SPEC.given(UPLOADED, READY, requested())
    past.when(request(variant_id="variant_2")).then_nothing()
    past.given(VariantFailed(at=AT, variant_id="variant_1", failure=FAILURE)).when(
        request(variant_id="variant_2")
    ).then_event(VariantRequested)


def test_variants_have_an_end() -> None:
    past = SPEC.given(UPLOADED, READY, *(requested(number) for number in range(MAX_VARIANTS)))
    past.when(request(MAX_VARIANTS)).then_refused("too_many_variants")
    SPEC.given(UPLOADED).when(request()).then_refused("media_not_ready")


def test_deleted_is_deleted_but_its_files_are_known() -> None:
    deleted = MediaDeleted(actor="u", at=AT)
    state = SPEC.given(UPLOADED, READY).when(DELETE).then(deleted)
    assert keys_of(state) == {"o", "s", "m"}
    past = SPEC.given(UPLOADED, READY, deleted)
    past.when(DELETE).then_not_found()
    past.when(request()).then_not_found()


def test_anothers_commands_find_nothing() -> None:
    past = SPEC.given(UPLOADED, READY)
    for command in (DELETE, PROCESSED, request()):
        past.when(replace(command, tenant_id="tenant_b")).then_not_found()
        SPEC.when(command).then_not_found()
