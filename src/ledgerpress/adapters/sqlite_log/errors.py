"""Translates errors of SQLite into errors of the log."""

import sqlite3
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError, LogDamaged, LogUnavailable
from ledgerpress.system_errors import reason_of

LOCK_TIMEOUT: Final = 5.0
"""Seconds to wait for a lock that another process holds on the file, before an operation fails."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
    }
)
"""The primary result codes (https://sqlite.org/rescode.html) after which a later attempt may succeed."""
_UNSYNCED: Final = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})
"""A commit was written, but not synced. After a crash, SQLite may find it in the write-ahead log or not."""


def log_error(error: Exception, path: Path, failure: str, *, appends: bool = False) -> EventLogError:
    """Return the error of the log that an error of SQLite means. `failure` states what failed.

    `LogDamaged` for a damaged file; `AppendUnresolved` if `appends` and the commit may have been recorded;
    `LogUnavailable` if a later attempt may succeed; otherwise `EventLogError`.
    """
    if isinstance(error, EventLogError):
        return error
    code = getattr(error, "sqlite_errorcode", None) or 0
    primary = code & 0xFF
    if primary in _DAMAGED:
        return LogDamaged(
            f"{failure}: {path} is damaged ({error}); stop every process that uses it, and restore it from a backup"
        )
    if appends and code in _UNSYNCED:
        return AppendUnresolved(
            f"it is unknown whether the events were recorded: {path} could not be synced ({error})"
        )
    reason = reason_of(error) if isinstance(error, sqlite3.Error) else error
    if primary in _PASSING:
        return LogUnavailable(f"{failure}: {path}: {reason}")
    return EventLogError(f"{failure}: {reason}")
