"""The transaction that records a group of commands."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from ledgerpress.adapters.sqlite import log_rows
from ledgerpress.adapters.sqlite.connection import patiently
from ledgerpress.eventlog.errors import DuplicateEvent, WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION, StreamWrite

Refusal: TypeAlias = WrongExpectedVersion | DuplicateEvent
Outcome: TypeAlias = int | Refusal
"""The position of a command's last event, or why the command alone was not recorded."""


@dataclass(frozen=True, slots=True)
class Command:
    """The writes of one append, checked, with the payload commitments of their events in order, and its bytes."""

    writes: Sequence[StreamWrite]
    commitments: Sequence[bytes]
    size: int

    @classmethod
    def of(cls, writes: Sequence[StreamWrite]) -> "Command":
        """Prepare what needs no look at the log."""
        payloads = [event.payload for write in writes for event in write.events]
        commitments = [bytes.fromhex(payload.commitment()) for payload in payloads]
        return cls(writes, commitments, sum(len(payload.plaintext) for payload in payloads))


@contextmanager
def recording(db: sqlite3.Connection) -> Iterator["Recording"]:
    patiently(db, "BEGIN IMMEDIATE")
    try:
        transaction = Recording(db)
        yield transaction
        db.executemany(log_rows.INSERT, transaction.rows)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


class Recording:
    """The rows of the commands admitted so far, on top of what the log holds.

    What it reads stays true until the transaction ends, since nobody else can write meanwhile.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.rows: list[log_rows.Row] = []
        self._db = db
        self._head: int = db.execute(log_rows.SELECT_HEAD).fetchone()[0]
        self._versions: dict[str, int] = {}
        self._event_ids: set[str] = set()

    def admit(self, command: Command) -> Outcome:
        refusal = self._conflict(command) or self._duplicate(command)
        if refusal is not None:
            return refusal
        commitments = iter(command.commitments)
        for write in command.writes:
            version = self._version(write.stream)
            for version, event in enumerate(write.events, version + 1):  # noqa: B020
                self._head += 1
                self.rows.append(
                    log_rows.to_row(event, next(commitments), self._head, write.stream, version)
                )
                self._event_ids.add(event.event_id)
            self._versions[write.stream] = version
        return self._head

    def _conflict(self, command: Command) -> WrongExpectedVersion | None:
        for write in command.writes:
            actual = self._version(write.stream)
            if write.expected not in (ANY_VERSION, actual):
                return WrongExpectedVersion(stream=write.stream, expected=write.expected, actual=actual)
        return None

    def _duplicate(self, command: Command) -> DuplicateEvent | None:
        own: set[str] = set()
        for write in command.writes:
            for event in write.events:
                event_id = event.event_id
                if event_id in own or event_id in self._event_ids or self._is_recorded(event_id):
                    return DuplicateEvent(event_id=event_id)
                own.add(event_id)
        return None

    def _version(self, stream: str) -> int:
        version = self._versions.get(stream)
        if version is None:
            version = self._db.execute(log_rows.SELECT_VERSION, (stream,)).fetchone()[0]
            self._versions[stream] = version
        return version

    def _is_recorded(self, event_id: str) -> bool:
        return self._db.execute(log_rows.SELECT_RECORDED, (event_id,)).fetchone() is not None
