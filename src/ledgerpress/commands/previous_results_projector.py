"""Which commands have been carried out: what makes a repeated command answer as before."""

import sqlite3
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event import Event
from ledgerpress.views.projection.projector import ProjectorBatch, write_all


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

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        """Return what writes in the transaction under way."""
        return _Commands(db)


class _Commands:
    """A row for each command that came up: its id, fingerprint, subject and last position."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: dict[str, list[object]] = {}

    def apply(self, recorded: Recorded[Event]) -> None:
        """Take in what the event changes."""
        header = recorded.header
        row = self._rows.get(header.command_id)
        if row is None:
            row = [header.command_id, recorded.fingerprint, _subject_id(recorded), header.position]
            self._rows[header.command_id] = row
        row[3] = header.position

    def flush(self) -> None:
        """Write what was kept back. A command that began in an earlier transaction keeps what its first event said."""
        write_all(
            self._db,
            "INSERT INTO command VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET last_position = excluded.last_position",
            self._rows.values(),
        )


def _subject_id(recorded: Recorded[Event]) -> str:
    for name in ("post_id", "category_id", "author_id", "token_id", "actor_id"):
        subject_id = getattr(recorded.event, name, None)
        if subject_id is not None:
            return str(subject_id)
    return recorded.header.stream.rpartition(".")[2]
