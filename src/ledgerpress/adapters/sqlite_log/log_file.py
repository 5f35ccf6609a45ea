"""Creates, recognizes and opens the file of a log. Any other file is rejected and left unchanged."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Final

from ledgerpress.adapters.sqlite_log.errors import LOCK_TIMEOUT, log_error
from ledgerpress.eventlog.errors import LogUnavailable, LogUnusable
from ledgerpress.sqlite.connection import (
    MAX_WRITE_AHEAD_LOG,
    SerialConnection,
    is_busy,
    is_writable,
    open_connection,
    retry_while_busy,
    statements,
    uri,
)
from ledgerpress.system_errors import reason_of

APPLICATION_ID: Final = 0x4C64_5072
"""Identifies the file of a log, at byte 68 (https://sqlite.org/fileformat.html): "LdPr" in ASCII."""
UNFINISHED_ID: Final = 0x4C64_5063
"""Identifies an unfinished copy of a log, which cannot be opened as a log: "LdPc"."""
FORMAT_VERSION: Final = 1
"""The version of the layout of tables and triggers, stored as `user_version`."""
DURABLE: Final[Mapping[str, str | int]] = {"synchronous": "FULL", "fullfsync": "ON"}
"""With these settings, a commit returns when it is on disk. On macOS, this needs `fullfsync`."""

READER: Final[Mapping[str, str | int]] = {"busy_timeout": round(LOCK_TIMEOUT * 1000)}
"""The settings of a connection that reads: only a checkpoint or a recovery by another process can lock it out."""
WRITER: Final[Mapping[str, str | int]] = {
    **DURABLE,
    "busy_timeout": 0,  # `retry_while_busy` waits
    "secure_delete": "ON",  # see `payload_erasure`
    "cache_size": -16 * 1024,
    "wal_autocheckpoint": 4_000,
    "journal_size_limit": MAX_WRITE_AHEAD_LOG,
}
"""The settings of a connection that writes.

Event ids are distributed randomly over their index, so a group changes many pages (4 KB each). The cache has space for
all of them. More commits than by default share one checkpoint, which writes each changed page once.
"""


class LogCopyUnfinished(LogUnusable):
    """The file is an unfinished copy of a log."""


async def open_log_file(
    path: Path, create_as: Callable[[], str] | None, *, may_be_read_only: bool = False
) -> tuple[SerialConnection, str]:
    """Return a connection that can write to the log at `path`, and the publication of the log.

    If the log `may_be_read_only` and cannot be written to, the connection can only read.

    If the file is missing or empty, a log is created for the publication that `create_as` returns. If several processes
    do so at the same time, one of them creates the log, and all return its publication. Raises `LogUnusable`, and
    `LogUnavailable` if another process has locked the file.
    """
    new = not is_log(path)
    if new and create_as is None:
        raise LogUnusable(f"there is no log at {path}")
    if not new and may_be_read_only and not _can_be_written(path):
        return await _open_to_read(path)
    if not new and not is_writable(path):
        # SQLite would open the file read-only, and fail at the first append.
        raise LogUnusable(f"{path} cannot be written to")
    try:
        connection = await open_connection(path, create=new, pragmas=WRITER)
    except sqlite3.Error as error:
        raise LogUnusable(f"{path} cannot be opened: {reason_of(error)}") from error
    try:
        return connection, await connection.run(lambda db: _prepare(db, path, create_as))
    except sqlite3.Error as error:
        await connection.close()
        failure = log_error(error, path, "the log could not be opened")
        if is_busy(error) and isinstance(failure, LogUnavailable):
            raise failure from error
        raise LogUnusable(f"{path} cannot be used as a log: {reason_of(error)}") from error
    except BaseException:
        await connection.close()
        raise


def _can_be_written(path: Path) -> bool:
    """Return whether this process can write to the file of a log, and create its side files."""
    return is_writable(path) and is_writable(path.resolve().parent)


async def _open_to_read(path: Path) -> tuple[SerialConnection, str]:
    try:
        connection = await open_connection(path, read_only=True)
    except sqlite3.Error as error:
        raise LogUnusable(f"{path} cannot be opened: {reason_of(error)}") from error
    try:
        return connection, await connection.run(lambda db: _publication_of(db, path))
    except sqlite3.Error as error:
        await connection.close()
        raise LogUnusable(f"{path} cannot be read: {reason_of(error)}") from error
    except BaseException:
        await connection.close()
        raise


def is_log(path: Path) -> bool:
    """Return whether there is a log at `path`; `False` if the file is missing or empty.

    Reads only the file's first page and changes nothing, not even a file of another application that needs recovery.
    Raises `LogUnusable` if the file is not a log that this program can read.
    """
    try:
        if path.stat().st_size == 0 and path.is_file():
            return False
    except FileNotFoundError:
        return False
    except OSError as error:
        raise LogUnusable(f"{path} cannot be read: {reason_of(error)}") from error
    if not path.is_file():
        raise LogUnusable(f"{path} is not a file")
    try:
        # Open the file only with SQLite: if any other code closes it, this process loses all its locks on it
        # (https://sqlite.org/howtocorrupt.html, section 2.2).
        with closing(sqlite3.connect(uri(path, mode="ro", immutable=1), uri=True)) as db:
            # A checkpoint writes the first page first. If it was interrupted, other pages that the first page counts
            # are only in the write-ahead log. SQLite accepts this only with `writable_schema`.
            db.execute("PRAGMA writable_schema = ON")
            check_format(db, path)
    except sqlite3.OperationalError as error:
        raise LogUnusable(f"{path} cannot be read: {reason_of(error)}") from error
    except sqlite3.DatabaseError as error:
        raise LogUnusable(f"{path} is not an SQLite database") from error
    return True


def check_format(db: sqlite3.Connection, path: Path) -> None:
    """Raise `LogUnusable` unless the database at `path` is a log in this program's format."""
    application_id = db.execute("PRAGMA application_id").fetchone()[0]
    if application_id == UNFINISHED_ID:
        raise LogCopyUnfinished(
            f"{path} is an unfinished copy of a log: continue it with `ledgerpress log copy`, or delete it"
        )
    if application_id != APPLICATION_ID:
        raise LogUnusable(f"{path} is a database of another application")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT_VERSION:
        raise LogUnusable(
            f"{path} was written by a newer LedgerPress (format {version}); "
            f"this one reads format {FORMAT_VERSION}: upgrade"
        )
    if version < FORMAT_VERSION:
        raise LogUnusable(f"{path} has the unknown format {version}")


def _prepare(db: sqlite3.Connection, path: Path, create_as: Callable[[], str] | None) -> str:
    retry_while_busy(db, "BEGIN IMMEDIATE", timeout=LOCK_TIMEOUT)
    try:
        # Possible even after `is_log`: SQLite has just rolled back the log that a killed process was creating.
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
            if create_as is None:
                raise LogUnusable(f"there is no log at {path}")
            create_log(db, create_as(), APPLICATION_ID)
        publication = _publication_of(db, path)
        # Until the file has a write-ahead log, a commit waits for readers.
        retry_while_busy(db, "COMMIT", timeout=LOCK_TIMEOUT)
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    retry_while_busy(db, "PRAGMA journal_mode = WAL", timeout=LOCK_TIMEOUT)
    if retry_while_busy(db, "PRAGMA journal_mode", timeout=LOCK_TIMEOUT).fetchone()[0] != "wal":
        raise LogUnusable(
            f"{path} is on a file system on which SQLite has no write-ahead log: move it to another one"
        )
    return publication


def _publication_of(db: sqlite3.Connection, path: Path) -> str:
    """Return the publication of the log. Raises `LogUnusable` if the database is not a log."""
    check_format(db, path)
    row = db.execute("SELECT publication FROM log_meta").fetchone()
    if row is None:
        raise LogUnusable(f"{path} does not contain the id of its publication")
    return str(row[0])


def create_log(db: sqlite3.Connection, publication: str, application_id: int) -> None:
    """Create the tables of a log, inside a transaction of the caller."""
    for statement in statements(resources.files(__package__).joinpath("log_schema.sql").read_text("utf-8")):
        db.execute(statement)
    db.execute("INSERT INTO log_meta (id, publication) VALUES (1, ?)", (publication,))
    db.execute(f"PRAGMA application_id = {application_id}")
    db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
