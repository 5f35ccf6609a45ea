"""A SQLite connection with its own thread, on which it runs whole functions.

A switch to another thread and back costs about 80 µs, more than most statements. So a transaction is one function,
which begins and commits it. If the caller is cancelled while it waits, the function still runs to its end, and no
transaction stays open.
"""

import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import aiosqlite

from ledgerpress.retry import poll_blocking
from ledgerpress.sqlite.faults import is_of_disk
from ledgerpress.system_errors import reason_of

T = TypeVar("T")

BUSY_TIMEOUT: Final = 30.0
"""Seconds that a connection waits for a lock before it fails."""
READ_TIMEOUT: Final = 1.0
"""Seconds that a read on the thread of the event loop waits for a lock: every request waits with it."""
MAX_WRITE_AHEAD_LOG: Final = 64 * 2**20
"""Bytes to which SQLite truncates a write-ahead log whose content has been moved into the database."""
BUSY_INTERVAL: Final = 0.001
"""Seconds between two attempts to get a lock."""


class SerialConnection(aiosqlite.Connection):
    """An aiosqlite connection that runs one function at a time, each to its end."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._running_work = threading.Lock()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call `work` with the connection, on its thread; return its result or raise its exception.

        `work` MUST end every transaction that it begins. Raises `ValueError` if the connection is closed.
        """
        result: T = await self._execute(self._call, work)  # type: ignore[no-untyped-call]
        return result

    def run_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the same as `run` on the caller's thread, for work that takes less time than a switch to another thread.

        Raises `BlockingIOError` if the thread of the connection is running something else.
        """
        if not self._running_work.acquire(blocking=False):
            raise BlockingIOError("the connection is in use")
        try:
            return work(self._conn)
        finally:
            self._running_work.release()

    def _call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._running_work:
            return work(self._conn)

    def post(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Queue `work` without waiting. `work` MUST NOT raise, and must report its result itself, from that thread.

        This saves a task and an iteration of the event loop. It uses the thread's queue in the same way as aiosqlite's
        own methods do, so it depends on the pinned version of aiosqlite.
        """
        self._tx.put_nowait((None, partial(work, self._conn)))


async def open_connection(
    path: Path,
    *,
    read_only: bool = False,
    create: bool = False,
    pragmas: Mapping[str, str | int] = {},
) -> SerialConnection:
    """Open the database at `path` in autocommit mode and set `pragmas`, in their order.

    Raises `sqlite3.Error` on failure, such as `sqlite3.OperationalError` for a missing file without `create`; then
    nothing remains open.
    """
    if create:
        create_private(path)
    open_it = (
        partial(open_to_read, path, timeout=BUSY_TIMEOUT)
        if read_only
        else partial(connect, uri(path, mode="rwc" if create else "rw"))
    )
    connection = SerialConnection(partial(open_it, pragmas))
    try:
        _ = await connection
    except sqlite3.Error:
        # aiosqlite does not wait for the end of its thread, and the event loop may be closed before the thread ends.
        connection._thread.join()
        raise
    return connection


def create_private(path: Path) -> None:
    """Create an empty file that only its owner can read, unless the file exists.

    Every database contains drafts and keys, and SQLite alone would only apply the umask. SQLite gives its side files
    the same mode. If the file cannot be created, SQLite reports the reason later.
    """
    with suppress(OSError):
        # Never open an existing file: closing it would drop this process's locks on it.
        path.touch(mode=0o600, exist_ok=False)


def uri(path: Path, **parameters: str | int) -> str:
    """Return the SQLite URI of a file (https://sqlite.org/uri.html)."""
    return f"{path.absolute().as_uri()}?" + "&".join(f"{key}={value}" for key, value in parameters.items())


def open_to_read(
    path: Path, pragmas: Mapping[str, str | int] = {}, *, timeout: float = 5.0
) -> sqlite3.Connection:
    """Open the database at `path` read-only, on the caller's thread. Raises `sqlite3.Error` if there is none.

    Statements wait for locks for `timeout` seconds. Also works on a read-only medium and without permission to write.
    To read a database with a write-ahead log, SQLite needs its index in a side file (-shm), which cannot be created
    there (https://sqlite.org/wal.html, section 6).
    """
    file = path.resolve()
    log, index = write_ahead_log(file), Path(f"{file}-shm")
    if is_writable(file.parent) or (log.exists() and index.exists()):
        return connect(uri(path, mode="ro"), pragmas, timeout=timeout)
    if size_of_write_ahead_log(file) == 0:
        return connect(uri(path, mode="ro", immutable=1), pragmas, timeout=timeout)
    # No process has the database open: its index would exist. With this mode, the index is in memory, and without locks
    # (unix-none) the mode needs no permission to write.
    exclusive = {"locking_mode": "EXCLUSIVE", **pragmas}
    return connect(uri(path, mode="ro", vfs="unix-none"), exclusive, timeout=timeout)


