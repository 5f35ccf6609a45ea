"""Work that must be done once in the whole publication, whichever node does it: it runs under a lease.

A lease is two things. The register says who is alive: its holder writes it again and again, and another takes it over
by comparing and setting once it has not been written for as long as the holder said. The log says who may write: each
taking is an event, its version is the holder's token, and every append under the lease carries that version as a
guard. So a holder that was only slow may go on working for a while, but the log takes nothing more from it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from ledgerpress.eventlog.clock import Clock
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import SALT_BYTES, NewEvent
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable, WrongExpectedVersion
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.ids import uuid7, uuid8
from ledgerpress.eventlog.leases import events as leases
from ledgerpress.eventlog.leases.entries import LeaseEntry, LeaseObservation
from ledgerpress.eventlog.leases.events import LeaseTaken
from ledgerpress.eventlog.leases.fencing import Fence, LeaseLost
from ledgerpress.eventlog.leases.lease_register import Held
from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from ledgerpress.eventlog.log_events import SYSTEM_ACTOR_ID
from ledgerpress.eventlog.randomness import Randomness

T = TypeVar("T")
logger = logging.getLogger(__name__)

DURATION: Final = 15.0
"""Seconds for which a holder that is not heard of keeps its lease, by default."""
MAX_POLL_INTERVAL: Final = 1.0
"""Seconds at most between two looks of a node that waits for a lease."""
_USED: Final = 0.8
"""The part of the duration after which a holder stops its work by itself: the rest is for stopping, and for clocks that go at different speeds."""


@dataclass(slots=True)
class _HeldLease:
    """A lease as its holder has it.

    `token` is the last version of its stream that is known of, `revision` the register's, and `written` the loop's
    time from just before the register was last written.
    """

    name: str
    holder: str
    token: int
    revision: int
    written: float


class Leases:
    """The leases of one publication, as one node takes them. Time is that of the running event loop."""

    def __init__(
        self,
        log: OpenedLog,
        codec: Codec[Event],
        clock: Clock,
        randomness: Randomness,
        *,
        node: str,
        duration: float = DURATION,
    ) -> None:
        """Take what it works with. `node` is what this node is called; `duration` is in seconds."""
        if not node or duration <= 0:
            raise ValueError("a node that takes leases needs a name, and a lease lasts for more than no time")
        self._log = log
        self._register = log.leases
        self._codec = codec
        self._clock = clock
        self._randomness = randomness
        self._node = node
        self._duration = duration
        self._look = min(MAX_POLL_INTERVAL, duration / 10)

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[Fence]:
        """Wait for the lease `name`, however long that takes, and hold it until the end of the context.

        Whatever is appended in the context goes through the fence that it gets (`Fence.append`, `Request.fence`). When
        the lease is lost, what runs in the context is cancelled, and the context raises `LeaseLost`: at once where
        another has taken the lease, and before another can take it where the engine has not answered for so long.
        At the end the register says that the lease is free, so that whoever waits need not wait for it to run out.
        """
        holding = await self._acquired(name)
        logger.info("node %s holds the lease %s with token %d", self._node, name, holding.token)
        limit = asyncio.timeout_at(self._deadline(holding))
        beating = asyncio.create_task(self._beat(holding, limit), name=f"lease {name}")
        try:
            async with limit:
                yield Fence(name, holding.token)
        except TimeoutError as error:
            if not limit.expired():
                raise
            logger.warning("node %s has lost the lease %s", self._node, name)
            raise LeaseLost(lease=name, token=holding.token) from error
        finally:
            beating.cancel()
            await asyncio.wait([beating])
            await self._release(holding)
            if not beating.cancelled():
                beating.result()

    async def keep(self, name: str, work: Callable[[Fence], Awaitable[T]]) -> T:
        """Do `work` under the lease `name`, once this node has it, and from its beginning after each loss; return what it returns.

        The lease is given up too where the log's engine cannot be reached, so that a node that can reach it may go on.
        """
        while True:
            try:
                async with self.hold(name) as fence:
                    return await work(fence)
            except (LeaseLost, LogUnavailable) as error:
                logger.warning("work under the lease %s was cut short, and begins anew: %s", name, error)
                await asyncio.sleep(self._look)

    async def _acquired(self, name: str) -> _HeldLease:
        leases.stream_name(name)
        me = uuid7(self._clock.now(), self._randomness.bytes(10))
        sighting = LeaseObservation()
        while True:
            try:
                found = await self._register.read(name)
                # It is ours already where a write of ours got through and its answer did not.
                ours = found is not None and LeaseEntry.of(found).holder == me
                if (ours or sighting.is_free(found, _now())) and (taken := await self._take(name, found, me)):
                    return taken
            except (LogUnavailable, TimeoutError) as error:
                logger.info("node %s cannot take the lease %s now: %s", self._node, name, error)
            await asyncio.sleep(self._look)

    async def _take(self, name: str, found: Held | None, me: str) -> _HeldLease | None:
        """Take the lease where the register is as it was `found`; return `None` where another was faster.

        The version at which the log takes it was known before the register was won. So of two who both won it, the
        one that won it first cannot record its taking after the other has: a greater token belongs to a later holder.
        """
        holding = _HeldLease(
            name, me, LeaseEntry.of(found).token if found else 0, found.revision if found else 0, _now()
        )
        async with asyncio.timeout_at(self._deadline(holding)):
            while await self._prolonged(holding):
                try:
                    await self._log.append([self._taking(name, holding.token)])
                except WrongExpectedVersion as error:
                    holding.token = error.actual
                except BaseException:
                    await self._release(holding)
                    raise
                else:
                    holding.token += 1
                    return holding
        return None

    def _taking(self, name: str, version: int) -> StreamWrite:
        fact = LeaseTaken(lease=name, node=self._node)
        type_, schema_version = self._codec.name_of(fact)
        now = self._clock.now()
        command_id = uuid7(now, self._randomness.bytes(10))
        event = NewEvent(
            event_id=uuid8(command_id, 0),
            type=type_,
            schema_version=schema_version,
            recorded_at=now,
            actor_id=SYSTEM_ACTOR_ID,
            command_id=command_id,
            correlation_id=command_id,
            payload=self._codec.encode(fact, salt=self._randomness.bytes(SALT_BYTES)),
        )
        return StreamWrite(leases.stream_name(name), version, (event,))

    def _deadline(self, holding: _HeldLease) -> float:
        return holding.written + self._duration * _USED

    async def _beat(self, holding: _HeldLease, limit: asyncio.Timeout) -> None:
        """Write the register every third of the duration, and put `limit` off; let it run out where that fails."""
        while not limit.expired():
            await asyncio.sleep(holding.written + self._duration / 3 - _now())
            try:
                held = await self._prolonged(holding)
            except EventLogError as error:
                logger.warning("node %s cannot prolong the lease %s: %s", self._node, holding.name, error)
                await asyncio.sleep(self._look)
                continue
            if not limit.expired():
                limit.reschedule(self._deadline(holding) if held else _now())
            if not held:
                return

    async def _prolonged(self, holding: _HeldLease) -> bool:
        """Write into the register that the lease is held from now on; return whether it could be."""
        return await self._written(
            holding, LeaseEntry(self._node, self._duration, holding.holder, holding.token)
        )

    async def _release(self, holding: _HeldLease) -> None:
        """Let others know that the lease is free; where that fails, they find out when it has run out."""
        with suppress(EventLogError, TimeoutError):
            async with asyncio.timeout(self._look):
                await self._written(holding, LeaseEntry(self._node, self._duration, None, holding.token))

    async def _written(self, holding: _HeldLease, entry: LeaseEntry) -> bool:
        """Write the register where it is as `holding` has left it; return whether it was."""
        while True:
            started = _now()
            held = await self._register.write(holding.name, entry.text(), previous=holding.revision)
            if held is not None:
                holding.revision, holding.written = held.revision, started
                return True
            # Perhaps an earlier write of ours got through whose answer did not.
            found = await self._register.read(holding.name)
            if found is None or LeaseEntry.of(found).holder != holding.holder:
                return False
            holding.revision = found.revision


def _now() -> float:
    return asyncio.get_running_loop().time()
