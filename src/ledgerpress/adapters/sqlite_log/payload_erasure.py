"""Erases a payload from the log's file, so that nobody finds it there with whatever tool.

SQLite by itself only marks what is deleted as free. With `secure_delete`, which every connection that writes MUST set
from the first row on, it overwrites it with zeros, and also what it moves from one page to another
(https://sqlite.org/pragma.html#pragma_secure_delete). What the write-ahead log still holds goes when that is emptied.
"""

import sqlite3
import time
from typing import Final

from ledgerpress.adapters.sqlite_log.append_transaction import insert
from ledgerpress.eventlog.append_request import AppendRequest
from ledgerpress.eventlog.errors import EventLogError, InvalidEnvelope, WithdrawalUnfinished
from ledgerpress.sqlite.connection import BUSY_TIMEOUT, RETRY, is_busy, retry_while_busy

ERASE: Final = "UPDATE event SET payload = NULL, salt = NULL WHERE position = ? AND payload IS NOT NULL"


def withdraw(db: sqlite3.Connection, position: int, command: AppendRequest | None) -> int | None:
    """Record `command`, if any, and erase the payload at `position`, in one durable transaction; empty the rest.

    Returns the command's last position. Raises what it is refused for, `InvalidEnvelope` where no withdrawal of this
    event is recorded, `WithdrawalUnfinished`, and `sqlite3.Error`.
    """
    retry_while_busy(db, "BEGIN IMMEDIATE")
    try:
        recorded = None
        if command is not None:
            (outcome,) = insert(db, [command], careful=True)
            if isinstance(outcome, EventLogError):
                raise outcome
            recorded = outcome
        try:
            db.execute(ERASE, (position,))
        except sqlite3.IntegrityError as error:
            raise InvalidEnvelope(f"no withdrawal of the event at position {position} is recorded") from error
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    if not empty_write_ahead_log(db):
        raise WithdrawalUnfinished(
            f"the payload at position {position} is withdrawn, but somebody has been reading the files for {BUSY_TIMEOUT:.0f} "
            "seconds, so that its bytes are not all overwritten: withdraw it again"
        )
    return recorded


def empty_write_ahead_log(db: sqlite3.Connection) -> bool:
    """Move what the write-ahead log holds into the database, and cut it to nothing; return whether that was possible.

    It waits until nobody reads an older state, for `BUSY_TIMEOUT` at most (https://sqlite.org/c3ref/wal_checkpoint_v2.html).
    """
    give_up = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
                return True
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
        if time.monotonic() > give_up:
            return False
        time.sleep(RETRY)
