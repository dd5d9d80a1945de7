"""What is published of uploads: for each, the file that fits the platform, under an address of its own."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts.accounts import Account
from contracts.content import Media
from contracts.media import MediaAsset, Rendition
from contracts.publishing import PublishRequested
from eventlog.documents import read_state
from objects.recognising import EXTENSIONS
from objects.signing import Signer
from platforms import fitting
from platforms.checking import AccountFacts
from publisher.domain.importing import facts_of
from publisher.ports import Resolved

LIFETIME = timedelta(days=7)
"""For which an address is good, and stays the same: what was sent to a platform can be compared with what would be."""


class Assets(Protocol):
    async def assets(self, tenant_id: str, media_ids: Collection[str]) -> Mapping[str, MediaAsset]: ...


class MongoAssets:
    """The uploads' read model."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection = database["media"]

    async def assets(self, tenant_id: str, media_ids: Collection[str]) -> Mapping[str, MediaAsset]:
        """Of this tenant, deleted ones included: what was scheduled before still goes out."""
        query: Document = {"_id": {"$in": list(media_ids)}, "tenant_id": tenant_id}
        return {
            document["_id"]: read_state(document, MediaAsset)
            async for document in self._collection.find(query, {"state": 1})
        }


class Uploads:
    def __init__(self, assets: Assets, signer: Signer | None) -> None:
        self._assets = assets
        self._signer = signer

    async def assets(self, tenant_id: str, media_ids: Collection[str]) -> Mapping[str, MediaAsset]:
        return await self._assets.assets(tenant_id, media_ids)

    async def resolve(self, request: PublishRequested, account: Account | None) -> Resolved:
        """Chooses the same files however often it is asked; see `platforms.fitting.choose`."""
        named = [media.media_id for part in request.parts for media in part.media if media.media_id is not None]
        if not named:
            return Resolved(request=request, variants={})
        assets = await self._assets.assets(request.tenant_id, named)
        facts = None if account is None else facts_of(account)
        variants: dict[str, str] = {}
        parts = []
        for part in request.parts:
            media = tuple(self._resolved(item, request, assets, facts, variants=variants) for item in part.media)
            parts.append(replace(part, media=media))
        return Resolved(request=replace(request, parts=tuple(parts)), variants=variants)

    def _resolved(
        self,
        item: Media,
        request: PublishRequested,
        assets: Mapping[str, MediaAsset],
        facts: AccountFacts | None,
        *,
        variants: dict[str, str],
    ) -> Media:
        if item.media_id is None:
            return item
        asset = assets.get(item.media_id)
        if asset is None or asset.original is None:
            return replace(item, url=None)
        # Where nothing fits the platform has the last word on the original.
        chosen = fitting.choose(asset, request.platform, request.options, facts) or (asset.original, None)
        rendition, variant_id = chosen
        if variant_id is not None:
            variants[asset.media_id] = variant_id
        return replace(item, url=self._address(rendition, variant_id or asset.media_id))

    def _address(self, rendition: Rendition, name: str) -> str | None:
        if self._signer is None:
            return None
        content_type = rendition.facts.content_type
        return self._signer.url(
            key=rendition.key,
            content_type=content_type,
            name=f"{name}.{EXTENSIONS[content_type]}",
            now=datetime.now(UTC),
            lifetime=LIFETIME,
        )
