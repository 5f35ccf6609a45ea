"""The contract of every log adapter: clients that append, wait, open and close at the same time."""

import asyncio
import time
from uuid import UUID

import pytest

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import DuplicateEvent, EventLogError, LogClosed, WrongExpectedVersion
from ledgerpress.eventlog.log import NO_STREAM, EventLog, StreamWrite, catch_up
from tests.contract.sample_events import everything, places, sample_event, sample_write
from tests.engines.log_locations import LogPlace as Logs

# --- concurrent appends ---------------------------------------------------------------------------


async def test_one_of_many_appends_with_the_same_expected_version_succeeds(log: EventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    outcomes = await asyncio.gather(
        *(log.append([sample_write("post.a", 1)]) for _ in range(64)), return_exceptions=True
    )
    conflicts = [outcome for outcome in outcomes if isinstance(outcome, WrongExpectedVersion)]
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [2]
    assert len(conflicts) == 63
    assert {conflict.actual for conflict in conflicts} == {2}
    assert await places(log) == [("post.a", 1), ("post.a", 2)]


async def test_a_failed_append_does_not_affect_concurrent_appends(log: EventLog) -> None:
    await log.append(
        [sample_write("post.a", NO_STREAM), StreamWrite("post.b", NO_STREAM, (sample_event("twin"),))]
    )
    outcomes = await asyncio.gather(
        log.append([sample_write("post.c", NO_STREAM, events=2)]),
        log.append([sample_write("post.d", NO_STREAM), sample_write("post.a", 7)]),
        log.append([sample_write("post.e", NO_STREAM), StreamWrite("post.a", 1, (sample_event("twin"),))]),
        log.append([sample_write("post.a", 1)]),
        log.append([sample_write("post.f", 0), sample_write("post.a", 1)]),
        log.append([sample_write("post.a", 2)]),
        return_exceptions=True,
    )
    kinds = [outcome if isinstance(outcome, int) else type(outcome) for outcome in outcomes]
    assert kinds == [4, WrongExpectedVersion, DuplicateEvent, 5, WrongExpectedVersion, 6]
    assert (await places(log))[2:] == [("post.c", 1), ("post.c", 2), ("post.a", 2), ("post.a", 3)]


async def test_concurrent_appends_of_one_event_record_it_once(log: EventLog) -> None:
    outcomes = await asyncio.gather(
        *(log.append([StreamWrite(f"post.{name}", NO_STREAM, (sample_event("twin"),))]) for name in "abc"),
        return_exceptions=True,
    )
    assert sorted(type(outcome) is DuplicateEvent for outcome in outcomes) == [False, True, True]
    assert await log.head() == 1


@pytest.mark.slow
async def test_concurrent_appends_leave_no_gap(logs: Logs) -> None:
    connections = [await logs.open() for _ in range(3)]

    async def client(log: EventLog, name: str) -> list[int]:
        return [
            await log.append([sample_write(f"post.{name}", number, events=2)]) for number in range(0, 20, 2)
        ]

    results = await asyncio.gather(*(client(connections[n % 3], str(n)) for n in range(60)))
    events = await everything(connections[0])
    assert len(events) == 60 * 20
    assert sorted(position for result in results for position in result) == [
        event.position for event in events if event.header.stream_version % 2 == 0
    ]
    for n in range(60):
        versions = [event.header.stream_version for event in await connections[1].read_stream(f"post.{n}")]
        assert versions == list(range(1, 21))


async def test_a_cancelled_append_does_not_affect_others(log: EventLog) -> None:
    appends = [asyncio.ensure_future(log.append([sample_write(f"post.{n}", NO_STREAM)])) for n in range(20)]
    await asyncio.sleep(0)
    for append in appends[::2]:
        append.cancel()
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert all(isinstance(outcome, int) for outcome in outcomes[1::2])
    recorded = {stream for stream, _ in await places(log)}
    assert {f"post.{n}" for n in range(1, 20, 2)} <= recorded
    assert await log.append([sample_write("taxonomy", NO_STREAM)]) == len(recorded) + 1


# --- waiting --------------------------------------------------------------------------------------


async def test_waiting_ends_after_the_timeout(log: EventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    assert await log.wait_beyond(0, 0)
    assert not await log.wait_beyond(1, 0)
    assert not await log.wait_beyond(1, 0.05)


@pytest.mark.parametrize("same", [True, False], ids=["same connection", "another connection"])
async def test_an_append_wakes_waiting_clients(logs: Logs, same: bool) -> None:
    log = await logs.open()
    writer = log if same else await logs.open()
    waiting = [asyncio.ensure_future(log.wait_beyond(position, 30)) for position in (0, 0, 1, 2)]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in waiting)
    await writer.append([sample_write("post.a", NO_STREAM, events=2)])
    assert await asyncio.wait_for(asyncio.gather(*waiting[:3]), 5) == [True] * 3
    assert not waiting[3].done()
    await writer.append([sample_write("post.a", 2)])
    assert await asyncio.wait_for(waiting[3], 5)


async def test_an_append_wakes_clients_of_the_same_connection_immediately(log: EventLog) -> None:
    delays = []
    for number in range(20):
        waiting = asyncio.ensure_future(log.wait_beyond(number, 30))
        await asyncio.sleep(0.005)
        await log.append([sample_write("post.a", number)])
        start = time.perf_counter()
        await waiting
        delays.append(time.perf_counter() - start)
    assert sorted(delays)[10] < 0.005


async def test_a_cancelled_wait_does_not_affect_later_waits(log: EventLog) -> None:
    waiting = asyncio.ensure_future(log.wait_beyond(0, 30))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not await log.wait_beyond(0, 0.01)
    await log.append([sample_write("post.a", NO_STREAM)])
    assert await log.wait_beyond(0, 0.01)


async def test_catching_up_yields_each_event_once_during_appends(logs: Logs) -> None:
    log, other = await logs.open(), await logs.open()
    await log.append([sample_write("post.before", NO_STREAM, events=50)])

    async def follow() -> list[StoredEvent]:
        events: list[StoredEvent] = []
        async for batch in catch_up(log, 0, batch_size=7):
            events += batch
            if len(events) >= 450:
                break
        return events

    async def write(log: EventLog, name: str) -> None:
        for number in range(50):
            await log.append([sample_write(f"post.{name}", number)])

    following = asyncio.ensure_future(follow())
    await asyncio.gather(
        *(write(writer, f"{name}{n}") for writer, name in ((log, "a"), (other, "b")) for n in range(4))
    )
    events = await asyncio.wait_for(following, 20)
    assert [event.position for event in events] == list(range(1, 451))
    assert events == await everything(log)


# --- opening and closing --------------------------------------------------------------------------


async def test_a_reopened_log_continues_where_it_stopped(logs: Logs) -> None:
    log = await logs.open()
    await log.append([sample_write("post.a", NO_STREAM, events=3)])
    before = await everything(log)
    await logs.close(log)
    reopened = await logs.open()
    assert reopened.publication == log.publication
    assert await everything(reopened) == before
    with pytest.raises(WrongExpectedVersion):
        await reopened.append([sample_write("post.a", NO_STREAM)])
    assert await reopened.append([sample_write("post.a", 3)]) == 4


async def test_clients_that_open_a_new_log_at_the_same_time_get_one_publication(logs: Logs) -> None:
    opened = await asyncio.gather(*(logs.open() for _ in range(8)))
    (publication,) = {log.publication for log in opened}
    assert str(UUID(publication)) == publication
    await asyncio.gather(*(log.append([sample_write(f"post.{n}", 0)]) for n, log in enumerate(opened)))
    assert {event.header.publication for event in await everything(opened[0])} == {publication}
    assert await opened[1].head() == 8


async def test_closing_finishes_accepted_appends(logs: Logs) -> None:
    log = await logs.open()
    appends = [asyncio.ensure_future(log.append([sample_write(f"post.{n}", 0)])) for n in range(10)]
    await asyncio.sleep(0)
    await logs.close(log)
    assert sorted(await asyncio.gather(*appends)) == list(range(1, 11))
    assert await (await logs.open()).head() == 10


@pytest.mark.parametrize("delay", [0, 0.000_1, 0.001, 0.05])
async def test_closing_wakes_waiting_clients(logs: Logs, delay: float) -> None:
    log = await logs.open()
    waiting = [asyncio.ensure_future(log.wait_beyond(100, 30)) for _ in range(3)]
    await asyncio.sleep(delay)
    await logs.close(log)
    for outcome in await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5):
        assert type(outcome) is LogClosed


async def test_calls_of_a_closed_log_raise_log_closed(logs: Logs) -> None:
    log = await logs.open()
    await logs.close(log)
    await logs.close(log)
    calls = [
        log.append([sample_write("post.a", NO_STREAM)]),
        log.head(),
        log.read(0, 1),
        log.read_stream("post.a"),
        log.wait_beyond(0, 0.1),
    ]
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        assert type(outcome) is LogClosed
        assert isinstance(outcome, EventLogError)
