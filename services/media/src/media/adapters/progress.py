"""How far work has come: collection `media_progress`. Only for people who watch; nothing rests on it."""

from datetime import UTC, datetime

import structlog
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from chassis.store import Document

log = structlog.get_logger()

KEPT_SECONDS = 3_600


class MongoProgress:
    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection = database["media_progress"]

    async def prepare(self) -> None:
        """Safe to repeat."""
        await self._collection.create_index("at", name="expired", expireAfterSeconds=KEPT_SECONDS)

    async def tell(self, tenant_id: str, work_id: str, fraction: float) -> None:
        """`work_id` is the upload's or the variant's. What cannot be told is left untold."""
        try:
            await self._collection.replace_one(
                {"_id": work_id},
                {"_id": work_id, "tenant_id": tenant_id, "fraction": fraction, "at": datetime.now(UTC)},
                upsert=True,
            )
        except PyMongoError as error:
            log.info("progress could not be told", reason=type(error).__name__)
