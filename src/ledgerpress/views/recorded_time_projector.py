"""Which position the log had reached by which time."""

import sqlite3
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event import Event
from ledgerpress.views.projection.projector import ProjectorBatch, write_all


class MomentsProjector:
    """Keeps recorded time: at a position, the greatest recorded-at up to it, whatever clocks did.

    There is a row for each time that recorded time moved on, with the position that moved it.
    """

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
        """Return what writes in the transaction under way."""
        return _Moments(db)


class _Moments:
    """Rows to be written together, and the greatest recorded-at up to the last of them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: list[tuple[int, int]] = []
        (self._reached,) = db.execute("SELECT coalesce(max(recorded_time), -1) FROM moment").fetchone()

    def apply(self, recorded: Recorded[Event]) -> None:
        """Take in what the event changes."""
        time = recorded.header.recorded_at
        if time > self._reached:
            self._reached = time
            self._rows.append((time, recorded.header.position))

    def flush(self) -> None:
        """Write what was kept back."""
        write_all(self._db, "INSERT INTO moment VALUES (?, ?)", self._rows)
