"""The smallest log engine that passes the contract suites, for the guide docs/contributing/add-a-log-engine.md.

It keeps everything in memory, so it breaks the first promise of a log: nothing is durable. It is only for tests.
"""

import asyncio
from collections.abc import Mapping, Sequence

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import DuplicateEvent, InvalidEnvelope, LogClosed, WrongExpectedVersion
from ledgerpress.eventlog.head_notifier import HeadNotifier
from ledgerpress.eventlog.kernel_events import withdrawal_stream
from ledgerpress.eventlog.lease_compare_and_set import LeaseRecord
from ledgerpress.eventlog.log import ANY_VERSION, MAX_BATCH_BYTES, StreamWrite, check_writes, first_writes


class MemoryEngine:
    """The storage of the engine: the events of one publication and the registers of its leases."""

    def __init__(self, publication: str) -> None:
        self.publication = publication
        self.events: list[StoredEvent] = []
        self.streams: dict[str, list[int]] = {}
        """The positions of the events of each stream."""
        self.event_ids: set[str] = set()
        self.leases: dict[str, LeaseRecord] = {}
        self.notifiers: set[HeadNotifier] = set()

    def record(self, writes: Sequence[StreamWrite]) -> int:
        """Record all events of `writes` or none. Nothing else runs in between, because there is no `await`."""
        check_writes(writes)
        for write in first_writes(writes):
            actual = len(self.streams.get(write.stream, ()))
            if write.expected not in (ANY_VERSION, actual):
                raise WrongExpectedVersion(stream=write.stream, expected=write.expected, actual=actual)
        known = set(self.event_ids)
        for event in (event for write in writes for event in write.events):
            if event.event_id in known:
                raise DuplicateEvent(event_id=event.event_id)
            known.add(event.event_id)
        for write in writes:
            for event in write.events:
                positions = self.streams.setdefault(write.stream, [])
                positions.append(len(self.events) + 1)
                header = event.header(
                    publication=self.publication,
                    position=positions[-1],
                    stream=write.stream,
                    stream_version=len(positions),
                )
                self.events.append(StoredEvent(header, event.payload))
        self.event_ids = known
        for notifier in self.notifiers:
            notifier.advance(len(self.events))
        return len(self.events)

    def erase(self, position: int, writes: Sequence[StreamWrite]) -> int:
        """Record `writes` and erase the payload at `position`, or do neither."""
        header = self.events[position - 1].header
        stream = withdrawal_stream(header.event_id)
        if stream not in ({write.stream for write in writes} or self.streams):
            raise InvalidEnvelope(f"position {position}: its withdrawal is not recorded")
        head = self.record(writes) if writes else len(self.events)
        record = self.events[self.streams[stream][0] - 1]
        self.events[position - 1] = StoredEvent(header, None, record)
        return head


class MemoryLog:
    """An `OpenedLog` on a `MemoryEngine`, for one process."""

    staleness = 0.0
    detects_replacement = False
    max_events = None
    notices: Sequence[str] = ()
    counts: Mapping[str, int] = {}

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine
        self._notifier = HeadNotifier(self.head)
        self._closed = False
        self.leases = MemoryLeases(engine)
        engine.notifiers.add(self._notifier)

    @property
    def publication(self) -> str:
        return self._engine.publication

    async def check_writable(self) -> None:
        self._open_engine()

    async def current_publication(self) -> str:
        return self._open_engine().publication

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        return self._open_engine().record(writes)

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        return self._open_engine().erase(position, writes)

    async def head(self) -> int:
        return len(self._open_engine().events)

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        batch, size = list[StoredEvent](), 0
        for event in self._open_engine().events[after : after + limit]:
            batch.append(event)
            size += len(event.payload.plaintext) if event.payload else 0
            if size >= MAX_BATCH_BYTES:
                break
        return batch

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        engine = self._open_engine()
        return [engine.events[position - 1] for position in engine.streams.get(stream, [])[after:]]

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        return await self._notifier.wait_beyond(position, timeout)

    async def aclose(self) -> None:
        self._closed = True
        self._engine.notifiers.discard(self._notifier)
        await self._notifier.close()

    def _open_engine(self) -> MemoryEngine:
        if self._closed:
            raise LogClosed("the log was closed")
        return self._engine


class MemoryLeases:
    """The `LeaseRegister` of a `MemoryEngine`."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    async def read(self, name: str) -> LeaseRecord | None:
        return self._engine.leases.get(name)

    async def write(self, name: str, holder: str, *, previous: int) -> LeaseRecord | None:
        current = self._engine.leases.get(name)
        if (current.revision if current else 0) != previous:
            return None
        record = self._engine.leases[name] = LeaseRecord(previous + 1, holder)
        return record


class MemoryPlace:
    """The place of one log, which can be opened several times, like `tests.engines.log_locations.LogPlace` for URLs."""

    def __init__(self) -> None:
        self._engine = MemoryEngine(uuid8("publication", "memory"))
        self._opened: list[MemoryLog] = []

    async def open(self) -> MemoryLog:
        await asyncio.sleep(0)
        log = MemoryLog(self._engine)
        self._opened.append(log)
        return log

    async def close(self, log: MemoryLog) -> None:
        # Appends that were accepted are recorded by now or in the next step of the loop.
        await asyncio.sleep(0)
        await log.aclose()

    async def close_all(self) -> None:
        for log in self._opened:
            await log.aclose()
