"""Between events and rows of the table `event`."""

from typing import Any, Final, TypeAlias

from ledgerpress.eventlog.envelope import ENVELOPE_VERSION, Header, NewEvent, SealedPayload, StoredEvent

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
