"""Nodes that take leases in memory, each through a proxy to the engine that a test can delay."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.lease_compare_and_set import LeaseRecord
from ledgerpress.eventlog.leases import Leases
from ledgerpress.eventlog.log import EventLog, StreamWrite
from ledgerpress.features.registry import event_codec
from tests.contract.sample_events import PUBLICATION
from tests.fixed_sources import SeededBytes, SetClock
from tests.property.memory_log import MemoryLog

T = TypeVar("T")
Hook: TypeAlias = Callable[[str], Awaitable[None]]
"""A function that receives the name of an operation (`append`, `read` or `write`), and may wait or raise."""


class MemoryRegister:
    """A `LeaseRegister` in memory."""

    def __init__(self) -> None:
        self.held: dict[str, LeaseRecord] = {}

    async def read(self, name: str) -> LeaseRecord | None:
        return self.held.get(name)

    async def write(self, name: str, holder: str, *, previous: int) -> LeaseRecord | None:
        record = self.held.get(name)
        if (record.revision if record else 0) != previous:
            return None
        self.held[name] = LeaseRecord(previous + 1, holder)
        return self.held[name]


async def _no_delay(operation: str) -> None:
    pass


class LogProxy:
    """A proxy of the engine for one node: an `OpenedLog`.

    `there` is called before an operation reaches the engine, `back` before its result reaches the node. An operation
    whose caller is cancelled is still completed, as with an engine on another machine.
    """

    staleness = 0.0
    detects_replacement = False
    max_events = None

    def __init__(self, log: MemoryLog, register: MemoryRegister) -> None:
        self.log = log
        self.register = register
        self.there: Hook = _no_delay
        self.back: Hook = _no_delay
        self._running = set[asyncio.Task[Any]]()

    @property
    def publication(self) -> str:
        return self.log.publication

    @property
    def notices(self) -> Sequence[str]:
        return ()

    @property
    def counts(self) -> Mapping[str, int]:
        return {}

    @property
    def leases(self) -> "ProxiedRegister":
        return ProxiedRegister(self)

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        return await self.carry("append", self.log.append(writes))

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        raise NotImplementedError

    async def head(self) -> int:
        return await self.log.head()

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return await self.log.read(after, limit)

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        return await self.log.read_stream(stream, after)

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        return await self.log.wait_beyond(position, timeout)

    async def current_publication(self) -> str:
        return self.log.publication

    async def check_writable(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def carry(self, name: str, operation: Coroutine[Any, Any, T]) -> T:
        """Run an operation between the two hooks, and return its result."""

        async def with_hooks() -> T:
            try:
                await self.there(name)
            except BaseException:
                operation.close()
                raise
            result = await operation
            await self.back(name)
            return result

        task = asyncio.create_task(with_hooks())
        self._running.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # retrieve it, because no caller may wait for the task


class ProxiedRegister:
    """The lease register behind a proxy."""

    def __init__(self, proxy: LogProxy) -> None:
        self._proxy = proxy

    async def read(self, name: str) -> LeaseRecord | None:
        return await self._proxy.carry("read", self._proxy.register.read(name))

    async def write(self, name: str, holder: str, *, previous: int) -> LeaseRecord | None:
        return await self._proxy.carry("write", self._proxy.register.write(name, holder, previous=previous))


class Engine:
    """A log and a lease register in memory, with proxies to them."""

    def __init__(self) -> None:
        self.log = MemoryLog(PUBLICATION)
        self.register = MemoryRegister()

    def proxy(self) -> LogProxy:
        return LogProxy(self.log, self.register)

    def node(self, node: str, *, duration: float = 12.0, proxy: LogProxy | None = None) -> Leases:
        """Return the leases of a node, by default through a proxy without delays."""
        return Leases(
            proxy or self.proxy(),
            event_codec(),
            SetClock(),
            SeededBytes(node),
            node=node,
            duration=duration,
        )

    async def takings(self, name: str) -> list[str]:
        """Return the names of the nodes that took a lease, in order."""
        return await takings(self.log, name)


async def takings(log: EventLog, name: str) -> list[str]:
    """Return the names of the nodes that took a lease, in order."""
    codec = event_codec()
    events = [codec.decode(stored).event for stored in await log.read_stream(f"lease.{name}")]
    return [str(getattr(event, "node", None)) for event in events]
