"""The contract of every log adapter: withdrawing payloads."""

import asyncio

import pytest

from ledgerpress.eventlog.errors import InvalidEnvelope, WrongExpectedVersion
from ledgerpress.eventlog.log import NO_STREAM, EventLog, StreamWrite
from tests.contract.sample_events import sample_event, sample_write
from tests.engines.log_locations import LogPlace as Logs


async def withdrawal_of(log: EventLog, position: int) -> StreamWrite:
    (event,) = await log.read(position - 1, 1)
    record = sample_event(event_type="payload.withdrawn")
    return StreamWrite(f"withdrawal.{event.header.event_id}", NO_STREAM, (record,))


async def test_a_withdrawal_erases_the_payload_and_nothing_else(log: EventLog, logs: Logs) -> None:
    await log.append([sample_write("taxonomy", NO_STREAM, events=3)])
    before = await log.read(0, 10)
    record = await withdrawal_of(log, 2)
    assert await log.withdraw(2, [record]) == 4
    for reader in (log, await logs.open()):
        after = await reader.read(0, 10)
        assert [event.header for event in after[:3]] == [event.header for event in before]
        assert [event.payload is None for event in after] == [False, True, False, False]
        assert (await reader.read_stream("taxonomy"))[1].payload is None
        assert after[3].header.type == "payload.withdrawn"
        assert after[0].payload == before[0].payload
        assert await reader.head() == 4


async def test_a_withdrawn_event_is_read_with_the_record_of_its_withdrawal(log: EventLog, logs: Logs) -> None:
    await log.append([sample_write("taxonomy", NO_STREAM, events=3)])
    await log.withdraw(3, [await withdrawal_of(log, 3)])
    await log.withdraw(1, [await withdrawal_of(log, 1)])
    for reader in (log, await logs.open()):
        events = await reader.read(0, 10)
        assert [event.record for event in events] == [events[4], None, events[3], None, None]
        assert [event.record for event in await reader.read_stream("taxonomy")] == [
            events[4],
            None,
            events[3],
        ]
        assert [event.record for event in await reader.read(0, 1)] == [events[4]]


async def test_a_withdrawal_can_be_finished_but_not_recorded_twice(log: EventLog) -> None:
    await log.append([sample_write("taxonomy", NO_STREAM, events=3)])
    await log.withdraw(2, [await withdrawal_of(log, 2)])
    assert await log.withdraw(2, []) == 4
    with pytest.raises(WrongExpectedVersion):
        await log.withdraw(2, [await withdrawal_of(log, 2)])
    assert await log.head() == 4


async def test_nothing_is_erased_or_recorded_without_the_record_of_that_withdrawal(log: EventLog) -> None:
    await log.append([sample_write("taxonomy", NO_STREAM, events=3)])
    before = await log.read(0, 10)
    other = await withdrawal_of(log, 1)
    with pytest.raises(InvalidEnvelope):
        await log.withdraw(2, [])
    with pytest.raises(InvalidEnvelope):
        await log.withdraw(2, [other])
    with pytest.raises(InvalidEnvelope):
        await log.withdraw(2, [sample_write("withdrawal.other", NO_STREAM)])
    with pytest.raises(WrongExpectedVersion):
        await log.withdraw(2, [await withdrawal_of(log, 2), sample_write("taxonomy", 9)])
    assert await log.read(0, 10) == before


async def test_one_of_two_concurrent_withdrawals_of_a_payload_is_recorded(log: EventLog, logs: Logs) -> None:
    other = await logs.open()
    await log.append([sample_write("taxonomy", NO_STREAM, events=3)])
    records = [await withdrawal_of(log, 2) for _ in range(2)]
    outcomes = await asyncio.gather(
        log.withdraw(2, [records[0]]), other.withdraw(2, [records[1]]), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["WrongExpectedVersion", "int"]
    assert await log.head() == 4


async def test_a_withdrawal_wakes_waiting_clients(log: EventLog) -> None:
    await log.append([sample_write("taxonomy", NO_STREAM)])
    waiting = asyncio.create_task(log.wait_beyond(1, 10))
    await asyncio.sleep(0)
    await log.withdraw(1, [await withdrawal_of(log, 1)])
    assert await waiting
