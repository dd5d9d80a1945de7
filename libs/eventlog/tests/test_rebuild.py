from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from eventlog.memory import MemoryDocuments, MemoryLog
from eventlog.rebuild import Comparison, Rebuild


@pytest.fixture
async def lived(new_owner: Any, received: Any, toy: Any) -> None:
    """Two tallies with a refusal each, written by an owner and its successor."""
    for _ in range(2):
        owner = new_owner()
        await owner.take_over()
        await owner.turn(
            [received(toy.Add(amount=amount), to=name) for name in ("tally_1", "tally_2") for amount in (2, 3, -100)],
            toy.now,
        )


@pytest.fixture
def compare(aggregate: Any, event_log: MemoryLog, documents: MemoryDocuments[Any]) -> Callable[..., Any]:
    async def compare(into: MemoryDocuments[Any] | None = None) -> Comparison:
        comparison = Comparison()
        await Rebuild(aggregate, event_log, documents).compare(0, comparison, None if into is None else into.save)
        return comparison

    return compare


@pytest.mark.usefixtures("lived")
async def test_the_rebuilt_projection_equals_the_live_one(
    compare: Any, aggregate: Any, documents: MemoryDocuments[Any]
) -> None:
    rebuilt = MemoryDocuments(aggregate)

    comparison = await compare(into=rebuilt)

    assert comparison == Comparison(events=12, equal=2)
    assert comparison.is_sound
    assert rebuilt.stored == documents.stored


@pytest.mark.usefixtures("lived")
async def test_a_document_that_says_something_else_is_found(compare: Any, documents: MemoryDocuments[Any]) -> None:
    home, stored = documents.stored["tally_2"]
    documents.stored["tally_2"] = (home, replace(stored, state=replace(stored.state, total=99)))

    comparison = await compare()

    assert (comparison.different, comparison.equal) == (["tally_2"], 1)
    assert not comparison.is_sound


@pytest.mark.usefixtures("lived")
async def test_a_document_that_is_behind_is_found(compare: Any, documents: MemoryDocuments[Any]) -> None:
    home, stored = documents.stored["tally_1"]
    documents.stored["tally_1"] = (home, replace(stored, version=stored.version - 1))

    assert (await compare()).different == ["tally_1"]


@pytest.mark.usefixtures("lived")
async def test_a_lost_document_is_found(compare: Any, documents: MemoryDocuments[Any]) -> None:
    del documents.stored["tally_1"]

    comparison = await compare()

    assert comparison.missing == ["tally_1"]
    assert not comparison.is_sound


@pytest.mark.usefixtures("lived")
async def test_a_document_that_went_on_meanwhile_is_no_difference(
    compare: Any, documents: MemoryDocuments[Any]
) -> None:
    home, stored = documents.stored["tally_1"]
    documents.stored["tally_1"] = (home, replace(stored, version=stored.version + 1))

    comparison = await compare()

    assert (comparison.newer, comparison.is_sound) == (1, True)


@pytest.mark.usefixtures("lived")
async def test_what_a_zombie_wrote_is_skipped(compare: Any, event_log: MemoryLog) -> None:
    event_log.partitions[0].append(replace(event_log.partitions[0][1], offset=12))

    comparison = await compare()

    assert (comparison.skipped, comparison.equal) == (1, 2)
