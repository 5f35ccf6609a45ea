"""A copy target in the final file of the log, which is marked as unfinished.

So no other log can be created at the path meanwhile, such as an empty log by a node that starts too early.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from ledgerpress.adapters.sqlite_log import event_reads_and_group_append
from ledgerpress.adapters.sqlite_log.log_file import (
    APPLICATION_ID,
    UNFINISHED_ID,
    WRITER,
    LogCopyUnfinished,
    check_format,
    create_log,
    is_log,
)
from ledgerpress.adapters.sqlite_log.payload_erasure import withdraw
from ledgerpress.eventlog.copy_target import check_follows
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogExists, LogUnusable
from ledgerpress.sqlite.connection import SerialConnection, is_busy, open_connection, transaction

T = TypeVar("T")

# Locks the file exclusively from the first read to the end, without waiting. A killed process leaves no lock.
_EXCLUSIVE: Final = {"busy_timeout": 0, "locking_mode": "EXCLUSIVE", **WRITER}
_SAVE_NOTE: Final = "INSERT OR REPLACE INTO note VALUES (1, ?)"
_CREATE_NOTE: Final = "CREATE TABLE note (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL) STRICT"


class SqliteCopyTarget:
    """A `CopyTarget` in a SQLite file."""

    def __init__(self, db: SerialConnection, path: Path, publication: str) -> None:
        self._db = db
        self._path = path
        self._publication = publication

    @classmethod
    async def open(cls, path: Path, publication: str) -> "SqliteCopyTarget":
        """Begin or continue a copy of the publication's log at `path`. Raises `LogExists` and `LogUnusable`."""
        with suppress(LogCopyUnfinished):
            if is_log(path):
                raise LogExists(f"{path} already contains a finished log")
        try:
            db = await open_connection(path, create=True, pragmas=_EXCLUSIVE)
        except sqlite3.Error as error:
            raise _cannot_open(path, error) from error
        try:
            await db.run(partial(_prepare, path=path, publication=publication))
        except BaseException as error:
            await db.close()
            if isinstance(error, sqlite3.Error):
                raise _cannot_open(path, error) from error
            raise
        return cls(db, path, publication)

    async def head(self) -> int:
        return await self._run(event_reads_and_group_append.read_head)

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return await self._run(
            partial(
                event_reads_and_group_append.read_batch,
                publication=self._publication,
                after=after,
                limit=limit,
            )
        )

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        await self._run(partial(_extend, events=events, publication=self._publication))

    async def erase(self, position: int) -> None:
        await self._run(partial(withdraw, position=position, command=None))

    async def save_note(self, text: str) -> None:
        await self._run(lambda db: db.execute(_SAVE_NOTE, (text,)).close())

    async def load_note(self) -> str:
        row = await self._run(lambda db: db.execute("SELECT text FROM note").fetchone())
        return str(row[0]) if row else ""

    async def finish(self) -> None:
        """Turn the target into a log, in one transaction on a file without side files."""
        await self._run(_finish)

    async def aclose(self) -> None:
        await self._db.close()

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._db.run(work)
        except sqlite3.Error as error:
            raise LogUnusable(f"{self._path} cannot be written or read: {error}") from error


def _cannot_open(path: Path, error: sqlite3.Error) -> LogUnusable:
    if is_busy(error):
        return LogUnusable(f"{path} is in use: another process is copying to it")
    return LogUnusable(f"{path} cannot be opened: {error}")


def _prepare(db: sqlite3.Connection, path: Path, publication: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
            create_log(db, publication, UNFINISHED_ID)
            db.execute(_CREATE_NOTE)
        with suppress(LogCopyUnfinished):
            check_format(db, path)
            raise LogExists(f"{path} already contains a finished log")
        (source,) = db.execute("SELECT publication FROM log_meta").fetchone()
        if source != publication:
            raise LogUnusable(f"{path} is an unfinished copy of the log of another publication, {source}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("PRAGMA journal_mode = WAL")


def _extend(db: sqlite3.Connection, *, events: Sequence[StoredEvent], publication: str) -> None:
    with transaction(db):
        check_follows(events, event_reads_and_group_append.read_head(db), publication)
        for event in events:
            try:
                db.execute(event_reads_and_group_append.INSERT, event.row)
            except (sqlite3.IntegrityError, OverflowError, ValueError) as error:
                raise EventLogError(f"position {event.position}: {error}") from error


def _finish(db: sqlite3.Connection) -> None:
    # Without a write-ahead log, the commit itself writes the first page of the file, which identifies a log.
    db.execute("PRAGMA journal_mode = DELETE")
    with transaction(db):
        db.execute("DROP TABLE note")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA journal_mode = WAL")
