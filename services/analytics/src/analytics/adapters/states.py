"""The read models of posts and accounts, which their own services write."""

from typing import TypeVar

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts.accounts import Account
from contracts.posts import Post
from eventlog.documents import read_state

S = TypeVar("S")


class MongoStates:
    """`analytics.tracking.States`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._posts = database["posts"]
        self._accounts = database["accounts"]

    async def post(self, post_id: str) -> tuple[int, Post] | None:
        return await _read(self._posts, post_id, Post)

    async def account(self, account_id: str) -> tuple[int, Account] | None:
        return await _read(self._accounts, account_id, Account)


async def _read(collection: AsyncCollection[Document], id_: str, kind: type[S]) -> tuple[int, S] | None:
    document = await collection.find_one({"_id": id_}, {"version": 1, "state": 1})
    return None if document is None else (document["version"], read_state(document, kind))
