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
from collections.abc import Callable, Collection, Mapping, Sequence
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
from ledgerpress.views.projection.projector_interface_and_composition import Projector
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
    ) -> None:
        """`batch_size` is the maximum number of events in one transaction.

        `forget` is called with the positions of withdrawn payloads: caches in memory may contain them.
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
        self._set({})
        self._read_to = 0
        self._turn = asyncio.Lock()
        self._own_events: dict[int, Recorded[Event]] = {}
        self._waiting: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self.changes = 0
        """The number of times that a projection has advanced, paused or resumed."""
        self._released = False

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        return dict(self._checkpoints)

    async def start(self, *, resume: bool = True) -> None:
        """Read the checkpoints; with `resume`, first let paused projections try again, as after a repair."""
        if resume:
            await self._views.write(checkpoints.resume_all)
        self._set(await self._applier.read(self._views.write))
        self._pauses.known(self._checkpoints)
        self._read_to = self._reached

    def hand_over(self, events: Sequence[Recorded[Event]]) -> None:
        """Hand over events that this process has just recorded, so that they are not read from the log and decoded.

        Events that are applied already are not kept: their payloads may have been withdrawn since.
        """
        if len(self._own_events) > MAX_EVENTS_HANDED_OVER or self._all_paused:
            self._own_events.clear()
        after = self._next_after
        self._own_events.update((event.position, event) for event in events if event.position > after)

    async def run(self) -> None:
        backoff, delays, last_error = Backoff(FIRST_RETRY_DELAY, MAX_RETRY_DELAY), None, ""
        while True:
            try:
                if await self._apply_own_events() or not await self.step():
                    await self._wait()
                if last_error:
                    logger.warning("the views follow the log again, at position %d", self._reached)
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
                        self._reached,
                        error,
                        exc_info=None if is_expected else error,
                    )
                delays, last_error = delays or backoff.delays(), str(error)
                await asyncio.sleep(next(delays))

    async def catch_up(self, progress: Callable[[int], None] | None = None) -> None:
        """Apply all events up to the head. `progress` is called with each position reached."""
        while await self.step():
            if progress:
                progress(self._reached)

    async def step(self) -> bool:
        """Apply one batch; return whether there were events to apply. Raises `GapInLog`, `LogReplaced`."""
        async with self._turn:
            if self._must_sweep:
                await self._sweep()
            if self._all_paused or not (batch := await self._next_batch()):
                return False
            if withdrawals := withdrawals_in(self._codec, batch):
                points = await self._erase(batch, withdrawals)
                erased = {withdrawal.position for withdrawal in withdrawals}
                self._forget(erased)
                await self._sweep()
                # A read that began before the erasure may have cached withdrawn content since the first call.
                self._forget(erased)
            else:
                points = await self._applier.apply(self._write_for(batch), batch)
            self._read_to = max(self._read_to, batch[-1].position)
            if self._own_events:
                self._own_events = {
                    position: event
                    for position, event in self._own_events.items()
                    if position > self._read_to
                }
            await self._note(points)
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
            self._read_to = events[-1].header.position
            await self._note(points)
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
        leaf_hashes = [point.leaf_hash for point in self._checkpoints.values() if point.position == after > 0]
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

    def _set(self, points: dict[str, Checkpoint]) -> None:
        running = _running(points)
        self._checkpoints = points
        self._reached = min(running or [max([point.position for point in points.values()], default=0)])
        self._all_paused, self._any_paused = not running, len(running) < len(points)

    async def _note(self, points: dict[str, Checkpoint]) -> None:
        self._set(points)
        self.changes += 1
        self._wake()
        await self._pauses.log_changes(points)

    async def release(self) -> None:
        """Wake all waiting tasks: the runner has stopped."""
        self._released = True
        self._wake()

    async def wait_for(self, position: int, timeout: float, names: Collection[str] = ()) -> bool:
        """Wait until the named projections, or all, have reached `position`; return whether they have.

        `timeout` is in seconds. The method does not wait for a paused projection.
        """
        if await self._wait_until(lambda: not self._is_behind(position, names, paused=False), timeout):
            return not self._is_behind(position, names, paused=True)
        return False

    async def wait_for_change(self, after: int, timeout: float) -> None:
        """Wait for at most `timeout` seconds until `changes` is no longer `after`."""
        if self._released:
            await asyncio.sleep(min(timeout, _POLL_INTERVAL))
            return
        await self._wait_until(lambda: self.changes != after, timeout)

    async def _wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait for at most `timeout` seconds until `condition` is true or the runner has stopped; return whether."""
        if condition() or self._released:
            return True
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        self._waiting[woken] = condition
        expiry = loop.call_later(timeout, _settle, woken)
        try:
            await woken
        finally:
            expiry.cancel()
            self._waiting.pop(woken, None)
        return condition() or self._released

    def _wake(self) -> None:
        """Wake the tasks whose condition is true."""
        for woken, condition in self._waiting.items():
            if self._released or condition():
                _settle(woken)

    def _is_behind(self, position: int, names: Collection[str], *, paused: bool) -> bool:
        """Return whether a projection has not reached `position`; paused projections count only with `paused`."""
        if position <= self._reached and not (paused and self._any_paused):
            return False
        for name, point in self._checkpoints.items():
            if point.position < position and (not names or name in names) and (paused or point.error is None):
                return True
        return False

    async def _wait(self) -> None:
        """Wait for new events; if a projection is paused, check whether it was resumed or may skip its event."""
        if self._all_paused:
            await asyncio.sleep(_POLL_INTERVAL)
        else:
            await self._log.wait_beyond(self._next_after, timeout=_POLL_INTERVAL)
        if self._any_paused:
            async with self._turn:
                points = await self._applier.read(self._views.write)
                if points != self._checkpoints:
                    await self._note(points)

    @property
    def _next_after(self) -> int:
        """The position after which to read next.

        Events that another process has already applied are read too, so that no withdrawal is missed.
        """
        return min(self._read_to, self._reached)

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
            while (running := _running(points)) and (after := min(running)) < end:
                events = await self._log.read(after, min(self._batch_size, end - after))
                check_gapless(events, after)
                points = await self._applier.apply(views.run, events)
            return points


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _running(points: Mapping[str, Checkpoint]) -> list[int]:
    """Return the positions of the projections that are not paused."""
    return [point.position for point in points.values() if point.error is None]
