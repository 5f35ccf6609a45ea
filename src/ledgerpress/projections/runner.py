"""Keeps the views up with the log: a catch-up subscription whose events and checkpoints commit together.

Several processes may run on one views file: each reads the checkpoints inside its write transaction and applies
only what is missing. A projector that fails pauses its projection at the event that it failed on; the others go on.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Protocol, TypeVar

from ledgerpress.domain.event import Event
from ledgerpress.domain.publication import WITHDRAWAL, PayloadWithdrawn
from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogClosed, UndecodableEvent
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.subscription import check_gapless
from ledgerpress.projections import checkpoints
from ledgerpress.projections.checkpoints import Checkpoint
from ledgerpress.projections.projector import Projector, apply_all

T = TypeVar("T")
logger = logging.getLogger(__name__)

_PASSING_FAULTS = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
    "SQLITE_NOMEM",
)
"""Failures of the machine, not of a projector: they are tried again, and pause nothing."""
_LOOK_AGAIN: Final = 1.0
"""Seconds between two looks at the log, or at projections that are all paused."""


class ViewsWriter(Protocol):
    """Runs a function in one write transaction on the views file: committed when it returns, else rolled back."""

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns."""
        ...

    def renewal(self) -> AbstractAsyncContextManager["Renewal"]:
        """Lend one long transaction, in which the views are emptied and written anew."""
        ...

    async def sweep(self) -> bool:
        """Overwrite what the last renewal deleted; return whether that is done."""
        ...


