"""Under simulated disaster the audit comes to the same states as the posts service, and finds nothing wrong."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.auditor.writing import MemoryStore
from tests.simulation import runner
from tests.simulation.world import PARTITION, Member, Owner, World

from auditor.books import Books
from auditor.domain.counting import IN_FLIGHT, State
from auditor.domain.watching import Bounds
from auditor.ports import LogRecord
from contracts.posts import Post, Target

SEEDS = range(60)


class Played(World):
    """Is kept, so that its log can be read."""

    latest: World

    def __init__(self, seed: int, owner_class: type[Owner], member_class: type[Member]) -> None:
        super().__init__(seed, owner_class, member_class)
        Played.latest = self


def state_of(post: Post, target: Target) -> State:
    """What the posts service's word for it means to the audit."""
    if target.failure is not None and target.failure.code == "cancelled":
        return "cancelled"
    if target.status == "pending":
        return "deleted" if post.deleted and post.status == "scheduled" else _PENDING[post.status]
    return target.status


_PENDING: dict[str, State] = {"scheduled": "scheduled", "cancelled": "cancelled"}


async def test_the_books_agree_with_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "World", Played)
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        assert runner.run(seed).violation is None
        world = Played.latest
        records = [
            LogRecord(PARTITION, each.offset, each.headers, each.value)
            for each in world.log.partitions.get(PARTITION, ())
        ]
        books = Books(MemoryStore())
        await books.load()
        assert await books.fold(records) == [], seed
        assert books.unbalanced(world.now) == [], seed
        assert books.missing(world.now, Bounds()) == [], seed
        for _, stored in world.documents.stored.values():
            post = stored.state
            expected = {} if post.status == "draft" else {each.target_id: state_of(post, each) for each in post.targets}
            found = {name: each.state for name, each in books.all()[post.post_id].promises.items()}
            assert found == expected, (seed, post.post_id)
            seen.update(found.values())
        seen["void"] += books.void
    assert not seen.keys() & set(IN_FLIGHT), "a run ends when everything has"
    assert {"published", "failed", "held", "cancelled", "deleted", "void"} <= seen.keys()
