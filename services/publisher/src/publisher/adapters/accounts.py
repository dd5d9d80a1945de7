"""The accounts' read model, remembered for a few seconds."""

import time

from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts.accounts import Account
from eventlog.documents import read_state

CACHE_SECONDS = 5.0


class MongoAccounts:
    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection = database["accounts"]
        self._cache: dict[tuple[str, str], tuple[float, Account]] = {}

    async def get(self, tenant_id: str, account_id: str) -> Account | None:
        cached = self._cache.get((tenant_id, account_id))
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        document = await self._collection.find_one({"_id": account_id, "tenant_id": tenant_id})
        if document is None:
            return None
        account = read_state(document, Account)
        self._cache[tenant_id, account_id] = (time.monotonic() + CACHE_SECONDS, account)
        return account

    def forget(self, account_id: str) -> None:
        for key in [key for key in self._cache if key[1] == account_id]:
            del self._cache[key]
