"""A log of which some events are missing and some payloads are withdrawn."""

from collections.abc import Callable, Sequence

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.log import EventLog, StreamWrite


class AlteredLog:
    """Reads another log, and alters what it reads. `alter` takes and returns a batch."""

    staleness = 0.0

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
    """Lose one event."""
    return lambda events: [event for event in events if event.position != position]


class KeptLog:
    """A log in memory that can only be read."""

    staleness = 0.0

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
        found = [event for event in self._events if event.header.stream == stream]
        return [event for event in found if event.header.stream_version > after]

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        return len(self._events) > position