class Renewal(Protocol):
    """One transaction on the views file, in which they are emptied and written anew."""

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns."""
        ...

    async def empty(self) -> None:
        """Delete all rows and checkpoints, for ever."""
        ...


class ProjectionRunner:
    """Applies the log to the views, batch by batch, and tells who waits how far it has come."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec[Event],
        views: ViewsWriter,
        projectors: Sequence[Projector],
        *,
        batch_size: int = 500,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what it connects. `batch_size` is the greatest number of events in one transaction.

        `forget` is called for payloads that were withdrawn: what is in memory may hold them.
        """
        self._forget = forget
        self._swept = False
        self._log = log
        self._codec = codec
        self._views = views
        self._projectors = tuple(projectors)
        self._batch_size = batch_size
        self._checkpoints: dict[str, Checkpoint] = {}
        self._moved = asyncio.Condition()

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """How far each projection has come, by its name."""
        return dict(self._checkpoints)

    async def start(self, *, resume: bool = True) -> None:
        """Read the checkpoints; with `resume`, a projection that was paused is tried again, as after a repair."""
        self._checkpoints = await self._views.write(checkpoints.resume_all if resume else checkpoints.read)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        delay = 0.05
        while True:
            try:
                if not await self.step():
                    await self._wait()
                delay = 0.05
            except LogClosed:
                return
            except (EventLogError, sqlite3.Error, OSError) as fault:
                logger.warning("the views cannot follow the log, trying again: %s", fault)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    async def catch_up(self, progress: Callable[[int], None] | None = None) -> None:
        """Apply everything up to the head. `progress` is called with each position reached."""
        while await self.step():
            if progress:
                progress(self._reached())

    async def step(self) -> bool:
        """Apply one batch; return whether there was anything to apply. Raises `GapInLog`."""
        if not self._swept:
            self._swept = await self._views.sweep()
        after = self._reached()
        if self._all_paused:
            return False
        batch = await self._log.read(after, self._batch_size)
        if not batch:
            return False
        check_gapless(batch, after)
        if withdrawn := self._withdrawn(batch):
            self._checkpoints = await self._renew(batch, withdrawn)
            self._forget()
            self._swept = await self._views.sweep()
            # Whoever had begun to read before may have remembered something since.
            self._forget()
        else:
            self._checkpoints = await self._views.write(lambda db: self._apply(db, batch))
        async with self._moved:
            self._moved.notify_all()
        return True

    async def wait_for(self, position: int, timeout: float, names: Collection[str] = ()) -> bool:
        """Wait until the named projections, or all, have reached `position`; return whether they have.

        `timeout` is in seconds. It does not wait for a projection that is paused.
        """

        def settled() -> bool:
            points = [point for name, point in self._checkpoints.items() if not names or name in names]
            return all(point.position >= position or point.is_paused for point in points)

        async with self._moved:
            try:
                await asyncio.wait_for(self._moved.wait_for(settled), timeout)
            except TimeoutError:
                return False
        points = [point for name, point in self._checkpoints.items() if not names or name in names]
        return all(point.position >= position for point in points)

    async def _wait(self) -> None:
        """Wait for new events; where all is paused, for another process to have let a projection try again."""
        if not self._all_paused:
            await self._log.wait_beyond(self._reached(), timeout=_LOOK_AGAIN)
            return
        await asyncio.sleep(_LOOK_AGAIN)
        self._checkpoints = await self._views.write(checkpoints.read)

    @property
    def _all_paused(self) -> bool:
        return all(point.is_paused for point in self._checkpoints.values())

    def _reached(self) -> int:
        """Return how far the slowest projection that is not paused has come."""
        going = [point.position for point in self._checkpoints.values() if not point.is_paused]
        return min(going, default=max((point.position for point in self._checkpoints.values()), default=0))

    def _apply(self, db: sqlite3.Connection, batch: Sequence[StoredEvent]) -> dict[str, Checkpoint]:
        events, undecodable = self._decoded(batch)
        points = checkpoints.read(db)
        for projector in self._projectors:
            point = points[projector.name]
            fresh = [event for event in events if event.position > point.position]
            if point.is_paused or (fresh and fresh[0].position != point.position + 1):
                continue
            failure = self._project(db, projector, fresh)
            if failure:
                done, error = failure
                points[projector.name] = checkpoints.pause(db, projector.name, done or point, error)
            else:
                reached = checkpoints.at(fresh[-1]) if fresh else point
                if undecodable and undecodable.position == reached.position + 1:
                    points[projector.name] = checkpoints.pause(db, projector.name, reached, undecodable)
                elif fresh:
                    points[projector.name] = checkpoints.save(db, projector.name, reached)
        return points

    def _withdrawn(self, batch: Sequence[StoredEvent]) -> list[tuple[int, int]]:
        """Return the positions of the payloads that `batch` withdraws, each with that of its withdrawal."""
        events, _ = self._decoded([event for event in batch if event.header.type == WITHDRAWAL])
        return [
            (position, recorded.position)
            for recorded in events
            if isinstance(recorded.event, PayloadWithdrawn)
            and isinstance(position := recorded.event.header.get("position"), int)
        ]

    async def _renew(
        self, batch: Sequence[StoredEvent], withdrawn: Sequence[tuple[int, int]]
    ) -> dict[str, Checkpoint]:
        """Apply `batch`, in which payloads are withdrawn, so that nothing of them is left in the views.

        Rows that were made of such a payload may have led to others, so all are made anew, from the log as it is now.
        That is not needed where no projection had come to those events yet, or where another process was faster.
        """
        async with self._views.renewal() as views:
            points = await views.run(checkpoints.read)
            positions = [point.position for point in points.values()]
            if not any(gone <= position < by for gone, by in withdrawn for position in positions):
                return await views.run(lambda db: self._apply(db, batch))
            await views.empty()
            after, end = 0, await self._log.head()
            while after < end:
                events = await self._log.read(after, min(self._batch_size, end - after))
                check_gapless(events, after)
                points = await views.run(partial(self._apply, batch=events))
                after = events[-1].position
            return points

    def _decoded(self, batch: Sequence[StoredEvent]) -> tuple[list[Recorded[Event]], UndecodableEvent | None]:
        events: list[Recorded[Event]] = []
        for stored in batch:
            try:
                events.append(self._codec.decode(stored))
            except UndecodableEvent as error:
                return events, error
        return events, None

    def _project(
        self, db: sqlite3.Connection, projector: Projector, events: Sequence[Recorded[Event]]
    ) -> tuple[Checkpoint | None, Exception] | None:
        """Apply `events`; on a failure keep those before it, and return the checkpoint reached and the error.

        Rows kept back may fail when they are written, so the event at fault is found by applying one at a time.
        """
        if _attempt(db, projector, events) is None:
            return None
        for done, event in enumerate(events):
            if error := _attempt(db, projector, [event]):
                logger.error(
                    "projection %s paused at position %d", projector.name, event.position, exc_info=error
                )
                return (checkpoints.at(events[done - 1]) if done else None), error
        return None


def _attempt(
    db: sqlite3.Connection, projector: Projector, events: Sequence[Recorded[Event]]
) -> Exception | None:
    """Apply `events`, all or none; return what went wrong. Raises failures of the machine."""
    db.execute("SAVEPOINT projection")
    try:
        apply_all(projector, events, db)
    except Exception as error:
        if _is_passing(error):
            raise
        db.execute("ROLLBACK TO projection")
        return error
    finally:
        db.execute("RELEASE projection")
    return None


def _is_passing(error: Exception) -> bool:
    name = getattr(error, "sqlite_errorname", None) or ""
    return isinstance(error, sqlite3.OperationalError) and name.startswith(_PASSING_FAULTS)
