"""A SQLite connection on a thread of its own, which takes a whole function in one hop.

A hop to another thread and back costs about 80 µs, more than most statements. So a transaction is one function,
which begins and commits it itself. A caller that is cancelled while it waits leaves nothing open: the function
runs to its end all the same.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import aiosqlite

T = TypeVar("T")

BUSY_TIMEOUT: Final = 30.0
"""Seconds that a connection waits for a lock before it gives up."""
RETRY: Final = 0.001
"""Seconds between two attempts to get the lock for writing."""

_NO_PRAGMAS: Final[Mapping[str, str | int]] = MappingProxyType({})


class SerialConnection(aiosqlite.Connection):
    """An aiosqlite connection that runs one function at a time, each to its end."""

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call `work` with the connection, on its thread, and return the result or raise what it raises.

        `work` MUST end every transaction that it begins. Raises `ValueError` once the connection is closed.
        """
        result: T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return result

    def post(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Queue `work` and do not wait: it MUST NOT raise, and says itself what came of it, from that thread.

        It takes no task and no turn of the event loop more than it must. Like aiosqlite's own methods it puts the
        work into the thread's queue, and so leans on the pinned version.
        """
        self._tx.put_nowait((None, partial(work, self._conn)))


async def open_connection(
    path: Path,
    *,
    read_only: bool = False,
    create: bool = False,
    pragmas: Mapping[str, str | int] = _NO_PRAGMAS,
) -> SerialConnection:
    """Open the database at `path` in autocommit mode and set `pragmas`, in their order.

    Raises `sqlite3.Error` where that fails, `sqlite3.OperationalError` among others for a file that is missing
    and not to be created; nothing is left open then.
    """
    mode = "ro" if read_only else "rwc" if create else "rw"
    if create:
        create_private(path)
    connection = SerialConnection(partial(_connect, uri(path, mode=mode), pragmas), iter_chunk_size=64)
    try:
        _ = await connection
    except sqlite3.Error:
        # aiosqlite has told the thread to end, but does not wait: the event loop might be closed before it has.
        connection._thread.join()
        raise
    return connection


def create_private(path: Path) -> None:
    """Make an empty file that only its owner may read, where there is none: SQLite would go by the umask alone.

    Drafts and keys are in every database. SQLite gives the files beside it the same mode, and says what is wrong where no
    file can be made.
    """
    with suppress(OSError):
        # Never opened where it is there already: closing it would drop this process's locks on it.
        path.touch(mode=0o600, exist_ok=False)


def uri(path: Path, **parameters: str | int) -> str:
    """Return the SQLite URI of a file (https://sqlite.org/uri.html)."""
    return f"{path.absolute().as_uri()}?" + "&".join(f"{key}={value}" for key, value in parameters.items())


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the database at `path`, on the caller's thread, to read only. Raises `sqlite3.Error` where there is none."""
    return sqlite3.connect(uri(path, mode="ro"), uri=True, isolation_level=None)


def retry_while_busy(
    db: sqlite3.Connection, statement: str, parameters: Sequence[object] = ()
) -> sqlite3.Cursor:
    """Execute `statement`, again and again while another connection holds the lock that it needs.

    SQLite's own busy handler sleeps longer each time, up to 100 ms, and so starves whoever has waited longest.
    Equal, short sleeps give several writing processes equal shares. Raises `sqlite3.Error`, after `BUSY_TIMEOUT` also
    for a lock.
    """
    give_up: float | None = None
    while True:
        try:
            return db.execute(statement, parameters)
        except sqlite3.OperationalError as error:
            give_up = give_up or time.monotonic() + BUSY_TIMEOUT
            if not is_busy(error) or time.monotonic() > give_up:
                raise
        time.sleep(RETRY)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Run one write transaction: committed at the end, rolled back on an error. Raises `sqlite3.Error`."""
    retry_while_busy(db, "BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether another connection's lock was in the way (SQLITE_BUSY, with any extended code)."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _connect(where: str, pragmas: Mapping[str, str | int]) -> sqlite3.Connection:
    db = sqlite3.connect(where, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT)
    try:
        for name, value in pragmas.items():
            db.execute(f"PRAGMA {name} = {value}")
    except BaseException:
        db.close()
        raise
    return db


def statements(script: str) -> Iterator[str]:
    """Yield the statements of `script` one by one: `executescript` would commit the transaction under way."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
