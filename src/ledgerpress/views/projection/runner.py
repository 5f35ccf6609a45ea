"""Follows the log with the views: a catch-up subscription whose events and checkpoints commit together.

Several processes may run on one views file: each reads the checkpoints inside its write transaction and applies
only what is missing. A projector that fails pauses its projection at the event that it failed on; the others go on.
It goes on too where the log says that it may do without that event, or where another program on the same views could not
decode the event and this one can.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Protocol, TypeVar

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogClosed, LogReplaced, LogUnavailable
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog, check_gapless
from ledgerpress.retry import Backoff
from ledgerpress.sqlite.connection import SerialConnection
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.batch_apply import BatchApplier, withdrawn_by
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.projector_interface_and_composition import Projector

T = TypeVar("T")
logger = logging.getLogger(__name__)

_POLL_INTERVAL: Final = 1.0
"""Seconds between two polls of the log, or of projections that are all paused."""


FIRST_RETRY_DELAY: Final = 0.05
MAX_RETRY_DELAY: Final = 5.0
"""Seconds before a failed batch is tried again: the first delay, and the longest."""
_RETRY: Final = 0.25
"""Seconds until a log that cannot be reached is tried again."""


class ViewsWriter(Protocol):
    """Runs a function in one write transaction on the views file: committed when it returns, else rolled back."""

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns."""
        ...

    def renewal(self) -> AbstractAsyncContextManager[SerialConnection]:
        """Lend one long transaction, in which the views are emptied and rebuilt."""
        ...

    def empty(self, db: sqlite3.Connection, began_at: int) -> None:
        """Delete all rows and checkpoints permanently. `began_at` is the head of the log now."""
        ...

    async def sweep(self) -> bool:
        """Overwrite what the last renewal deleted; return whether that is done."""
        ...


