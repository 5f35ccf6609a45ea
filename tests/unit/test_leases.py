"""Leases, with time that is skipped and an engine in memory whose doors can be held up."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count, pairwise

import pytest

from ledgerpress.eventlog.errors import EventLogError, LogUnavailable, WrongExpectedVersion
from ledgerpress.eventlog.leases import Fence, LeaseLost, Leases
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM
from tests.contract.sample_events import sample_write
from tests.lease_proxies import Engine
from tests.time_skipping_loop import now, run_skipping

DURATION = 12.0
LOOK = 1.0


def skipping(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Let a test run in a loop whose time is skipped."""

    def run() -> None:
        async def main() -> None:
            async with asyncio.timeout(100_000):
                await test()

        run_skipping(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def away(operation: str) -> None:
    """The engine cannot be reached."""
    raise LogUnavailable("it is away")


async def held_for(leases: Leases, seconds: float) -> tuple[Fence, float, float]:
    """Hold the lease for so long; return its fence, and from when to when it was held."""
    async with leases.hold("schedules") as fence:
        since = now()
        await asyncio.sleep(seconds)
        return fence, since, now()


async def lost(leases: Leases, work: Callable[[Fence], Awaitable[None]]) -> Fence:
    """Hold the lease, do `work`, and stay until the lease is lost; return its fence."""
    fences = list[Fence]()

    async def hold() -> None:
        async with leases.hold("schedules") as fence:
            fences.append(fence)
            await work(fence)
            await asyncio.sleep(1_000)

    with pytest.raises(LeaseLost):
        await hold()
    return fences[0]


@skipping
async def test_of_many_who_want_it_one_works_at_a_time_and_each_has_a_greater_token() -> None:
    engine = Engine()
    spans = await asyncio.gather(*(held_for(engine.node(f"node {n}"), 7.0) for n in range(8)))
    spans.sort(key=lambda span: span[1])
    assert [fence.token for fence, _, _ in spans] == list(range(1, 9))
    for (_, _, ended), (_, began, _) in pairwise(spans):
        assert ended <= began <= ended + LOOK
    assert sorted(await engine.takings("schedules")) == [f"node {n}" for n in range(8)]


@skipping
async def test_holding_it_for_long_records_one_event() -> None:
    engine = Engine()
    waiting = asyncio.create_task(held_for(engine.node("other"), 1.0))
    fence, _, _ = await held_for(engine.node("first"), 100 * DURATION)
    assert fence == Fence("schedules", 1)
    assert await engine.log.head() == 1
    assert engine.register.held["schedules"].revision > 300
    assert (await waiting)[0].token == 2


@skipping
async def test_leases_of_other_names_are_other_leases() -> None:
    engine = Engine()
    node = engine.node("node")
    async with node.hold("schedules") as one, node.hold("webhooks") as other:
        assert (now(), one.token, other.token) == (0.0, 1, 1)


@skipping
async def test_a_silent_holder_loses_it_after_its_own_duration_and_the_log_takes_nothing_more_from_it() -> (
    None
):
    engine = Engine()
    door = engine.door()
    seen: list[tuple[float, int]] = []

    async def wait() -> None:
        async with engine.node("second", duration=600.0).hold("schedules") as fence:
            seen.append((now(), fence.token))
            await fence.append(engine.log, [sample_write("post.b", NO_STREAM)])

    async def work(fence: Fence) -> None:
        await fence.append(engine.log, [sample_write("post.a", NO_STREAM)])
        door.there = away
        waiting.append(asyncio.create_task(wait()))

    waiting = list[asyncio.Task[None]]()
    fence = await lost(engine.node("first", door=door), work)
    stopped = now()
    assert stopped < DURATION
    await waiting[0]
    ((began, token),) = seen
    # The one that waits counts from when it saw the register, the other from before it wrote it; both by 12 seconds.
    assert began > stopped
    assert DURATION <= began <= DURATION + 2 * LOOK
    assert token == 2
    with pytest.raises(LeaseLost) as refusal:
        await fence.append(engine.log, [sample_write("post.a", 1)])
    assert (refusal.value.lease, refusal.value.token) == ("schedules", 1)
    assert [stored.header.stream for stored in engine.log.events] == [
        "lease.schedules", "post.a", "lease.schedules", "post.b",
    ]  # fmt: skip


@skipping
async def test_a_conflict_on_another_stream_is_told_as_it_is() -> None:
    engine = Engine()
    async with engine.node("node").hold("schedules") as fence:
        with pytest.raises(WrongExpectedVersion):
            await fence.append(engine.log, [sample_write("post.a", 5)])
        assert await fence.append(engine.log, [sample_write("post.a", ANY_VERSION)]) == 2


@skipping
async def test_an_engine_that_comes_back_in_time_costs_nothing() -> None:
    engine = Engine()
    door = engine.door()
    reachable = door.there
    async with engine.node("node", door=door).hold("schedules"):
        for _ in range(20):
            door.there = away
            await asyncio.sleep(DURATION * 0.5)
            door.there = reachable
            await asyncio.sleep(DURATION * 0.5)
    assert await engine.log.head() == 1


@skipping
async def test_a_heartbeat_whose_answer_is_lost_costs_nothing() -> None:
    engine = Engine()
    door = engine.door()
    answered = door.back
    async with engine.node("node", door=door).hold("schedules"):
        for _ in range(20):
            door.back = away
            await asyncio.sleep(DURATION * 0.5)
            door.back = answered
            await asyncio.sleep(DURATION * 0.5)
    assert await engine.log.head() == 1


@skipping
async def test_work_stops_in_time_where_the_engine_does_not_even_refuse() -> None:
    engine = Engine()
    door = engine.door()

    async def silence(operation: str) -> None:
        await asyncio.sleep(10_000)

    async def work(fence: Fence) -> None:
        door.there = silence

    await lost(engine.node("node", door=door), work)
    assert now() < DURATION


@skipping
async def test_who_finds_that_another_has_taken_it_is_told_at_the_next_heartbeat() -> None:
    engine = Engine()

    async def work(fence: Fence) -> None:
        held = engine.register.held["schedules"]
        await engine.register.write("schedules", '{"node":"x","seconds":5.0}', previous=held.revision)

    await lost(engine.node("node"), work)
    assert now() <= DURATION / 3 + LOOK


@skipping
async def test_of_two_who_won_the_register_the_first_cannot_record_its_taking_after_the_second() -> None:
    engine = Engine()
    door = engine.door()
    gate = asyncio.Event()

    async def held_up(operation: str) -> None:
        if operation == "append":
            await gate.wait()

    door.there = held_up
    late = asyncio.create_task(held_for(engine.node("late", door=door), 1.0))
    await asyncio.sleep(LOOK / 2)
    fence, _, _ = await held_for(engine.node("second"), 5.0)
    assert fence.token == 1
    gate.set()
    late_fence, _, _ = await late
    assert late_fence.token == 2
    assert await engine.takings("schedules") == ["second", "late"]


@skipping
async def test_who_lost_the_register_before_its_taking_was_recorded_waits_its_turn() -> None:
    engine = Engine()
    door = engine.door()

    async def overtaken(operation: str) -> None:
        if operation == "append" and not engine.log.events:
            held = engine.register.held["schedules"]
            await engine.register.write(
                "schedules", '{"node":"x","seconds":5.0,"holder":"x"}', previous=held.revision
            )
            await engine.log.append([sample_write("lease.schedules", NO_STREAM)])

    door.there = overtaken
    fence, since, _ = await held_for(engine.node("late", door=door), 1.0)
    assert fence.token == 2
    assert since >= 5.0


@skipping
async def test_the_time_that_a_write_takes_is_the_holders_loss() -> None:
    engine = Engine()
    door = engine.door()

    async def slow(operation: str) -> None:
        await asyncio.sleep(3.0)

    async def work(fence: Fence) -> None:
        door.there = away

    door.back = slow
    assert (await lost(engine.node("node", door=door), work)).token == 1
    assert 3.0 + 3.0 < now() < 3.0 + DURATION, "the register was written at second 3, when it had been read"


@skipping
async def test_a_taking_whose_answer_is_lost_is_followed_by_another() -> None:
    engine = Engine()
    door = engine.door()
    answered, calls = door.back, count()

    async def lost_once(operation: str) -> None:
        if operation == "append" and next(calls) == 0:
            raise LogUnavailable("nobody knows")

    door.back = lost_once
    fence, since, _ = await held_for(engine.node("node", door=door), 1.0)
    assert fence.token == 2
    assert since <= 2 * LOOK
    door.back = answered


@skipping
async def test_tokens_go_on_where_the_register_was_lost_or_knows_less() -> None:
    engine = Engine()
    for token in (1, 2, 3):
        fence, _, _ = await held_for(engine.node("node"), 1.0)
        assert fence.token == token
    engine.register.held.clear()
    assert (await held_for(engine.node("node"), 1.0))[0].token == 4
    held = engine.register.held["schedules"]
    for guess in ("0", "2", "900"):
        text = f'{{"node":"x","seconds":5.0,"token":{guess}}}'
        engine.register.held["schedules"] = held._replace(holder=text)
        await held_for(engine.node("node"), 1.0)
    assert await engine.log.head() == 7


@skipping
async def test_what_the_work_raises_comes_out_and_the_lease_is_free_at_once() -> None:
    engine = Engine()
    for error in (ValueError("a bug"), TimeoutError("its own"), LogUnavailable("away")):
        with pytest.raises(type(error)) as raised:
            async with engine.node("node", duration=1_000_000).hold("schedules"):
                raise error
        assert raised.value is error
    assert now() == 0


@skipping
async def test_who_stops_waiting_or_is_cancelled_leaves_it_free() -> None:
    engine = Engine()
    door = engine.door()

    async def slow_append(operation: str) -> None:
        await asyncio.sleep(500.0 if operation == "append" else 0)

    door.there = slow_append
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30.0):
            await held_for(engine.node("first", duration=1_000, door=door), 1.0)
    async with asyncio.timeout(100.0):
        working = asyncio.create_task(held_for(engine.node("second", duration=1_000_000), 1_000_000.0))
        await asyncio.sleep(10.0)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        assert working.cancelled()
        assert (await held_for(engine.node("third"), 1.0))[0].token == 2


