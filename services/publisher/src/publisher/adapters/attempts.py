"""Authorizations under way: collections `oauth_attempts` and `oauth_selections`.

Known by a hash of what the browser brings back, bound to tenant and user, and taken by one atomic step, so that each
works once. What has to stay secret is sealed with the vault's keys.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from chassis.sealing import Keyring, Sealed, SealingError
from chassis.store import Document
from contracts.connections import ATTEMPT_SECONDS, SELECTION_SECONDS
from contracts.content import Platform
from publisher.adapters.http import utc_now
from publisher.domain.connection import Connectable


class Attempt(Struct, frozen=True, kw_only=True):
    """Somebody was sent to a platform, and is to come back."""

    tenant_id: str
    user: str
    platform: Platform
    login: str | None
    redirect_uri: str
    hosted: bool
    return_to: str | None

    verifier: str | None
    """Of PKCE."""

    def __repr__(self) -> str:
        return f"Attempt(tenant_id={self.tenant_id!r}, platform={self.platform!r}, …)"


class Selection(Struct, frozen=True, kw_only=True):
    """Somebody has come back, and has yet to say which of these accounts is meant."""

    tenant_id: str
    user: str
    platform: Platform
    login: str | None
    hosted: bool
    return_to: str | None
    missing: tuple[str, ...]
    found: tuple[Connectable, ...]

    def __repr__(self) -> str:
        return f"Selection(tenant_id={self.tenant_id!r}, platform={self.platform!r}, …)"


class Attempts:
    def __init__(
        self, database: AsyncDatabase[Document], keyring: Keyring, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._attempts = database["oauth_attempts"]
        self._selections = database["oauth_selections"]
        self._keyring = keyring
        self._now = now

    async def prepare(self) -> None:
        """Creates the indexes by which the store throws away what has expired. Safe to repeat."""
        for collection in (self._attempts, self._selections):
            await collection.create_index([("expires_at", 1)], name="expired", expireAfterSeconds=0)

    async def add(self, state: str, attempt: Attempt) -> None:
        await self._attempts.insert_one(self._document(state, attempt, ATTEMPT_SECONDS))

    async def take(self, state: str, *, of: Mapping[str, Any]) -> Attempt | None:
        """The attempt, for the only time; None when there is none that fits `of`, or it has expired."""
        found = await self._attempts.find_one_and_delete(self._living(state, of))
        return None if found is None else self._opened(state, found, Attempt)

    async def add_selection(self, token: str, selection: Selection) -> None:
        await self._selections.insert_one(self._document(token, selection, SELECTION_SECONDS))

    async def look_at_selection(self, token: str, *, of: Mapping[str, Any]) -> Selection | None:
        found = await self._selections.find_one(self._living(token, of))
        return None if found is None else self._opened(token, found, Selection)

    async def take_selection(self, token: str, *, of: Mapping[str, Any]) -> bool:
        """True for one caller only."""
        return await self._selections.find_one_and_delete(self._living(token, of)) is not None

    def _document(self, key: str, content: Attempt | Selection, seconds: int) -> Document:
        sealed = self._keyring.seal(msgspec.json.encode(content), type(content).__name__, hashed(key))
        return {
            "_id": hashed(key),
            "tenant_id": content.tenant_id,
            "user": content.user,
            "platform": content.platform,
            "hosted": content.hosted,
            "expires_at": self._now() + timedelta(seconds=seconds),
            **msgspec.structs.asdict(sealed),
        }

    def _living(self, key: str, of: Mapping[str, Any]) -> Document:
        return {**of, "_id": hashed(key), "expires_at": {"$gt": self._now()}}

    def _opened(self, key: str, document: Document, kind: type[Any]) -> Any:
        """None when it does not open: its key was taken away meanwhile, and it must be begun anew."""
        sealed = Sealed(
            key_version=document["key_version"],
            wrapped_key=bytes(document["wrapped_key"]),
            ciphertext=bytes(document["ciphertext"]),
        )
        try:
            content = self._keyring.open(sealed, kind.__name__, hashed(key))
        except SealingError:
            return None
        return msgspec.json.decode(content, type=kind)


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
