"""The transaction that records a group of commands."""

import asyncio
import sqlite3
from collections.abc import Sequence
from functools import partial

from ledgerpress.adapters.sqlite_log import event_rows
from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.group_commit import AppendGroup, AppendRequest, AppendResult, ReportResults
from ledgerpress.sqlite.connection import SerialConnection, retry_while_busy, transaction


class GroupAppender:
    """Records the groups of a `GroupCommit` on the connection's thread."""

    def __init__(self, connection: SerialConnection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()

    def begin(self, commands: Sequence[AppendRequest], report: ReportResults) -> None:
        """Begin to record `commands`, and return at once; `report` is called in the event loop."""
        self._connection.post(partial(self._record, commands, report))

    def _record(
        self, commands: Sequence[AppendRequest], report: ReportResults, db: sqlite3.Connection
    ) -> None:
        results: Sequence[AppendResult]
        try:
            results = append_group(db, commands)
        except Exception as error:  # noqa: BLE001 - every waiting caller gets a result, whatever the error
            results = [_failure(error) for _ in commands]
        self._loop.call_soon_threadsafe(report, results)


def _failure(error: Exception) -> EventLogError:
    failure = EventLogError(f"nothing was recorded: {error}")
    failure.__cause__ = error
    return failure


def append_group(db: sqlite3.Connection, commands: Sequence[AppendRequest]) -> list[AppendResult]:
    """Record `commands` in one durable transaction, and return the result of each, in order.

    A rejected command leaves no row; the others are recorded. Raises `sqlite3.Error` if the transaction fails: then none is
    recorded.
    """
    try:
        if len(commands) == 1 and len(commands[0].writes) == len(commands[0].commitments) == 1:
            return [_record_one(db, commands[0])]
        with transaction(db):
            return insert(db, commands, look_up_ids=False)
    except sqlite3.IntegrityError:
        # The database rejected a row, and everything is rolled back. Now find the command of that row.
        with transaction(db):
            return insert(db, commands, look_up_ids=True)


def _record_one(db: sqlite3.Connection, command: AppendRequest) -> int:
    """Record the one event of `command` in one statement, which is its own transaction.

    It saves a tenth of the time of a single append. The trigger on the stream's version checks the expected version.
    """
    (write,) = command.writes
    row = write.events[0].row(command.commitments[0], 0, write.stream, write.expected + 1)
    position = retry_while_busy(db, event_rows.INSERT_NEXT, row[1:]).lastrowid
    if position is None:
        raise sqlite3.InternalError("SQLite gave no position")
    return position


def insert(
    db: sqlite3.Connection, commands: Sequence[AppendRequest], *, look_up_ids: bool
) -> list[AppendResult]:
    """Record `commands` in the open transaction, and return the result of each, in order.

    With `look_up_ids`, a command with a recorded event id is rejected; without it, the database raises.
    """
    # What the group reads stays true until the transaction ends, since no other connection can write meanwhile.
    group = AppendGroup(
        event_rows.read_head(db),
        version_of=partial(event_rows.read_version, db),
        is_recorded=partial(event_rows.is_recorded, db) if look_up_ids else None,
    )
    results = [group.admit(command) for command in commands]
    db.executemany(event_rows.INSERT, group.rows)
    return results
