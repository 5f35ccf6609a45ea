"""Classifies errors of SQLite: damage of the file, failures of the machine, and all others, which are mistakes in code.

The codes are those of https://sqlite.org/rescode.html.
"""

import sqlite3
from typing import Final

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_DAMAGE_IN_DETAIL: Final = frozenset({sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS})
"""A file that ends too early, such as a truncated write-ahead log, and a damaged file system."""
_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_MACHINE: Final = _LOCKED | {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


def is_damage(error: BaseException) -> bool:
    """Return whether the content of the file is damaged: retrying does not help."""
    code = _code(error)
    return code & 0xFF in _DAMAGE or code in _DAMAGE_IN_DETAIL


def is_lock(error: BaseException) -> bool:
    """Return whether another connection holds a lock that the statement needs."""
    return _code(error) & 0xFF in _LOCKED


def is_of_disk(error: BaseException) -> bool:
    """Return whether the file cannot be opened, read or written, for another reason than damage or a lock."""
    return is_failure_of_machine(error) and not is_lock(error)


def is_failure_of_machine(error: BaseException) -> bool:
    """Return whether the machine prevents the statement, such as a full disk, missing permission, or a lock.

    A retry may succeed. Damage of the file is none of these failures.
    """
    return _code(error) & 0xFF in _MACHINE and not is_damage(error)


def _code(error: BaseException) -> int:
    """Return the extended result code; 0 if the error does not come from SQLite."""
    code: int = getattr(error, "sqlite_errorcode", 0) if isinstance(error, sqlite3.Error) else 0
    return code
