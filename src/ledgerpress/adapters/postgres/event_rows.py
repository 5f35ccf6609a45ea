"""Between events and rows of the table `ledgerpress.event`."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from msgspec.structs import astuple

from ledgerpress.adapters.postgres.connection import Connection
from ledgerpress.eventlog.envelope import ATTRIBUTES, NewEvent, StoredEvent, attributes_of
from ledgerpress.eventlog.log import MAX_BATCH_BYTES

Row: TypeAlias = tuple[Any, ...]
"""The columns of `_KINDS`, in their order."""

_KINDS: Final = {
    "stream": "text",
    "stream_version": "bigint",
    **{name: "uuid" if name.endswith("_id") else "bigint" for name in ATTRIBUTES},
    "type": "text",
    "payload_commitment": "bytea",
    "encoding": "text",
    "payload": "bytea",
    "salt": "bytea",
}
_NAMES: Final = ", ".join(_KINDS)
_COLUMNS: Final = f"position, v, {_NAMES}"
_AS_TEXT: Final = ", ".join(
    ["position", "v", *(f"{name}::text" if kind == "uuid" else name for name, kind in _KINDS.items())]
)
_ARRAYS: Final = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_KINDS.values(), 3))

EVENT_ID: Final = list(_KINDS).index("event_id")
COMMITMENT: Final = list(_KINDS).index("payload_commitment")
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
SELECT {_AS_TEXT} FROM (
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
SELECT {_AS_TEXT} FROM ledgerpress.event WHERE log = $1 AND stream = $2 AND stream_version > $3 ORDER BY stream_version
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
    return [StoredEvent.of_row(record, publication) for record in records]


async def read_stream(
    connection: Connection, log: int, publication: str, stream: str, after: int
) -> list[StoredEvent]:
    """Return the events of a stream with versions greater than `after`."""
    records = await connection.fetch(SELECT_STREAM, log, stream, after)
    return [StoredEvent.of_row(record, publication) for record in records]


def new_row(event: NewEvent, commitment: bytes, stream: str, stream_version: int) -> Row:
    """Return the row of an event that is about to be recorded."""
    return (stream, stream_version, *attributes_of(event), commitment, *astuple(event.payload))


def copied_row(event: StoredEvent) -> Row:
    """Return the row of an event as another log holds it."""
    header = event.header
    commitment = bytes.fromhex(header.payload_commitment)
    return (header.stream, header.stream_version, *attributes_of(header), commitment, *event.payload_parts)


def columns(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """Return what `INSERT` takes of some rows, at least one."""
    return list(zip(*rows, strict=True))
