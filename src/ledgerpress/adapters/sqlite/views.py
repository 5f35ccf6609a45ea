"""The views: one SQLite file beside the log, made anew from it whenever it is gone.

Its name holds a digest of the projectors' versions and tables, so that a newer program builds its own beside the
older one's and neither writes into the other's.
"""

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from ledgerpress.adapters.sqlite.connection import SerialConnection, open_connection, patiently, statements
from ledgerpress.adapters.sqlite.withdrawal import empty_write_ahead_log
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.projections import checkpoints
from ledgerpress.projections.checkpoints import Checkpoint
from ledgerpress.projections.projector import Projector
from ledgerpress.readmodels.temporal import Snapshot

T = TypeVar("T")
logger = logging.getLogger(__name__)

APPLICATION_ID: Final = 0x4C507677
"""Marks the file as LedgerPress views (https://sqlite.org/pragma.html#pragma_application_id): "LPvw"."""

_TABLES: Final = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"

SWEPT: Final = 0
UNSWEPT: Final = 1
"""Kept as `user_version`: pages that a renewal deleted may still lie in the write-ahead log, or under it."""

WRITER_PRAGMAS: Final[dict[str, str | int]] = {
    "journal_mode": "WAL",
    "synchronous": "NORMAL",
    "secure_delete": "ON",  # see `withdrawal`
    "cache_size": -65_536,
    "temp_store": "MEMORY",
}

INDEXING_PRAGMAS: Final[dict[str, str | int]] = {"temp_store": "FILE", "cache_size": -8_192}
"""For `create_indexes` on a long table: SQLite sorts all its rows, as many at a time as the cache may hold."""


def views_path(data: Path, projectors: Sequence[Projector]) -> Path:
    """Return where the views of these projectors lie in a data directory."""
    made_by = sorted(f"{one.name} {one.version} {one.schema} {one.indexes}" for one in projectors)
    digest = hashlib.sha256("\n".join((checkpoints.SCHEMA, *made_by)).encode()).hexdigest()
    return data / f"views-{digest[:8]}.sqlite"


class SqliteViews:
    """The views file: one writing connection on a thread of its own, and reading ones on the caller's."""

    def __init__(self, path: Path, writer: SerialConnection, projectors: Sequence[Projector]) -> None:
        """Take an open connection; `open` makes one."""
        self._path = path
        self._writer = writer
        self._projectors = tuple(projectors)
        self._turn = asyncio.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._readers: list[sqlite3.Connection] = []

    @classmethod
    async def open(cls, path: Path, projectors: Sequence[Projector]) -> "SqliteViews":
        """Open the views at `path`, and create them, empty, where there are none, or where they are damaged.

        Raises `LogUnusable` where the file can be neither read nor made.
        """
        try:
            try:
                return await cls._open(path, projectors)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                logger.warning("%s is damaged (%s): the views are made anew from the log", path, error)
                _delete(path)
                return await cls._open(path, projectors)
        except (sqlite3.Error, OSError) as error:
            raise LogUnusable(f"the views in {path} cannot be used: {error}") from error

    @classmethod
    async def _open(cls, path: Path, projectors: Sequence[Projector]) -> "SqliteViews":
        writer = await open_connection(path, create=True, pragmas=WRITER_PRAGMAS)
        views = cls(path, writer, projectors)
        try:
            await views.write(partial(create_tables, projectors=projectors))
            await views.write(partial(_check_tables, projectors=projectors))
        except BaseException:
            await views.aclose()
            raise
        return views

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    async def reset(self, projectors: Sequence[Projector]) -> None:
        """Empty the views, so that they are built again from the beginning of the log."""
        await self.write(partial(_recreate, projectors=projectors))

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction: committed when it returns, rolled back when it raises."""

        def transaction(db: sqlite3.Connection) -> T:
            patiently(db, "BEGIN IMMEDIATE")
            try:
                result = work(db)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            return result

        async with self._turn:
            return await self._writer.run(transaction)

    @asynccontextmanager
    async def renewal(self) -> AsyncIterator["Renewal"]:
        """Lend one long transaction, committed at the end, rolled back on an error.

        Readers see the views as they were until it is committed, and other writers wait. What it deletes is overwritten,
        once `sweep` has returned.
        """
        async with self._turn:
            await self._writer.run(_begin_renewal)
            try:
                yield Renewal(self._writer, self._projectors)
                await self._writer.run(partial(_end, statement="COMMIT"))
            except BaseException:
                await self._writer.run(partial(_end, statement="ROLLBACK"))
                raise

    async def sweep(self) -> bool:
        """Overwrite what the last renewal deleted; return whether that is done, which it is not while somebody reads.

        It does nothing where nothing is left to do. A process that was killed in between leaves it to the next.
        """
        async with self._turn:
            return await self._writer.run(_sweep)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Lend the views as of the position that every projection has reached.

        It is read on the caller's thread: a look-up takes microseconds, a hop to another thread many more.
        """
        db = self._idle.pop() if self._idle else self._connect()
        try:
            db.execute("BEGIN")
            (position,) = db.execute("SELECT min(position) FROM projection").fetchone()
            yield Snapshot(db, position)
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._idle.append(db)

    def checkpoints(self) -> dict[str, Checkpoint]:
        """Return how far each projection has come."""
        with self.snapshot() as snapshot:
            return checkpoints.read(snapshot.db)

    async def aclose(self) -> None:
        """Close every connection."""
        for reader in self._readers:
            reader.close()
        self._readers.clear()
        self._idle.clear()
        await self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        db.execute("PRAGMA query_only = 1")
        self._readers.append(db)
        return db


