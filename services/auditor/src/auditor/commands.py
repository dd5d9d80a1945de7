"""What operators ask of the auditor besides running it."""

from datetime import UTC, datetime

from auditor.adapters.journal import PublisherJournal
from auditor.adapters.log import PostsLog
from auditor.adapters.store import MongoStore
from auditor.checking import check, table
from auditor.settings import Settings
from chassis import logs, store


async def check_once(settings: Settings) -> int:
    """The whole log once, beside the whole journal; 1 when anything is wrong."""
    logs.configure("auditor-check", "WARNING")
    client = store.connect(settings.mongodb_uri)
    database = store.database(client, settings.mongodb_database)
    reader = PostsLog(settings)
    try:
        audit = await check(PublisherJournal(database), reader, settings.bounds, _now)
    finally:
        await reader.close()
        await client.close()
    print(table(audit))
    return 0 if audit.is_sound else 1


async def settle(settings: Settings, finding_id: str, why: str) -> int:
    """A person has looked into a finding: it stands no longer."""
    async with store.connect(settings.mongodb_uri) as client:
        books = MongoStore(store.database(client, settings.mongodb_database))
        if not await books.settle(finding_id, why, _now()):
            print(f"there is no finding {finding_id} that stands")
            return 1
    print(f"{finding_id} is settled")
    return 0


async def show(settings: Settings) -> int:
    """The findings that stand until somebody settles them."""
    async with store.connect(settings.mongodb_uri) as client:
        found = await MongoStore(store.database(client, settings.mongodb_database)).unsettled()
    for finding in found:
        print(f"{finding.finding_id}\n    {finding.at.isoformat()} {finding.tenant_id}: {finding.detail}")
    print(f"{len(found)} findings to be settled")
    return 1 if found else 0


async def recount(settings: Settings) -> int:
    """Has the running auditor begin again with the first event."""
    async with store.connect(settings.mongodb_uri) as client:
        await MongoStore(store.database(client, settings.mongodb_database)).forget()
    print("the auditor ends at its next save, and begins anew with the first event")
    return 0


def _now() -> datetime:
    return datetime.now(UTC)
