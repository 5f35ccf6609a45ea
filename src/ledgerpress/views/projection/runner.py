"""Applies new events of the log to the views: a catch-up subscription that commits rows and checkpoints together.

Several processes may write to one views file: each reads the checkpoints inside its write transaction and applies only
the missing events. A projector that fails pauses its projection at the failing event; the other projections continue.
The paused projection continues if a skip of that event is recorded in the log, or if another program on the same views
could not decode the event and this program can.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Protocol, TypeVar

from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogClosed, LogReplaced, LogUnavailable
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog, check_gapless
from ledgerpress.retry import Backoff
from ledgerpress.sqlite.connection import SerialConnection
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.batch_apply import BatchApplier, Write
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.pause_logging import PauseLogging
from ledgerpress.views.projection.progress import ProjectionProgress, running_positions
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from ledgerpress.views.projection.views_follower import ViewsFollower
from ledgerpress.views.projection.views_writer_role import ONLY_PROCESS, ViewsAdvance, ViewsWriterRole
from ledgerpress.views.projection.withdrawal_erasure import Withdrawal, load_erasures, withdrawals_in

T = TypeVar("T")
logger = logging.getLogger(__name__)

_POLL_INTERVAL: Final = 1.0
"""Seconds between two polls of the log, or of projections that are all paused."""
MAX_BRIEF_BATCH: Final = 64
"""The number of events up to which a batch is applied on the thread of the event loop."""
MAX_EVENTS_HANDED_OVER: Final = 10_000
"""The number of events handed over that are kept until they are applied; if there are more, they are read instead."""
SWEEP_INTERVAL: Final = 5.0
"""Seconds between two attempts to overwrite deleted content of the views: each can keep writers waiting."""
FIRST_RETRY_DELAY: Final = 0.05
MAX_RETRY_DELAY: Final = 5.0
"""Seconds before a failed batch is retried: the first delay, and the longest."""
_RETRY: Final = 0.25
"""Seconds between two attempts to reach a log that cannot be reached."""


class ViewsWriter(Protocol):
    """A writer to the views file."""

    def checkpoints(self) -> dict[str, Checkpoint]:
        """Read the checkpoints as of the last commit."""
        ...

    async def write(self, work: Callable[[sqlite3.Connection], T], *, is_brief: bool = False) -> T:
        """Run `work` in one transaction, and return its result: committed if it returns, rolled back if it raises.

        Work that `is_brief` may run on the thread of the event loop.
        """
        ...

    def renewal(self) -> AbstractAsyncContextManager[SerialConnection]:
        """Open one transaction of several steps, in which withdrawn text is erased from the views."""
        ...

    def finish_erasure(self, db: sqlite3.Connection, began_at: int, rebuilt: Sequence[Projector]) -> None:
        """Record that no row contains a payload that was withdrawn up to the position `began_at`.

        Delete all rows and the checkpoints of the projectors `rebuilt`, whose rows can contain such payloads.
        """
        ...

    async def sweep(self) -> bool:
        """Overwrite the content that the last erasure deleted; return whether all of it is overwritten."""
        ...


class ProjectionRunner:
    """Applies the log to the views in batches, and notifies tasks that wait for a position."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec[Event],
        views: ViewsWriter,
        projectors: Sequence[Projector],
        *,
        batch_size: int = 500,
        forget: Callable[[Collection[int]], None] = lambda _: None,
        role: ViewsWriterRole = ONLY_PROCESS,
        file: str = "",
    ) -> None:
        """`batch_size` is the maximum number of events in one transaction.

        `forget` is called with the positions of withdrawn payloads: caches in memory may contain them. `role` is that of
        this process among those that use the same views, in which `file` identifies these views.
        """
        self._forget = forget
        self._swept = False
        self._sweep_at = 0.0
        self._log = log
        self._codec = codec
        self._views = views
        self._batch_size = batch_size
        self._projectors = tuple(projectors)
        self._applier = BatchApplier(log, codec, projectors)
        self._pauses = PauseLogging(log)
        self._role = role
        self._file = file
        self.progress = ProjectionProgress()
        self.follower = ViewsFollower(
            log,
            codec,
            role,
            self.progress,
            read=views.checkpoints,
            step=self.step,
            forget=forget,
            batch_size=batch_size,
        )
        self._turn = asyncio.Lock()
        self._own_events: dict[int, Recorded[Event]] = {}

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        return dict(self.progress.points)

    @property
    def changes(self) -> int:
        """The number of times that a projection has advanced, paused or resumed."""
        return self.progress.changes

    async def wait_for(self, position: int, timeout: float, names: Collection[str] = ()) -> bool:
        """Do the same as `ProjectionProgress.wait_for`."""
        return await self.progress.wait_for(position, timeout, names)

    async def start(self, *, resume: bool = True) -> None:
        """Read the checkpoints; with `resume`, first let paused projections try again, as after a repair."""
        if resume:
            await self._views.write(checkpoints.resume_all)
        self.progress.set(await self._applier.read(self._views.write))
        self._pauses.known(self.progress.points)
        self.progress.read_to = self.progress.reached

    def hand_over(self, events: Sequence[Recorded[Event]]) -> None:
        """Hand over events that this process has just recorded, so that they are not read from the log and decoded.

        Events that are applied already are not kept: their payloads may have been withdrawn since.
        """
        if len(self._own_events) > MAX_EVENTS_HANDED_OVER or self.progress.all_paused:
            self._own_events.clear()
        after = self._next_after
        self._own_events.update((event.position, event) for event in events if event.position > after)

    async def run(self) -> None:
        backoff, delays, last_error = Backoff(FIRST_RETRY_DELAY, MAX_RETRY_DELAY), None, ""
        while True:
            try:
                if not self._role.is_writer:
                    await self.follower.follow()
                    self._pauses.known(self.progress.points)  # the process that applies events logs them
                elif await self._apply_own_events() or not await self.step():
                    await self._wait()
                if last_error:
                    logger.warning("the views follow the log again, at position %d", self.progress.reached)
                delays, last_error = None, ""
            except LogClosed:
                return
            except LogUnavailable:
                # The health check reports it. Continue as soon as the log is reachable.
                await asyncio.sleep(_RETRY)
            except Exception as error:  # after an error of any class, the views must follow again
                if str(error) != last_error:
                    is_expected = isinstance(error, EventLogError | sqlite3.Error | OSError)
                    logger.error(  # noqa: TRY400 - an expected error states its cause
                        "the views cannot follow the log and stay at position %d; trying again: %s",
                        self.progress.reached,
                        error,
                        exc_info=None if is_expected else error,
                    )
                delays, last_error = delays or backoff.delays(), str(error)
                await asyncio.sleep(next(delays))

    async def catch_up(self, progress: Callable[[int], None] | None = None) -> None:
        """Apply all events up to the head. `progress` is called with each position reached."""
        while await self.step():
            if progress:
                progress(self.progress.reached)

    async def step(self) -> bool:
        """Apply one batch; return whether there were events to apply. Raises `GapInLog`, `LogReplaced`."""
        async with self._turn:
            if self._must_sweep:
                await self._sweep()
            if self.progress.all_paused or not (batch := await self._next_batch()):
                return False
            erased = set[int]()
            if withdrawals := withdrawals_in(self._codec, batch):
                points = await self._erase(batch, withdrawals)
                erased = {withdrawal.position for withdrawal in withdrawals}
                self._forget(erased)
                self._report(self.progress.read_to, self.progress.points, erased)
                await self._sweep()
                # A read that began before the erasure may have cached withdrawn content since the first call.
                self._forget(erased)
            else:
                points = await self._applier.apply(self._write_for(batch), batch)
            if self._own_events:
                read_to = max(self.progress.read_to, batch[-1].position)
                self._own_events = {
                    position: event for position, event in self._own_events.items() if position > read_to
                }
            await self._note(points, batch[-1].position, erased)
            return True

    @property
    def _must_sweep(self) -> bool:
        """Whether deleted content is left, and it is time to try to overwrite it."""
        return not self._swept and time.monotonic() >= self._sweep_at

    async def _sweep(self) -> None:
        self._swept = await self._views.sweep()
        self._sweep_at = time.monotonic() + SWEEP_INTERVAL

    async def _apply_own_events(self) -> bool:
        """Apply the next events if this process recorded them; return whether it did.

        If deleted content has to be overwritten now, `step` applies them: it does that first.
        """
        if not self._own_events or self._must_sweep:
            return False
        async with self._turn:
            if not (events := self._next_own_events()):
                return False
            points = await self._applier.apply_decoded(self._write_for(events), events)
            await self._note(points, events[-1].header.position)
            return True

    def _next_own_events(self) -> Sequence[Recorded[Event]]:
        """Return the events after the last one read, if this process recorded them; none if it did not."""
        own, position = self._own_events, self._next_after
        if not own:
            return ()
        events: list[Recorded[Event]] = []
        while len(events) < self._batch_size and (event := own.pop(position + 1, None)) is not None:
            events.append(event)
            position += 1
        if not events:
            # Events before these are read from the log, and these with them.
            own.clear()
        return events

    def _write_for(self, events: Sequence[object]) -> Write:
        """Return the function that writes a batch, which keeps other work waiting only for a short time."""
        return partial(self._views.write, is_brief=len(events) <= MAX_BRIEF_BATCH)

    async def resume(self, name: str) -> None:
        """Let a paused projection try again, in this and every other process on the same views."""
        async with self._turn:
            await self._note(await self._views.write(partial(checkpoints.resume, names=[name])))

    async def _next_batch(self) -> Sequence[StoredEvent]:
        """Return the next events. Raises `LogReplaced` if they follow another event than the one that was applied.

        If the log was restored from a backup and then continued differently, none of its events is applied.
        """
        after = self._next_after
        leaf_hashes = [
            point.leaf_hash for point in self.progress.points.values() if point.position == after > 0
        ]
        start = after - 1 if leaf_hashes else after
        batch = await self._log.read(start, self._batch_size + after - start)
        check_gapless(batch, start)
        if not leaf_hashes:
            return batch
        if batch and batch[0].header.leaf_hash().hex() != leaf_hashes[0]:
            raise LogReplaced(
                f"the log's event at position {after} differs from the one applied to the views"
            )
        return batch[1:]

    async def _note(
        self, points: dict[str, Checkpoint], read_to: int = 0, erased: Collection[int] = ()
    ) -> None:
        """Note what this process has committed after it has read up to `read_to`, and report it to other processes."""
        after = self.progress.read_to
        self.progress.read_to = max(after, read_to)
        self._report(after, points, erased)
        self.progress.note(points)
        await self._pauses.log_changes(points)

    def _report(self, after: int, points: dict[str, Checkpoint], erased: Collection[int] = ()) -> None:
        if self._role is not ONLY_PROCESS:
            self._role.committed(ViewsAdvance.of(self._file, after, self.progress.read_to, points, erased))

    async def release(self) -> None:
        """Wake all waiting tasks: the runner has stopped."""
        self.progress.release()

    async def _wait(self) -> None:
        """Wait for new events; if a projection is paused, check whether it was resumed or may skip its event."""
        if self.progress.all_paused:
            await asyncio.sleep(_POLL_INTERVAL)
        else:
            await self._log.wait_beyond(self._next_after, timeout=_POLL_INTERVAL)
        if self.progress.any_paused:
            async with self._turn:
                points = await self._applier.read(self._views.write)
                if points != self.progress.points:
                    await self._note(points)

    @property
    def _next_after(self) -> int:
        """The position after which to read next.

        Events that another process has already applied are read too, so that no withdrawal is missed.
        """
        return min(self.progress.read_to, self.progress.reached)

    async def _erase(
        self, batch: Sequence[StoredEvent], withdrawals: Sequence[Withdrawal]
    ) -> dict[str, Checkpoint]:
        """Apply `batch`, which withdraws payloads, and leave nothing of these payloads in the views.

        Nothing has to be erased if no projection had reached these events yet, if the views were begun after the
        withdrawal, or if another process has already applied it. If the rest of an event is unknown, all rows are
        rebuilt from the log as it is now.
        """
        points = await self._views.write(checkpoints.read)
        lowest = min(point.position for point in points.values())
        new = [withdrawal for withdrawal in withdrawals if withdrawal.record > lowest]
        erasures = await load_erasures(self._log, self._codec, new)
        async with self._views.renewal() as views:
            points = await views.run(checkpoints.read)
            positions = [point.position for point in points.values()]
            began_at = await views.run(checkpoints.began_at)
            if not any(
                withdrawal.position <= position < withdrawal.record > began_at
                for withdrawal in new
                for position in positions
            ):
                return await self._applier.apply(views.run, batch)
            end = batch[-1].position
            if erasures is None:
                end, rebuilt = await self._log.head(), self._projectors
            else:
                rebuilt = tuple(await self._applier.erase(views.run, erasures))
            await views.run(partial(self._views.finish_erasure, began_at=end, rebuilt=rebuilt))
            if not rebuilt:
                return await self._applier.apply(views.run, batch)
            points = await views.run(checkpoints.read)
            while (running := running_positions(points)) and (after := min(running)) < end:
                events = await self._log.read(after, min(self._batch_size, end - after))
                check_gapless(events, after)
                points = await self._applier.apply(views.run, events)
            return points
