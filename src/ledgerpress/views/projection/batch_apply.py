"""Applies a batch of events to the views, both when the runner follows the log and when views are rebuilt.

The result depends only on the events, on the existing rows, and on the events that are skipped.
"""

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import UndecodableEvent
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import SKIP, ProjectionSkipped, projection_stream
from ledgerpress.eventlog.log import EventLog
from ledgerpress.sqlite.faults import is_damage, is_failure_of_machine
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.projector_interface_and_composition import (
    Erasure,
    Projector,
    events_of,
)
from ledgerpress.views.projection.withdrawal_erasure import erase_rows

T = TypeVar("T")
logger = logging.getLogger(__name__)


def decode(
    codec: Codec[Event], batch: Sequence[StoredEvent]
) -> tuple[list[Recorded[Event]], UndecodableEvent | None]:
    """Return the decoded events of `batch` up to the first undecodable event, and the error of that event, if any."""
    events: list[Recorded[Event]] = []
    for stored in batch:
        try:
            events.append(codec.decode(stored))
        except UndecodableEvent as error:
            return events, error
    return events, None


def apply_batch(
    db: sqlite3.Connection,
    projectors: Sequence[Projector],
    events: Sequence[Recorded[Event]],
    undecodable: UndecodableEvent | None = None,
    skipped: Collection[tuple[str, int]] = (),
) -> dict[str, Checkpoint]:
    """Apply `events` to the views in `db`, each to the projections that lack it, and return all checkpoints.

    `undecodable` is the error of the event after the last of `events`, if that event cannot be decoded. A projection
    pauses at an event that it cannot apply, unless `skipped` contains the projection's name and the event's position:
    then it continues without that event. A paused projection stays paused. A projection that lacks an event before the
    first of `events` keeps its checkpoint. Rows and checkpoints belong to the transaction that the caller has begun.
    Raises `sqlite3.Error` for damaged views and for a failure of the machine; the caller must then roll back.
    """
    if undecodable is None and (shared := _apply_together(db, projectors, events)) is not None:
        return {projector.name: shared for projector in projectors}
    points = checkpoints.read(db)
    # Projections at the same position lack the same events.
    batches: dict[int, _Missing] = {}
    new_points: dict[str, Checkpoint] = {}
    for projector in projectors:
        name, point = projector.name, points[projector.name]
        missing = batches.get(point.position)
        if missing is None:
            missing = batches[point.position] = _missing_after(point.position, events)
        if point.error is not None or missing.has_gap:
            continue
        count, error = len(missing.events), None
        if _concerns(projector, missing.types) and _attempt(db, [projector], missing.events) is not None:
            count, error = _apply_one_by_one(db, projector, missing.events, skipped)
        new_point = point
        if count and count == len(missing.events) and missing.end:
            new_point = missing.end
        elif count:
            new_point = checkpoints.at(missing.events[count - 1])
        if error is None and undecodable and undecodable.position == new_point.position + 1:
            if (name, undecodable.position) in skipped:
                logger.warning("projection %s skips position %d: %s", name, undecodable.position, undecodable)
                new_point = Checkpoint(undecodable.position, undecodable.leaf_hash)
            else:
                error = undecodable
        if error is not None:
            new_point = replace(new_point, error=f"{type(error).__name__}: {error}", cause=error)
        if new_point != point:
            new_points[name] = new_point
    checkpoints.save(db, new_points)
    return {**points, **new_points}


def _apply_together(
    db: sqlite3.Connection, projectors: Sequence[Projector], events: Sequence[Recorded[Event]]
) -> Checkpoint | None:
    """Apply `events` to all projections at once, and return their checkpoint; `None` if that is not possible.

    It is possible if all projections have the same checkpoint and none fails: as a rule. Then one savepoint and one
    checkpoint are enough. Otherwise nothing is changed.
    """
    point = checkpoints.read_shared(db, len(projectors))
    if point is None:
        return None
    missing = _missing_after(point.position, events)
    if missing.end is None or missing.has_gap:
        return None if missing.has_gap else point
    concerned = [projector for projector in projectors if _concerns(projector, missing.types)]
    if _attempt(db, concerned, missing.events) is not None:
        return None
    checkpoints.save_shared(db, missing.end)
    return missing.end


def _concerns(projector: Projector, types: frozenset[type[Event]]) -> bool:
    """Return whether a projector may produce rows for events of these types."""
    declared = events_of(projector)
    return declared is None or not declared.isdisjoint(types)


class _Missing(NamedTuple):
    """The events that projections at one position lack, and the checkpoint after the last of these events."""

    events: Sequence[Recorded[Event]]
    types: frozenset[type[Event]]
    has_gap: bool
    end: Checkpoint | None


def _missing_after(position: int, events: Sequence[Recorded[Event]]) -> _Missing:
    missing = [event for event in events if event.header.position > position]
    types = frozenset([type(event.event) for event in missing])
    if not missing:
        return _Missing(missing, types, has_gap=False, end=None)
    return _Missing(missing, types, missing[0].position != position + 1, checkpoints.at(missing[-1]))


