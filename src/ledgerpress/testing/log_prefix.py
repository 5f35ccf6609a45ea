"""A log that contains only the first events of another log, for stores that stop at a position."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from ledgerpress.eventlog.delegating_log import DelegatingLog
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.log import OpenedLog, StreamWrite


class LogPrefix(DelegatingLog):
    """A log that ends at the position `end`, which `advance` moves forward. Nothing can be appended to it."""

    def __init__(self, log: OpenedLog, end: int) -> None:
        super().__init__(log)
        self._end = end
        self._advanced = asyncio.Condition()

    async def advance(self, end: int) -> None:
        """Let the log end at the position `end`, and wake the tasks that wait for more events."""
        async with self._advanced:
            self._end = end
            self._advanced.notify_all()

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        raise AssertionError("nothing can be appended to the prefix of a log")

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        raise AssertionError("nothing can be withdrawn from the prefix of a log")

    async def head(self) -> int:
        return self._end

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return self._before_end(await self._log.read(after, limit))

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        return self._before_end(await self._log.read_stream(stream, after))

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._advanced:
                await self._advanced.wait_for(lambda: self._end > position)
        return self._end > position

    async def aclose(self) -> None:
        """Do nothing: the caller closes the underlying log."""

    def _before_end(self, events: Sequence[StoredEvent]) -> list[StoredEvent]:
        return [event for event in events if event.position <= self._end]
