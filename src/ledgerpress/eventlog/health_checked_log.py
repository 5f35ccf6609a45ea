"""A log with an eye on whether it can be reached: while it cannot, nobody waits for it, and one look finds out when."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import (
    AppendUnresolved,
    EventLogError,
    LogClosed,
    LogReplaced,
    LogUnavailable,
)
from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from ledgerpress.eventlog.log_health import LogHealth

T = TypeVar("T")
logger = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between two looks at the log."""
LOOK_AGAIN: Final = 0.25
"""Seconds between two looks at a log that cannot be reached: so much longer do writes stall than the engine is away."""
PATIENCE: Final = 6.0
"""Seconds that such a look may take: a log that answers nobody for so long cannot be reached.

Longer than adapters try on their own, which may outlast the election of a leader.
"""
SHORT: Final = 4
"""So many looks in turn must find events missing until they are lost, over a longer time than the log's staleness."""


class HealthCheckedLog:
    """An opened log whose contact is known. It does not own the log: whoever opened that closes it.

    With each look it is made sure that the log is still the one that was opened. Where it was replaced, by another
    publication's or by an older state of itself, every method raises `LogReplaced` from then on. From an older state it
    may come back by itself: where it has all again that was seen, nothing was lost but sight of it.

    While the contact is lost, every method but `look` raises `LogUnavailable` at once, and whoever is reading when it is
    lost waits no longer. Appends under way are left to the log: only it can say whether they are recorded.
    """

    def __init__(self, log: OpenedLog, contact: LogHealth | None = None) -> None:
        self._log = log
        self._doubt = asyncio.Event()
        self._reading = set[asyncio.Timeout]()
        self._applied: Callable[[], tuple[int, str | None]] = lambda: (0, None)
        self._short = 0
        self._short_since = 0.0
        self._is_given_up = False
        self.contact = contact or LogHealth(notices=log.notices, counts=lambda: log.counts)

    @property
    def publication(self) -> str:
        """The UUID of the publication whose log this is."""
        return self._log.publication

    @property
    def staleness(self) -> float:
        """For how many seconds the last events may be missing, as `EventLog` says."""
        return self._log.staleness

    def go_by(self, applied: Callable[[], tuple[int, str | None]]) -> None:
        """Have each look make sure of an event: `applied` returns its position, and its leaf hash in hex."""
        self._applied = applied

    def check_place(self) -> None:
        """Raise `LogReplaced` where the log is not the one that was opened any more."""
        if self.contact.replaced is not None:
            raise LogReplaced(self.contact.replaced)

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        """Record events, as `EventLog` says."""
        return await self._recorded(lambda: self._log.append(writes))

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        """Withdraw a payload, as `EventLog` says."""
        return await self._recorded(lambda: self._log.withdraw(position, writes))

    async def head(self) -> int:
        """Return the position of the last event recorded."""
        head = await self._asked(self._log.head)
        self.contact.hear(head)
        return head

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return events in order, as `EventLog` says."""
        events = await self._asked(lambda: self._log.read(after, limit))
        self.contact.hear(events[-1].position if events else 0)
        return events

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        """Return the events of a stream, as `EventLog` says."""
        events = await self._asked(lambda: self._log.read_stream(stream, after))
        self.contact.hear(events[-1].position if events else 0)
        return events

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        """Wait until the head is beyond `position`; return whether it is. That it is not tells nothing of the contact."""
        is_beyond = await self._asked(lambda: self._log.wait_beyond(position, timeout))
        if is_beyond:
            self.contact.hear(position + 1)
        return is_beyond

    async def watch(self) -> None:
        """Look at the log again and again, until cancelled, or until it is found to be another one."""
        while not self._is_given_up:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN if self.contact.is_lost else LOOK):
                    await self._doubt.wait()
            self._doubt.clear()
            await self.look()

    async def look(self) -> bool:
        """Ask the log what it is, whether the contact is lost or not; return whether it answered in time, and well."""
        if self._is_given_up:
            return False
        try:
            async with asyncio.timeout(PATIENCE):
                self.contact.hear(await self._identified())
        except TimeoutError:
            # Others may have been answered meanwhile: then it is busy, and not away.
            if self.contact.is_lost or self.contact.silence >= PATIENCE:
                self._lose(f"it has not answered for {PATIENCE:g} s")
        except LogClosed:
            return False
        except LogReplaced as error:
            # One that ends too early for so long is as good as replaced, and may yet be the same.
            self._is_given_up = not self._short
            self._give_up(str(error))
        except (EventLogError, OSError) as error:
            self._lose(str(error))
        else:
            if self.contact.is_lost:
                logger.warning("the log is reached again, after %.1f s", self.contact.silence)
            self.contact.replaced = None
            self.contact.regain()
        return not self.contact.is_lost

    async def _identified(self) -> int:
        """Return the head. Raises `LogReplaced` unless the log is the one that was opened, and has all that was seen."""
        seen, (position, leaf_hash) = self.contact.head, self._applied()
        short, self._short = self._short, 0
        publication = await self._log.whose()
        if publication != self.publication:
            raise LogReplaced(f"it is the log of another publication ({publication}, not {self.publication})")
        seen = max(seen, position)
        if (head := await self._log.head()) < seen:
            await asyncio.sleep(LOOK_AGAIN)
            head = await self._log.head()
        if head < seen:
            self._short_since = self._short_since if short else time.monotonic()
            self._short = short + 1
            is_lost = self._short >= SHORT and time.monotonic() - self._short_since >= self.staleness
            missing = LogReplaced if is_lost else LogUnavailable
            raise missing(f"it ends at position {head}, and {seen} had been seen")
        if leaf_hash is not None:
            # A replica that is asked may not have come as far as the leader.
            for event in await self._log.read(position - 1, 1):
                if event.header.leaf_hash().hex() != leaf_hash:
                    raise LogReplaced(f"it has another event at position {position}")
        return head

    async def _recorded(self, ask: Callable[[], Awaitable[int]]) -> int:
        self._check()
        try:
            position = await ask()
        except LogUnavailable as error:
            # It may take no writes for the moment, and answer whoever reads: a look will tell.
            self._doubt.set()
            self.contact.unresolved += isinstance(error, AppendUnresolved)
            raise
        self.contact.hear(position)
        return position

    def _check(self) -> None:
        self.check_place()
        if self.contact.is_lost:
            silence = self.contact.silence
            raise LogUnavailable(f"the log cannot be reached; nothing was heard of it for {silence:.0f} s")

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        self._check()
        ending = asyncio.timeout(None)
        try:
            async with ending:
                self._reading.add(ending)
                try:
                    return await ask()
                finally:
                    self._reading.discard(ending)
        except LogUnavailable as error:
            self._lose(str(error))
            raise
        except TimeoutError as error:
            if not ending.expired():
                raise
            raise LogUnavailable("the log could not be reached any more") from error

    def _give_up(self, why: str) -> None:
        if self.contact.replaced is not None and not self._is_given_up:
            return
        self.contact.replaced = (
            f"the log was replaced: {why}. Nothing is read or written any more; see that the right log is in its place, and "
            "restart this node: views that had come further than a restored log are then made anew"
        )
        logger.error("%s", self.contact.replaced)
        self.contact.lose()
        self._end_reading()

    def _lose(self, why: str) -> None:
        if not self.contact.is_lost:
            logger.warning(
                "the log cannot be reached, until further notice the views are served as they are: %s", why
            )
        self.contact.lose()
        self._end_reading()

    def _end_reading(self) -> None:
        # Whoever still waits for an answer would be told the same, only later.
        for ending in self._reading:
            ending.reschedule(0.0)
