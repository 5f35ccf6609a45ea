"""Delays between attempts, retries and polling."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds that double from `first` to `longest`.

    Each delay is multiplied by a result of `spread`, so that competing processes do not retry at the same time.
    """

    first: float
    longest: float
    spread: Callable[[], float] | None = None

    def delays(self) -> Iterator[float]:
        """Yield the delays in seconds, endlessly."""
        delay = self.first
        while True:
            yield delay * (self.spread() if self.spread else 1.0)
            delay = min(delay * 2, self.longest)


async def poll(check: Callable[[], Awaitable[T | None]], *, interval: float, timeout: float) -> T | None:
    """Call `check` every `interval` seconds until it returns a value; return `None` after `timeout` seconds.

    `check` is called at least once, and a last time when the timeout ends.
    """
    deadline = time.monotonic() + timeout
    while (result := await check()) is None and (left := deadline - time.monotonic()) > 0:  # noqa: ASYNC110
        await asyncio.sleep(min(interval, left))
    return result


def poll_blocking(check: Callable[[], T | None], *, interval: float, timeout: float) -> T | None:
    """Do the same as `poll`, but block the thread: for threads without an event loop."""
    deadline = time.monotonic() + timeout
    while (result := check()) is None and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(interval, left))
    return result


async def retry(
    attempt: Callable[[], Awaitable[T]], *, on: type[Exception], delays: Iterable[float], timeout: float
) -> T:
    """Call `attempt` until it does not raise `on`, with `delays` in seconds between the calls.

    Raises the last error if the next call would begin after `timeout` seconds, or if no delay is left.
    """
    deadline = time.monotonic() + timeout
    for delay in delays:
        try:
            return await attempt()
        except on:
            if time.monotonic() + delay > deadline:
                raise
        await asyncio.sleep(delay)
    return await attempt()