def is_writable(path: Path) -> bool:
    """Return whether this process can write to a file, or create files in a directory."""
    return os.access(path, os.W_OK)


def write_ahead_log(path: Path) -> Path:
    """Return the path of the write-ahead log of the database at `path`."""
    return Path(f"{path}-wal")


def size_of_write_ahead_log(path: Path) -> int:
    """Return the size of the write-ahead log of the database at `path` in bytes, 0 if it has none."""
    try:
        return write_ahead_log(path).stat().st_size
    except FileNotFoundError:
        return 0


def retry_while_busy(
    db: sqlite3.Connection,
    statement: str,
    parameters: Sequence[object] = (),
    *,
    timeout: float | None = None,
) -> sqlite3.Cursor:
    """Execute `statement`, and retry it while another connection holds the lock that it needs.

    SQLite's own busy handler sleeps longer each time, up to 100 ms, and so starves the connection that has waited
    longest. Equal, short sleeps give several writing processes equal shares. Raises `sqlite3.Error`, for example if the
    database is still locked after `timeout` seconds, by default `BUSY_TIMEOUT`.
    """
    if (cursor := _unless_busy(db, statement, parameters)) is None:
        cursor = poll_blocking(
            lambda: _unless_busy(db, statement, parameters),
            interval=BUSY_INTERVAL,
            timeout=BUSY_TIMEOUT if timeout is None else timeout,
        )
    return db.execute(statement, parameters) if cursor is None else cursor


def _unless_busy(
    db: sqlite3.Connection, statement: str, parameters: Sequence[object] = ()
) -> sqlite3.Cursor | None:
    try:
        return db.execute(statement, parameters)
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
        return None


def empty_write_ahead_log(db: sqlite3.Connection, *, timeout: float | None = None) -> bool:
    """Move the content of the write-ahead log into the database and truncate it; return whether that succeeded.

    Waits until no connection reads an older state, for at most `timeout` seconds, by default `BUSY_TIMEOUT`
    (https://sqlite.org/c3ref/wal_checkpoint_v2.html).
    """

    def truncate() -> bool | None:
        cursor = _unless_busy(db, "PRAGMA wal_checkpoint(TRUNCATE)")
        return True if cursor is not None and cursor.fetchone()[0] == 0 else None

    seconds = BUSY_TIMEOUT if timeout is None else timeout
    return bool(poll_blocking(truncate, interval=BUSY_INTERVAL, timeout=seconds))


@contextmanager
def transaction(db: sqlite3.Connection, *, timeout: float | None = None) -> Iterator[None]:
    """Run a write transaction: commit it at the end, or roll it back on an error. Raises `sqlite3.Error`.

    `timeout` is how long to wait for the write lock, in seconds, by default `BUSY_TIMEOUT`.
    """
    with naming_file(db):
        retry_while_busy(db, "BEGIN IMMEDIATE", timeout=timeout)
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


@contextmanager
def naming_file(db: sqlite3.Connection) -> Iterator[None]:
    """Add the name of the file of `db` to errors of the disk: SQLite reports only that a disk is full, not which."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not is_of_disk(error) or type(error) is FileError:
            raise
        file = next((row[2] for row in db.execute("PRAGMA database_list") if row[1] == "main"), "")
        raise FileError(file, error) from error


class FileError(sqlite3.OperationalError):
    """An error of the disk, with the name of the file."""

    def __init__(self, file: str, error: sqlite3.Error) -> None:
        super().__init__(f"{file} cannot be written or read: {reason_of(error)}")
        self.sqlite_errorcode = error.sqlite_errorcode
        self.sqlite_errorname = error.sqlite_errorname


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether the error is that another connection holds the lock (SQLITE_BUSY, with any extended code)."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def connect(
    database: str, pragmas: Mapping[str, str | int], *, timeout: float = BUSY_TIMEOUT
) -> sqlite3.Connection:
    """Open the database with this URI in autocommit mode, on the caller's thread, and set `pragmas` in order.

    Statements wait for locks for `timeout` seconds. Only one thread at a time may use the connection.
    """
    db = sqlite3.connect(database, uri=True, isolation_level=None, timeout=timeout, check_same_thread=False)
    try:
        set_pragmas(db, pragmas)
    except BaseException:
        db.close()
        raise
    return db


def set_pragmas(db: sqlite3.Connection, pragmas: Mapping[str, str | int]) -> None:
    for name, value in pragmas.items():
        db.execute(f"PRAGMA {name} = {value}")


def statements(script: str) -> Iterator[str]:
    """Yield the statements of `script` one by one, because `executescript` would commit the open transaction."""
    statement = ""
    for part in re.findall(r"[^;\n]*[;\n]|[^;\n]+", script):
        statement += part
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
