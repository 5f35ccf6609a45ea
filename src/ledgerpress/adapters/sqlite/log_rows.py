"""Between events and rows of the table `event`."""

import sqlite3
from contextlib import closing
from typing import Any, Final, TypeAlias

from ledgerpress.eventlog.envelope import (
    ENVELOPE_VERSION,
    JSON_ENCODING,
    Header,
    NewEvent,
    SealedPayload,
    StoredEvent,
)
from ledgerpress.eventlog.log import MAX_BATCH_BYTES

Row: TypeAlias = tuple[Any, ...]


_REST: Final = ", ".join("?" * 16)
COLUMNS: Final = (
    "position, v, event_id, stream, stream_version, type, schema_version, recorded_at, actor_id, "
    "on_behalf_of_actor_id, command_id, correlation_id, causation_id, payload_commitment, encoding, payload, salt"
)
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
    payload = event.payload
    return (
        position,
        ENVELOPE_VERSION,
        event.event_id,
        stream,
        stream_version,
        event.type,
        event.schema_version,
        event.recorded_at,
        event.actor_id,
        event.on_behalf_of_actor_id,
        event.command_id,
        event.correlation_id,
        event.causation_id,
        commitment,
        payload.encoding,
        payload.plaintext,
        payload.salt,
    )


def to_row_as_it_is(event: StoredEvent) -> Row:
    """Return what `INSERT` takes, of an event that has its place already."""
    header, payload = event.header, event.payload
    return (
        header.position,
        header.v,
        header.event_id,
        header.stream,
        header.stream_version,
        header.type,
        header.schema_version,
        header.recorded_at,
        header.actor_id,
        header.on_behalf_of_actor_id,
        header.command_id,
        header.correlation_id,
        header.causation_id,
        bytes.fromhex(header.payload_commitment),
        JSON_ENCODING if payload is None else payload.encoding,
        None if payload is None else payload.plaintext,
        None if payload is None else payload.salt,
    )


def from_row(row: Row, publication: str) -> StoredEvent:
    """Return the event of a row with `COLUMNS`."""
    (
        position,
        v,
        event_id,
        stream,
        stream_version,
        type_,
        schema_version,
        recorded_at,
        actor_id,
        on_behalf_of_actor_id,
        command_id,
        correlation_id,
        causation_id,
        commitment,
        encoding,
        payload,
        salt,
    ) = row
    header = Header(
        v,
        publication,
        position,
        event_id,
        stream,
        stream_version,
        type_,
        schema_version,
        recorded_at,
        actor_id,
        on_behalf_of_actor_id,
        command_id,
        correlation_id,
        causation_id,
        commitment.hex(),
    )
    return StoredEvent(header, None if payload is None else SealedPayload(encoding, payload, salt))


def read_batch(db: sqlite3.Connection, *, publication: str, after: int, limit: int) -> list[StoredEvent]:
    """Return up to `limit` events with positions greater than `after`; fewer if they are large."""
    events: list[StoredEvent] = []
    size = 0
    with closing(db.execute(SELECT_AFTER, (after, max(limit, 0)))) as rows:
        for row in rows:
            event = from_row(row, publication)
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
