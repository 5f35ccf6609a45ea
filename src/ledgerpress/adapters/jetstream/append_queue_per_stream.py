"""Appends of this process to the same stream are sent one after another, in the order of their calls.

Each needs to know where the previous one was recorded; and appends without an expected version would only conflict.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass


class StreamLocks:
    """The queue of each stream: its last lock."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    def enqueue(self, streams: Sequence[str]) -> "StreamLock":
        """Join the queues of all `streams` at once. The caller MUST release the lock."""
        released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        previous = [last for stream in streams if (last := self._last.get(stream)) is not None]
        for stream in streams:
            self._last[stream] = released
        return StreamLock(self._last, streams, released, previous)


@dataclass(frozen=True, slots=True)
class StreamLock:
    _last: dict[str, asyncio.Future[None]]
    _streams: Sequence[str]
    _released: asyncio.Future[None]
    _previous: Sequence[asyncio.Future[None]]

    @property
    def must_wait(self) -> bool:
        """Whether there are others before it."""
        return bool(self._previous)

    async def acquire(self) -> None:
        """Wait for all others before it."""
        await asyncio.wait(self._previous)

    def release(self) -> None:
        """Let the next ones continue: at once, or, if this one never waited, after the ones before it."""
        waiting = [previous for previous in self._previous if not previous.done()]
        if waiting:
            asyncio.gather(*waiting).add_done_callback(lambda _: self._remove())
        else:
            self._remove()

    def _remove(self) -> None:
        self._released.set_result(None)
        for stream in self._streams:
            if self._last.get(stream) is self._released:
                del self._last[stream]
