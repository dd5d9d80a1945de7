"""An upload: what was sent in, what it turned out to be, and what was made of it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Never

from msgspec.structs import replace

from contracts.media import (
    DeleteMedia,
    Made,
    MakeVariant,
    MediaAsset,
    MediaDeleted,
    MediaReady,
    MediaRejected,
    MediaUploaded,
    Processed,
    ProcessMedia,
    RecordProcessing,
    RecordVariant,
    RequestVariant,
    UploadMedia,
    Variant,
    VariantFailed,
    VariantReady,
    VariantRequested,
)
from contracts.messages import Command, Event
from contracts.topics import MEDIA_COMMANDS, MEDIA_EVENTS, MEDIA_JOBS
from contracts.verdicts import Refusal
from eventlog.aggregate import Decision, FollowUp, NotFound

MAX_VARIANTS = 50
"""Of one upload, failed ones included: its read model must stay small."""


def _not_found(media_id: str) -> NotFound:
    return NotFound(refusal=Refusal(code="media_not_found", message=f"There is no media {media_id}."))


def _upload(asset: MediaAsset | None, command: UploadMedia) -> Decision:
    if asset is not None:
        if asset.tenant_id != command.tenant_id:
            return _not_found(command.media_id)
        return Refusal(code="media_exists", message=f"{command.media_id} has been uploaded already.")
    return MediaUploaded(
        media_id=command.media_id,
        tenant_id=command.tenant_id,
        actor=command.actor,
        at=command.issued_at,
        source=command.source,
        filename=command.filename,
        alt_text=command.alt_text,
        platform_hints=command.platform_hints,
        reply_partition=command.reply_partition,
        instead_of=command.instead_of,
    )


def _record(asset: MediaAsset, command: RecordProcessing) -> Decision:
    if asset.status != "processing":
        # The same file was looked into twice, after a crash: the first result stands.
        return None
    match command.outcome:
        case Processed() as found:
            return MediaReady(
                at=command.issued_at,
                type=found.asset_type,
                sha256=found.sha256,
                original=found.original,
                small=found.small,
                medium=found.medium,
            )
        case unfit:
            return MediaRejected(at=command.issued_at, failure=unfit.failure)


def _request_variant(asset: MediaAsset, command: RequestVariant) -> Decision:
    if asset.deleted_at is not None:
        return _not_found(command.media_id)
    if asset.status != "ready":
        return Refusal(
            code="media_not_ready", message=f"{command.media_id} is {asset.status}.", details={"status": asset.status}
        )
    if any(each.recipe == command.recipe and each.status != "failed" for each in asset.variants):
        return None
    if len(asset.variants) >= MAX_VARIANTS:
        return Refusal(code="too_many_variants", message=f"{MAX_VARIANTS} variants have been made of it.")
    return VariantRequested(
        actor=command.actor,
        at=command.issued_at,
        variant_id=command.variant_id,
        platform=command.platform,
        post_type=command.post_type,
        recipe=command.recipe,
        reply_partition=command.reply_partition,
    )


def _record_variant(asset: MediaAsset, command: RecordVariant) -> Decision:
    variant = asset.variant(command.variant_id)
    if variant is None or variant.status != "requested":
        return None
    match command.outcome:
        case Made(rendition=rendition):
            return VariantReady(at=command.issued_at, variant_id=command.variant_id, rendition=rendition)
        case unfit:
            return VariantFailed(at=command.issued_at, variant_id=command.variant_id, failure=unfit.failure)


def _delete(asset: MediaAsset, command: DeleteMedia) -> Decision:
    if asset.deleted_at is not None:
        return _not_found(command.media_id)
    return MediaDeleted(actor=command.actor, at=command.issued_at)


def _decide_known(asset: MediaAsset, command: Command) -> Decision:
    match command:
        case RecordProcessing():
            return _record(asset, command)
        case RequestVariant():
            return _request_variant(asset, command)
        case RecordVariant():
            return _record_variant(asset, command)
        case DeleteMedia():
            return _delete(asset, command)
        case _:
            return Refusal(code="unknown_command", message=f"Media do not understand {command.type_name}.")


class MediaAggregate:
    """`eventlog.aggregate.Aggregate` of uploads."""

    name = "media"
    commands_topic = MEDIA_COMMANDS
    events_topic = MEDIA_EVENTS
    state_type = MediaAsset

    def decide(self, state: MediaAsset | None, command: Command) -> Decision:
        match command:
            case UploadMedia():
                return _upload(state, command)
            case RecordProcessing() | RequestVariant() | RecordVariant() | DeleteMedia():
                if state is None or state.tenant_id != command.tenant_id:
                    return _not_found(command.media_id)
                return _decide_known(state, command)
            case _:
                return Refusal(code="unknown_command", message=f"Media do not understand {command.type_name}.")

    def evolve(self, state: MediaAsset | None, event: Event) -> MediaAsset:
        if isinstance(event, MediaUploaded):
            return MediaAsset(
                media_id=event.media_id,
                tenant_id=event.tenant_id,
                created_by=event.actor,
                created_at=event.at,
                updated_at=event.at,
                filename=event.filename,
                alt_text=event.alt_text,
                platform_hints=event.platform_hints,
                source=event.source,
                instead_of=event.instead_of,
                revision=1,
            )
        if state is None:
            raise ValueError(f"{event.type_name} before media.uploaded.v1")
        return _evolve_known(state, event)

    def index(self, state: MediaAsset) -> Mapping[str, Any]:
        return {
            "tenant_id": state.tenant_id,
            "created_at": state.created_at,
            "status": state.status,
            "type": state.type,
            "source_sha256": state.source.sha256,
            "source_url": state.source.url,
            "keys": sorted(keys_of(state)),
            "deleted_at": state.deleted_at,
        }

    def due_at(self, state: MediaAsset) -> datetime | None:  # noqa: ARG002  # time does nothing to an upload
        return None

    def when_due(self, aggregate_id: str, now: datetime) -> Never:
        raise ValueError(f"media {aggregate_id} was not due at {now}: media never are")

    def follow_ups(
        self,
        before: MediaAsset | None,  # noqa: ARG002  # what is owed does not depend on it
        event: Event,
        event_id: str,
        after: MediaAsset,
    ) -> Sequence[FollowUp]:
        job: ProcessMedia | MakeVariant
        match event:
            case MediaUploaded():
                job = ProcessMedia(
                    media_id=after.media_id,
                    tenant_id=after.tenant_id,
                    source=event.source,
                    reply_partition=event.reply_partition,
                )
            case VariantRequested() if after.original is not None and after.type is not None:
                job = MakeVariant(
                    media_id=after.media_id,
                    tenant_id=after.tenant_id,
                    variant_id=event.variant_id,
                    type=after.type,
                    original=after.original,
                    recipe=event.recipe,
                    reply_partition=event.reply_partition,
                )
            case _:
                return []
        return [
            FollowUp(topic=MEDIA_JOBS, key=after.media_id, id=f"{event_id}:job", tenant_id=after.tenant_id, message=job)
        ]


def _evolve_known(asset: MediaAsset, event: Event) -> MediaAsset:
    match event:
        case MediaReady():
            changed = replace(
                asset,
                status="ready",
                type=event.type,
                source=replace(asset.source, sha256=event.sha256),
                original=event.original,
                small=event.small,
                medium=event.medium,
                updated_at=event.at,
            )
        case MediaRejected():
            changed = replace(asset, status="rejected", failure=event.failure, updated_at=event.at)
        case VariantRequested():
            variant = Variant(
                variant_id=event.variant_id,
                platform=event.platform,
                post_type=event.post_type,
                recipe=event.recipe,
                requested_at=event.at,
            )
            changed = replace(asset, variants=(*asset.variants, variant), updated_at=event.at)
        case VariantReady():
            changed = _with_variant(asset, event.variant_id, event.at, status="ready", rendition=event.rendition)
        case VariantFailed():
            changed = _with_variant(asset, event.variant_id, event.at, status="failed", failure=event.failure)
        case MediaDeleted():
            changed = replace(asset, deleted_at=event.at, updated_at=event.at)
        case _:
            raise ValueError(f"{event.type_name} is no event of media")
    return replace(changed, revision=asset.revision + 1)


def _with_variant(asset: MediaAsset, variant_id: str, at: datetime, **changes: Any) -> MediaAsset:
    variants = tuple(replace(each, **changes) if each.variant_id == variant_id else each for each in asset.variants)
    return replace(asset, variants=variants, updated_at=at)


def keys_of(asset: MediaAsset) -> set[str]:
    """The objects that are needed: what was sent in only until it has been looked into."""
    if asset.status == "processing":
        return set(asset.source.keys)
    files = [asset.original, asset.small, asset.medium, *(variant.rendition for variant in asset.variants)]
    return {file.key for file in files if file is not None}
