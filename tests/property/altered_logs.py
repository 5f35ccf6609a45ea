"""Logs for tests of missing events and withdrawn payloads."""

from collections.abc import Callable, Sequence

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.log import EventLog, StreamWrite


class AlteredLog:
    """A wrapper of a log that passes each batch it reads through `alter`."""

    staleness = 0.0
    max_events = None

    def __init__(self, log: EventLog, alter: Callable[[list[StoredEvent]], list[StoredEvent]]) -> None:
        self._log = log
        self.alter = alter

    @property
    def publication(self) -> str:
        return self._log.publication

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        return await self._log.append(writes)

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        return await self._log.withdraw(position, writes)

    async def head(self) -> int:
        return await self._log.head()

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return self.alter(await self._log.read(after, limit))

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        return self.alter(await self._log.read_stream(stream, after))

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        return await self._log.wait_beyond(position, timeout)


def without(position: int) -> Callable[[list[StoredEvent]], list[StoredEvent]]:
    """Return a function for `alter` that drops the event at `position`."""
    return lambda events: [event for event in events if event.position != position]


class ReadOnlyLog:
    """A read-only log in memory."""

    staleness = 0.0
    max_events = None

    def __init__(self, events: Sequence[StoredEvent]) -> None:
        self._events = list(events)

    @property
    def publication(self) -> str:
        return self._events[0].header.publication

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        raise NotImplementedError

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        raise NotImplementedError

    async def head(self) -> int:
        return len(self._events)

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return self._events[after : after + limit]

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        in_stream = [event for event in self._events if event.header.stream == stream]
        return [event for event in in_stream if event.header.stream_version > after]

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        return len(self._events) > position
