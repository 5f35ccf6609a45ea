"""Translates errors of SQLite into errors of the log, with advice for operators."""

import sqlite3
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError, LogDamaged, LogUnavailable

LOCK_TIMEOUT: Final = 5.0
"""Seconds to wait for a lock that another process holds on the file, before an operation fails."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_ADVICE: Final = {
    sqlite3.SQLITE_BUSY: f"another process has locked the file for more than {LOCK_TIMEOUT:g} s; find it, for example "
    "with fuser(1), and end it",
    sqlite3.SQLITE_LOCKED: "another connection has locked the file",
    sqlite3.SQLITE_FULL: "the disk is full; free space on it",
    sqlite3.SQLITE_IOERR: "the disk is full or failed; check its free space and the messages of the kernel",
    sqlite3.SQLITE_CANTOPEN: "the file, or a file next to it, cannot be opened; check the directory and its permissions",
    sqlite3.SQLITE_READONLY: "the file or its file system is read-only; make it writable",
    sqlite3.SQLITE_PERM: "the file may not be written; check its permissions",
    sqlite3.SQLITE_PROTOCOL: "other processes hold the locks of the file",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
}
"""The primary result codes (https://sqlite.org/rescode.html) after which a later attempt may succeed."""
_UNSYNCED: Final = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})
"""A commit was written, but not synced. After a crash, SQLite may find it in the write-ahead log or not."""


def advice(error: sqlite3.Error) -> str:
    """Return the advice for operators about an error, after a colon; empty if there is none."""
    text = _ADVICE.get(error.sqlite_errorcode & 0xFF)
    return f": {text}" if text else ""


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
    if primary in _ADVICE:
        return LogUnavailable(f"{failure}: {path}: {error}: {_ADVICE[primary]}")
    return EventLogError(f"{failure}: {error}")
