"""The transaction that records a group of commands."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ledgerpress.adapters.sqlite import log_rows
from ledgerpress.adapters.sqlite.connection import patiently
from ledgerpress.eventlog.errors import DuplicateEvent, WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION, StreamWrite

Refusal: TypeAlias = WrongExpectedVersion | DuplicateEvent
Outcome: TypeAlias = int | Refusal
"""The position of a command's last event, or why this one command was not recorded."""


@dataclass(frozen=True, slots=True)
class Command:
    """The writes of one append, checked, with the payload commitments of their events in order, and its bytes."""

    writes: Sequence[StreamWrite]
    commitments: Sequence[bytes]
    size: int

    @classmethod
    def of(cls, writes: Sequence[StreamWrite]) -> "Command":
        """Prepare all that needs no look at the log."""
        payloads = [event.payload for write in writes for event in write.events]
        commitments = [bytes.fromhex(payload.commitment()) for payload in payloads]
        return cls(writes, commitments, sum([len(payload.plaintext) for payload in payloads]))


def record(db: sqlite3.Connection, commands: Sequence[Command]) -> list[Outcome]:
    """Record `commands` in one durable transaction, and return what became of each, in order.

    A command that is refused leaves no row; the others are recorded. Raises `sqlite3.Error` where the transaction
    fails: none is recorded then.
    """
    try:
        if len(commands) == 1 and len(commands[0].commitments) == 1:
            return [_record_one(db, commands[0])]
        return _record(db, commands, careful=False)
    except sqlite3.IntegrityError:
        # The database has refused a row, and all is undone. Now look for the command that brought it.
        return _record(db, commands, careful=True)


def _record_one(db: sqlite3.Connection, command: Command) -> int:
    """Record the one event of `command` in one statement, which is its own transaction.

    It saves a tenth of the time of a lone append. The trigger on the stream's version checks what is expected.
    """
    (write,) = command.writes
    row = log_rows.to_row(write.events[0], command.commitments[0], 0, write.stream, write.expected + 1)
    position = patiently(db, log_rows.INSERT_NEXT, row[1:]).lastrowid
    if position is None:
        raise sqlite3.InternalError("SQLite gave no position")
    return position


def _record(db: sqlite3.Connection, commands: Sequence[Command], *, careful: bool) -> list[Outcome]:
    patiently(db, "BEGIN IMMEDIATE")
    try:
        outcomes = insert(db, commands, careful=careful)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return outcomes


def insert(db: sqlite3.Connection, commands: Sequence[Command], *, careful: bool) -> list[Outcome]:
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

    def admit(self, command: Command) -> Outcome:
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

    def _known(self, command: Command) -> str | None:
        own: set[str] = set()
        for event in [event for write in command.writes for event in write.events]:
            event_id = event.event_id
            recorded = self._db.execute(log_rows.SELECT_RECORDED, (event_id,)).fetchone()
            if recorded is not None or event_id in self._event_ids or event_id in own:
                return event_id
            own.add(event_id)
        self._event_ids |= own
        return None