def _apply_one_by_one(
    db: sqlite3.Connection,
    projector: Projector,
    events: Sequence[Recorded[Event]],
    skipped: Collection[tuple[str, int]],
) -> tuple[int, Exception | None]:
    """Apply `events` one by one, and skip an event that fails if `skipped` contains it.

    Returns the number of events that were applied or skipped, and the error of the event after them, if any. In a
    batch, buffered rows may fail only when they are written; one by one, the failing event is known.
    """
    for count, event in enumerate(events):
        error = _attempt(db, [projector], [event])
        if error is None:
            continue
        if (projector.name, event.position) not in skipped:
            return count, error
        description = f"{type(error).__name__}: {error}"
        logger.warning("projection %s skips position %d: %s", projector.name, event.position, description)
    return len(events), None


def _attempt(
    db: sqlite3.Connection, projectors: Sequence[Projector], events: Sequence[Recorded[Event]]
) -> Exception | None:
    """Apply all of `events` to all `projectors`, or none to any; return the error, if any.

    Raises damage and failures of the machine.
    """
    db.execute("SAVEPOINT projection")
    try:
        for projector in projectors:
            batch = projector.begin(db)
            for event in events:
                batch.apply(event)
            batch.flush()
    except Exception as error:
        if is_damage(error) or is_failure_of_machine(error):
            raise  # the projector is not wrong
        db.execute("ROLLBACK TO projection")
        return error
    finally:
        db.execute("RELEASE projection")
    return None


def _was_undecodable(point: Checkpoint) -> bool:
    return point.error is not None and point.error.startswith(f"{UndecodableEvent.__name__}:")


class Write(Protocol):
    """Runs a function on writable views, in its own transaction or as part of one, and returns the function's result."""

    async def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> T: ...


async def recorded_skips(log: EventLog, codec: Codec[Event], names: Iterable[str]) -> set[tuple[str, int]]:
    """Return the skips recorded for these projections: the projection's name, and the position of the event."""
    skipped = set()
    for name in names:
        stream = await log.read_stream(projection_stream(name))
        events, _ = decode(codec, [stored for stored in stream if stored.header.type == SKIP])
        skipped |= {
            (name, recorded.event.position)
            for recorded in events
            if isinstance(recorded.event, ProjectionSkipped)
        }
    return skipped


class BatchApplier:
    """Applies batches of one log to the views. It caches the skips that it has read: recorded skips never change."""

    def __init__(self, log: EventLog, codec: Codec[Event], projectors: Sequence[Projector]) -> None:
        self._log = log
        self._codec = codec
        self._projectors = tuple(projectors)
        self._skipped = set[tuple[str, int]]()
        self._has_read_skips = False

    async def apply(self, write: Write, batch: Sequence[StoredEvent]) -> dict[str, Checkpoint]:
        """Apply `batch` in as many transactions as necessary, and return the checkpoint of each projection."""
        return await self.apply_decoded(write, *decode(self._codec, batch))

    async def apply_decoded(
        self,
        write: Write,
        events: Sequence[Recorded[Event]],
        undecodable: UndecodableEvent | None = None,
    ) -> dict[str, Checkpoint]:
        """Do the same as `apply` for events that are decoded already, and the error of the event after them, if any."""
        await self._read_skips()

        def work(db: sqlite3.Connection, resumable: Sequence[str] = ()) -> dict[str, Checkpoint]:
            if resumable:
                checkpoints.resume(db, resumable)
            return apply_batch(db, self._projectors, events, undecodable, self._skipped)

        points = await write(work)
        while resumable := await self._resumable(points):
            points = await write(partial(work, resumable=resumable))
        return points

    async def erase(self, write: Write, erasures: Sequence[Erasure]) -> list[Projector]:
        """Erase withdrawn text from the rows, and return the projectors that must be rebuilt."""
        await self._read_skips()

        def replay(db: sqlite3.Connection, projector: Projector, events: Sequence[Recorded[Event]]) -> bool:
            return (
                _attempt(db, [projector], events) is None
                or _apply_one_by_one(db, projector, events, self._skipped)[1] is None
            )

        return await write(
            partial(
                erase_rows,
                projectors=self._projectors,
                erasures=erasures,
                skipped=self._skipped,
                replay=replay,
            )
        )

    async def _read_skips(self) -> None:
        if not self._has_read_skips:
            self._skipped |= await self._recorded(projector.name for projector in self._projectors)
            self._has_read_skips = True

    async def read(self, write: Write) -> dict[str, Checkpoint]:
        """Resume the paused projections that can continue, and return the checkpoint of each projection."""
        points = await write(checkpoints.read)
        if resumable := await self._resumable(points):
            points = await write(partial(checkpoints.resume, names=resumable))
        return points

    async def _resumable(self, points: Mapping[str, Checkpoint]) -> list[str]:
        """Return the names of the paused projections that can continue.

        Either a skip of the event is recorded, or another program on the same views could not decode the event and this
        program can. The other program is an earlier version, or has other features.
        """
        paused = {name: point for name, point in points.items() if point.error is not None}
        if not paused:
            return []
        self._skipped |= await self._recorded(
            name for name, point in paused.items() if (name, point.position + 1) not in self._skipped
        )
        at_undecodable = {name: point.position for name, point in paused.items() if _was_undecodable(point)}
        decodable = {after for after in set(at_undecodable.values()) if await self._can_decode_after(after)}
        return [
            name
            for name, point in paused.items()
            if (name, point.position + 1) in self._skipped or at_undecodable.get(name) in decodable
        ]

    async def _can_decode_after(self, position: int) -> bool:
        events, _ = decode(self._codec, await self._log.read(position, 1))
        return bool(events)

    async def _recorded(self, names: Iterable[str]) -> set[tuple[str, int]]:
        return await recorded_skips(self._log, self._codec, names)
