"""The engine in virtual time: schedule, fairness, order, limits, what receivers do, and what survives."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from guarded.client import Answer, CallFailedError
from webhooks.domain.delivering import JITTER, SCHEDULE

Play = Callable[..., None]


def answer(status: int, **headers: str) -> Answer:
    return Answer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=b"?")


def test_every_event_reaches_every_endpoint_that_wants_it(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("all")
        world.targets.add("some", event_types=("social.post_failed",))
        world.targets.add("foreign", tenant_id="tenant_b")
        await world.record(3)
        await world.record(2, "social.post_failed")
        await asyncio.sleep(1)
        assert len(world.receivers.ids("all")) == 5
        assert len(world.receivers.ids("some")) == 2
        assert world.receivers.ids("foreign") == []
        assert {each.status for each in world.deliveries.stored.values()} == {"delivered"}

    play(scenario)


def test_the_body_says_what_when_and_in_which_place(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        first, second = await world.record(2)
        await asyncio.sleep(1)
        bodies = [json.loads(body) for _, _, _, body, _ in world.receivers.seen]
        assert bodies[1] == {
            "type": "social.post_published",
            "timestamp": "2026-11-24T12:00:00Z",
            "event_id": second.id,
            "sequence": 2,
            "data": {"number": 2},
        }
        assert [body["sequence"] for body in bodies] == [1, 2]
        assert bodies[0]["event_id"] == first.id

    play(scenario)


def test_recording_again_changes_nothing(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        events = await world.record(20)
        await world.recorder.record(events)
        await asyncio.sleep(1)
        await world.recorder.record(events[5:])
        await asyncio.sleep(1)
        assert len(world.receivers.seen) == 20
        assert [each.sequence for each in world.deliveries.of("one")] == list(range(1, 21))

    play(scenario)


def test_a_refused_delivery_is_tried_ten_times_on_the_schedule(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")

        async def refuse(endpoint_id: str, message_id: str) -> Answer:
            return answer(500)

        world.receivers.react = refuse
        await world.record()
        await asyncio.sleep(5 * 86_400)
        instants = [at for _, at, _, _, _ in world.receivers.seen]
        assert len(instants) == len(SCHEDULE) + 1
        for planned, earlier, later in zip(SCHEDULE, instants, instants[1:], strict=False):
            pause = (later - earlier).total_seconds()
            assert planned <= pause <= planned * (1 + JITTER) + 1, (planned, pause)
        (delivery,) = world.deliveries.of("one")
        assert delivery.status == "failed"
        assert len(set(world.receivers.ids("one"))) == 1
        assert [attempt.status for attempt in delivery.log] == [500] * 10

    play(scenario, patience=timedelta(days=30))


def test_each_attempt_is_dated_anew_and_has_the_same_body(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        refusals = iter([500, 500])

        async def recover(endpoint_id: str, message_id: str) -> Answer:
            return answer(next(refusals, 200))

        world.receivers.react = recover
        await world.record()
        await asyncio.sleep(3_600)
        assert len(world.receivers.seen) == 3
        assert len({body for _, _, _, body, _ in world.receivers.seen}) == 1
        stamps = [int(headers["webhook-timestamp"]) for *_, headers in world.receivers.seen]
        assert stamps == [int(at.timestamp()) for _, at, _, _, _ in world.receivers.seen]

    play(scenario)


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_means_one_thing(play: Play, status: int) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")

        async def react(endpoint_id: str, message_id: str) -> Answer:
            return answer(status)

        world.receivers.react = react
        await world.record()
        await asyncio.sleep(1)
        (delivery,) = world.deliveries.of("one")
        endpoint = world.targets.known["one"].endpoint
        if 200 <= status < 300:
            assert delivery.status == "delivered"
        elif status == 410:
            assert (delivery.status, endpoint.status, endpoint.disable_reason) == ("failed", "disabled", "gone")
        else:
            assert (delivery.status, endpoint.status) == ("pending", "enabled")
            await asyncio.sleep(10)
            assert len(world.receivers.seen) == 2

    play(scenario)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_receiver_that_asks_for_time_gets_it(play: Play, status: int, form: str) -> None:
    """Not only for the delivery that it refused."""

    async def scenario(world: Any) -> None:
        world.targets.add("busy")
        world.targets.add("other")
        later = "120" if form == "seconds" else "Tue, 24 Nov 2026 12:02:00 GMT"

        async def react(endpoint_id: str, message_id: str) -> Answer:
            if endpoint_id == "other" or world.now() >= began + timedelta(seconds=120):
                return answer(200)
            return answer(status, retry_after=later)

        began = world.now()
        world.receivers.react = react
        await world.record()
        await asyncio.sleep(5)
        await world.record(10)
        await asyncio.sleep(400)
        instants = [(at - began).total_seconds() for endpoint, at, *_ in world.receivers.seen if endpoint == "busy"]
        assert instants[0] < 1
        assert min(instants[1:]) >= 120
        assert len(instants) == 12
        assert {each.status for each in world.deliveries.stored.values()} == {"delivered"}
        assert max((at - began).total_seconds() for e, at, *_ in world.receivers.seen if e == "other") < 10

    play(scenario)


def test_a_day_of_downtime_loses_nothing(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("down")

        async def react(endpoint_id: str, message_id: str) -> Answer:
            if world.now() < back:
                raise CallFailedError("unreachable", "No connection could be made.")
            return answer(200)

        back = world.now() + timedelta(days=1)
        world.receivers.react = react
        for _ in range(288):
            await world.record()
            await asyncio.sleep(300)
        await asyncio.sleep(2 * 86_400)
        accepted = {each.id for each in world.deliveries.of("down") if each.status == "delivered"}
        assert len(accepted) == 288
        assert accepted == set(world.receivers.ids("down"))
        assert world.targets.known["down"].endpoint.status == "enabled"
        assert world.standings.since["down"] is None

    play(scenario)


def test_after_days_of_nothing_the_endpoint_is_disabled_and_can_be_enabled_again(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("dead")

        async def react(endpoint_id: str, message_id: str) -> Answer:
            if world.now() < back:
                raise CallFailedError("unreachable", "No connection could be made.")
            return answer(200)

        back = world.now() + timedelta(days=8)
        world.receivers.react = react
        for _ in range(7):
            await world.record()
            await asyncio.sleep(86_400)
        endpoint = world.targets.known["dead"].endpoint
        assert (endpoint.status, endpoint.disable_reason) == ("disabled", "failing")
        assert endpoint.disabled_at is not None
        assert endpoint.disabled_at - world.deliveries.of("dead")[0].log[0].at >= timedelta(days=5)
        tried = len(world.receivers.seen)
        await asyncio.sleep(86_400 * 2)
        assert len(world.receivers.seen) == tried, "a disabled endpoint is left alone"

        world.targets.change("dead", status="enabled", enabled_at=world.now(), disable_reason=None)
        await world.record()
        await asyncio.sleep(120)
        assert world.deliveries.of("dead")[-1].status == "delivered"
        assert world.standings.since["dead"] is None
        await asyncio.sleep(2 * 86_400)
        # The first two had been given up before; what was pending goes out.
        assert [each.status for each in world.deliveries.of("dead")] == ["failed"] * 2 + ["delivered"] * 5

    play(scenario)


def test_a_slow_endpoint_delays_nobody(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("slow")
        for number in range(50):
            world.targets.add(f"quick{number}")

        async def react(endpoint_id: str, message_id: str) -> Answer:
            await asyncio.sleep(3_600 if endpoint_id == "slow" else 0.01)
            return answer(200)

        world.receivers.react = react
        began = world.now()
        for _ in range(20):
            await world.record(5)
        await asyncio.sleep(50)
        quick = [at for endpoint, at, *_ in world.receivers.seen if endpoint != "slow"]
        assert len(quick) == 50 * 100
        assert max(quick) - began < timedelta(seconds=1)
        # While it answers nothing it gets one request at a time.
        assert world.receivers.most_under_way["slow"] == 8
        assert world.receivers.under_way["slow"] == 1

    play(scenario)


def test_not_more_at_once_than_the_endpoint_allows(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("narrow", max_in_flight=3)
        await world.record(100)
        await asyncio.sleep(10)
        assert world.receivers.most_under_way["narrow"] == 3
        assert len(world.receivers.seen) == 100

    play(scenario)


def test_not_more_a_second_than_the_endpoint_allows(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("calm", rate_per_second=10)
        await world.record(100)
        await asyncio.sleep(60)
        instants = [at for _, at, *_ in world.receivers.seen]
        assert len(instants) == 100
        for at in instants:
            within = sum(at <= other < at + timedelta(seconds=1) for other in instants)
            assert within <= 21, "a burst of one second's worth, and one second's worth"
        assert instants[-1] - instants[0] >= timedelta(seconds=8.5)

    play(scenario)


def test_fifo_keeps_the_order_through_refusals(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("ordered", fifo=True)
        refusals: Counter[str] = Counter()

        async def react(endpoint_id: str, message_id: str) -> Answer:
            refusals[message_id] += 1
            return answer(500 if refusals[message_id] == 1 and len(refusals) % 3 == 0 else 200)

        world.receivers.react = react
        await world.record(150)
        await asyncio.sleep(600)
        await world.record(20)
        await asyncio.sleep(600)
        accepted = list(dict.fromkeys(json.loads(body)["sequence"] for _, _, _, body, _ in world.receivers.seen))
        assert accepted == list(range(1, 171))
        assert world.receivers.most_under_way["ordered"] == 1
        sequences = [json.loads(body)["sequence"] for _, _, _, body, _ in world.receivers.seen]
        assert sequences == sorted(sequences)

    play(scenario)


def test_fifo_goes_on_after_giving_one_up(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("ordered", fifo=True)
        first, *_ = await world.record(3)

        async def react(endpoint_id: str, message_id: str) -> Answer:
            return answer(400 if message_id == world.deliveries.of("ordered")[0].id else 200)

        world.receivers.react = react
        await asyncio.sleep(2 * 86_400)
        assert len(set(world.receivers.ids("ordered"))) == 1, "the others wait"
        await asyncio.sleep(3 * 86_400)
        assert [each.status for each in world.deliveries.of("ordered")] == ["failed", "delivered", "delivered"]
        assert first.id == world.deliveries.of("ordered")[0].event_id

    play(scenario, patience=timedelta(days=30))


def test_a_replay_is_the_same_delivery(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        await world.record(3)
        await asyncio.sleep(1)
        again = world.deliveries.of("one")[1]
        await asyncio.sleep(120)
        world.deliveries.reopen(again.id, world.now())
        world.courier.notice("one", anew=True)
        await asyncio.sleep(1)
        _, _, message_id, body, headers = world.receivers.seen[-1]
        assert len(world.receivers.seen) == 4
        assert message_id == again.id
        assert json.loads(body)["sequence"] == 2
        assert int(headers["webhook-timestamp"]) > int(world.receivers.seen[1][4]["webhook-timestamp"])

    play(scenario)


def test_a_store_that_is_away_loses_nothing_and_repeats_nothing_needlessly(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        await world.record(10)
        world.deliveries.fails = 25
        await asyncio.sleep(120)
        assert {each.status for each in world.deliveries.stored.values()} == {"delivered"}
        assert len(world.receivers.seen) == 10

    play(scenario)


@pytest.mark.parametrize("fifo", [False, True])
def test_whenever_the_engine_dies_everything_arrives(play: Play, fifo: bool) -> None:
    async def scenario(world: Any) -> None:
        for number in range(5):
            world.targets.add(f"e{number}", fifo=fifo)
        for moment in range(40):
            await world.record(3)
            await asyncio.sleep(0.003 * (moment % 9))
            await world.crash()
        await asyncio.sleep(600)
        for number in range(5):
            deliveries = world.deliveries.of(f"e{number}")
            assert [each.sequence for each in deliveries] == list(range(1, 121))
            assert {each.status for each in deliveries} == {"delivered"}
            assert {each.id for each in deliveries} == set(world.receivers.ids(f"e{number}"))

    play(scenario)


def test_a_partition_that_is_taken_away_is_left_alone(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        partition = world.partition_of("one")
        world.owned.remove(partition)
        await world.record(5)
        await asyncio.sleep(30)
        assert world.receivers.seen == []
        world.owned.append(partition)
        await asyncio.sleep(61)
        assert len(world.receivers.seen) == 5

    play(scenario)


def test_what_another_instance_recorded_is_noticed_soon(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        await asyncio.sleep(90)
        world.is_recording_elsewhere = True
        began = world.now()
        await world.record()
        await asyncio.sleep(2)
        (_, at, *_) = world.receivers.seen[0]
        assert at - began <= timedelta(seconds=0.5)

    play(scenario, look_every=0.25)


def test_nothing_is_sent_to_a_deleted_endpoint_and_nothing_kept(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("gone", rate_per_second=1)
        await world.record(50)
        await asyncio.sleep(3)
        world.targets.change("gone", status="deleted")
        await asyncio.sleep(120)
        assert len(world.receivers.seen) < 10
        assert world.deliveries.of("gone") == []

    play(scenario)


# --- what the store is asked --------------------------------------------------------------------------


def test_what_is_recorded_here_is_not_looked_for(play: Play) -> None:
    """One call records it, one settles it; the endpoint is as the recorder has just read it."""

    async def scenario(world: Any) -> None:
        world.targets.add("plain")
        world.targets.add("ordered", fifo=True)
        await world.record()
        await asyncio.sleep(2)
        world.deliveries.calls.clear()
        world.targets.loads = 0
        for _ in range(50):
            await world.record()
            await asyncio.sleep(0.5)
        assert len(world.receivers.seen) == 2 * 51
        # The lane of an ordered endpoint looks once more after its first read.
        assert world.deliveries.calls - Counter({"in_order": 1, "next_due": 1}) == Counter({"add": 50, "settle": 100})
        assert world.targets.loads == 0

    play(scenario, look_every=3_600.0)


def test_idle_costs_a_look_at_the_bells(play: Play) -> None:
    async def scenario(world: Any) -> None:
        for number in range(30):
            world.targets.add(f"e{number}")
        await world.record(3)
        await asyncio.sleep(200)
        world.deliveries.calls.clear()
        world.targets.loads = 0
        await asyncio.sleep(100)
        assert set(world.deliveries.calls) == {"rung"}
        assert world.targets.loads == 0

    play(scenario, look_every=1.0)


@pytest.mark.parametrize("fifo", [False, True])
def test_a_backlog_beyond_what_is_held_is_read_once(play: Play, fifo: bool) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("behind", fifo=fifo)
        for _ in range(30):
            await world.record(100)
            await asyncio.sleep(0.01)
        await asyncio.sleep(300)
        sequences = [json.loads(body)["sequence"] for _, _, _, body, _ in world.receivers.seen]
        assert sorted(sequences) == list(range(1, 3_001))
        assert not fifo or sequences == sorted(sequences)
        assert world.deliveries.read <= 3_100

    play(scenario)


@pytest.mark.parametrize("fifo", [False, True])
def test_those_who_record_for_one_endpoint_do_not_disturb_its_order(play: Play, fifo: bool) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one", fifo=fifo)
        for number in range(60):
            world.is_recording_elsewhere = number % 3 == 0
            await world.record(7)
            await asyncio.sleep(0.02)
        await asyncio.sleep(60)
        sequences = [json.loads(body)["sequence"] for _, _, _, body, _ in world.receivers.seen]
        assert sorted(sequences) == list(range(1, 421))
        assert not fifo or sequences == sorted(sequences)

    play(scenario, look_every=0.25)


def test_a_change_made_elsewhere_is_heard(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        (first,) = await world.record()
        await asyncio.sleep(1)
        world.targets.change("one", url="https://moved.example.com/")
        again = world.deliveries.of("one")[0]
        world.deliveries.reopen(again.id, world.now())
        await world.deliveries.ring(["one"], world.now(), anew=True)
        await asyncio.sleep(1)
        assert [endpoint for endpoint, *_ in world.receivers.seen] == ["one", "moved"]
        assert again.event_id == first.id

    play(scenario, look_every=0.25)


def test_an_endpoint_that_falls_asleep_while_something_comes_wakes_up(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        await world.record()
        for pause in (29.99, 30.0, 30.01, 59.99, 60.0, 60.01, 89.99, 90.0, 90.01, 119.99, 120.0, 120.01):
            await asyncio.sleep(pause)
            await world.record()
        await asyncio.sleep(5)
        assert len(world.receivers.seen) == 13

    play(scenario, look_every=0.25)


def test_a_partition_that_goes_and_comes_back_at_once_is_delivered_for(play: Play) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one", rate_per_second=1)
        await world.record(10)
        await asyncio.sleep(3)
        partition = world.partition_of("one")
        world.owned.remove(partition)
        world.courier.notice("other")
        for lane in world.courier._lanes.values():
            lane.changed.set()
        await asyncio.sleep(0.01)
        world.owned.append(partition)
        await asyncio.sleep(120)
        assert len(world.receivers.seen) == 10

    play(scenario)


def test_a_store_that_is_away_for_long_is_not_stormed(play: Play) -> None:
    async def scenario(world: Any) -> None:
        for number in range(20):
            world.targets.add(f"e{number}")
        await world.record(5)
        world.deliveries.fails = 1_000_000
        world.deliveries.calls.clear()
        await asyncio.sleep(600)
        # Each of what waits asks every five to ten seconds: 100 that were sent, and the look for bells.
        assert sum(world.deliveries.calls.values()) < 101 * 600 / 5 + 1_000
        world.deliveries.fails = 0
        await asyncio.sleep(30)
        assert {each.status for each in world.deliveries.stored.values()} == {"delivered"}
        assert len(world.receivers.seen) == 100

    play(scenario)


def test_a_slow_store_loses_nothing_and_repeats_nothing(play: Play) -> None:
    """Every call takes seconds, for minutes."""

    async def scenario(world: Any) -> None:
        world.targets.add("plain")
        world.targets.add("ordered", fifo=True)
        world.deliveries.slowness = 3.0
        for _ in range(40):
            await world.record(5)
            await asyncio.sleep(1)
        world.deliveries.slowness = 0.0
        await asyncio.sleep(120)
        assert {each.status for each in world.deliveries.stored.values()} == {"delivered"}
        assert len(world.receivers.seen) == 2 * 200

    play(scenario)


def test_many_endpoints_are_recorded_part_by_part(play: Play) -> None:
    async def scenario(world: Any) -> None:
        for number in range(300):
            world.targets.add(f"e{number}")
        await world.record(10)
        assert world.deliveries.calls["add"] == 3
        await asyncio.sleep(60)
        assert len(world.receivers.seen) == 3_000

    play(scenario)
