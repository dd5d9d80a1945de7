"""The figures of analytics folded again from all samples, compared with the live ones, and put in their place."""

from datetime import UTC, datetime

import pymongo
from aiokafka.admin import AIOKafkaAdminClient
from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from analytics.adapters.samples import GROUP
from analytics.rebuild import MODELS, SHOWN, SUFFIX, fold_all
from chassis.store import Document
from eventlog.kafka import Cluster
from ops.cluster import administering, groups
from ops.reporting import OpsError, Report, Table

CALL_SECONDS = 300


class Comparison(Struct, frozen=True, kw_only=True):
    projection: str
    samples: int
    equal: int
    newer: int
    """The live document went on after the end of what was folded."""
    different: int


async def rebuild(kafka: Cluster, database: AsyncDatabase[Document], *, switch_over: bool) -> Report:
    """Folds from the first sample and compares. Raises OpsError for a switch-over while samples are being folded: what
    was read before it would be written after it. Safe to repeat, wherever it ended.
    """
    async with administering(kafka) as client:
        if switch_over:
            await _refuse_while_folded(client)
        found = await fold_all(kafka, database)
        remarks = [f"not equal: {', '.join(found.different[:SHOWN])}"] if found.different else []
        if switch_over:
            await _refuse_while_folded(client)
            kept = await _switch_over(database)
            remarks.append(f"the figures are what the samples say; what they were is in {kept}")
    row = Comparison(
        projection="figures",
        samples=found.samples,
        equal=found.equal,
        newer=found.newer,
        different=len(found.different),
    )
    return Report(tables=[Table("comparison", [row], "")], remarks=remarks, sound=switch_over or not found.different)


async def _refuse_while_folded(client: AIOKafkaAdminClient) -> None:
    (group,) = await groups(client, [GROUP])
    if group.members:
        raise OpsError(
            f"{GROUP} has {len(group.members)} members, who would write what they have read into the new figures: end "
            "all instances of analytics first, and start them again afterwards. Samples wait in the log meanwhile."
        )


async def _switch_over(database: AsyncDatabase[Document]) -> str:
    """Whoever goes on from the group's position folds no sample twice: each document knows the last it has."""
    moment = f"{datetime.now(UTC):%Y%m%d_%H%M%S}"
    there = await database.list_collection_names()
    with pymongo.timeout(CALL_SECONDS):
        for name in (f"analytics_{model}" for model in MODELS):
            if name in there:
                await database[name].rename(f"{name}_until_{moment}")
            await database[f"{name}{SUFFIX}"].rename(name)
    return f"analytics_…_until_{moment}"
