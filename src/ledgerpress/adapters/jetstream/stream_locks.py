"""Appends of this process to the same stream are sent one after another, in the order in which they were asked for.

Each needs to know where the one before it landed; and those without an expected version would only get in each
other's way.
"""

import asyncio
from collections.abc import Sequence


class StreamLocks:
    """Who is the last in the line of each stream."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    def take(self, streams: Sequence[str]) -> "StreamLock":
        """Get in line for all of `streams` at once. Whoever takes a turn MUST end it."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        before = [last for stream in streams if (last := self._last.get(stream)) is not None]
        for stream in streams:
            self._last[stream] = mine
        return StreamLock(self, streams, mine, before)

    def leave(self, streams: Sequence[str], mine: asyncio.Future[None]) -> None:
        """Let the next one go on."""
        mine.set_result(None)
        for stream in streams:
            if self._last.get(stream) is mine:
                del self._last[stream]


class StreamLock:
    """A place in the lines of some streams."""

    def __init__(
        self,
        turns: StreamLocks,
        streams: Sequence[str],
        mine: asyncio.Future[None],
        before: Sequence[asyncio.Future[None]],
    ) -> None:
        self._turns = turns
        self._streams = streams
        self._mine = mine
        self._before = before

    @property
    def must_wait(self) -> bool:
        """Whether somebody is before it."""
        return bool(self._before)

    async def come(self) -> None:
        """Wait for all who are before it."""
        await asyncio.wait(self._before)

    def end(self) -> None:
        """Let go of the place, for those behind: at once, or where this one never waited, after those before it."""
        waiting = [last for last in self._before if not last.done()]
        if waiting:
            asyncio.gather(*waiting).add_done_callback(lambda _: self._leave())
        else:
            self._leave()

    def _leave(self) -> None:
        self._turns.leave(self._streams, self._mine)
