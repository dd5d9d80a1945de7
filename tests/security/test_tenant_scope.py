"""Every query on the store names the tenant, or stands here with the reason why it need not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.security.scoping import Query, queries

ROOT = Path(__file__).parents[2]

FOR_ALL: Mapping[str, str] = {
    "analytics.adapters.models": "one writer folds the log of all tenants; documents are found by ids from its records",
    "analytics.adapters.plans.MongoPlans": "plans are due, whoever's they are; ids come from the log",
    "analytics.adapters.states": "reads by ids from the log",
    "auditor": "counts what every tenant has, and answers no tenant",
    "chassis.group_commit.GroupCommit": "writes by ids that its callers have made or read for a tenant",
    "eventlog.documents.MongoDocuments": "the owner of a partition, which holds all tenants",
    "gateway.idempotency.MongoRecords": "the id is a hash of tenant, user and key",
    "media.adapters.assets.MongoAssets": "finds whose objects they are, before those of nobody are thrown away",
    "ops": "the operator's own tools work on everything there is",
    "publisher.adapters.attempts.Attempts": "by the hash of a secret, and by whom it belongs to, tenant included",
    "publisher.adapters.journal.MongoJournal": "ids come from the jobs; what is live on an account, whoever sent it",
    "publisher.adapters.vault.Vault": "renews, counts and seals anew for all tenants; tells no tenant",
    "webhooks.adapters.deliveries.MongoDeliveries": "the courier's queue, by ids of endpoints, each of one tenant",
    "webhooks.adapters.endpoints.MongoEndpoints": "the courier reads the endpoint that it delivers to",
    "webhooks.adapters.endpoints.MongoStandings": "the courier's own notes on an endpoint",
    "webhooks.adapters.keys.MongoSigners": "seals anew for all tenants; keys go with their endpoint",
    "webhooks.adapters.numbered": "numbers documents within a group, which its callers name",
    "webhooks.adapters.settling": "writes by ids of deliveries that the courier holds",
}
"""Modules, classes or functions that work for all tenants at once, and why that lets nobody see another's."""

THOUGH_TOLD: Mapping[str, str] = {
    "media.adapters.progress.MongoProgress.tell": "replaces a document whole; its id comes from the log",
    "webhooks.adapters.deliveries.MongoDeliveries.newest": "an endpoint has one tenant; what is another's is dropped",
    "publisher.adapters.account_log.AccountLog.is_free_for": "asks whether an id is taken, by anybody",
}
"""Functions that are told the tenant and ask without it all the same."""


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.glob("*/*/src/**/*.py")):
        parts = path.relative_to(ROOT).parts
        if parts[1] != "sandbox":  # it simulates strangers, who know no tenants
            yield ".".join(parts[parts.index("src") + 1 :])[:-3], path.read_text()


@pytest.fixture(scope="module")
def found() -> list[Query]:
    return [query for module, source in modules() for query in queries(module, source)]


def names_of(where: str) -> list[str]:
    """The function, its class and its modules."""
    parts = where.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def test_every_query_names_the_tenant_or_a_reason(found: list[Query]) -> None:
    assert len(found) > 50, "the search finds what there is to find"
    assert sum(query.is_scoped for query in found) > 25
    for query in found:
        if query.is_scoped:
            continue
        where = f"{query.where}, line {query.line}: {query.call} does not name the tenant"
        if query.knows_tenant:
            assert query.where in THOUGH_TOLD, f"{where}, and is told it. Put it into the filter."
        else:
            assert any(name in FOR_ALL for name in names_of(query.where)), (
                f"{where}. Name it, or say in FOR_ALL why not."
            )


def test_no_reason_has_outlived_its_query(found: list[Query]) -> None:
    open_ones = [query for query in found if not query.is_scoped]
    used = {name for query in open_ones if not query.knows_tenant for name in names_of(query.where)}
    assert not set(FOR_ALL) - used
    assert not set(THOUGH_TOLD) - {query.where for query in open_ones if query.knows_tenant}


SAMPLE = """
class Posts:
    async def literal(self, tenant_id, post_id):
        return await self._posts.find_one({"_id": post_id, "tenant_id": tenant_id})

    async def variable(self, tenant_id):
        query: Document = {"tenant_id": tenant_id}
        query["status"] = "draft"
        return self._posts.find(query, {"state": 1}).sort("at", 1).limit(7)

    async def spread(self, tenant_id):
        query = {"tenant_id": tenant_id}
        return self._posts.find({**query, "status": "draft"})

    async def helper(self, tenant_id):
        return await self._posts.count_documents(_of(tenant_id))

    async def by_id_of_tenant(self, tenant_id):
        return await self._bounds.find_one({"_id": tenant_id})

    async def keyword(self, tenant_id):
        return await self._posts.distinct("tag", {"tenant_id": tenant_id})

    async def forgotten(self, tenant_id, post_id):
        return await self._posts.find_one({"_id": post_id})

    async def empty(self, tenant_id):
        return self._posts.find({})

    async def none(self):
        return self._posts.find()

    async def one_of_two(self, tenant_id, all_of_them):
        query = {"tenant_id": tenant_id}
        if all_of_them:
            query = {}
        return self._posts.find(query)

    async def not_the_filter(self, tenant_id, post_id):
        return await self._posts.update_one({"_id": post_id}, {"$set": {"tenant_id": tenant_id}})

    async def in_bulk(self, tenant_id, post_id):
        await self._posts.bulk_write([UpdateOne({"_id": post_id}, {"$set": {"tenant_id": tenant_id}})])

    async def not_a_query(self, text):
        return text.lower().find("x")

def _of(tenant_id):
    return {"tenant_id": tenant_id}
"""


def test_the_search_knows_what_is_scoped_and_what_is_not() -> None:
    judged = {query.where.rpartition(".")[2]: query.is_scoped for query in queries("sample", SAMPLE)}
    assert judged == {
        **dict.fromkeys(("literal", "variable", "spread", "helper", "by_id_of_tenant", "keyword"), True),
        **dict.fromkeys(("forgotten", "empty", "none", "one_of_two", "not_the_filter", "in_bulk"), False),
    }
