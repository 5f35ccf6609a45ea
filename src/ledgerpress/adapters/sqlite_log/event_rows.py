"""Maps events to rows of the table `event`, and back."""

import sqlite3
from contextlib import closing
from typing import Final

from ledgerpress.eventlog.envelope import ATTRIBUTES, StoredEvent
from ledgerpress.eventlog.log import MAX_BATCH_BYTES

_PARAMETERS: Final = ", ".join("?" * 16)
COLUMNS: Final = f"position, v, stream, stream_version, {', '.join(ATTRIBUTES)}, payload_commitment, encoding, payload, salt"
_SELECT_HEAD: Final = "SELECT coalesce(max(position), 0) FROM event"
INSERT: Final = f"INSERT INTO event ({COLUMNS}) VALUES (?, {_PARAMETERS})"  # noqa: S608
INSERT_NEXT: Final = f"INSERT INTO event ({COLUMNS}) VALUES (1 + ({_SELECT_HEAD}), {_PARAMETERS})"  # noqa: S608
"""Takes a row without its position."""
SELECT_AFTER: Final = f"SELECT {COLUMNS} FROM event WHERE position > ? ORDER BY position LIMIT ?"  # noqa: S608
_SELECT_STREAM: Final = (
    f"SELECT {COLUMNS} FROM event WHERE stream = ? AND stream_version > ? ORDER BY stream_version"  # noqa: S608
)
_SELECT_VERSION: Final = "SELECT coalesce(max(stream_version), 0) FROM event WHERE stream = ?"
_SELECT_RECORDED: Final = "SELECT 1 FROM event WHERE event_id = ?"


def read_batch(db: sqlite3.Connection, *, publication: str, after: int, limit: int) -> list[StoredEvent]:
    """Return up to `limit` events with positions greater than `after`; fewer if they are large."""
    events: list[StoredEvent] = []
    size = 0
    with closing(db.execute(SELECT_AFTER, (after, max(limit, 0)))) as rows:
        for row in rows:
            event = StoredEvent.of_row(row, publication)
            events.append(event)
            if event.payload is not None:
                size += len(event.payload.plaintext)
                if size >= MAX_BATCH_BYTES:
                    break
    return events


def read_stream(db: sqlite3.Connection, *, publication: str, stream: str, after: int) -> list[StoredEvent]:
    """Return the events of a stream with versions greater than `after`."""
    rows = db.execute(_SELECT_STREAM, (stream, after))
    return [StoredEvent.of_row(row, publication) for row in rows]


def read_head(db: sqlite3.Connection) -> int:
    """Return the position of the last event, 0 if there is none."""
    return int(db.execute(_SELECT_HEAD).fetchone()[0])


def read_version(db: sqlite3.Connection, stream: str) -> int:
    """Return the version of a stream, 0 if it does not exist."""
    return int(db.execute(_SELECT_VERSION, (stream,)).fetchone()[0])


def is_recorded(db: sqlite3.Connection, event_id: str) -> bool:
    return db.execute(_SELECT_RECORDED, (event_id,)).fetchone() is not None
