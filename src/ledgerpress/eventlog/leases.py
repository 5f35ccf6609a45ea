"""Leases, for work that only one node of a publication may do at a time.

A lease has two parts. The register shows which node is alive: the holder renews its entry regularly, and another node
takes the lease by compare-and-set if the entry was not renewed for the holder's duration. The log decides which node
may write: a node that takes the lease records an event, and the stream version of this event is the holder's fencing
token. Every append under the lease has this version as a guard. So a slow former holder may continue to work for a
while, but the log rejects its appends.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from ledgerpress.eventlog.clock_randomness_ids import Clock, Randomness, uuid7, uuid8
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import SALT_BYTES
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable, WrongExpectedVersion
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import LeaseTaken, lease_stream
from ledgerpress.eventlog.lease_compare_and_set import LeaseEntry, LeaseObservation, LeaseRecord
from ledgerpress.eventlog.log import EventLog, OpenedLog, StreamWrite

T = TypeVar("T")
logger = logging.getLogger(__name__)

DURATION: Final = 15.0
"""The default time in seconds for which a holder has the lease after each renewal."""
MAX_POLL_INTERVAL: Final = 1.0
"""The maximum time in seconds between two polls of a node that waits for a lease."""
_WORKING_SHARE: Final = 0.8
"""The share of the duration after which a holder that cannot renew the lease stops its work.

The rest is time to stop, and a margin for clocks that run at different speeds.
"""


class LeaseLost(Exception):
    """The node no longer holds the lease. A rejected append recorded nothing."""

    def __init__(self, *, lease: str, token: int) -> None:
        super().__init__(f"the lease {lease} is lost: token {token} is no longer current")
        self.lease = lease
        self.token = token


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to append under a lease, valid until another node takes the lease.

    `token` is the stream version of the event that took the lease. It grows with each holder, on every engine.
    """

    lease: str
    token: int

    @property
    def guard(self) -> StreamWrite:
        """The guard of each append: the log rejects it once another node has taken the lease."""
        return StreamWrite(lease_stream(self.lease), self.token, ())

    async def append(self, log: EventLog, writes: Sequence[StreamWrite]) -> int:
        """Append under the lease; return the position of the last event.

        Raises `LeaseLost` and the errors of `EventLog.append`.
        """
        guard = self.guard
        try:
            # The guard comes first, so that the loss of the lease is reported even if other streams have changed too.
            return await log.append([guard, *writes])
        except WrongExpectedVersion as error:
            if error.stream != guard.stream:
                raise
            raise LeaseLost(lease=self.lease, token=self.token) from error


@dataclass(slots=True)
class _HeldLease:
    """A lease from the view of its holder.

    `token` is the last known version of the lease's stream, and `revision` the last known revision of its register.
    `written` is the event loop's time just before the last write of the register.
    """

    name: str
    holder: str
    token: int
    revision: int
    written: float


