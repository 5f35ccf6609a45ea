"""Trying again, for a bounded time, with growing pauses that differ from node to node."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from secrets import SystemRandom
from typing import Final, TypeVar

from ledgerpress.eventlog.errors import LogUnavailable

T = TypeVar("T")

RETRY_TIMEOUT = 5.0
"""Seconds for which something is tried again while the server is away. One attempt may take longer than that."""
FIRST_DELAY: Final = 0.05
MAX_DELAY: Final = 1.0

_chance: Final = SystemRandom()


def retry_delays() -> Iterator[float]:
    """Yield how many seconds to wait before each next attempt, for ever: twice as long each, give or take half."""
    pause = FIRST_DELAY
    while True:
        yield pause * _chance.uniform(0.5, 1.5)
        pause = min(2 * pause, MAX_DELAY)


async def retry(attempt: Callable[[], Awaitable[T]]) -> T:
    """Call `attempt` until it does not raise `LogUnavailable`; raise it once `RETRY_TIMEOUT` is over."""
    give_up = time.monotonic() + RETRY_TIMEOUT
    for pause in retry_delays():
        try:
            return await attempt()
        except LogUnavailable:
            if time.monotonic() + pause > give_up:
                raise
        await asyncio.sleep(pause)
    raise AssertionError("the pauses never end")
