"""Waiting for the head, where looking at it fails."""

import asyncio

import pytest

from ledgerpress.eventlog.errors import EventLogError, GapInLog
from ledgerpress.eventlog.head_watch import HeadWatch


@pytest.mark.parametrize("error", [GapInLog(expected=1, found=2), OSError(5, "broken"), EventLogError("why")])
async def test_whoever_waits_is_told_of_any_error(error: Exception) -> None:
    looks = 0

    async def look() -> int:
        nonlocal looks
        looks += 1
        if looks > 2:
            raise error
        return 0

    watch = HeadWatch(look, 0.001)
    waiting = [asyncio.ensure_future(watch.beyond(0, 30)) for _ in range(2)]
    for outcome in await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5):
        assert type(outcome) is type(error)
        assert str(outcome) == str(error)
    await watch.close()
