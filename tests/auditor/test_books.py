"""The books outlive their process, and memory does not grow with them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.auditor.writing import LINKEDIN, NOW, TENANT, Log, MemoryStore, X, created, live, told

from auditor.books import Books
from auditor.domain.watching import Bounds


async def opened(store: MemoryStore, *, kept: int = 100) -> Books:
    books = Books(store, kept=kept)
    await books.load()
    return books


async def test_a_new_process_goes_on_from_what_was_saved(log: Log, store: MemoryStore) -> None:
    first = log.records(created(X, LINKEDIN), told(X, live("a")))
    second = log.records(told(LINKEDIN, live("b")), told(LINKEDIN, live("c")))
    books = await opened(store)
    await books.fold(first)
    await books.save()
    await books.fold(second)
    # Dies here, and reads the second part again.
    books = await opened(store)
    assert books.positions == {0: 2}
    (finding,) = await books.fold(second)
    assert finding.kind == "duplicate"
    assert (books.totals[TENANT].accepted, books.totals[TENANT].of("published")) == (2, 2)
    assert books.unbalanced(NOW) == []
    await books.save()
    assert list(store.findings) == ["duplicate/post_1/linkedin:acc_2/4"]


async def test_what_is_at_rest_leaves_the_memory_and_comes_back(log: Log, store: MemoryStore) -> None:
    books = await opened(store, kept=0)
    await books.look_ahead(NOW)
    await books.fold(log.records(created(X, LINKEDIN), told(X, live("a")), told(LINKEDIN, live("b"))))
    await books.save()
    assert [account.post_id for account in books.watched()] == ["post_1"], "the journal has not shown it yet"
    for target_id in (X, LINKEDIN):
        books.prove("post_1", target_id)
    await books.save()
    assert books.all() == {}
    (finding,) = await books.fold(log.records(told(X, live("c"))))
    assert finding.kind == "duplicate"


async def test_a_store_that_fails_costs_nothing(log: Log, store: MemoryStore) -> None:
    books = await opened(store)
    records = log.records(created(X), told(X, live("a")))
    store.fails.append(TimeoutError())
    with pytest.raises(TimeoutError):
        await books.fold(records)
    assert (books.positions, books.totals) == ({}, {})
    await books.fold(records)
    assert books.totals[TENANT].of("published") == 1


async def test_what_is_scheduled_for_later_lies_in_the_store(log: Log, store: MemoryStore) -> None:
    books = await opened(store, kept=0)
    await books.fold(log.records(created(X, due=NOW + timedelta(hours=3))))
    await books.look_ahead(NOW)
    await books.save()
    assert books.all() == {}
    await books.look_ahead(NOW + timedelta(hours=1))
    assert books.all() == {}
    await books.look_ahead(NOW + timedelta(hours=2))
    await books.save()
    assert list(books.all()) == ["post_1"]
    (finding,) = books.missing(NOW + timedelta(hours=4), Bounds())
    assert finding.kind == "overdue"


async def test_a_rival_first_event_of_a_forgotten_post_is_void(log: Log, store: MemoryStore) -> None:
    books = await opened(store, kept=0)
    await books.fold(log.records(created()))
    await books.save()
    assert books.all() == {}
    rival = Log().records(created(X))
    await books.fold(rival)
    assert books.void == 1
