"""Maps events to rows of the table `ledgerpress.event`, and back."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ledgerpress.adapters.postgres.connection import Connection
from ledgerpress.adapters.postgres.log_registry import LogLocation
from ledgerpress.eventlog.envelope import ATTRIBUTES, Row, StoredEvent
from ledgerpress.eventlog.kernel_events import withdrawal_stream
from ledgerpress.eventlog.log import MAX_BATCH_BYTES

_COLUMN_TYPES: Final = {
    "stream": "text",
    "stream_version": "bigint",
    **{name: "uuid" if name.endswith("_id") else "bigint" for name in ATTRIBUTES},
    "type": "text",
    "payload_commitment": "bytea",
    "encoding": "text",
    "payload": "bytea",
    "salt": "bytea",
}
_NAMES: Final = ", ".join(_COLUMN_TYPES)
_COLUMNS: Final = f"position, v, {_NAMES}"
_AS_TEXT: Final = ", ".join(
    [
        "position",
        "v",
        *(f"{name}::text" if type_ == "uuid" else name for name, type_ in _COLUMN_TYPES.items()),
    ]
)
_ARRAYS: Final = ", ".join(f"${n}::{type_}[]" for n, type_ in enumerate(_COLUMN_TYPES.values(), 3))

EVENT_ID: Final = _COLUMNS.split(", ").index("event_id")
COMMITMENT: Final = _COLUMNS.split(", ").index("payload_commitment")
"""The indexes of these two columns in a row."""

INSERT: Final = f"""
INSERT INTO ledgerpress.event (log, position, v, {_NAMES})
SELECT $1, $2 + n, 1, {_NAMES} FROM unnest({_ARRAYS}) WITH ORDINALITY AS new ({_NAMES}, n) ORDER BY n
"""  # noqa: S608
"""Takes the log, its head, and the columns of the new rows."""
SELECT_HEAD: Final = """
SELECT coalesce((SELECT position FROM ledgerpress.event WHERE log = $1 ORDER BY position DESC LIMIT 1), 0)
"""
SELECT_AFTER: Final = f"""
SELECT {_AS_TEXT} FROM (
    SELECT *, sum(octet_length(payload)) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
        SELECT {_COLUMNS} FROM ledgerpress.event WHERE log = $1 AND position > $2 ORDER BY position LIMIT $3
    ) AS batch
) AS counted
WHERE before IS NULL OR before < $4
ORDER BY position
"""  # noqa: S608
"""Takes the log, a position, the maximum number of events, and the bytes of payload that end the batch."""
SELECT_STREAM: Final = f"""
SELECT {_AS_TEXT} FROM ledgerpress.event WHERE log = $1 AND stream = $2 AND stream_version > $3 ORDER BY stream_version
"""  # noqa: S608


async def read_head(connection: Connection, log: int) -> int:
    """Return the position of the last event, 0 if there is none."""
    return int(await connection.fetchval(SELECT_HEAD, log))


async def read_after(
    connection: Connection, location: LogLocation, after: int, limit: int
) -> list[StoredEvent]:
    """Return up to `limit` events with positions greater than `after`; fewer if they are large."""
    records = await connection.fetch(SELECT_AFTER, location.log, after, max(limit, 0), MAX_BATCH_BYTES)
    return await _with_records(connection, location, records)


async def read_stream(
    connection: Connection, location: LogLocation, stream: str, after: int
) -> list[StoredEvent]:
    """Return the events of a stream with versions greater than `after`."""
    records = await connection.fetch(SELECT_STREAM, location.log, stream, after)
    return await _with_records(connection, location, records)


async def _with_records(
    connection: Connection, location: LogLocation, rows: Sequence[Any]
) -> list[StoredEvent]:
    """Return the events of `rows`, and with each withdrawn event the record of its withdrawal."""
    events = [StoredEvent.of_row(row, location.publication) for row in rows]
    for index, event in enumerate(events):
        if event.payload is None:
            stream = withdrawal_stream(event.header.event_id)
            records = await connection.fetch(SELECT_STREAM, location.log, stream, 0)
            record = StoredEvent.of_row(records[0], location.publication) if records else None
            events[index] = StoredEvent(event.header, None, record)
    return events


def columns(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """Return the columns of `rows` (at least one row) for `INSERT`, which assigns the positions itself."""
    return list(zip(*rows, strict=True))[2:]
