"""Translates errors of SQLite into errors of the log."""

import sqlite3
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError, LogDamaged, LogUnavailable
from ledgerpress.sqlite.faults import is_damage, is_failure_of_machine
from ledgerpress.system_errors import reason_of

LOCK_TIMEOUT: Final = 5.0
"""Seconds to wait for a lock that another process holds on the file, before an operation fails."""

_UNSYNCED: Final = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})
"""A commit was written, but not synced. After a crash, SQLite may find it in the write-ahead log or not."""


def log_error(error: Exception, path: Path, failure: str, *, appends: bool = False) -> EventLogError:
    """Return the error of the log that an error of SQLite means. `failure` states what failed.

    `LogDamaged` for a damaged file; `AppendUnresolved` if `appends` and the commit may have been recorded;
    `LogUnavailable` if a later attempt may succeed; otherwise `EventLogError`.
    """
    if isinstance(error, EventLogError):
        return error
    if not isinstance(error, sqlite3.Error):
        return EventLogError(f"{failure}: {error}")
    if is_damage(error):
        return LogDamaged(
            f"{failure}: {path} is damaged ({error}); stop every process that uses it, and restore it from a backup"
        )
    if appends and getattr(error, "sqlite_errorcode", 0) in _UNSYNCED:
        return AppendUnresolved(
            f"it is unknown whether the events were recorded: {path} could not be synced ({error})"
        )
    kind = LogUnavailable if is_failure_of_machine(error) else EventLogError
    return kind(f"{failure}: {path}: {reason_of(error)}")