class Renewal:
    """One transaction in which the views are emptied and written anew."""

    def __init__(self, writer: SerialConnection, projectors: Sequence[Projector]) -> None:
        self._writer = writer
        self._projectors = projectors

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns."""
        return await self._writer.run(work)

    async def empty(self) -> None:
        """Delete all rows and checkpoints, for ever."""
        await self._writer.run(partial(_empty, projectors=self._projectors))


def _begin_renewal(db: sqlite3.Connection) -> None:
    patiently(db, "BEGIN IMMEDIATE")


def _end(db: sqlite3.Connection, statement: str) -> None:
    if db.in_transaction:
        db.execute(statement)


def _empty(db: sqlite3.Connection, projectors: Sequence[Projector]) -> None:
    _recreate(db, projectors)
    db.execute(f"PRAGMA user_version = {UNSWEPT}")


def _sweep(db: sqlite3.Connection) -> bool:
    if db.execute("PRAGMA user_version").fetchone()[0] != UNSWEPT:
        return True
    if not empty_write_ahead_log(db):
        return False
    db.execute(f"PRAGMA user_version = {SWEPT}")
    return True


def create_tables(db: sqlite3.Connection, projectors: Sequence[Projector], *, indexes: bool = True) -> None:
    """Make the projectors' tables, empty, and their checkpoints, in a file that has none.

    Without `indexes`, those that only readers use are left to `create_indexes`: rows are written faster then.
    """
    if db.execute(_TABLES).fetchone():
        return
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for script in (checkpoints.SCHEMA, *(projector.schema for projector in projectors)):
        for statement in statements(script):
            db.execute(statement)
    checkpoints.create(db, projectors)
    if indexes:
        create_indexes(db, projectors)


def create_indexes(db: sqlite3.Connection, projectors: Sequence[Projector]) -> None:
    """Make the indexes that only readers use, where `create_tables` was told to leave them out.

    Where there are many rows, `INDEXING_PRAGMAS`, set before the transaction, bound the memory that this takes.
    """
    for projector in projectors:
        for statement in statements(projector.indexes):
            db.execute(statement)


def _delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


class _ViewsDamaged(sqlite3.DatabaseError):
    """The file is a database, and not whole."""


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file's content is at fault (SQLITE_CORRUPT, SQLITE_NOTADB), and not what surrounds it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, _ViewsDamaged) or code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _check_tables(db: sqlite3.Connection, projectors: Sequence[Projector]) -> None:
    """Raise `_ViewsDamaged` unless every table and every checkpoint is there."""
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise _ViewsDamaged("it does not say that it holds views")
    with closing(sqlite3.connect(":memory:")) as whole:
        create_tables(whole, projectors)
        expected = set(whole.execute(_TABLES))
    if set(db.execute(_TABLES)) != expected:
        raise _ViewsDamaged("its tables are not those of the projectors")
    if {name for (name,) in db.execute("SELECT name FROM projection")} != {one.name for one in projectors}:
        raise _ViewsDamaged("it lacks the checkpoint of a projection")


def _recreate(db: sqlite3.Connection, projectors: Sequence[Projector]) -> None:
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for (name,) in tables.fetchall():
        db.execute(f'DROP TABLE "{name}"')
    create_tables(db, projectors)
