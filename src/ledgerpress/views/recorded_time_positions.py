"""Recorded time: converts a time to a position of the log, and a position to a time.

The recorded time at a position is the greatest `recorded_at` up to that position, so it never decreases, even if a
clock was set back. A response as of a time is the response that the store would have given at that time.
"""

import sqlite3
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.views.projection.projector_interface_and_composition import (
    ProjectorBatch,
    no_text_to_erase,
    write_all,
)
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


def position_at(snapshot: Snapshot, time: int) -> int:
    """Return the last position recorded by `time` (microseconds since 1970, UTC); 0 before the first event."""
    row = (
        snapshot.about()
        .execute(
            "SELECT position FROM moment WHERE recorded_time > ? ORDER BY recorded_time LIMIT 1", (time,)
        )
        .fetchone()
    )
    if row and row[0] <= snapshot.position:
        return int(row[0]) - 1  # A later event exists, so this result never changes.
    snapshot.depends_on_position()
    return snapshot.position


def time_of(snapshot: Snapshot) -> int | None:
    """Return the recorded time at the snapshot's position; `None` before the first event."""
    row = snapshot.db.execute(
        "SELECT recorded_time FROM moment WHERE position <= ? ORDER BY position DESC LIMIT 1",
        (snapshot.position,),
    ).fetchone()
    return int(row[0]) if row else None


class MomentsProjector:
    """A projector that writes a row whenever recorded time advances, with the position of that event."""

    name: Final = "moments"
    version: Final = 1
    schema: Final = """
        CREATE TABLE moment (
            recorded_time INTEGER PRIMARY KEY,        -- microseconds since 1970, UTC
            position INTEGER NOT NULL UNIQUE
        ) STRICT;
    """
    indexes: Final = ""

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return _Moments(db)

    erase = no_text_to_erase


class _Moments:
    """The rows of one transaction, and the latest recorded time."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: list[tuple[int, int]] = []
        (self._time,) = db.execute("SELECT coalesce(max(recorded_time), -1) FROM moment").fetchone()

    def apply(self, recorded: Recorded[Event]) -> None:
        time = recorded.header.recorded_at
        if time > self._time:
            self._time = time
            self._rows.append((time, recorded.header.position))

    def flush(self) -> None:
        write_all(self._db, "INSERT INTO moment VALUES (?, ?)", self._rows)
