"""Between events and rows of the table `ledgerpress.event`."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import asyncpg

from ledgerpress.adapters.postgres.server import Connection
from ledgerpress.eventlog.envelope import JSON_ENCODING, Header, NewEvent, SealedPayload, StoredEvent
from ledgerpress.eventlog.log import MAX_BATCH_BYTES

Row: TypeAlias = tuple[Any, ...]
"""The columns of `_FIELDS`, in their order."""

_FIELDS: Final = {
    "event_id": "uuid",
    "stream": "text",
    "stream_version": "bigint",
    "type": "text",
    "schema_version": "bigint",
    "recorded_at": "bigint",
    "actor_id": "uuid",
    "on_behalf_of_actor_id": "uuid",
    "command_id": "uuid",
    "correlation_id": "uuid",
    "causation_id": "uuid",
    "payload_commitment": "bytea",
    "encoding": "text",
    "payload": "bytea",
    "salt": "bytea",
}
_NAMES: Final = ", ".join(_FIELDS)
_COLUMNS: Final = f"position, v, {_NAMES}"
_ARRAYS: Final = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_FIELDS.values(), 3))

EVENT_ID: Final = 0
COMMITMENT: Final = 11
"""Where in a row these are."""

INSERT: Final = f"""
INSERT INTO ledgerpress.event (log, position, v, {_NAMES})
SELECT $1, $2 + n, 1, {_NAMES} FROM unnest({_ARRAYS}) WITH ORDINALITY AS new ({_NAMES}, n) ORDER BY n
"""  # noqa: S608
"""Takes the log, its head, and the columns of the rows that follow."""
SELECT_HEAD: Final = """
SELECT coalesce((SELECT position FROM ledgerpress.event WHERE log = $1 ORDER BY position DESC LIMIT 1), 0)
"""
SELECT_AFTER: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT *, sum(octet_length(payload)) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
        SELECT {_COLUMNS} FROM ledgerpress.event WHERE log = $1 AND position > $2 ORDER BY position LIMIT $3
    ) AS batch
) AS counted
WHERE before IS NULL OR before < $4
ORDER BY position
"""  # noqa: S608
"""Takes the log, a position, how many events at most, and the bytes of payload with which to end."""
SELECT_STREAM: Final = f"""
SELECT {_COLUMNS} FROM ledgerpress.event WHERE log = $1 AND stream = $2 AND stream_version > $3 ORDER BY stream_version
"""  # noqa: S608


async def read_head(connection: Connection, log: int) -> int:
    """Return the position of the last event, 0 where there is none."""
    head: int = await connection.fetchval(SELECT_HEAD, log)
    return head


async def read_after(
    connection: Connection, log: int, publication: str, after: int, limit: int
) -> list[StoredEvent]:
    """Return up to `limit` events with positions greater than `after`; fewer where their payloads are large."""
    records = await connection.fetch(SELECT_AFTER, log, after, max(limit, 0), MAX_BATCH_BYTES)
    return [from_record(record, publication) for record in records]


async def read_stream(
    connection: Connection, log: int, publication: str, stream: str, after: int
) -> list[StoredEvent]:
    """Return the events of a stream with versions greater than `after`."""
    records = await connection.fetch(SELECT_STREAM, log, stream, after)
    return [from_record(record, publication) for record in records]


def new_row(event: NewEvent, commitment: bytes, stream: str, stream_version: int) -> Row:
    """Return the row of an event that is about to be recorded."""
    payload = event.payload
    return (
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


def copied_row(event: StoredEvent) -> Row:
    """Return the row of an event as another log holds it."""
    header, payload = event.header, event.payload
    return (
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


def columns(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """Return what `INSERT` takes of some rows, at least one."""
    return list(zip(*rows, strict=True))


def from_record(record: asyncpg.Record, publication: str) -> StoredEvent:
    """Return the event of what `SELECT_AFTER` or `SELECT_STREAM` found."""
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
    ) = record
    header = Header(
        v,
        publication,
        position,
        str(event_id),
        stream,
        stream_version,
        type_,
        schema_version,
        recorded_at,
        str(actor_id),
        None if on_behalf_of_actor_id is None else str(on_behalf_of_actor_id),
        str(command_id),
        str(correlation_id),
        None if causation_id is None else str(causation_id),
        commitment.hex(),
    )
    return StoredEvent(header, None if payload is None else SealedPayload(encoding, payload, salt))
