"""The connections to a views file: one for writing, and others, which read on the thread of the caller."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from ledgerpress.sqlite import faults
from ledgerpress.sqlite.connection import (
    MAX_WRITE_AHEAD_LOG,
    READ_TIMEOUT,
    SerialConnection,
    empty_write_ahead_log,
    open_connection,
    open_to_read,
    retry_while_busy,
    transaction,
)
from ledgerpress.views.files.change_detector import ChangeDetector, unknown_version
from ledgerpress.views.files.tables import check_tables, create_tables, is_damage, recreate, recreate_tables
from ledgerpress.views.files.views_health import READ_TOO_LONG, ViewsHealth, ViewsUnavailable
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from ledgerpress.views.snapshot_and_cache_dependencies import RememberedReads, Snapshot, ViewsVersion

T = TypeVar("T")

SWEPT: Final = 0
"""Stored as `user_version`: no deleted content is left. Any other value: pages that an erasure changed may still be in
the write-ahead log, or in the file. Each erasure stores another value."""
_MAX_USER_VERSION: Final = 2**31 - 1

WRITER_PRAGMAS: Final[dict[str, str | int]] = {
    "journal_mode": "WAL",
    "synchronous": "NORMAL",
    "secure_delete": "ON",  # see `ViewsFile.renewal`
    "cache_size": -65_536,
    "journal_size_limit": MAX_WRITE_AHEAD_LOG,
    "temp_store": "MEMORY",
}
_SHARED_THREAD_PRAGMAS: Final[dict[str, str | int]] = {
    "wal_autocheckpoint": 0,  # see `ViewsFile._checkpoint`
    "busy_timeout": 0,  # `retry_while_busy` waits
}
"""Settings of a connection that also writes on the thread of the event loop, which must not wait for a disk or lock."""
_CHANGES_PER_CHECKPOINT: Final = 1_000
"""The number of changed rows after which the write-ahead log is moved into the file."""


class _NotWritten(Enum):
    NOT_WRITTEN = "not written"


NOT_WRITTEN: Final = _NotWritten.NOT_WRITTEN


class ViewsFile:
    """A views file: one writing connection with a thread of its own, and reading connections on the caller's thread."""

    def __init__(self, path: Path, writer: SerialConnection, projectors: Sequence[Projector]) -> None:
        """Wrap an open connection. Use `open` to create an instance."""
        self._path = path
        self._writer = writer
        self._projectors = tuple(projectors)
        self._turn = asyncio.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._reads: dict[sqlite3.Connection, float] = {}
        self.health = ViewsHealth(path)
        self._watch = ChangeDetector(self._connect, self._version_failed)
        self._checkpointing: asyncio.Task[None] | None = None
        self._changes = 0
        self._closed = False
        self._remembered: tuple[tuple[sqlite3.Connection, int], RememberedReads] | None = None

    @classmethod
    async def open(cls, path: Path, projectors: Sequence[Projector], *, create: bool = True) -> "ViewsFile":
        """Open the views at `path`. With `create`, create empty views if there are none.

        Raises `ViewsDamaged` or `ViewsOfOtherVersions` if the tables do not match `projectors`, and `sqlite3.Error`.
        """
        pragmas = WRITER_PRAGMAS | _SHARED_THREAD_PRAGMAS
        writer = await open_connection(path, create=create, pragmas=pragmas)
        views = cls(path, writer, projectors)
        try:
            await views._write(partial(create_tables, projectors=projectors))
            await views._write(partial(check_tables, projectors=projectors))
        except BaseException:
            await views.aclose()
            raise
        return views

    @property
    def path(self) -> Path:
        return self._path

    async def write(self, work: Callable[[sqlite3.Connection], T], *, is_brief: bool = False) -> T:
        """Run `work` in one transaction, and return its result: committed if it returns, rolled back if it raises.

        Work that `is_brief` runs on the thread of the event loop, if the file is not in use: a switch to another thread
        and back takes longer.
        """
        try:
            result = self._write_now(work) if is_brief else NOT_WRITTEN
            if result is NOT_WRITTEN:
                result = await self._write(work)
        except sqlite3.Error as error:
            self._write_failed(error)
            raise
        self.health.unwritable = None
        self._checkpoint()
        return result

    @asynccontextmanager
    async def renewal(self) -> AsyncIterator[SerialConnection]:
        """Open one transaction of several steps, in which withdrawn text is erased from the views.

        It is committed at the end, and rolled back on an error. Until the commit, readers see the old views, and other
        writers wait. Deleted content is overwritten when `sweep` has returned true.
        """
        async with self._turn:
            await self._writer.run(partial(retry_while_busy, statement="BEGIN IMMEDIATE"))
            try:
                yield self._writer
                await self._writer.run(partial(_end, statement="COMMIT"))
            except BaseException as error:
                await self._writer.run(partial(_end, statement="ROLLBACK"))
                if isinstance(error, sqlite3.Error):
                    self._write_failed(error)
                raise

    def finish_erasure(self, db: sqlite3.Connection, began_at: int, rebuilt: Sequence[Projector]) -> None:
        """Record that no row contains a payload that was withdrawn up to the position `began_at`.

        Delete all rows and the checkpoints of the projectors `rebuilt`, whose rows can contain such payloads. The new
        `began_at` also shows other processes that cached content is stale.
        """
        if len(rebuilt) == len(self._projectors):
            recreate(db, self._projectors, began_at=began_at)
        else:
            recreate_tables(db, rebuilt)
            checkpoints.finish_erasure(db, began_at, [projector.name for projector in rebuilt])
        db.execute(f"PRAGMA user_version = {1 + began_at % _MAX_USER_VERSION}")

    async def sweep(self) -> bool:
        """Overwrite the content that the last erasure deleted; return whether that is done.

        Returns false if readers prevent it for `READ_TIMEOUT`: no process can write meanwhile. If no such content is
        left, it does nothing and returns true. If a process was killed after an erasure, the next one overwrites the
        content.
        """
        async with self._turn:
            return await self._writer.run(_sweep)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Open a snapshot of the views as of the position that every projection has reached.

        It is read on the caller's thread: a lookup takes microseconds, a switch to another thread takes many more.
        Raises `ViewsUnavailable` if the file is damaged or the machine prevents reading it.
        """
        with self._reader() as db:
            db.execute("BEGIN")
            remembered = self._remembered_by(db)
            yield Snapshot(db, remembered.position, remembered=remembered)

    def latest_row(self, query: str, parameters: tuple[str, ...]) -> tuple[Any, ...] | None:
        """Return the first row of a query on the views as of their last commit; `None` if there is none.

        It takes one statement, a snapshot four; each releases and takes the lock of Python's interpreter, for which
        the threads that write compete. Raises `ViewsUnavailable` as `snapshot` does.
        """
        with self._reader() as db:
            row: tuple[Any, ...] | None = db.execute(query, parameters).fetchone()
            return row

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading, and note whether the file could be read. Raises `ViewsUnavailable`."""
        if self.health.is_locked:
            raise ViewsUnavailable(self.health.unreadable)
        db: sqlite3.Connection | None = None
        is_usable = True
        try:
            db = self._idle.pop() if self._idle else self._connect()
            self._reads[db] = time.monotonic()
            yield db
        except sqlite3.Error as error:
            is_usable = False
            if unavailable := self._read_failed(db, error):
                raise unavailable from error
            raise
        finally:
            # If the read was ended, its connection is closed.
            if db is not None and self._reads.pop(db, None) is not None:
                self._put_back(db, is_usable=is_usable)

    def _remembered_by(self, db: sqlite3.Connection) -> RememberedReads:
        """Return what was read from the state that the read transaction of `db` shows.

        Only one connection remembers: requests that do not wait use the same one.
        """
        (version,) = db.execute("PRAGMA data_version").fetchone()
        state = (db, version)
        if self._remembered is None or self._remembered[0] != state:
            self.forget()
            (position,) = db.execute("SELECT min(position) FROM projection").fetchone()
            self._remembered = state, RememberedReads(position)
        return self._remembered[1]

    def forget(self) -> None:
        """Forget what was read, for example after a withdrawal."""
        if self._remembered is not None:
            self._remembered[1].end()
            self._remembered = None

    def end_reads_older_than(self, seconds: float) -> int:
        """End the snapshots that have been open for longer; return their number. Further reads from them fail."""
        since = time.monotonic() - seconds
        old_reads = [db for db, began in self._reads.items() if began < since]
        for db in old_reads:
            del self._reads[db]
            db.execute("ROLLBACK")
            db.close()
        return len(old_reads)

    async def empty_write_ahead_log(self) -> bool:
        """Move the write-ahead log into the file, and truncate it; return whether reads did not prevent that.

        Waits for reads for at most `READ_TIMEOUT`: other processes cannot write meanwhile.
        """
        async with self._turn:
            return await self._writer.run(partial(empty_write_ahead_log, timeout=READ_TIMEOUT))

    def checkpoints(self) -> dict[str, Checkpoint]:
        with self.snapshot() as snapshot:
            return checkpoints.read(snapshot.db)

    def views_version(self) -> ViewsVersion:
        """Return the version of the views: the same object until a process changes the views."""
        return unknown_version() if self.health.is_locked else self._watch.read()

    async def aclose(self) -> None:
        """Close every connection; the connection of an open snapshot is closed at the end of the snapshot."""
        self._closed = True
        self.forget()
        for reader in self._idle:
            reader.close()
        self._idle.clear()
        self._watch.close()
        if self._checkpointing is not None:
            await asyncio.wait([self._checkpointing])
        await self._writer.close()

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def write(db: sqlite3.Connection) -> T:
            with transaction(db):
                return work(db)

        async with self._turn:
            return await self._writer.run(write)

    def _write_now(self, work: Callable[[sqlite3.Connection], T]) -> T | _NotWritten:
        """Do the same as `_write` on the caller's thread; return `NOT_WRITTEN` if it would have to wait."""
        has_begun = False

        def write(db: sqlite3.Connection) -> T:
            nonlocal has_begun
            with transaction(db, timeout=0):
                has_begun = True
                return work(db)

        if self._turn.locked():
            return NOT_WRITTEN
        try:
            return self._writer.run_now(write)
        except BlockingIOError:
            return NOT_WRITTEN
        except sqlite3.OperationalError as error:
            if has_begun or not faults.is_lock(error):
                raise
            return NOT_WRITTEN

    def _checkpoint(self) -> None:
        """If enough has changed, move the write-ahead log into the file, on the thread of the connection.

        SQLite's automatic checkpoint would do so in a transaction, and the event loop would wait for the disk.
        """
        is_running = self._checkpointing is not None and not self._checkpointing.done()
        if not is_running and self._writer.total_changes > self._changes + _CHANGES_PER_CHECKPOINT:
            self._changes = self._writer.total_changes
            self._checkpointing = asyncio.create_task(self._writer.run(_move_write_ahead_log))

    def _connect(self) -> sqlite3.Connection:
        db = open_to_read(self._path, timeout=READ_TIMEOUT)
        db.execute("PRAGMA query_only = 1")
        return db

    def _put_back(self, db: sqlite3.Connection, *, is_usable: bool) -> None:
        if is_usable and db.in_transaction:
            db.execute("ROLLBACK")
        if is_usable and not self._closed:
            self._idle.append(db)
        else:
            db.close()

    def _read_failed(self, db: sqlite3.Connection | None, error: sqlite3.Error) -> ViewsUnavailable | None:
        """Note the failure of a read, and return the error to raise; `None` if a mistake in code is the cause."""
        if db is not None and db not in self._reads:
            return ViewsUnavailable(READ_TOO_LONG)
        if faults.is_failure_of_machine(error):
            self.health.read_failed(error)
        elif is_damage(error) or self._is_empty():
            self.health.damaged(str(error))
        else:
            return None
        return ViewsUnavailable(self.health.unreadable)

    def _version_failed(self, error: sqlite3.Error) -> None:
        # Any other failure is noted by the read that follows.
        if faults.is_lock(error):
            self.health.read_failed(error)

    def _write_failed(self, error: sqlite3.Error) -> None:
        self.health.unwritable = str(error)
        if not faults.is_failure_of_machine(error) and (is_damage(error) or self._is_empty()):
            self.health.damaged(str(error))

    def _is_empty(self) -> bool:
        """Return whether the file has lost its tables: statements then fail as if they named wrong tables."""
        try:
            with closing(open_to_read(self._path, timeout=READ_TIMEOUT)) as db:
                return db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None
        except sqlite3.Error:
            return False


def _end(db: sqlite3.Connection, statement: str) -> None:
    if db.in_transaction:
        db.execute(statement)


def _move_write_ahead_log(db: sqlite3.Connection) -> None:
    """Move as much of the write-ahead log into the file as possible without waiting for other connections."""
    with suppress(sqlite3.Error):  # the next write reports it
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _sweep(db: sqlite3.Connection) -> bool:
    erasure = user_version(db)
    if erasure == SWEPT:
        return True
    if not empty_write_ahead_log(db, timeout=READ_TIMEOUT):
        return False
    with transaction(db):
        if user_version(db) != erasure:  # another process has erased more since
            return False
        db.execute(f"PRAGMA user_version = {SWEPT}")
    return True


def user_version(db: sqlite3.Connection) -> int:
    """Return the number that shows whether deleted content is left (`SWEPT`)."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])
