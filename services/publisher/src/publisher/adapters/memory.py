"""The journal's twin in memory, for tests and simulation: it passes the same contract tests."""

from collections.abc import Collection

from msgspec.structs import replace

from publisher.domain.publication import Publication, live_parts
from publisher.ports import JournalConflictError


class MemoryJournal:
    def __init__(self) -> None:
        self.entries: dict[str, Publication] = {}

    async def load(self, publication_id: str) -> Publication | None:
        return self.entries.get(publication_id)

    async def save(self, entry: Publication) -> Publication:
        current = self.entries.get(entry.publication_id)
        if (current.revision if current else 0) != entry.revision:
            raise JournalConflictError(entry.publication_id)
        stored = self.entries[entry.publication_id] = replace(entry, revision=entry.revision + 1)
        return stored

    async def known_live(self, account_id: str, platform_post_ids: Collection[str], *, besides: str) -> set[str]:
        return {
            part.platform_post_id
            for entry in self.entries.values()
            if entry.account_id == account_id and entry.publication_id != besides
            for part in live_parts(entry)
            if part.platform_post_id in platform_post_ids
        }
