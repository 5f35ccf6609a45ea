"""Erases a payload from the log's file, so that no tool can find it there.

SQLite by default only marks deleted content as free. With `secure_delete`, which every writing connection MUST set from the
first row on, it overwrites it with zeros, also when it moves rows between pages
(https://sqlite.org/pragma.html#pragma_secure_delete). The copy in the write-ahead log disappears when that is emptied.
"""

import sqlite3
from typing import Final

from ledgerpress.adapters.sqlite_log.event_reads_and_group_append import insert
from ledgerpress.eventlog.errors import EventLogError, InvalidEnvelope, WithdrawalUnfinished
from ledgerpress.eventlog.group_commit import AppendRequest
from ledgerpress.sqlite.connection import BUSY_TIMEOUT, empty_write_ahead_log, transaction

ERASE: Final = "UPDATE event SET payload = NULL, salt = NULL WHERE position = ? AND payload IS NOT NULL"


def withdraw(db: sqlite3.Connection, position: int, command: AppendRequest | None) -> int | None:
    """Record `command`, if any, and erase the payload at `position`, in one durable transaction; empty the write-ahead log.

    Returns the command's last position. Raises the error of a rejected command, `InvalidEnvelope` if no withdrawal of this
    event is recorded, `WithdrawalUnfinished`, and `sqlite3.Error`.
    """
    with transaction(db):
        recorded = None
        if command is not None:
            (result,) = insert(db, [command], look_up_ids=True)
            if isinstance(result, EventLogError):
                raise result
            recorded = result
        try:
            db.execute(ERASE, (position,))
        except sqlite3.IntegrityError as error:
            raise InvalidEnvelope(f"no withdrawal of the event at position {position} is recorded") from error
    if not empty_write_ahead_log(db):
        raise WithdrawalUnfinished(
            f"the payload at position {position} is withdrawn, but somebody has been reading the files for {BUSY_TIMEOUT:.0f} "
            "seconds, so that its bytes are not all overwritten: withdraw it again"
        )
    return recorded
