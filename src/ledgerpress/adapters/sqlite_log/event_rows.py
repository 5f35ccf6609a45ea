"""Between events and rows of the table `event`."""

import sqlite3
from contextlib import closing
from typing import Any, Final, TypeAlias

from msgspec.structs import astuple

from ledgerpress.eventlog.envelope import ATTRIBUTES, ENVELOPE_VERSION, NewEvent, StoredEvent, attributes_of
from ledgerpress.eventlog.log import MAX_BATCH_BYTES

Row: TypeAlias = tuple[Any, ...]


_REST: Final = ", ".join("?" * 16)
COLUMNS: Final = f"position, v, stream, stream_version, {', '.join(ATTRIBUTES)}, payload_commitment, encoding, payload, salt"
SELECT_HEAD: Final = "SELECT coalesce(max(position), 0) FROM event"
INSERT: Final = f"INSERT INTO event ({COLUMNS}) VALUES (?, {_REST})"  # noqa: S608
INSERT_NEXT: Final = f"INSERT INTO event ({COLUMNS}) VALUES (1 + ({SELECT_HEAD}), {_REST})"  # noqa: S608
"""Takes a row without its position."""
SELECT_AFTER: Final = f"SELECT {COLUMNS} FROM event WHERE position > ? ORDER BY position LIMIT ?"  # noqa: S608
SELECT_STREAM: Final = (
    f"SELECT {COLUMNS} FROM event WHERE stream = ? AND stream_version > ? ORDER BY stream_version"  # noqa: S608
)
SELECT_VERSION: Final = "SELECT coalesce(max(stream_version), 0) FROM event WHERE stream = ?"
SELECT_RECORDED: Final = "SELECT 1 FROM event WHERE event_id = ?"


def to_row(event: NewEvent, commitment: bytes, position: int, stream: str, stream_version: int) -> Row:
    """Return what `INSERT` takes."""
    payload = astuple(event.payload)
    return (position, ENVELOPE_VERSION, stream, stream_version, *attributes_of(event), commitment, *payload)


def to_row_as_it_is(event: StoredEvent) -> Row:
    """Return what `INSERT` takes, of an event that has its place already."""
    header = event.header
    place = (header.position, header.v, header.stream, header.stream_version)
    return (*place, *attributes_of(header), bytes.fromhex(header.payload_commitment), *event.payload_parts)


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


def read_head(db: sqlite3.Connection) -> int:
    """Return the position of the last event, 0 where there is none."""
    head: int = db.execute(SELECT_HEAD).fetchone()[0]
    return head
