"""Applies batches, and lets a projection that fails go on where the log says that it may do without the event.

The log is read when a projection is paused, so a skip that another process recorded takes effect in every one.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.log_events import SKIP, ProjectionSkipped, projection_stream
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.batch_apply import apply_batch, decode
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.projector_interface import Projector

T = TypeVar("T")


class Write(Protocol):
    """Runs a function on views that may be written: a transaction of its own, or a part of one."""

    async def __call__(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns."""
        ...


async def recorded_skips(log: EventLog, codec: Codec[Event], names: Iterable[str]) -> set[tuple[str, int]]:
    """Return the skips recorded for these projections: each one's name, and the position of the event."""
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
    """Applies batches of one log to views. It caches the skips that it has read: what is recorded never changes."""

    def __init__(self, log: EventLog, codec: Codec[Event], projectors: Sequence[Projector]) -> None:
        self._log = log
        self._codec = codec
        self._projectors = tuple(projectors)
        self._skipped = set[tuple[str, int]]()
        self._has_read_skips = False

    async def apply(self, write: Write, batch: Sequence[StoredEvent]) -> dict[str, Checkpoint]:
        """Apply `batch`, with as many transactions as it takes, and return how far each projection has come."""
        if not self._has_read_skips:
            self._skipped |= await self._recorded(projector.name for projector in self._projectors)
            self._has_read_skips = True
        events, undecodable = decode(self._codec, batch)

        def work(db: sqlite3.Connection, going: Sequence[str] = ()) -> dict[str, Checkpoint]:
            checkpoints.resume(db, going)
            return apply_batch(db, self._projectors, events, undecodable, self._skipped)

        points = await write(work)
        while going := await self._skipping(points):
            points = await write(partial(work, going=going))
        return points

    async def read(self, write: Write) -> dict[str, Checkpoint]:
        """Return how far each projection has come, after letting those go on that may do without what they failed at."""
        points = await write(checkpoints.read)
        if going := await self._skipping(points):
            points = await write(partial(checkpoints.resume, names=going))
        return points

    async def _skipping(self, points: Mapping[str, Checkpoint]) -> list[str]:
        """Return the names of the projections that are paused at an event that they may do without."""
        paused = {name: point.position + 1 for name, point in points.items() if point.error is not None}
        self._skipped |= await self._recorded(
            name for name, position in paused.items() if (name, position) not in self._skipped
        )
        return [name for name, position in paused.items() if (name, position) in self._skipped]

    async def _recorded(self, names: Iterable[str]) -> set[tuple[str, int]]:
        return await recorded_skips(self._log, self._codec, names)