class ProjectionRunner:
    """Applies the log to the views, batch by batch, and wakes those who wait for a position."""

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
        self._batch_size = batch_size
        self._applier = BatchApplier(log, codec, projectors)
        self._set({})
        self._read_to = 0
        self._turn = asyncio.Lock()
        self._moved = asyncio.Condition()
        self._released = False

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        return dict(self._checkpoints)

    async def start(self, *, resume: bool = True) -> None:
        """Read the checkpoints; with `resume`, a projection that was paused is tried again, as after a repair."""
        if resume:
            await self._views.write(checkpoints.resume_all)
        self._set(await self._applier.read(self._views.write))
        self._read_to = self._reached

    async def run(self) -> None:
        backoff, delays, last = Backoff(FIRST_RETRY_DELAY, MAX_RETRY_DELAY), None, ""
        while True:
            try:
                if not await self.step():
                    await self._wait()
                delays, last = None, ""
            except LogClosed:
                return
            except LogUnavailable:
                # The health check reports it. Continue as soon as the log is reachable.
                await asyncio.sleep(_RETRY)
            except (EventLogError, sqlite3.Error, OSError) as fault:
                if str(fault) != last:
                    logger.warning("the views cannot follow the log, trying again: %s", fault)
                delays, last = delays or backoff.delays(), str(fault)
                await asyncio.sleep(next(delays))

    async def catch_up(self, progress: Callable[[int], None] | None = None) -> None:
        """Apply everything up to the head. `progress` is called with each position reached."""
        while await self.step():
            if progress:
                progress(self._reached)

    async def step(self) -> bool:
        """Apply one batch; return whether there was anything to apply. Raises `GapInLog`."""
        async with self._turn:
            if not self._swept:
                self._swept = await self._views.sweep()
            if self._all_paused or not (batch := await self._next_batch()):
                return False
            if withdrawn := withdrawn_by(self._codec, batch):
                points = await self._renew(batch, withdrawn)
                self._forget()
                self._swept = await self._views.sweep()
                # A read that began before may have cached something since.
                self._forget()
            else:
                points = await self._applier.apply(self._views.write, batch)
            self._read_to = max(self._read_to, batch[-1].position)
            await self._note(points)
            return True

    async def resume(self, name: str) -> None:
        """Let a paused projection try again, here and in every process on the same views."""
        async with self._turn:
            self._set(await self._views.write(partial(checkpoints.resume, names=[name])))

    async def _next_batch(self) -> Sequence[StoredEvent]:
        """Return the events that follow. Raises `LogReplaced` where they follow another event than was applied.

        So nothing of a log that was restored from a backup, and went another way, is ever applied to these views.
        """
        after = self._next_after
        known = [point.leaf_hash for point in self._checkpoints.values() if point.position == after > 0]
        start = after - 1 if known else after
        batch = await self._log.read(start, self._batch_size + after - start)
        check_gapless(batch, start)
        if not known:
            return batch
        if batch and batch[0].header.leaf_hash().hex() != known[0]:
            raise LogReplaced(f"the log has another event at position {after} than was applied to the views")
        return batch[1:]

    def _set(self, points: dict[str, Checkpoint]) -> None:
        running = _running(points)
        self._checkpoints = points
        self._reached = min(running or [max([point.position for point in points.values()], default=0)])
        self._all_paused, self._any_paused = not running, len(running) < len(points)

    async def _note(self, points: dict[str, Checkpoint]) -> None:
        self._set(points)
        async with self._moved:
            self._moved.notify_all()

    async def release(self) -> None:
        """Wake everyone who waits: it has stopped following."""
        self._released = True
        async with self._moved:
            self._moved.notify_all()

    async def wait_for(self, position: int, timeout: float, names: Collection[str] = ()) -> bool:
        """Wait until the named projections, or all, have reached `position`; return whether they have.

        `timeout` is in seconds. It does not wait for a projection that is paused.
        """

        def settled() -> bool:
            return self._released or not self._is_behind(position, names, paused=False)

        async with self._moved:
            try:
                await asyncio.wait_for(self._moved.wait_for(settled), timeout)
            except TimeoutError:
                return False
        return not self._is_behind(position, names, paused=True)

    def _is_behind(self, position: int, names: Collection[str], *, paused: bool) -> bool:
        """Return whether one of the projections has not reached `position`, with those that are `paused` or without."""
        for name, point in self._checkpoints.items():
            if point.position < position and (not names or name in names) and (paused or point.error is None):
                return True
        return False

    async def _wait(self) -> None:
        """Wait for new events; where anything is paused, for another process to have let it try again or skip."""
        if self._all_paused:
            await asyncio.sleep(_POLL_INTERVAL)
        else:
            await self._log.wait_beyond(self._next_after, timeout=_POLL_INTERVAL)
        if self._any_paused:
            async with self._turn:
                await self._note(await self._applier.read(self._views.write))

    @property
    def _next_after(self) -> int:
        """Return where to read on: where another process was faster, too, so that no withdrawal is overlooked."""
        return min(self._read_to, self._reached)

    async def _renew(
        self, batch: Sequence[StoredEvent], withdrawn: Sequence[tuple[int, int]]
    ) -> dict[str, Checkpoint]:
        """Apply `batch`, in which payloads are withdrawn, so that nothing of them is left in the views.

        Rows that were made of such a payload may have led to others, so all are rebuilt, from the log as it is now.
        That is not needed if no projection had reached those events yet, if the views were begun when the
        payloads had gone already, or where another process was faster.
        """
        async with self._views.renewal() as views:
            points = await views.run(checkpoints.read)
            positions = [point.position for point in points.values()]
            began = await views.run(checkpoints.began_at)
            if not any(gone <= position < by > began for gone, by in withdrawn for position in positions):
                return await self._applier.apply(views.run, batch)
            end = await self._log.head()
            await views.run(partial(self._views.empty, began_at=end))
            points = await views.run(checkpoints.read)
            while (running := _running(points)) and (after := min(running)) < end:
                events = await self._log.read(after, min(self._batch_size, end - after))
                check_gapless(events, after)
                points = await self._applier.apply(views.run, events)
            return points


def _running(points: Mapping[str, Checkpoint]) -> list[int]:
    """Return how far each projection has come that is not paused."""
    return [point.position for point in points.values() if point.error is None]
