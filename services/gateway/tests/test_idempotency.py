"""The life of an idempotency record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.answers import Answer
from gateway.idempotency import Idempotency, Turn, read_key
from gateway.problems import ProblemError

NOW = datetime(2026, 11, 24, 12, 0, 0, 123_456, tzinfo=UTC)
ANSWER = Answer(status=201, body=b"{}", headers={"Location": "/x"})


@pytest.fixture
def idempotency(world: Any) -> Idempotency:
    return Idempotency(world.records)


async def begin(idempotency: Idempotency, *, after: float = 0, **changes: Any) -> Turn | Answer:
    given: dict[str, Any] = {
        "tenant_id": "t",
        "subject": "u",
        "key": "k",
        "method": "POST",
        "path": "/publish",
        "body": b"{}",
        "now": NOW + timedelta(seconds=after),
        **changes,
    }
    return await idempotency.begin(**given)


async def turn(idempotency: Idempotency, **changes: Any) -> Turn:
    begun = await begin(idempotency, **changes)
    assert isinstance(begun, Turn)
    return begun


async def code(idempotency: Idempotency, **changes: Any) -> str:
    with pytest.raises(ProblemError) as raised:
        await begin(idempotency, **changes)
    return raised.value.code


async def test_the_first_acts_and_later_ones_get_its_answer(idempotency: Idempotency) -> None:
    first = await turn(idempotency)
    assert first.is_first
    assert first.first_at == NOW.replace(microsecond=123_000), "what the store keeps of it"
    await idempotency.finish(first, ANSWER)
    assert await begin(idempotency, after=3_600) == ANSWER


async def test_meanwhile_others_wait_and_take_over_from_the_dead(idempotency: Idempotency) -> None:
    first = await turn(idempotency)
    assert await code(idempotency, after=29.9) == "idempotency_in_flight"
    second = await turn(idempotency, after=30)
    assert not second.is_first
    assert second.first_at == first.first_at
    assert await code(idempotency, after=31) == "idempotency_in_flight"
    await idempotency.finish(first, Answer(status=500))
    await idempotency.finish(second, ANSWER)
    assert await begin(idempotency, after=32) == ANSWER, "whoever was taken over from has no say any more"


async def test_a_released_key_is_taken_up_at_once_with_the_first_time(idempotency: Idempotency) -> None:
    first = await turn(idempotency)
    await idempotency.release(first)
    second = await turn(idempotency, after=1)
    assert (second.first_at, second.is_first) == (first.first_at, False)
    await idempotency.forget(first)
    assert await code(idempotency, after=2) == "idempotency_in_flight", "the first cannot forget the second's turn"


async def test_a_forgotten_key_is_as_new(idempotency: Idempotency) -> None:
    await idempotency.forget(await turn(idempotency))
    again = await turn(idempotency, after=5, body=b'{"other": true}')
    assert again.is_first
    assert again.first_at > NOW


@pytest.mark.parametrize("change", [{"body": b"[]"}, {"path": "/posts"}, {"method": "PUT"}])
async def test_another_request_with_the_key_is_refused_even_in_flight(
    idempotency: Idempotency, change: dict[str, Any]
) -> None:
    first = await turn(idempotency)
    assert await code(idempotency, **change) == "idempotency_key_reuse"
    await idempotency.finish(first, ANSWER)
    assert await code(idempotency, **change) == "idempotency_key_reuse"


@pytest.mark.parametrize("change", [{"tenant_id": "t2"}, {"subject": "u2"}, {"key": "k2"}])
async def test_keys_of_others_are_others(idempotency: Idempotency, change: dict[str, Any]) -> None:
    await turn(idempotency)
    assert (await turn(idempotency, **change)).is_first


async def test_parts_of_the_identity_do_not_run_together(idempotency: Idempotency) -> None:
    await turn(idempotency, tenant_id="ab", subject="c")
    assert (await turn(idempotency, tenant_id="a", subject="bc")).is_first


def test_keys_are_visible_ascii_of_bounded_length() -> None:
    assert read_key(None) is None
    for good in ("k", "x" * 255, "!~", "550e8400-e29b-41d4-a716-446655440000"):
        assert read_key(good) == good
    for bad in ("", "x" * 256, "a b", "a\tb", "é", "\x7f"):
        with pytest.raises(ProblemError):
            read_key(bad)
