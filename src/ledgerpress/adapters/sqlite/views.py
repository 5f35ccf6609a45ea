"""The views: one SQLite file beside the log, made anew from it whenever it is gone.

Its name holds a digest of the projectors' versions and tables, so that a newer program builds its own beside the
older one's and neither writes into the other's.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from ledgerpress.adapters.sqlite.connection import SerialConnection, open_connection, patiently
from ledgerpress.projections import checkpoints
from ledgerpress.projections.checkpoints import Checkpoint
from ledgerpress.projections.projector import Projector
from ledgerpress.readmodels.temporal import Snapshot

T = TypeVar("T")

APPLICATION_ID: Final = 0x4C507677
"""Marks the file as LedgerPress views (https://sqlite.org/pragma.html#pragma_application_id): "LPvw"."""

_WRITER_PRAGMAS: Final[dict[str, str | int]] = {
    "journal_mode": "WAL",
    "synchronous": "NORMAL",
    "cache_size": -65_536,
    "temp_store": "MEMORY",
}


def views_path(data: Path, projectors: Sequence[Projector]) -> Path:
    """Return where the views of these projectors lie in a data directory."""
    made_by = sorted(f"{projector.name} {projector.version} {projector.schema}" for projector in projectors)
    digest = hashlib.sha256("\n".join((checkpoints.SCHEMA, *made_by)).encode()).hexdigest()
    return data / f"views-{digest[:8]}.sqlite"


class SqliteViews:
    """The views file: one writing connection on a thread of its own, and reading ones on the caller's."""

    def __init__(self, path: Path, writer: SerialConnection) -> None:
        """Take an open connection; `open` makes one."""
        self._path = path
        self._writer = writer
        self._idle: list[sqlite3.Connection] = []
        self._readers: list[sqlite3.Connection] = []

    @classmethod
    async def open(cls, path: Path, projectors: Sequence[Projector]) -> "SqliteViews":
        """Open the views at `path`, and create them, empty, where there are none. Raises `sqlite3.Error`."""
        writer = await open_connection(path, create=True, pragmas=_WRITER_PRAGMAS)
        views = cls(path, writer)
        try:
            await views.write(partial(_create, projectors=projectors))
        except BaseException:
            await views.aclose()
            raise
        return views

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

        return await self._writer.run(transaction)

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


def _create(db: sqlite3.Connection, projectors: Sequence[Projector]) -> None:
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'projection'").fetchone():
        return
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for script in (checkpoints.SCHEMA, *(projector.schema for projector in projectors)):
        for statement in _statements(script):
            db.execute(statement)
    checkpoints.create(db, projectors)


def _recreate(db: sqlite3.Connection, projectors: Sequence[Projector]) -> None:
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for (name,) in tables.fetchall():
        db.execute(f'DROP TABLE "{name}"')
    _create(db, projectors)


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script one by one: `executescript` would commit the transaction first."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
