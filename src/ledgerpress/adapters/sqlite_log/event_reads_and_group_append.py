"""The table `event`: reads from it, and the transaction that appends a group of commands to it."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from ledgerpress.adapters.sqlite_log.errors import LOCK_TIMEOUT, log_error
from ledgerpress.eventlog.envelope import ATTRIBUTES, StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogReplaced
from ledgerpress.eventlog.group_commit import AppendGroup, AppendRequest, AppendResult, ReportResults
from ledgerpress.eventlog.kernel_events import withdrawal_stream
from ledgerpress.eventlog.log import MAX_BATCH_BYTES
from ledgerpress.sqlite.connection import SerialConnection, retry_while_busy, transaction

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
_SELECT_ID: Final = "SELECT event_id FROM event WHERE position = ?"
_SELECT_LAST: Final = "SELECT position, event_id FROM event ORDER BY position DESC LIMIT 1"


def read_batch(db: sqlite3.Connection, *, publication: str, after: int, limit: int) -> list[StoredEvent]:
    """Return up to `limit` events with positions greater than `after`; fewer if they are large."""
    events: list[StoredEvent] = []
    size = 0
    with closing(db.execute(SELECT_AFTER, (after, max(limit, 0)))) as rows:
        for row in rows:
            event = with_record(db, StoredEvent.of_row(row, publication))
            events.append(event)
            if event.payload is not None:
                size += len(event.payload.plaintext)
                if size >= MAX_BATCH_BYTES:
                    break
    return events


def read_stream(db: sqlite3.Connection, *, publication: str, stream: str, after: int) -> list[StoredEvent]:
    """Return the events of a stream with versions greater than `after`."""
    rows = read_stream_rows(db, stream, after)
    return [with_record(db, StoredEvent.of_row(row, publication)) for row in rows]


def read_stream_rows(db: sqlite3.Connection, stream: str, after: int) -> sqlite3.Cursor:
    """Return a cursor of the rows of a stream with versions greater than `after`, in order."""
    return db.execute(_SELECT_STREAM, (stream, after))


def with_record(db: sqlite3.Connection, event: StoredEvent) -> StoredEvent:
    """Return a withdrawn event with the record of its withdrawal, and any other event as it is."""
    if event.payload is not None:
        return event
    stream = withdrawal_stream(event.header.event_id)
    row = db.execute(_SELECT_STREAM, (stream, 0)).fetchone()
    record = StoredEvent.of_row(row, event.header.publication) if row else None
    return StoredEvent(event.header, None, record)


def read_head(db: sqlite3.Connection) -> int:
    """Return the position of the last event, 0 if there is none."""
    return int(db.execute(_SELECT_HEAD).fetchone()[0])


def read_version(db: sqlite3.Connection, stream: str) -> int:
    """Return the version of a stream, 0 if it does not exist."""
    return int(db.execute(_SELECT_VERSION, (stream,)).fetchone()[0])


def _data_version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA data_version").fetchone()[0])


def is_recorded(db: sqlite3.Connection, event_id: str) -> bool:
    return db.execute(_SELECT_RECORDED, (event_id,)).fetchone() is not None


class LastEvent(NamedTuple):
    """The last event that a connection has seen, and when: `data_version` changes when another connection commits."""

    data_version: int
    position: int
    event_id: str


def read_last_event(db: sqlite3.Connection) -> LastEvent:
    """Return the last event, at position 0 if there is none."""
    version = _data_version(db)
    return LastEvent(version, *(db.execute(_SELECT_LAST).fetchone() or (0, "")))


class GroupAppender:
    """A `Recorder` for a `GroupCommit`, on the thread of the connection."""

    def __init__(
        self, connection: SerialConnection, path: Path, check_file: Callable[[], None], last: LastEvent
    ) -> None:
        """`check_file` raises `LogReplaced` if the file at `path` is no longer the file of the connection.

        `last` is the last event that the connection has seen.
        """
        self._connection = connection
        self._path = path
        self._check_file = check_file
        self._last = last
        self._is_replaced = False
        self._loop = asyncio.get_running_loop()

    def begin(self, commands: Sequence[AppendRequest], report: ReportResults) -> None:
        """Begin to record `commands`, and return immediately; `report` is called in the event loop."""
        self._connection.post(partial(self._record, commands, report))

    def _record(
        self, commands: Sequence[AppendRequest], report: ReportResults, db: sqlite3.Connection
    ) -> None:
        results: Sequence[AppendResult]
        try:
            if self._is_replaced:
                raise self._replaced()
            results = append_group(db, commands)
            # A deleted file can still be written to. Never acknowledge such a write.
            self._check_file()
            self._check_history(db, commands, results)
        except Exception as error:  # noqa: BLE001 - every waiting caller gets a result, whatever the error
            results = [self._failure(error) for _ in commands]
        self._loop.call_soon_threadsafe(report, results)

    def _check_history(
        self, db: sqlite3.Connection, commands: Sequence[AppendRequest], results: Sequence[AppendResult]
    ) -> None:
        """Raise `LogReplaced` if another connection has replaced the events that this one has seen, as by a restore."""
        version = _data_version(db)
        if version != self._last.data_version and self._last.position:
            row = db.execute(_SELECT_ID, (self._last.position,)).fetchone()
            if row is None or row[0] != self._last.event_id:
                self._is_replaced = True
                raise self._replaced()
        for command, result in zip(reversed(commands), reversed(results), strict=True):
            if isinstance(result, int):
                event = next(write.events[-1] for write in reversed(command.writes) if write.events)
                self._last = LastEvent(version, result, event.event_id)
                break
        else:
            self._last = self._last._replace(data_version=version)

    def _replaced(self) -> LogReplaced:
        return LogReplaced(
            f"{self._path} no longer has the event that was at position {self._last.position:,}"
        )

    def _failure(self, error: Exception) -> EventLogError:
        """Return a new error: each caller must raise its own exception object."""
        failure = log_error(error, self._path, "nothing was recorded", appends=True)
        if failure is error:
            failure = type(failure)(str(error))
        failure.__cause__ = error
        return failure


def append_group(db: sqlite3.Connection, commands: Sequence[AppendRequest]) -> list[AppendResult]:
    """Record `commands` in one durable transaction, and return the result of each, in order.

    A rejected command leaves no row; the others are recorded. Raises `sqlite3.Error` if the transaction fails; then
    nothing is recorded.
    """
    try:
        if len(commands) == 1 and len(commands[0].writes) == len(commands[0].commitments) == 1:
            return [_record_one(db, commands[0])]
        with transaction(db, timeout=LOCK_TIMEOUT):
            return insert(db, commands, look_up=False)
    except sqlite3.IntegrityError:
        # The database rejected a row and rolled everything back. Look up which command to reject.
        with transaction(db, timeout=LOCK_TIMEOUT):
            return insert(db, commands, look_up=True)


def _record_one(db: sqlite3.Connection, command: AppendRequest) -> int:
    """Record the single event of `command` in one statement, which is its own transaction.

    This saves a tenth of the time of a single append. The trigger on the stream version checks the expected version.
    """
    (write,) = command.writes
    row = write.events[0].row(command.commitments[0], 0, write.stream, write.expected + 1)
    position = retry_while_busy(db, INSERT_NEXT, row[1:], timeout=LOCK_TIMEOUT).lastrowid
    if position is None:
        raise sqlite3.InternalError("SQLite returned no position")
    return position


def insert(db: sqlite3.Connection, commands: Sequence[AppendRequest], *, look_up: bool) -> list[AppendResult]:
    """Record `commands` in the open transaction, and return the result of each, in order.

    Without `look_up`, the database checks event ids and expected versions, and raises an error; a guard is still looked
    up. With it, they are looked up, so that only the command with the wrong one is rejected.
    """
    # The rows that the group reads stay the same until the transaction ends: no other connection can write meanwhile.
    group = AppendGroup(
        read_head(db),
        version_of=partial(read_version, db),
        is_recorded=partial(is_recorded, db) if look_up else None,
        trusts_expected=not look_up,
    )
    results = [group.admit(command) for command in commands]
    db.executemany(INSERT, group.rows)
    return results
