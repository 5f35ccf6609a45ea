"""Which position the log had reached by which time."""

import sqlite3
from typing import Final

from ledgerpress.domain.event import Event
from ledgerpress.eventlog.codec import Recorded


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

    def apply(self, recorded: Recorded[Event], db: sqlite3.Connection) -> None:
        """Write what the event changes."""
        db.execute(
            "INSERT INTO moment SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM moment WHERE recorded_time >= ?1)",
            (recorded.header.recorded_at, recorded.position),
        )
