"""Which commands have been carried out: what makes a repeated command answer as before."""

import sqlite3
from typing import Final

from ledgerpress.domain.event import Event
from ledgerpress.eventlog.codec import Recorded


class CommandsProjector:
    """Keeps, for each command, its fingerprint, what it was about, and the position of its last event."""

    name: Final = "commands"
    version: Final = 1
    schema: Final = """
        CREATE TABLE command (
            id TEXT PRIMARY KEY,
            fingerprint TEXT,            -- NULL where none was given, or where it was withdrawn
            subject_id TEXT NOT NULL,    -- what its first event was about
            last_position INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
    """
    indexes: Final = ""

    def apply(self, recorded: Recorded[Event], db: sqlite3.Connection) -> None:
        """Write what the event changes."""
        db.execute(
            "INSERT INTO command VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET last_position = excluded.last_position",
            (recorded.header.command_id, recorded.fingerprint, _subject_id(recorded), recorded.position),
        )


def _subject_id(recorded: Recorded[Event]) -> str:
    for name in ("post_id", "category_id", "author_id", "actor_id"):
        subject_id = getattr(recorded.event, name, None)
        if subject_id is not None:
            return str(subject_id)
    return recorded.header.stream.rpartition(".")[2]
