"""Leases, in simulated time and with an engine in memory whose calls a test can delay or fail."""

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
POLL_INTERVAL = 1.0


def skipping(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run a test in an event loop that skips waiting times."""

    def run() -> None:
        async def main() -> None:
            async with asyncio.timeout(100_000):
                await test()

        run_skipping(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def away(operation: str) -> None:
    """Fail as if the engine cannot be reached."""
    raise LogUnavailable("it is away")


async def held_for(leases: Leases, seconds: float) -> tuple[Fence, float, float]:
    """Hold the lease for `seconds`. Return its fence, and the times when it was acquired and released."""
    async with leases.hold("schedules") as fence:
        since = now()
        await asyncio.sleep(seconds)
        return fence, since, now()


async def lost(leases: Leases, work: Callable[[Fence], Awaitable[None]]) -> Fence:
    """Hold the lease, do `work`, and wait until the lease is lost. Return its fence."""
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
async def test_one_of_many_nodes_works_at_a_time_and_each_has_a_greater_token() -> None:
    engine = Engine()
    spans = await asyncio.gather(*(held_for(engine.node(f"node {n}"), 7.0) for n in range(8)))
    spans.sort(key=lambda span: span[1])
    assert [fence.token for fence, _, _ in spans] == list(range(1, 9))
    for (_, _, ended), (_, began, _) in pairwise(spans):
        assert ended <= began <= ended + POLL_INTERVAL
    assert sorted(await engine.takings("schedules")) == [f"node {n}" for n in range(8)]


@skipping
async def test_holding_a_lease_for_long_records_one_event() -> None:
    engine = Engine()
    waiting = asyncio.create_task(held_for(engine.node("other"), 1.0))
    fence, _, _ = await held_for(engine.node("first"), 100 * DURATION)
    assert fence == Fence("schedules", 1)
    assert await engine.log.head() == 1
    assert engine.register.held["schedules"].revision > 300
    assert (await waiting)[0].token == 2


@skipping
async def test_leases_with_different_names_are_independent() -> None:
    engine = Engine()
    node = engine.node("node")
    async with node.hold("schedules") as first, node.hold("webhooks") as second:
        assert (now(), first.token, second.token) == (0.0, 1, 1)


@skipping
async def test_a_disconnected_holder_loses_its_lease_and_its_later_appends_are_rejected() -> None:
    engine = Engine()
    proxy = engine.proxy()
    acquired: list[tuple[float, int]] = []

    async def wait() -> None:
        async with engine.node("second", duration=600.0).hold("schedules") as fence:
            acquired.append((now(), fence.token))
            await fence.append(engine.log, [sample_write("post.b", NO_STREAM)])

    async def work(fence: Fence) -> None:
        await fence.append(engine.log, [sample_write("post.a", NO_STREAM)])
        proxy.there = away
        waiting.append(asyncio.create_task(wait()))

    waiting = list[asyncio.Task[None]]()
    fence = await lost(engine.node("first", proxy=proxy), work)
    stopped = now()
    assert stopped < DURATION
    await waiting[0]
    ((began, token),) = acquired
    # Both count 12 seconds: the waiting node from its read of the register, the holder from before its write.
    assert began > stopped
    assert DURATION <= began <= DURATION + 2 * POLL_INTERVAL
    assert token == 2
    with pytest.raises(LeaseLost) as error:
        await fence.append(engine.log, [sample_write("post.a", 1)])
    assert (error.value.lease, error.value.token) == ("schedules", 1)
    assert [stored.header.stream for stored in engine.log.events] == [
        "lease.schedules", "post.a", "lease.schedules", "post.b",
    ]  # fmt: skip


@skipping
async def test_a_conflict_on_another_stream_is_raised_unchanged() -> None:
    engine = Engine()
    async with engine.node("node").hold("schedules") as fence:
        with pytest.raises(WrongExpectedVersion):
            await fence.append(engine.log, [sample_write("post.a", 5)])
        assert await fence.append(engine.log, [sample_write("post.a", ANY_VERSION)]) == 2


@skipping
async def test_a_short_outage_of_the_engine_does_not_end_the_lease() -> None:
    engine = Engine()
    proxy = engine.proxy()
    reachable = proxy.there
    async with engine.node("node", proxy=proxy).hold("schedules"):
        for _ in range(20):
            proxy.there = away
            await asyncio.sleep(DURATION * 0.5)
            proxy.there = reachable
            await asyncio.sleep(DURATION * 0.5)
    assert await engine.log.head() == 1


@skipping
async def test_a_heartbeat_whose_response_is_lost_does_not_end_the_lease() -> None:
    engine = Engine()
    proxy = engine.proxy()
    undisturbed = proxy.back
    async with engine.node("node", proxy=proxy).hold("schedules"):
        for _ in range(20):
            proxy.back = away
            await asyncio.sleep(DURATION * 0.5)
            proxy.back = undisturbed
            await asyncio.sleep(DURATION * 0.5)
    assert await engine.log.head() == 1


@skipping
async def test_work_stops_in_time_if_the_engine_does_not_respond() -> None:
    engine = Engine()
    proxy = engine.proxy()

    async def silence(operation: str) -> None:
        await asyncio.sleep(10_000)

    async def work(fence: Fence) -> None:
        proxy.there = silence

    await lost(engine.node("node", proxy=proxy), work)
    assert now() < DURATION


@skipping
async def test_a_holder_loses_its_lease_at_the_next_heartbeat_after_a_takeover() -> None:
    engine = Engine()

    async def work(fence: Fence) -> None:
        held = engine.register.held["schedules"]
        await engine.register.write("schedules", '{"node":"x","seconds":5.0}', previous=held.revision)

    await lost(engine.node("node"), work)
    assert now() <= DURATION / 3 + POLL_INTERVAL


@skipping
async def test_a_node_cannot_record_a_lease_that_another_node_has_acquired_since() -> None:
    engine = Engine()
    proxy = engine.proxy()
    gate = asyncio.Event()

    async def held_up(operation: str) -> None:
        if operation == "append":
            await gate.wait()

    proxy.there = held_up
    late = asyncio.create_task(held_for(engine.node("late", proxy=proxy), 1.0))
    await asyncio.sleep(POLL_INTERVAL / 2)
    fence, _, _ = await held_for(engine.node("second"), 5.0)
    assert fence.token == 1
    gate.set()
    late_fence, _, _ = await late
    assert late_fence.token == 2
    assert await engine.takings("schedules") == ["second", "late"]


@skipping
async def test_a_node_that_loses_the_register_before_its_append_waits_for_the_lease() -> None:
    engine = Engine()
    proxy = engine.proxy()

    async def overtaken(operation: str) -> None:
        if operation == "append" and not engine.log.events:
            held = engine.register.held["schedules"]
            await engine.register.write(
                "schedules", '{"node":"x","seconds":5.0,"holder":"x"}', previous=held.revision
            )
            await engine.log.append([sample_write("lease.schedules", NO_STREAM)])

    proxy.there = overtaken
    fence, since, _ = await held_for(engine.node("late", proxy=proxy), 1.0)
    assert fence.token == 2
    assert since >= 5.0


@skipping
async def test_the_time_of_a_write_shortens_the_lease_of_the_holder() -> None:
    engine = Engine()
    proxy = engine.proxy()

    async def slow(operation: str) -> None:
        await asyncio.sleep(3.0)

    async def work(fence: Fence) -> None:
        proxy.there = away

    proxy.back = slow
    assert (await lost(engine.node("node", proxy=proxy), work)).token == 1
    assert 3.0 + 3.0 < now() < 3.0 + DURATION, "the register was written at second 3, when it had been read"


@skipping
async def test_a_node_acquires_a_lease_again_if_the_first_response_is_lost() -> None:
    engine = Engine()
    proxy = engine.proxy()
    undisturbed, calls = proxy.back, count()

    async def lost_once(operation: str) -> None:
        if operation == "append" and next(calls) == 0:
            raise LogUnavailable("nobody knows")

    proxy.back = lost_once
    fence, since, _ = await held_for(engine.node("node", proxy=proxy), 1.0)
    assert fence.token == 2
    assert since <= 2 * POLL_INTERVAL
    proxy.back = undisturbed


@skipping
async def test_tokens_keep_growing_if_the_register_is_lost_or_outdated() -> None:
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
async def test_an_error_of_the_work_is_raised_and_the_lease_is_released_immediately() -> None:
    engine = Engine()
    for error in (ValueError("a bug"), TimeoutError("its own"), LogUnavailable("away")):
        with pytest.raises(type(error)) as raised:
            async with engine.node("node", duration=1_000_000).hold("schedules"):
                raise error
        assert raised.value is error
    assert now() == 0


@skipping
async def test_a_node_that_times_out_or_is_cancelled_releases_the_lease() -> None:
    engine = Engine()
    proxy = engine.proxy()

    async def slow_append(operation: str) -> None:
        await asyncio.sleep(500.0 if operation == "append" else 0)

    proxy.there = slow_append
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30.0):
            await held_for(engine.node("first", duration=1_000, proxy=proxy), 1.0)
    async with asyncio.timeout(100.0):
        working = asyncio.create_task(held_for(engine.node("second", duration=1_000_000), 1_000_000.0))
        await asyncio.sleep(10.0)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        assert working.cancelled()
        assert (await held_for(engine.node("third"), 1.0))[0].token == 2


@skipping
async def test_run_under_restarts_the_work_after_each_loss_and_returns_its_result() -> None:
    engine = Engine()
    proxy = engine.proxy()
    reachable, tokens = proxy.there, list[int]()

    async def work(fence: Fence) -> str:
        tokens.append(fence.token)
        if fence.token == 1:
            proxy.there = away
            asyncio.get_running_loop().call_later(100.0, setattr, proxy, "there", reachable)
            await asyncio.sleep(1_000)
        if fence.token == 2:
            raise LogUnavailable("in the middle of an append")
        return "done"

    assert await engine.node("node", proxy=proxy).run_under("schedules", work) == "done"
    assert tokens == [1, 2, 3]


@pytest.mark.parametrize("name", ["", "Schedules", "9", "a.b", "a b", "a" * 65, "ü"])
def test_an_invalid_lease_name_is_rejected(name: str) -> None:
    async def hold() -> None:
        async with Engine().node("node").hold(name):
            pass

    with pytest.raises(ValueError, match="not a lease name"):
        run_skipping(hold())


@pytest.mark.parametrize("text", ["", "node a", "[]", '{"node":"a"}', '{"node":"a","seconds":"long"}'])
def test_a_register_with_an_invalid_entry_is_not_overwritten(text: str) -> None:
    async def hold() -> None:
        engine = Engine()
        await engine.register.write("schedules", text, previous=0)
        with pytest.raises(EventLogError, match="contains an invalid entry"):
            await held_for(engine.node("node"), 1.0)
        assert engine.register.held["schedules"] == (1, text)

    run_skipping(hold())
