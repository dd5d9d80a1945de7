"""Tokens at rest, each sealed for its tenant, account, platform and kind: moved anywhere else it does not open.

An account's tokens lie in one document, so that a pair of tokens is replaced whole. Its `generation` changes with the
tokens and guards every change: who has read older ones changes nothing.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from chassis.sealing import Keyring, Sealed, SealingError
from chassis.store import Document
from contracts.content import Platform
from publisher.adapters.http import utc_now
from publisher.domain.connection import Grant

Kind = Literal["access", "refresh", "user"]


class TokenRecord(Struct, frozen=True, kw_only=True):
    """An account's tokens, opened, with what is known about renewing them."""

    account_id: str
    tenant_id: str
    platform: Platform
    login: str | None
    generation: str
    grant: Grant
    renewed_at: datetime
    renewed_for: str | None = None
    lease_until: datetime | None = None
    unanswered_since: datetime | None = None
    """A renewal was asked for then, and its answer was not recorded: the platform may have made new tokens."""
    failures: int = 0
    failure: str | None = None
    retry_at: datetime | None = None
    dead: str | None = None
    """Why the authorization has ended, if it has."""
    ended_at: datetime | None = None

    def __repr__(self) -> str:
        return f"TokenRecord(account_id={self.account_id!r}, generation={self.generation!r}, …)"


class RotationReport(Struct, frozen=True, kw_only=True):
    active: str
    resealed: int
    already: int
    """Found under the active key when the rotation came to them."""
    unreadable: tuple[str, ...] = ()
    """Accounts whose records do not decrypt: they have to be connected again."""
    remaining: int = 0
    """Under another key in the end; 0 means that the older keys can go."""


