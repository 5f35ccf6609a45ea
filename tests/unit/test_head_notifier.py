"""Waiting for the head when polling fails, and when an announced head is wrong."""

import asyncio

import pytest

from ledgerpress.eventlog.errors import EventLogError, GapInLog
from ledgerpress.eventlog.head_notifier import HeadNotifier


@pytest.mark.parametrize(
    "error", [GapInLog(expected=1, actual=2), OSError(5, "broken"), EventLogError("why")]
)
async def test_waiting_clients_receive_any_error(error: Exception) -> None:
    polls = 0

    async def poll() -> int:
        nonlocal polls
        polls += 1
        if polls > 2:
            raise error
        return 0

    notifier = HeadNotifier(poll, 0.001)
    waiting = [asyncio.ensure_future(notifier.wait_beyond(0, 30)) for _ in range(2)]
    for outcome in await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5):
        assert type(outcome) is type(error)
        assert str(outcome) == str(error)
    await notifier.close()


async def test_an_announced_head_is_checked_immediately_and_not_trusted() -> None:
    head = polls = 0

    async def poll() -> int:
        nonlocal polls
        polls += 1
        return head

    notifier = HeadNotifier(poll, 30)
    waiting = asyncio.ensure_future(notifier.wait_beyond(0, 30))
    await asyncio.sleep(0.01)
    notifier.announce(99_999_999)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert polls == 2
    assert not await notifier.wait_beyond(5, 0)
    head = 1
    notifier.announce(1)
    assert await asyncio.wait_for(waiting, 5)
    notifier.announce(1)
    assert not await notifier.wait_beyond(1, 0)
    await notifier.close()


async def test_a_pending_append_of_this_process_is_not_read_before_its_result() -> None:
    is_appending, polls = True, 0

    async def poll() -> int:
        nonlocal polls
        polls += 1
        return 1

    notifier = HeadNotifier(poll, 30, is_appending=lambda: is_appending)
    waiting = asyncio.ensure_future(notifier.wait_beyond(0, 30))
    await asyncio.sleep(0.01)
    notifier.announce(1)
    await asyncio.sleep(0.01)
    assert (polls, waiting.done()) == (0, False)
    is_appending = False
    notifier.advance(1)
    assert await asyncio.wait_for(waiting, 5)
    assert polls == 0
    await notifier.close()


async def test_events_of_other_processes_are_noticed_while_this_process_appends() -> None:
    async def poll() -> int:
        return 1

    notifier = HeadNotifier(poll, 0.001, is_appending=lambda: True)
    assert await asyncio.wait_for(notifier.wait_beyond(0, 30), 5)
    await notifier.close()


async def test_a_wait_that_ends_before_the_next_poll_reads_the_head_once() -> None:
    reads = []

    async def poll() -> int:
        reads.append(1)
        return 7

    notifier = HeadNotifier(poll, 30, is_appending=lambda: True)
    assert await notifier.wait_beyond(6, timeout=0.01)
    assert not await notifier.wait_beyond(7, timeout=0.01)
    assert len(reads) == 2
    await notifier.close()
