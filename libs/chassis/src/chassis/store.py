"""The MongoDB client, with the durability that every promise rests on set in code."""

from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

Document = dict[str, Any]


def connect(uri: str) -> AsyncMongoClient[Document]:
    """Bound to the running event loop. Calls fail within about 5 s when the store is away, rather than hang."""
    return AsyncMongoClient(
        uri,
        tz_aware=True,
        serverSelectionTimeoutMS=3_000,
        connectTimeoutMS=3_000,
        timeoutMS=5_000,
        waitQueueTimeoutMS=3_000,
        retryWrites=False,
        appname="social-publishing",
    )


def database(client: AsyncMongoClient[Document], name: str) -> AsyncDatabase[Document]:
    """Majority and journaled writes, majority reads: an acknowledged write survives any single crash."""
    return client.get_database(
        name, write_concern=WriteConcern(w="majority", j=True), read_concern=ReadConcern("majority")
    )