class Vault:
    """Collection `tokens`: one document for each account."""

    def __init__(
        self, database: AsyncDatabase[Document], keyring: Keyring, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._collection = database["tokens"]
        self._keyring = keyring
        self._now = now

    async def prepare(self) -> None:
        """Creates the indexes. Safe to repeat."""
        await self._collection.create_index([("platform", 1), ("grantor", 1)], name="grantor")
        await self._collection.create_index([("expires_at", 1)], name="expiry")

    async def store(
        self, *, tenant_id: str, account_id: str, platform: Platform, grant: Grant, login: str | None = None
    ) -> None:
        """Replaces what is there. When it returns the tokens are durable."""
        now = self._now()
        await self._collection.replace_one(
            {"_id": account_id, "tenant_id": tenant_id},
            {
                "_id": account_id,
                "tenant_id": tenant_id,
                "platform": platform,
                "login": login,
                "grantor": grant.grantor,
                "dead": None,
                "ended_at": None,
                "told": False,
                "renewed_for": None,
                **self._tokens(tenant_id, account_id, platform, grant, now),
            },
            upsert=True,
        )

    async def read(self, tenant_id: str, account_id: str, platform: Platform) -> TokenRecord | None:
        """Raises SealingError when the record does not decrypt."""
        document = await self._collection.find_one({"_id": account_id, "tenant_id": tenant_id})
        return None if document is None else self._opened(document, tenant_id, account_id, platform)

    async def delete(self, tenant_id: str, account_id: str) -> None:
        await self._collection.delete_one({"_id": account_id, "tenant_id": tenant_id})

    async def others_of(self, record: TokenRecord) -> int:
        """Accounts, of any tenant, that hang on an authorization by the same person."""
        if record.grant.grantor is None:
            return 0
        return await self._collection.count_documents(
            {
                "platform": record.platform,
                "grantor": record.grant.grantor,
                "dead": None,
                "_id": {"$ne": record.account_id},
            }
        )

    # --- renewing -------------------------------------------------------------------------------------

    async def begin_renewal(self, record: TokenRecord, *, lease: timedelta) -> bool:
        """Written before the platform is asked. False when somebody else is at it, or has been."""
        now = self._now()
        begun = await self._collection.update_one(
            {
                **_same(record),
                "dead": None,
                "$or": [{"lease_until": None}, {"lease_until": {"$lte": now}}],
            },
            {"$set": {"lease_until": now + lease, "unanswered_since": record.unanswered_since or now}},
        )
        return begun.modified_count == 1

    async def finish_renewal(self, record: TokenRecord, grant: Grant, *, occasion: str | None) -> bool:
        """The new tokens instead of those in `record`; False when those have been replaced already."""
        renewed = self._tokens(record.tenant_id, record.account_id, record.platform, grant, self._now())
        changed = await self._collection.update_one(
            _same(record), {"$set": {**renewed, "renewed_for": occasion, "dead": None}}
        )
        return changed.matched_count == 1

    async def postpone_renewal(self, record: TokenRecord, reason: str, *, pause: timedelta, answered: bool) -> None:
        """After a failure that says nothing about the authorization. `answered`: the platform certainly did nothing."""
        changes: Document = {
            "lease_until": None,
            "failures": record.failures + 1,
            "failure": reason,
            "retry_at": self._now() + pause,
        }
        if answered:
            changes["unanswered_since"] = record.unanswered_since
        await self._collection.update_one(_same(record), {"$set": changes})

    async def end(self, record: TokenRecord, reason: str) -> bool:
        """The authorization is over; False when the tokens in `record` have been replaced meanwhile."""
        ended = await self._collection.update_one(
            {**_same(record), "dead": None},
            {"$set": {"dead": reason, "ended_at": self._now(), "told": False, "lease_until": None}},
        )
        return ended.matched_count == 1

    async def resting(
        self, platform: Platform, login: str | None, *, expires_before: datetime | None, renewed_before: datetime
    ) -> AsyncIterator[TokenRecord]:
        """Living records of one way to log in that have not been renewed for long, or whose token ends soon."""
        soon = [] if expires_before is None else [{"expires_at": {"$ne": None, "$lte": expires_before}}]
        query = {
            "platform": platform,
            "login": login,
            "dead": None,
            "$or": [{"renewed_at": {"$lte": renewed_before}}, *soon],
        }
        async for record in self._all(query):
            yield record

    async def run_out(self, *, before: datetime) -> AsyncIterator[TokenRecord]:
        """Living records whose token ended before then, and that have nothing to renew it with."""
        query = {"dead": None, "expires_at": {"$ne": None, "$lte": before}, "sealed.refresh": {"$exists": False}}
        async for record in self._all(query):
            yield record

    async def ended_untold(self) -> AsyncIterator[TokenRecord]:
        """Records whose end nobody has been told of."""
        async for record in self._all({"dead": {"$ne": None}, "told": False}):
            yield record

    async def told(self, record: TokenRecord) -> None:
        await self._collection.update_one(_same(record), {"$set": {"told": True}})

    async def ending(self, platform: Platform, *, before: datetime) -> int:
        """Accounts that have to be connected anew before then, unless they are renewed."""
        return await self._collection.count_documents(
            {"platform": platform, "dead": None, "ends_at": {"$ne": None, "$lte": before}}
        )

    async def failing(self, platform: Platform) -> int:
        """Accounts whose renewal failed the last time, without being over."""
        return await self._collection.count_documents({"platform": platform, "dead": None, "failures": {"$gt": 0}})

    # --- keys -----------------------------------------------------------------------------------------

    async def rotate(self, *, on_progress: Callable[[int], None] = lambda _: None) -> RotationReport:
        """Seals every record anew under the active key, while others go on using them. What was done before is left
        alone, so after an interruption it goes on where it was. Raises SealingError only for the key file.
        """
        active = self._keyring.active
        already = await self._collection.count_documents({"key_version": active})
        resealed = 0
        unreadable: set[str] = set()
        while True:
            left = {"key_version": {"$ne": active}, "_id": {"$nin": sorted(unreadable)}}
            found = [document async for document in self._collection.find(left).limit(100)]
            if not found:
                break
            for document in found:
                try:
                    resealed += await self._reseal(document)
                except SealingError:
                    unreadable.add(document["_id"])
            on_progress(resealed)
        remaining = await self._collection.count_documents({"key_version": {"$ne": active}})
        return RotationReport(
            active=active,
            resealed=resealed,
            already=already,
            unreadable=tuple(sorted(unreadable)),
            remaining=remaining,
        )

    async def _reseal(self, document: Document) -> int:
        """1 when it was done; 0 when the tokens have changed meanwhile, and the record must be looked at again."""
        owner = (document["tenant_id"], document["_id"], document["platform"])
        record = self._opened(document, *owner)
        sealed = self._sealed(*owner, record.grant)
        if self._grant(Document(sealed), *owner) != _only_tokens(record.grant):
            raise SealingError("a record that was sealed anew does not open as the same")
        changed = await self._collection.update_one(
            {**_same(record), "key_version": document["key_version"]}, {"$set": sealed}
        )
        return changed.modified_count

    # --- documents ------------------------------------------------------------------------------------

    def _tokens(
        self, tenant_id: str, account_id: str, platform: Platform, grant: Grant, now: datetime
    ) -> dict[str, Any]:
        """What changes with the tokens."""
        return {
            "generation": secrets.token_hex(8),
            "scopes": list(grant.scopes),
            "expires_at": grant.expires_at,
            "refresh_expires_at": grant.refresh_expires_at,
            "ends_at": grant.expires_at if grant.refresh_token is None else grant.refresh_expires_at,
            "renewed_at": now,
            "lease_until": None,
            "unanswered_since": None,
            "failures": 0,
            "failure": None,
            "retry_at": None,
            **self._sealed(tenant_id, account_id, platform, grant),
        }

    def _sealed(self, tenant_id: str, account_id: str, platform: Platform, grant: Grant) -> dict[str, Any]:
        tokens = {"access": grant.access_token, "refresh": grant.refresh_token, "user": grant.user_token}
        sealed = {
            kind: self._keyring.seal(token.encode(), tenant_id, account_id, platform, kind)
            for kind, token in tokens.items()
            if token is not None
        }
        versions = {each.key_version for each in sealed.values()}
        if len(versions) > 1:
            # The key file was replaced between two tokens of one record.
            return self._sealed(tenant_id, account_id, platform, grant)
        return {
            "key_version": versions.pop(),
            "sealed": {
                kind: {"wrapped_key": each.wrapped_key, "ciphertext": each.ciphertext} for kind, each in sealed.items()
            },
        }

    def _grant(self, document: Mapping[str, Any], tenant_id: str, account_id: str, platform: Platform) -> Grant:
        opened = {
            kind: self._keyring.open(
                Sealed(
                    key_version=document["key_version"],
                    wrapped_key=bytes(each["wrapped_key"]),
                    ciphertext=bytes(each["ciphertext"]),
                ),
                tenant_id,
                account_id,
                platform,
                kind,
            ).decode()
            for kind, each in document["sealed"].items()
        }
        return Grant(access_token=opened["access"], refresh_token=opened.get("refresh"), user_token=opened.get("user"))

    def _opened(self, document: Mapping[str, Any], tenant_id: str, account_id: str, platform: Platform) -> TokenRecord:
        tokens = self._grant(document, tenant_id, account_id, platform)
        return TokenRecord(
            account_id=account_id,
            tenant_id=tenant_id,
            platform=platform,
            login=document["login"],
            generation=document["generation"],
            grant=msgspec.structs.replace(
                tokens,
                expires_at=document["expires_at"],
                refresh_expires_at=document["refresh_expires_at"],
                scopes=tuple(document["scopes"]),
                grantor=document["grantor"],
            ),
            renewed_at=document["renewed_at"],
            renewed_for=document["renewed_for"],
            lease_until=document["lease_until"],
            unanswered_since=document["unanswered_since"],
            failures=document["failures"],
            failure=document["failure"],
            retry_at=document["retry_at"],
            dead=document["dead"],
            ended_at=document["ended_at"],
        )

    async def _all(self, query: Document) -> AsyncIterator[TokenRecord]:
        """Those that open. One that does not is told of by whoever needs it."""
        async for document in self._collection.find(query):
            try:
                yield self._opened(document, document["tenant_id"], document["_id"], document["platform"])
            except SealingError:
                continue


def _same(record: TokenRecord) -> Document:
    return {"_id": record.account_id, "tenant_id": record.tenant_id, "generation": record.generation}


def _only_tokens(grant: Grant) -> Grant:
    return Grant(access_token=grant.access_token, refresh_token=grant.refresh_token, user_token=grant.user_token)
