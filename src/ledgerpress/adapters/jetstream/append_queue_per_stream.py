"""A queue per stream: this process sends its appends to the same stream one at a time, in the order of the calls.

Each append needs the position of the previous one. Without the queue, appends without an expected version would
conflict with each other.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass


class StreamLocks:
    """The queues of all streams; of each queue, only the last lock is stored."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    def enqueue(self, streams: Sequence[str]) -> "StreamLock":
        """Join the queues of all `streams` in one step, and return the lock. The caller MUST release it."""
        release_future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        previous = [last for stream in streams if (last := self._last.get(stream)) is not None]
        for stream in streams:
            self._last[stream] = release_future
        return StreamLock(self._last, streams, release_future, previous)


@dataclass(frozen=True, slots=True)
class StreamLock:
    _last: dict[str, asyncio.Future[None]]
    _streams: Sequence[str]
    _released: asyncio.Future[None]
    _previous: Sequence[asyncio.Future[None]]

    @property
    def must_wait(self) -> bool:
        """Whether the queues contain earlier locks."""
        return bool(self._previous)

    async def acquire(self) -> None:
        """Wait until all earlier locks are released."""
        await asyncio.wait(self._previous)

    def release(self) -> None:
        """Let the next appends continue: at once, or after the earlier ones if `acquire` did not complete."""
        pending_locks = [previous for previous in self._previous if not previous.done()]
        if pending_locks:
            asyncio.gather(*pending_locks).add_done_callback(lambda _: self._remove())
        else:
            self._remove()

    def _remove(self) -> None:
        self._released.set_result(None)
        for stream in self._streams:
            if self._last.get(stream) is self._released:
                del self._last[stream]