class Leases:
    """The leases of one publication, for one node. Times are measured with the clock of the event loop."""

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
        """`node` is the name of this node; `duration` is in seconds."""
        if not node or duration <= 0:
            raise ValueError("leases need a node name, and a duration above 0 seconds")
        self._log = log
        self._register = log.leases
        self._codec = codec
        self._clock = clock
        self._randomness = randomness
        self._node = node
        self._duration = duration
        self._poll_interval = min(MAX_POLL_INTERVAL, duration / 10)

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[Fence]:
        """Wait for the lease `name`, without limit, and hold it until the end of the context.

        All appends in the context MUST use its fence (`Fence.append`, `CommandRequest.fence`). If the lease is lost,
        the context is cancelled and raises `LeaseLost`. This happens immediately if another node has taken the lease,
        and before another node can take it if the engine does not answer. At the end, the register shows that the
        lease is free, so that other nodes do not wait until it expires.
        """
        lease = await self._acquire(name)
        logger.info("node %s holds the lease %s with token %d", self._node, name, lease.token)
        limit = asyncio.timeout_at(self._deadline(lease))
        renewal = asyncio.create_task(self._renew_until_lost(lease, limit), name=f"lease {name}")
        try:
            async with limit:
                yield Fence(name, lease.token)
        except TimeoutError as error:
            if not limit.expired():
                raise
            logger.warning("node %s has lost the lease %s", self._node, name)
            raise LeaseLost(lease=name, token=lease.token) from error
        finally:
            renewal.cancel()
            await asyncio.wait([renewal])
            await self._release(lease)
            if not renewal.cancelled():
                renewal.result()

    async def run_under(self, name: str, work: Callable[[Fence], Awaitable[T]]) -> T:
        """Run `work` under the lease `name` and return its result; after a loss of the lease, start `work` again.

        If the log cannot be reached, the lease is released too, so that a node that can reach the log may continue.
        """
        while True:
            try:
                async with self.hold(name) as fence:
                    return await work(fence)
            except (LeaseLost, LogUnavailable) as error:
                logger.warning("work under the lease %s was interrupted and starts again: %s", name, error)
                await asyncio.sleep(self._poll_interval)

    async def _acquire(self, name: str) -> _HeldLease:
        lease_stream(name)
        holder = uuid7(self._clock.now(), self._randomness.bytes(10))
        observation = LeaseObservation()
        while True:
            try:
                record = await self._register.read(name)
                # The lease is already ours if an earlier write succeeded without an answer.
                is_ours = record is not None and LeaseEntry.of(record).holder == holder
                if (is_ours or observation.is_free(record, _now())) and (
                    lease := await self._take(name, record, holder)
                ):
                    return lease
            except (LogUnavailable, TimeoutError) as error:
                logger.info("node %s cannot take the lease %s now: %s", self._node, name, error)
            await asyncio.sleep(self._poll_interval)

    async def _take(self, name: str, record: LeaseRecord | None, holder: str) -> _HeldLease | None:
        """Take the lease if the register still contains `record`; return `None` if another node was faster.

        The node knows the expected version of its event before it writes the register. So if two nodes write the
        register one after the other, the first cannot record its event after the second has done so: a greater token
        always belongs to a later holder.
        """
        lease = _HeldLease(
            name,
            holder,
            LeaseEntry.of(record).token if record else 0,
            record.revision if record else 0,
            _now(),
        )
        async with asyncio.timeout_at(self._deadline(lease)):
            while await self._renew(lease):
                try:
                    await self._log.append([self._lease_taken(name, lease.token)])
                except WrongExpectedVersion as error:
                    lease.token = error.actual
                except BaseException:
                    await self._release(lease)
                    raise
                else:
                    lease.token += 1
                    return lease
        return None

    def _lease_taken(self, name: str, version: int) -> StreamWrite:
        fact = LeaseTaken(lease=name, node=self._node)
        now = self._clock.now()
        command_id, salt = uuid7(now, self._randomness.bytes(10)), self._randomness.bytes(SALT_BYTES)
        event_id = uuid8(command_id, 0)
        event = self._codec.system_event(fact, event_id=event_id, command_id=command_id, now=now, salt=salt)
        return StreamWrite(lease_stream(name), version, (event,))

    def _deadline(self, lease: _HeldLease) -> float:
        return lease.written + self._duration * _WORKING_SHARE

    async def _renew_until_lost(self, lease: _HeldLease, limit: asyncio.Timeout) -> None:
        """Renew the lease every third of its duration and postpone `limit`; if that fails, let `limit` expire."""
        while not limit.expired():
            await asyncio.sleep(lease.written + self._duration / 3 - _now())
            try:
                is_held = await self._renew(lease)
            except EventLogError as error:
                logger.warning("node %s cannot renew the lease %s: %s", self._node, lease.name, error)
                await asyncio.sleep(self._poll_interval)
                continue
            if not limit.expired():
                limit.reschedule(self._deadline(lease) if is_held else _now())
            if not is_held:
                return

    async def _renew(self, lease: _HeldLease) -> bool:
        """Write to the register that this node holds the lease from now on; return whether it still holds the lease."""
        return await self._write(lease, LeaseEntry(self._node, self._duration, lease.holder, lease.token))

    async def _release(self, lease: _HeldLease) -> None:
        """Write to the register that the lease is free; if the write fails, the lease expires."""
        with suppress(EventLogError, TimeoutError):
            async with asyncio.timeout(self._poll_interval):
                await self._write(lease, LeaseEntry(self._node, self._duration, None, lease.token))

    async def _write(self, lease: _HeldLease, entry: LeaseEntry) -> bool:
        """Write `entry` to the register unless another node has written it; return whether that succeeded."""
        while True:
            start = _now()
            result = await self._register.write(lease.name, entry.text(), previous=lease.revision)
            if result is not None:
                lease.revision, lease.written = result.revision, start
                return True
            # An earlier write of ours may have succeeded without an answer.
            record = await self._register.read(lease.name)
            if record is None or LeaseEntry.of(record).holder != lease.holder:
                return False
            lease.revision = record.revision


def _now() -> float:
    return asyncio.get_running_loop().time()
