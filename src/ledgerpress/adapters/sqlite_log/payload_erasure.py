"""Erases a payload from the log's file, so that no tool can find it there.

By default, SQLite only marks deleted content as free. With `secure_delete`, it overwrites deleted content with zeros,
also when it moves rows between pages (https://sqlite.org/pragma.html#pragma_secure_delete). Every writing connection
MUST set this from the first row on. The copy in the write-ahead log disappears when the write-ahead log is emptied.
"""

import sqlite3
from typing import Final

from ledgerpress.adapters.sqlite_log.errors import LOCK_TIMEOUT
from ledgerpress.adapters.sqlite_log.event_reads_and_group_append import insert
from ledgerpress.eventlog.errors import EventLogError, InvalidEnvelope, WithdrawalUnfinished
from ledgerpress.eventlog.group_commit import AppendRequest
from ledgerpress.sqlite.connection import empty_write_ahead_log, transaction

ERASE: Final = "UPDATE event SET payload = NULL, salt = NULL WHERE position = ? AND payload IS NOT NULL"


def withdraw(db: sqlite3.Connection, position: int, command: AppendRequest | None) -> int | None:
    """Record `command`, if any, and erase the payload at `position`, in one durable transaction.

    Then empty the write-ahead log, and return the last position of `command`. Raises the error of a rejected command,
    `InvalidEnvelope` if no withdrawal of this event is recorded, `WithdrawalUnfinished` if the write-ahead log could
    not be emptied, and `sqlite3.Error`.
    """
    with transaction(db, timeout=LOCK_TIMEOUT):
        last_position = None
        if command is not None:
            (result,) = insert(db, [command], look_up=True)
            if isinstance(result, EventLogError):
                raise result
            last_position = result
        try:
            db.execute(ERASE, (position,))
        except sqlite3.IntegrityError as error:
            raise InvalidEnvelope(f"no withdrawal of the event at position {position} is recorded") from error
    if not empty_write_ahead_log(db, timeout=LOCK_TIMEOUT):
        raise WithdrawalUnfinished(
            f"the payload at position {position} is withdrawn, but not all of its bytes are overwritten, because a "
            f"process has been reading the log for {LOCK_TIMEOUT:.0f} seconds: withdraw it again"
        )
    return last_position
