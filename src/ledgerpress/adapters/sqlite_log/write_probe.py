"""Finds out whether the file of a log accepts writes, without recording anything."""

import sqlite3
from typing import Final

from ledgerpress.eventlog.envelope import MAX_PAYLOAD_BYTES
from ledgerpress.sqlite.connection import retry_while_busy, transaction

LOCK_TIMEOUT: Final = 0.5
"""Seconds to wait for the write lock. This is short, because appends wait for the probe."""
PROBE_BYTES: Final = 2 * MAX_PAYLOAD_BYTES
"""Bytes that the probe writes: the largest event, and pages of indexes."""


def probe_write(db: sqlite3.Connection) -> None:
    """Write to the file as an append does, roll it back, and sync. Raises `sqlite3.Error` if that fails.

    The first transaction needs space for the largest event: with a small cache, SQLite writes pages to the write-ahead
    log before a commit. After the rollback, no reader ever uses these pages. The second transaction is committed and
    synced: it writes the recorded `user_version` again.
    """
    (cache_size,) = db.execute("PRAGMA cache_size").fetchone()
    db.execute("PRAGMA cache_size = 1")
    try:
        retry_while_busy(db, "BEGIN IMMEDIATE", timeout=LOCK_TIMEOUT)
        try:
            db.execute("CREATE TABLE write_probe (content BLOB)")
            db.execute("INSERT INTO write_probe VALUES (zeroblob(?))", (PROBE_BYTES,))
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
    finally:
        db.execute(f"PRAGMA cache_size = {cache_size}")
    with transaction(db, timeout=LOCK_TIMEOUT):
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version}")
