"""Erases withdrawn text from the rows of projections that have applied the event with its text.

A projector that can, changes its own rows or replays the stream of the event. Only a projector that cannot is rebuilt.
So the cost depends on the stream, not on the length of the log.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, UndecodableEvent
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import WITHDRAWAL, PayloadWithdrawn
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.unknown_third_party_events import feature_of
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import (
    ComposedProjector,
    Effect,
    ErasingProjector,
    Erasure,
    Projector,
)


class Withdrawal(NamedTuple):
    """A withdrawal in a batch: the position of the withdrawn event, and the position of the record."""

    position: int
    record: int


def withdrawals_in(codec: Codec[Event], batch: Sequence[StoredEvent]) -> list[Withdrawal]:
    """Return the withdrawals that `batch` records."""
    withdrawals = []
    for stored in batch:
        if stored.header.type != WITHDRAWAL:
            continue
        try:
            event = codec.decode(stored).event
        except UndecodableEvent:
            # Every projection pauses here. The next program that can decode it applies it.
            continue
        if isinstance(event, PayloadWithdrawn) and isinstance(position := event.header.get("position"), int):
            withdrawals.append(Withdrawal(position, stored.position))
    return withdrawals


async def load_erasures(
    log: EventLog, codec: Codec[Event], withdrawals: Sequence[Withdrawal]
) -> list[Erasure] | None:
    """Return the erasures of `withdrawals`, read from the log.

    Returns `None` if the rest of an event is unknown, as after a withdrawal of version 1: then every row can depend on
    it. Raises `EventLogError` if a payload is still in the log.
    """
    last = max((withdrawal.record for withdrawal in withdrawals), default=0)
    streams: dict[str, list[Recorded[Event]]] = {}
    erasures = []
    try:
        for position, record in withdrawals:
            *previous, stored = await log.read(max(position - 2, 0), min(position, 2))
            if stored.position != position or stored.payload is not None:
                raise EventLogError(
                    f"the payload at position {position} was withdrawn, but the log still returns it"
                )
            header = stored.header
            if header.stream not in streams:
                stream = await log.read_stream(header.stream)
                streams[header.stream] = codec.decode_all(
                    [event for event in stream if event.position < last]
                )
            erasure = Erasure(
                event=codec.decode(stored),
                event_type=codec.class_of(header.type),
                stream=streams[header.stream],
                record=record,
                is_first_of_command=all(event.header.command_id != header.command_id for event in previous),
            )
            if not erasure.changes_only_text and feature_of(header.type) is None:
                return None
            erasures.append(erasure)
    except UndecodableEvent:
        # A projection that has passed this event has skipped it. Rebuilt rows do not contain the text.
        return None
    return erasures


def erase_rows(
    db: sqlite3.Connection,
    projectors: Sequence[Projector],
    erasures: Sequence[Erasure],
    skipped: Collection[tuple[str, int]],
    replay: Callable[[sqlite3.Connection, Projector, Sequence[Recorded[Event]]], bool],
) -> list[Projector]:
    """Erase the text from the rows of all projections, and return the projectors that must be rebuilt.

    `replay` applies events again, and returns whether the projector accepted all that are not skipped.
    """
    points = checkpoints.read(db)
    rebuilt = []
    for projector in projectors:
        position = points[projector.name].position
        applied = [erasure for erasure in erasures if erasure.event.position <= position < erasure.record]
        is_skipped = any((projector.name, erasure.event.position) in skipped for erasure in applied)
        parts = projector.parts if isinstance(projector, ComposedProjector) else (projector,)
        if is_skipped or not all(_erase(db, part, applied, position, replay) for part in parts):
            rebuilt.append(projector)
    return rebuilt


def _erase(
    db: sqlite3.Connection,
    part: Projector,
    erasures: Sequence[Erasure],
    position: int,
    replay: Callable[[sqlite3.Connection, Projector, Sequence[Recorded[Event]]], bool],
) -> bool:
    """Erase the text from the rows of one part of a projection; return whether that was possible."""
    streams: dict[str, Sequence[Recorded[Event]]] = {}
    for erasure in erasures:
        effect = part.erase(erasure, db) if isinstance(part, ErasingProjector) else Effect.REBUILD
        if effect is Effect.REBUILD:
            return False
        if effect is Effect.REPLAY:
            streams[erasure.event.header.stream] = erasure.stream
    return all(
        replay(db, part, [event for event in stream if event.position <= position])
        for stream in streams.values()
    )