@skipping
async def test_kept_work_begins_anew_after_each_loss_and_says_what_came_of_it() -> None:
    engine = Engine()
    door = engine.door()
    reachable, tokens = door.there, list[int]()

    async def work(fence: Fence) -> str:
        tokens.append(fence.token)
        if fence.token == 1:
            door.there = away
            asyncio.get_running_loop().call_later(100.0, setattr, door, "there", reachable)
            await asyncio.sleep(1_000)
        if fence.token == 2:
            raise LogUnavailable("in the middle of an append")
        return "done"

    assert await engine.node("node", door=door).run_under("schedules", work) == "done"
    assert tokens == [1, 2, 3]


@pytest.mark.parametrize("name", ["", "Schedules", "9", "a.b", "a b", "a" * 65, "ü"])
def test_what_is_no_name_is_refused(name: str) -> None:
    async def hold() -> None:
        async with Engine().node("node").hold(name):
            pass

    with pytest.raises(ValueError, match="not a lease name"):
        run_skipping(hold())


@pytest.mark.parametrize("text", ["", "node a", "[]", '{"node":"a"}', '{"node":"a","seconds":"long"}'])
def test_a_register_that_holds_something_else_is_not_written_over(text: str) -> None:
    async def hold() -> None:
        engine = Engine()
        await engine.register.write("schedules", text, previous=0)
        with pytest.raises(EventLogError, match="contains an invalid entry"):
            await held_for(engine.node("node"), 1.0)
        assert engine.register.held["schedules"] == (1, text)

    run_skipping(hold())
