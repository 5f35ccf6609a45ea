"""The results of executed commands. A repeated command returns the same result."""

import sqlite3
from functools import lru_cache
from typing import Final, NamedTuple

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, remaining_event
from ledgerpress.eventlog.unknown_third_party_events import feature_of
from ledgerpress.views.projection.projector_interface_and_composition import (
    Effect,
    Erasure,
    ProjectorBatch,
    write_all,
)
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


class PreviousResult(NamedTuple):
    """The result of an executed command. `last_position` is the position of its last event."""

    fingerprint: str | None
    subject_id: str
    last_position: int


def previous_result(snapshot: Snapshot, command_id: str) -> PreviousResult | None:
    """Return the result of the command with the id `command_id`, `None` if it was not executed."""
    row = snapshot.db.execute(
        "SELECT fingerprint, subject_id, last_position FROM command WHERE id = ?", (command_id,)
    ).fetchone()
    return PreviousResult(*row) if row else None


class CommandsProjector:
    """A projector that writes a row per command: its fingerprint, the id of its object, its last position."""

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
        return _CommandRows(db)

    def erase(self, erasure: Erasure, db: sqlite3.Connection) -> Effect:
        """Clear the fingerprint of the command, which is that of its first event."""
        if erasure.is_first_of_command:
            command_id = erasure.event.header.command_id
            db.execute("UPDATE command SET fingerprint = NULL WHERE id = ?", (command_id,))
        return Effect.NONE


class _CommandRows:
    """The rows of the commands of one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: dict[str, list[object]] = {}

    def apply(self, recorded: Recorded[Event]) -> None:
        header = recorded.header
        command_id, position = header.command_id, header.position
        row = self._rows.get(command_id)
        if row is None:
            self._rows[command_id] = [command_id, recorded.fingerprint, _subject_id(recorded), position]
        else:
            row[3] = position

    def flush(self) -> None:
        """Write the rows. A command that began in an earlier transaction keeps the values of its first event."""
        write_all(
            self._db,
            "INSERT INTO command VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET last_position = excluded.last_position",
            self._rows.values(),
        )


def check_subject(subject_id: str, type_: str, stream: str) -> None:
    """Raise `ValueError` if a repeated command would return a subject id other than `subject_id`.

    `type_` and `stream` are the type and the stream of the command's first event, an event of a third-party feature.
    """
    if subject_id != _id_in(stream):
        raise ValueError(
            f"the subject id of a command whose first event is {type_} in {stream} must be {_id_in(stream)!r}, "
            f"not {subject_id!r}: pass the end of the stream's name to AppendPlan.of"
        )


def _id_in(stream: str) -> str:
    return stream.rpartition(".")[2]


def _subject_id(recorded: Recorded[Event]) -> str:
    """Return the id of the event's object: the id in its first field, or else the last part of its stream's name.

    For an event of a third-party feature, it is always the latter, so that processes without the feature write the
    same row.
    """
    event, header = remaining_event(recorded.event), recorded.header
    name = _id_field(type(event)) if feature_of(header.type) is None else None
    return _id_in(header.stream) if name is None else str(getattr(event, name))


@lru_cache
def _id_field(event_type: type[Event]) -> str | None:
    """Return the name of the first field of events of this type if it is an id."""
    return next((name for name in event_type.__struct_fields__[:1] if name.endswith("_id")), None)
