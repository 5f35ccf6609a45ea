"""The connections to a views file: one for writing, on its own thread, and others for reading, on the caller's."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from ledgerpress.sqlite.connection import (
    SerialConnection,
    empty_write_ahead_log,
    open_connection,
    open_to_read,
    retry_while_busy,
    transaction,
    uri,
)
from ledgerpress.views.files.tables import check_tables, create_tables, recreate
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, ViewsVersion

T = TypeVar("T")

SWEPT: Final = 0
UNSWEPT: Final = 1
"""Stored as `user_version`: pages that a renewal deleted may still be in the write-ahead log, or in the file."""

WRITER_PRAGMAS: Final[dict[str, str | int]] = {
    "journal_mode": "WAL",
    "synchronous": "NORMAL",
    "secure_delete": "ON",  # see `ViewsFile.renewal`
    "cache_size": -65_536,
    "temp_store": "MEMORY",
}
_VIEWS_VERSION: Final = """
    SELECT min(position), min(position) = max(position) AND count(error) = 0, (SELECT began_at FROM views) FROM projection
"""


class ViewsFile:
    """A views file: one writing connection on its own thread, and reading connections on the caller's thread."""

    def __init__(self, path: Path, writer: SerialConnection, projectors: Sequence[Projector]) -> None:
        """Wrap an open connection. Use `open` to create an instance."""
        self._path = path
        self._writer = writer
        self._projectors = tuple(projectors)
        self._turn = asyncio.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._watch = ChangeDetector(self._connect)
        self._closed = False

    @classmethod
    async def open(cls, path: Path, projectors: Sequence[Projector], *, create: bool = True) -> "ViewsFile":
        """Open the views at `path`. With `create`, create empty views if there are none.

        Raises `ViewsDamaged` or `ViewsOfOtherVersions` if the tables do not match `projectors`, and `sqlite3.Error`.
        """
        writer = await open_connection(path, create=create, pragmas=WRITER_PRAGMAS)
        views = cls(path, writer, projectors)
        try:
            await views.write(partial(create_tables, projectors=projectors))
            await views.write(partial(check_tables, projectors=projectors))
        except BaseException:
            await views.aclose()
            raise
        return views

    @property
    def path(self) -> Path:
        return self._path

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction, and return its result: committed if it returns, rolled back if it raises."""

        def write(db: sqlite3.Connection) -> T:
            with transaction(db):
                return work(db)

        async with self._turn:
            return await self._writer.run(write)

    @asynccontextmanager
    async def renewal(self) -> AsyncIterator[SerialConnection]:
        """Open one long transaction in which the views are emptied and rebuilt.

        It is committed at the end, and rolled back on an error. Until the commit, readers see the old views, and other
        writers wait. Deleted content is overwritten when `sweep` has returned true.
        """
        async with self._turn:
            await self._writer.run(partial(retry_while_busy, statement="BEGIN IMMEDIATE"))
            try:
                yield self._writer
                await self._writer.run(partial(_end, statement="COMMIT"))
            except BaseException:
                await self._writer.run(partial(_end, statement="ROLLBACK"))
                raise

    def empty(self, db: sqlite3.Connection, began_at: int) -> None:
        """Delete all rows and checkpoints permanently. `began_at` is the current head of the log."""
        recreate(db, self._projectors, began_at=began_at)
        db.execute(f"PRAGMA user_version = {UNSWEPT}")

    async def sweep(self) -> bool:
        """Overwrite the content that the last renewal deleted; return whether that is done.

        Returns false while there are readers; they prevent it. If no such content is left, it does nothing and returns
        true. If a process was killed after a renewal, the next process overwrites the content.
        """
        async with self._turn:
            return await self._writer.run(_sweep)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Open a snapshot of the views as of the position that every projection has reached.

        It is read on the caller's thread: a lookup takes microseconds, a switch to another thread takes many more.
        """
        db = self._idle.pop() if self._idle else self._connect()
        try:
            db.execute("BEGIN")
            (position,) = db.execute("SELECT min(position) FROM projection").fetchone()
            yield Snapshot(db, position)
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if self._closed:
                db.close()
            else:
                self._idle.append(db)

    def checkpoints(self) -> dict[str, Checkpoint]:
        with self.snapshot() as snapshot:
            return checkpoints.read(snapshot.db)

    def views_version(self) -> ViewsVersion:
        """Return the version of the views: the same object until a process changes the views."""
        return self._watch.read()

    async def aclose(self) -> None:
        """Close every connection; the connection of an open snapshot is closed at the end of the snapshot."""
        self._closed = True
        for reader in self._idle:
            reader.close()
        self._idle.clear()
        self._watch.close()
        await self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        db = open_to_read(self._path)
        db.execute("PRAGMA query_only = 1")
        return db


