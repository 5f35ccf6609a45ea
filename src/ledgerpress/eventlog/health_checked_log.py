"""The health of a log, and a log with health checks, which fails fast while it is unreachable."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, ParamSpec, TypeVar

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import (
    AppendUnresolved,
    EventLogError,
    LogClosed,
    LogReplaced,
    LogUnavailable,
)
from ledgerpress.eventlog.log import OpenedLog, StreamWrite

P = ParamSpec("P")
T = TypeVar("T")
logger = logging.getLogger(__name__)

CHECK_INTERVAL: Final = 1.0
"""Seconds between two health checks."""
LOST_CHECK_INTERVAL: Final = 0.25
"""Seconds between two checks of an unreachable log: writes stall for that much longer than the engine is away."""
CHECK_TIMEOUT: Final = 6.0
"""Seconds that a check may take: a log that answers nothing for so long is unreachable.

Longer than the retries of the adapters, which may outlast the election of a leader.
"""
MAX_SHORT_CHECKS: Final = 4
"""Events count as lost after so many consecutive checks without them, over a longer time than the log's staleness."""


class LogHealth:
    """The health of a log. Contact is lost when the log cannot be reached, until it answers a health check again."""

    def __init__(
        self,
        *,
        notices: Sequence[str] = (),
        counts: Callable[[], Mapping[str, int]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`notices` and `counts` are those of an `OpenedLog`; `monotonic` returns seconds."""
        self.notices = tuple(notices)
        self.head = 0
        """The greatest position that the log has reported."""
        self.regained = 0
        """How often contact was lost and regained."""
        self.unresolved = 0
        """The number of appends whose result could not be determined."""
        self.replaced: str | None = None
        """Why the log is no longer the one that was opened. Usually only a restart helps."""
        self._counts = counts
        self._monotonic = monotonic
        self._last_contact = monotonic()
        self.is_lost = False
        """Whether the last attempt to reach the log failed."""

    @property
    def counts(self) -> Mapping[str, int]:
        """The log's own counters by name: see `OpenedLog.counts`."""
        return self._counts()

    @property
    def silence(self) -> float:
        """Seconds since the log last answered."""
        return self._monotonic() - self._last_contact

    def note_head(self, head: int = 0) -> None:
        """Note that the log has answered, and that its head is at least `head`.

        That does not regain contact: it may be the answer to a request from before contact was lost.
        """
        if not self.is_lost:
            self._last_contact = self._monotonic()
        self.head = max(self.head, head)

    def regain(self) -> None:
        """Note that the log has answered a health check."""
        self.regained += self.is_lost
        self.is_lost = False
        self._last_contact = self._monotonic()

    def lose(self) -> None:
        self.is_lost = True


class HealthCheckedLog:
    """An opened log with known health. It does not own the log: the caller that opened the log closes it.

    Each check verifies that the log is still the one that was opened. If it was replaced, by another publication's or by an
    older state of itself, every method raises `LogReplaced` from then on. It can recover from an older state: if all known
    events are there again, nothing was lost.

    While contact is lost, every method but `check` raises `LogUnavailable` at once, and pending reads end with it. Pending
    appends are left to the log: only it can determine whether they are recorded.
    """

    def __init__(self, log: OpenedLog, health: LogHealth | None = None) -> None:
        self._log = log
        self._check_requested = asyncio.Event()
        self._reads = set[asyncio.Timeout]()
        self._applied: Callable[[], tuple[int, str | None]] = lambda: (0, None)
        self._short_checks = 0
        self._short_since = 0.0
        self._stopped = False
        self.health = health or LogHealth(notices=log.notices, counts=lambda: log.counts)

    @property
    def publication(self) -> str:
        return self._log.publication

    @property
    def staleness(self) -> float:
        return self._log.staleness

    def verify_applied(self, applied: Callable[[], tuple[int, str | None]]) -> None:
        """Verify an event in each check: `applied` returns its position and its leaf hash in hex."""
        self._applied = applied

    def check_not_replaced(self) -> None:
        """Raise `LogReplaced` if the log is no longer the one that was opened."""
        if self.health.replaced is not None:
            raise LogReplaced(self.health.replaced)

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        return await self._append(self._log.append, writes)

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        return await self._append(self._log.withdraw, position, writes)

    async def head(self) -> int:
        head = await self._read(self._log.head)
        self.health.note_head(head)
        return head

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        events = await self._read(self._log.read, after, limit)
        self.health.note_head(events[-1].position if events else 0)
        return events

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        events = await self._read(self._log.read_stream, stream, after)
        self.health.note_head(events[-1].position if events else 0)
        return events

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        """Wait until the head is beyond `position`; return whether it is. `False` says nothing about the health."""
        is_beyond = await self._read(self._log.wait_beyond, position, timeout)
        if is_beyond:
            self.health.note_head(position + 1)
        return is_beyond

    async def watch(self) -> None:
        """Check the log periodically until cancelled, or until it is certain that it was replaced."""
        while not self._stopped:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOST_CHECK_INTERVAL if self.health.is_lost else CHECK_INTERVAL):
                    await self._check_requested.wait()
            self._check_requested.clear()
            await self.check()

    async def check(self) -> bool:
        """Check the log, even while contact is lost; return whether it is reachable and the one that was opened."""
        if self._stopped:
            return False
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                self.health.note_head(await self._verified_head())
        except TimeoutError:
            # Other requests may have been answered meanwhile: then it is busy, not unreachable.
            if self.health.is_lost or self.health.silence >= CHECK_TIMEOUT:
                self._lose(f"it has not answered for {CHECK_TIMEOUT:g} s")
        except LogClosed:
            return False
        except LogReplaced as error:
            # A log that is too short for so long counts as replaced, but may recover.
            self._stopped = not self._short_checks
            self._mark_replaced(str(error))
        except (EventLogError, OSError) as error:
            self._lose(str(error))
        else:
            if self.health.is_lost:
                logger.warning("the log is reached again, after %.1f s", self.health.silence)
            self.health.replaced = None
            self.health.regain()
        return not self.health.is_lost

    async def _verified_head(self) -> int:
        """Return the head. Raises `LogReplaced` unless the log is the one that was opened and has all known events."""
        known_head, (position, leaf_hash) = self.health.head, self._applied()
        short_checks, self._short_checks = self._short_checks, 0
        publication = await self._log.current_publication()
        if publication != self.publication:
            raise LogReplaced(f"it is the log of another publication ({publication}, not {self.publication})")
        known_head = max(known_head, position)
        if (head := await self._log.head()) < known_head:
            await asyncio.sleep(LOST_CHECK_INTERVAL)
            head = await self._log.head()
        if head < known_head:
            self._short_since = self._short_since if short_checks else time.monotonic()
            self._short_checks = short_checks + 1
            is_lost = (
                self._short_checks >= MAX_SHORT_CHECKS
                and time.monotonic() - self._short_since >= self.staleness
            )
            error = LogReplaced if is_lost else LogUnavailable
            raise error(f"it ends at position {head}, and {known_head} had been seen")
        if leaf_hash is not None:
            # The replica that answers may lag behind the leader.
            for event in await self._log.read(position - 1, 1):
                if event.header.leaf_hash().hex() != leaf_hash:
                    raise LogReplaced(f"it has another event at position {position}")
        return head

    async def _append(
        self, append: Callable[P, Awaitable[int]], *arguments: P.args, **options: P.kwargs
    ) -> int:
        if self.health.is_lost:
            raise self._unusable()
        try:
            position = await append(*arguments, **options)
        except LogUnavailable as error:
            # It may reject writes for the moment and still answer reads: check it.
            self._check_requested.set()
            self.health.unresolved += isinstance(error, AppendUnresolved)
            raise
        self.health.note_head(position)
        return position

    def _unusable(self) -> LogUnavailable:
        """Return why the log cannot be used while contact is lost, as it is with a log that was replaced."""
        if self.health.replaced is not None:
            return LogReplaced(self.health.replaced)
        silence = self.health.silence
        return LogUnavailable(f"the log cannot be reached; nothing was heard of it for {silence:.0f} s")

    async def _read(self, read: Callable[P, Awaitable[T]], *arguments: P.args, **options: P.kwargs) -> T:
        if self.health.is_lost:
            raise self._unusable()
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._reads.add(limit)
                try:
                    return await read(*arguments, **options)
                finally:
                    self._reads.discard(limit)
        except LogUnavailable as error:
            self._lose(str(error))
            raise
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise LogUnavailable("the log could not be reached any more") from error

    def _mark_replaced(self, reason: str) -> None:
        if self.health.replaced is not None and not self._stopped:
            return
        self.health.replaced = (
            f"the log was replaced: {reason}. Nothing is read or written any more; see that the right log is in its place, and "
            "restart this node: views that had come further than a restored log are then made anew"
        )
        logger.error("%s", self.health.replaced)
        self.health.lose()
        self._end_reads()

    def _lose(self, reason: str) -> None:
        if not self.health.is_lost:
            logger.warning(
                "the log cannot be reached, until further notice the views are served as they are: %s", reason
            )
        self.health.lose()
        self._end_reads()

    def _end_reads(self) -> None:
        # They would fail with the same error, only later.
        for limit in self._reads:
            limit.reschedule(0.0)
