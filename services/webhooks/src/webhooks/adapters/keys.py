"""Signing keys at rest, sealed: bound to their tenant, endpoint and id, they open nowhere else."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from chassis.sealing import Keyring, Sealed, SealingError
from chassis.store import Document
from webhooks.domain.signing import Signer

_KEPT = 20_000
_PURPOSE = "webhook-signing"


class ResealReport(Struct, frozen=True, kw_only=True):
    active: str
    resealed: int
    unreadable: tuple[str, ...]
    """Keys that do not open: their endpoints' secrets have to be rotated."""
    remaining: int
    """Under another key in the end; 0 means that the older keys can go."""


class MongoSigners:
    """Collection `webhook_keys`: one document for each key."""

    def __init__(self, database: AsyncDatabase[Document], keyring: Keyring) -> None:
        self._collection = database["webhook_keys"]
        self._keyring = keyring
        self._opened: dict[str, Signer] = {}

    async def prepare(self) -> None:
        """Creates the indexes. Safe to repeat."""
        await self._collection.create_index([("endpoint_id", 1)], name="endpoint")

    async def ensure(self, tenant_id: str, endpoint_id: str, key_id: str, now: datetime) -> Signer:
        """The key of this id, made when there is none. Durable when it returns. Raises SealingError."""
        signer = Signer.generate()
        sealed = self._keyring.seal(signer.to_bytes(), tenant_id, endpoint_id, key_id, _PURPOSE)
        try:
            await self._collection.insert_one(
                {
                    "_id": key_id,
                    "tenant_id": tenant_id,
                    "endpoint_id": endpoint_id,
                    "created_at": now,
                    "shown": False,
                    **_fields(sealed),
                }
            )
        except DuplicateKeyError:
            (signer,) = await self.load(tenant_id, endpoint_id, (key_id,))
        return signer

    async def show(self, tenant_id: str, endpoint_id: str, key_id: str) -> str | None:
        """The secret, to whoever asks first; None to all others."""
        first = await self._collection.update_one(
            {"_id": key_id, "tenant_id": tenant_id, "endpoint_id": endpoint_id, "shown": False},
            {"$set": {"shown": True}},
        )
        if first.modified_count == 0:
            return None
        (signer,) = await self.load(tenant_id, endpoint_id, (key_id,))
        return signer.secret

    async def load(self, tenant_id: str, endpoint_id: str, key_ids: Sequence[str]) -> tuple[Signer, ...]:
        """In this order. Raises SealingError when one is missing or does not open."""
        missing = [key_id for key_id in key_ids if key_id not in self._opened]
        if missing:
            query = {"_id": {"$in": missing}, "tenant_id": tenant_id, "endpoint_id": endpoint_id}
            if len(self._opened) > _KEPT:
                self._opened.clear()
                return await self.load(tenant_id, endpoint_id, key_ids)
            async for document in self._collection.find(query):
                self._opened[document["_id"]] = self._open(document)
        try:
            return tuple(self._opened[key_id] for key_id in key_ids)
        except KeyError as error:
            raise SealingError("a signing key is missing") from error

    async def delete(self, endpoint_id: str) -> None:
        await self._collection.delete_many({"endpoint_id": endpoint_id})

    async def reseal(self) -> ResealReport:
        """Seals every key anew under the active one, while others go on using them. Interrupted, it goes on."""
        active = self._keyring.active
        resealed = 0
        unreadable: set[str] = set()
        while found := [
            document
            async for document in self._collection.find(
                {"key_version": {"$ne": active}, "_id": {"$nin": sorted(unreadable)}}
            ).limit(100)
        ]:
            for document in found:
                try:
                    signer = self._open(document)
                except SealingError:
                    unreadable.add(document["_id"])
                    continue
                sealed = self._keyring.seal(
                    signer.to_bytes(), document["tenant_id"], document["endpoint_id"], document["_id"], _PURPOSE
                )
                changed = await self._collection.update_one(
                    {"_id": document["_id"], "key_version": document["key_version"]}, {"$set": _fields(sealed)}
                )
                resealed += changed.modified_count
        remaining = await self._collection.count_documents({"key_version": {"$ne": active}})
        return ResealReport(active=active, resealed=resealed, unreadable=tuple(sorted(unreadable)), remaining=remaining)

    def _open(self, document: Document) -> Signer:
        sealed = Sealed(
            key_version=document["key_version"],
            wrapped_key=bytes(document["wrapped_key"]),
            ciphertext=bytes(document["ciphertext"]),
        )
        context = (document["tenant_id"], document["endpoint_id"], document["_id"], _PURPOSE)
        return Signer.from_bytes(self._keyring.open(sealed, *context))


def _fields(sealed: Sealed) -> Document:
    return {
        "key_version": sealed.key_version,
        "wrapped_key": sealed.wrapped_key,
        "ciphertext": sealed.ciphertext,
    }
