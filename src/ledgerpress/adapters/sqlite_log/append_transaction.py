"""The transaction that records a group of commands."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

from ledgerpress.adapters.sqlite_log import event_rows as log_rows
from ledgerpress.eventlog.append_request import AppendRequest, AppendResult
from ledgerpress.eventlog.errors import DuplicateEvent, EventLogError, WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION
from ledgerpress.sqlite.connection import SerialConnection, retry_while_busy


class GroupAppender:
    """Records the groups of a `GroupCommit` on the connection's thread."""

    def __init__(self, connection: SerialConnection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()

    def begin(
        self, commands: Sequence[AppendRequest], answer: Callable[[Sequence[AppendResult]], None]
    ) -> None:
        """Begin to record `commands`, and return at once; `answer` is called in the event loop."""
        self._connection.post(partial(self._record, commands, answer))

    def _record(
        self,
        commands: Sequence[AppendRequest],
        answer: Callable[[Sequence[AppendResult]], None],
        db: sqlite3.Connection,
    ) -> None:
        outcomes: Sequence[AppendResult]
        try:
            outcomes = append_group(db, commands)
        except Exception as error:  # noqa: BLE001  # whatever it is, nobody may be left waiting
            outcomes = [_failure(error) for _ in commands]
        self._loop.call_soon_threadsafe(answer, outcomes)


def _failure(error: Exception) -> EventLogError:
    failure = EventLogError(f"nothing was recorded: {error}")
    failure.__cause__ = error
    return failure


def append_group(db: sqlite3.Connection, commands: Sequence[AppendRequest]) -> list[AppendResult]:
    """Record `commands` in one durable transaction, and return what became of each, in order.

    A command that is refused leaves no row; the others are recorded. Raises `sqlite3.Error` where the transaction
    fails: none is recorded then.
    """
    try:
        if len(commands) == 1 and len(commands[0].writes) == len(commands[0].commitments) == 1:
            return [_record_one(db, commands[0])]
        return _record(db, commands, careful=False)
    except sqlite3.IntegrityError:
        # The database has refused a row, and all is undone. Now look for the command that brought it.
        return _record(db, commands, careful=True)


def _record_one(db: sqlite3.Connection, command: AppendRequest) -> int:
    """Record the one event of `command` in one statement, which is its own transaction.

    It saves a tenth of the time of a lone append. The trigger on the stream's version checks what is expected.
    """
    (write,) = command.writes
    row = log_rows.to_row(write.events[0], command.commitments[0], 0, write.stream, write.expected + 1)
    position = retry_while_busy(db, log_rows.INSERT_NEXT, row[1:]).lastrowid
    if position is None:
        raise sqlite3.InternalError("SQLite gave no position")
    return position


def _record(
    db: sqlite3.Connection, commands: Sequence[AppendRequest], *, careful: bool
) -> list[AppendResult]:
    retry_while_busy(db, "BEGIN IMMEDIATE")
    try:
        outcomes = insert(db, commands, careful=careful)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return outcomes


def insert(db: sqlite3.Connection, commands: Sequence[AppendRequest], *, careful: bool) -> list[AppendResult]:
    """Do as `record` does, in the transaction under way.

    Only with `careful` is each event id looked up first; without, one that is taken makes the database raise.
    """
    group = _Group(db, careful=careful)
    outcomes = [group.admit(command) for command in commands]
    db.executemany(log_rows.INSERT, group.rows)
    return outcomes


class _Group:
    """The rows of the commands admitted so far, on top of what the log holds.

    What it reads stays true until the transaction ends, since nobody else can write meanwhile.
    """

    def __init__(self, db: sqlite3.Connection, *, careful: bool) -> None:
        """Begin after the last event. Only with `careful` is each event id looked up, one more look each."""
        self.rows: list[log_rows.Row] = []
        self._db = db
        self._careful = careful
        self._head: int = db.execute(log_rows.SELECT_HEAD).fetchone()[0]
        self._versions: dict[str, int] = {}
        self._event_ids: set[str] = set()

    def admit(self, command: AppendRequest) -> AppendResult:
        """Add the rows of `command`, all or none; return its last position, or why it is refused."""
        for write in command.writes:
            actual = self._version(write.stream)
            if write.expected not in (ANY_VERSION, actual):
                return WrongExpectedVersion(stream=write.stream, expected=write.expected, actual=actual)
        if self._careful and (known := self._known(command)) is not None:
            return DuplicateEvent(event_id=known)
        commitments = iter(command.commitments)
        for write in command.writes:
            stream, version = write.stream, self._versions[write.stream]
            for event in write.events:
                version += 1
                self._head += 1
                self.rows.append(log_rows.to_row(event, next(commitments), self._head, stream, version))
            self._versions[stream] = version
        return self._head

    def _version(self, stream: str) -> int:
        version = self._versions.get(stream)
        if version is None:
            version = self._db.execute(log_rows.SELECT_VERSION, (stream,)).fetchone()[0]
            self._versions[stream] = version
        return version

    def _known(self, command: AppendRequest) -> str | None:
        own: set[str] = set()
        for event in [event for write in command.writes for event in write.events]:
            event_id = event.event_id
            recorded = self._db.execute(log_rows.SELECT_RECORDED, (event_id,)).fetchone()
            if recorded is not None or event_id in self._event_ids or event_id in own:
                return event_id
            own.add(event_id)
        self._event_ids |= own
        return None
