"""A log made of another log's events: they keep their positions, ids, times and salts, and so the log its root."""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from ledgerpress.adapters.sqlite import log_rows
from ledgerpress.adapters.sqlite.log_file import open_log_file
from ledgerpress.eventlog.envelope import JSON_ENCODING, StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogUnusable


async def write_replica(path: Path, publication: str, batches: Iterable[Sequence[StoredEvent]]) -> int:
    """Make a new log at `path`, of the events of `batches` in their order, and return its head.

    What the database itself sees to holds: positions and the versions of streams run on, ids are unique. Everything
    else is the caller's to check before the log is used. Raises `LogUnusable` where there is a log already, and
    `EventLogError` for an event that does not come next; what was written by then stays.
    """
    connection, found = await open_log_file(path, lambda: publication)
    try:
        head = await connection.run(_head)
        if head or found != publication:
            raise LogUnusable(f"{path} is a log already")
        for batch in batches:
            await connection.run(partial(_write, batch=batch))
            head = batch[-1].position
        return head
    finally:
        await connection.close()


def _head(db: sqlite3.Connection) -> int:
    head: int = db.execute(log_rows.SELECT_HEAD).fetchone()[0]
    return head


def _write(db: sqlite3.Connection, batch: Sequence[StoredEvent]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        for event in batch:
            try:
                db.execute(log_rows.INSERT, _row(event))
            except (sqlite3.IntegrityError, OverflowError, ValueError) as error:
                raise EventLogError(f"position {event.position}: {error}") from error
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _row(event: StoredEvent) -> log_rows.Row:
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