def behind_withdrawal(files: Iterable[Path], position: int) -> list[Path]:
    """Return the views files that may still contain the payload that the event at `position` withdrew.

    These are files that have not applied this event, unless they were begun after it and copied no rows, and files that
    no process has swept yet. Unreadable files are included.
    """
    return [file for file in files if not _is_past(file, position)]


def is_open(views: Path) -> bool:
    """Return whether any process has a connection to a views file open; true if that is unknown and the file exists.

    Every connection to a database with a write-ahead log holds a shared lock while it is open. The lock ends with the
    process, even if it is killed. So an exclusive lock is granted only if there is no other connection
    (https://sqlite.org/wal.html).
    """
    try:
        with closing(sqlite3.connect(uri(views, mode="rw"), uri=True, isolation_level=None, timeout=0)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
            db.execute("ROLLBACK")
    except sqlite3.Error:
        return views.exists()
    return False


def _is_past(views: Path, position: int) -> bool:
    try:
        if views.stat().st_size == 0:  # another process has just created it
            return True
        with closing(open_to_read(views)) as db:
            points = checkpoints.read(db).values()
            is_swept = db.execute("PRAGMA user_version").fetchone()[0] != UNSWEPT
            ((began_at, copied),) = db.execute("SELECT began_at, taken_over <> '[]' FROM views")
            if began_at >= position and not copied:
                return bool(is_swept)
            return is_swept and bool(points) and all(point.position >= position for point in points)
    except FileNotFoundError:
        return True
    except sqlite3.Error:
        return not views.exists()


def _end(db: sqlite3.Connection, statement: str) -> None:
    if db.in_transaction:
        db.execute(statement)


def _sweep(db: sqlite3.Connection) -> bool:
    if db.execute("PRAGMA user_version").fetchone()[0] != UNSWEPT:
        return True
    if not empty_write_ahead_log(db):
        return False
    db.execute(f"PRAGMA user_version = {SWEPT}")
    return True


class ChangeDetector:
    """Detects changes of the views: reads SQLite's data version with its own connection, on the caller's thread.

    The data version changes with every commit of another connection, in this process or another, and only then
    (https://sqlite.org/pragma.html#pragma_data_version).
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._db: sqlite3.Connection | None = None
        self._ask: Callable[[str], sqlite3.Cursor]
        self._data_version: int | None = None
        self._views_version = _unknown()

    def read(self) -> ViewsVersion:
        """Return the version of the views: the same object until they change.

        If the views cannot be read, they count as not settled.
        """
        try:
            if self._db is None:
                self._db = self._connect()
                self._ask = self._db.cursor().execute
                self._data_version = None
            (version,) = self._ask("PRAGMA data_version").fetchone()
            if version != self._data_version:
                # A commit between the two statements is included now, and detected again by the next read.
                ((position, is_settled, began_at),) = self._db.execute(_VIEWS_VERSION).fetchall()
                self._views_version = ViewsVersion(position, (self, began_at), bool(is_settled))
                self._data_version = version
        except sqlite3.Error:
            self.close()
        return self._views_version

    def close(self) -> None:
        """Close the connection; the next read opens another."""
        if self._db is not None:
            self._db.close()
            self._db = None
        self._views_version = _unknown()


def _unknown() -> ViewsVersion:
    return ViewsVersion(0, None, is_settled=False)
