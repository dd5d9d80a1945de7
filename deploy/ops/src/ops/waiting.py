"""What waits: for its time, which has passed, or for a person."""

from datetime import UTC, datetime

from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts.posts import Post, Target
from eventlog.documents import read_state
from eventlog.kafka import Cluster
from ops.cluster import administering, partitions
from ops.projections import AGGREGATES
from ops.reporting import Report, Table

CHUNK = 500

_EPOCH = datetime.fromtimestamp(0, UTC)


class Overdue(Struct, frozen=True):
    aggregate: str
    late_seconds: float
    due_at: datetime
    id: str
    tenant_id: str
    partition: int


class Held(Struct, frozen=True):
    tenant_id: str
    post_id: str
    target_id: str
    account: str
    reason: str
    message: str
    updated_at: datetime


async def overdue(kafka: Cluster, database: AsyncDatabase[Document], *, limit: int) -> Report:
    """The oldest of each aggregate first, `limit` of them at most."""
    async with administering(kafka) as client:
        counts = await partitions(client)
    now = datetime.now(UTC)
    rows: list[Overdue] = []
    for name, aggregate in AGGREGATES.items():
        found: list[Overdue] = []
        for partition in range(counts.get(aggregate.events_topic, 0)):
            # By partition, as the index is.
            due = (
                database[name]
                .find({"partition": partition, "due_at": {"$gt": _EPOCH, "$lte": now}}, {"due_at": 1, "tenant_id": 1})
                .sort("due_at", 1)
                .limit(limit)
            )
            async for each in due:
                late = (now - each["due_at"]).total_seconds()
                found.append(Overdue(name, late, each["due_at"], each["_id"], each["tenant_id"], partition))
        rows += sorted(found, key=lambda each: each.due_at)[:limit]
    return Report(tables=[Table("overdue", rows, "Nothing is overdue.")])


async def held(database: AsyncDatabase[Document], *, tenant: str | None) -> Report:
    """Targets that may be live or not, which only somebody who sees the account can tell."""
    # The journal names candidates; whether they still are is for the posts to say, where they are resolved.
    query: dict[str, object] = {"parts.step": "held"}
    if tenant is not None:
        query["tenant_id"] = tenant
    post_ids = list(
        dict.fromkeys([each["post_id"] async for each in database["publications"].find(query, {"post_id": 1})])
    )
    rows: list[Held] = []
    for start in range(0, len(post_ids), CHUNK):
        chunk = post_ids[start : start + CHUNK]
        async for document in database["posts"].find({"_id": {"$in": chunk}}, {"state": 1}):
            post = read_state(document, Post)
            rows += [_held(post, each) for each in (*post.targets, *post.comments) if each.status == "held"]
    rows.sort(key=lambda each: (each.tenant_id, each.updated_at))
    remarks = (
        (
            "The tenant looks at the account, and answers with POST /posts/{post_id}/targets/{target_id}/resolve:",
            "confirm (it is live), republish (it is not, send it again) or drop (it is not, and shall not be).",
        )
        if rows
        else ()
    )
    return Report(tables=[Table("held", rows, "Nothing is held.")], remarks=remarks)


def _held(post: Post, target: Target) -> Held:
    reason = target.failure
    return Held(
        tenant_id=post.tenant_id,
        post_id=post.post_id,
        target_id=target.target_id,
        account=target.username or target.account_id,
        reason="" if reason is None else reason.code,
        message="" if reason is None else reason.message,
        updated_at=post.updated_at,
    )
