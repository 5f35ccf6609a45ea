"""An opened log that passes every call to another one: a base for those that change some of them."""

from collections.abc import Mapping, Sequence

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.lease_compare_and_set import LeaseRegister
from ledgerpress.eventlog.log import OpenedLog, StreamWrite


class DelegatingLog:
    """An `OpenedLog` that is the same as `log`."""

    def __init__(self, log: OpenedLog) -> None:
        self._log = log

    @property
    def publication(self) -> str:
        return self._log.publication

    @property
    def staleness(self) -> float:
        return self._log.staleness

    @property
    def max_events(self) -> int | None:
        return self._log.max_events

    @property
    def detects_replacement(self) -> bool:
        return self._log.detects_replacement

    @property
    def leases(self) -> LeaseRegister:
        return self._log.leases

    @property
    def notices(self) -> Sequence[str]:
        return self._log.notices

    @property
    def counts(self) -> Mapping[str, int]:
        return self._log.counts

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        return await self._log.append(writes)

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        return await self._log.withdraw(position, writes)

    async def head(self) -> int:
        return await self._log.head()

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return await self._log.read(after, limit)

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        return await self._log.read_stream(stream, after)

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        return await self._log.wait_beyond(position, timeout)

    async def check_writable(self) -> None:
        await self._log.check_writable()

    async def current_publication(self) -> str:
        return await self._log.current_publication()

    async def aclose(self) -> None:
        await self._log.aclose()
