"""Waiting for the head, where looking at it fails, and where what is said of it is not so."""

import asyncio

import pytest

from ledgerpress.eventlog.errors import EventLogError, GapInLog
from ledgerpress.eventlog.head_notifier import HeadNotifier


@pytest.mark.parametrize(
    "error", [GapInLog(expected=1, actual=2), OSError(5, "broken"), EventLogError("why")]
)
async def test_whoever_waits_is_told_of_any_error(error: Exception) -> None:
    looks = 0

    async def look() -> int:
        nonlocal looks
        looks += 1
        if looks > 2:
            raise error
        return 0

    watch = HeadNotifier(look, 0.001)
    waiting = [asyncio.ensure_future(watch.wait_beyond(0, 30)) for _ in range(2)]
    for outcome in await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5):
        assert type(outcome) is type(error)
        assert str(outcome) == str(error)
    await watch.close()


async def test_what_is_heard_is_looked_at_at_once_and_not_believed() -> None:
    head = looks = 0

    async def look() -> int:
        nonlocal looks
        looks += 1
        return head

    watch = HeadNotifier(look, 30)
    waiting = asyncio.ensure_future(watch.wait_beyond(0, 30))
    await asyncio.sleep(0.01)
    watch.announce(99_999_999)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert looks == 2
    assert not await watch.wait_beyond(5, 0)
    head = 1
    watch.announce(1)
    assert await asyncio.wait_for(waiting, 5)
    watch.announce(1)
    assert not await watch.wait_beyond(1, 0)
    await watch.close()
