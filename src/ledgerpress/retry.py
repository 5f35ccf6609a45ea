"""Delays between attempts, and polling."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from `first` to `longest`, in seconds.

    `spread` returns a number from 0 to 1 by which each delay is multiplied, so that rivals get out of step.
    """

    first: float
    longest: float
    spread: Callable[[], float] | None = None

    def delays(self) -> Iterator[float]:
        """Yield delays in seconds, without end."""
        delay = self.first
        while True:
            yield delay * (self.spread() if self.spread else 1.0)
            delay = min(delay * 2, self.longest)


async def poll(check: Callable[[], Awaitable[T | None]], *, interval: float, timeout: float) -> T | None:
    """Call `check` every `interval` seconds until it returns something; return `None` after `timeout` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while (result := await check()) is None and loop.time() + interval < deadline:  # noqa: ASYNC110
        await asyncio.sleep(interval)
    return result
