"""A log that is being made of another one, in its file from the start, which says that it is not finished.

So nothing else is ever made at the path meanwhile, such as an empty log by a node that is started too early.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from ledgerpress.adapters.sqlite_log import event_rows as log_rows
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
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, GapInLog, LogExists, LogUnusable
from ledgerpress.sqlite.connection import SerialConnection, is_busy, open_connection, transaction

T = TypeVar("T")

# A lock on the file from the first look at it to the end, and no wait for another's; one that is killed leaves none.
_ALONE: Final = {"busy_timeout": 0, "locking_mode": "EXCLUSIVE", **WRITER}
_NOTE: Final = "CREATE TABLE note (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL) STRICT"


class SqliteCopyTarget:
    """A `LogReplica` in one file."""

    def __init__(self, db: SerialConnection, path: Path, publication: str) -> None:
        self._db = db
        self._path = path
        self._publication = publication

    @classmethod
    async def open(cls, path: Path, publication: str) -> "SqliteCopyTarget":
        """Begin or go on with a copy of the publication's log at `path`. Raises `LogExists` and `LogUnusable`."""
        with suppress(LogCopyUnfinished):
            if is_log(path):
                raise LogExists(f"{path} is a log already")
        try:
            db = await open_connection(path, create=True, pragmas=_ALONE)
        except sqlite3.Error as error:
            raise _cannot_open(path, error) from error
        try:
            await db.run(partial(_prepare, path=path, publication=publication))
        except sqlite3.Error as error:
            await db.close()
            raise _cannot_open(path, error) from error
        except BaseException:
            await db.close()
            raise
        return cls(db, path, publication)

    async def head(self) -> int:
        """Return the position of the last event that is there."""
        return await self._run(log_rows.read_head)

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events with positions greater than `after`; fewer if they are large."""
        return await self._run(
            partial(log_rows.read_batch, publication=self._publication, after=after, limit=limit)
        )

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        """Add `events` in one durable transaction: all, or none where it raises."""
        await self._run(partial(_extend, events=events, publication=self._publication))

    async def erase(self, position: int) -> None:
        """Erase payload and salt of the event at `position`."""
        await self._run(partial(withdraw, position=position, command=None))

    async def note(self, text: str) -> None:
        """Keep `text` in place of what was noted before."""
        await self._run(partial(_note, text=text))

    async def noted(self) -> str:
        """Return what was noted last."""
        return await self._run(_noted)

    async def finish(self) -> None:
        """Make it a log, in one transaction of a file that has no others beside it."""
        await self._run(_finish)

    async def aclose(self) -> None:
        """Close the file."""
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
            db.execute(_NOTE)
        with suppress(LogCopyUnfinished):
            check_format(db, path)
            raise LogExists(f"{path} is a log already")
        (found,) = db.execute("SELECT publication FROM log_meta").fetchone()
        if found != publication:
            raise LogUnusable(f"{path} is an unfinished copy of the log of another publication, {found}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("PRAGMA journal_mode = WAL")


def _extend(db: sqlite3.Connection, *, events: Sequence[StoredEvent], publication: str) -> None:
    with transaction(db):
        expected = 1 + log_rows.read_head(db)
        for event in events:
            if event.position != expected:
                raise GapInLog(expected=expected, found=event.position)
            if event.header.publication != publication:
                raise EventLogError(f"position {expected}: it belongs to another publication")
            try:
                db.execute(log_rows.INSERT, log_rows.to_row_as_it_is(event))
            except (sqlite3.IntegrityError, OverflowError, ValueError) as error:
                raise EventLogError(f"position {expected}: {error}") from error
            expected += 1


def _note(db: sqlite3.Connection, *, text: str) -> None:
    with transaction(db):
        db.execute("INSERT OR REPLACE INTO note VALUES (1, ?)", (text,))


def _noted(db: sqlite3.Connection) -> str:
    found = db.execute("SELECT text FROM note").fetchone()
    return str(found[0]) if found else ""


def _finish(db: sqlite3.Connection) -> None:
    # Without a write-ahead log, so that the file's first page, by which a log is known, is written with the commit.
    db.execute("PRAGMA journal_mode = DELETE")
    with transaction(db):
        db.execute("DROP TABLE note")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA journal_mode = WAL")


async def write_copy(path: Path, publication: str, batches: Iterable[Sequence[StoredEvent]]) -> int:
    """Make a new log at `path`, of the events of `batches` in their order, and return its head."""
    replica = await SqliteCopyTarget.open(path, publication)
    try:
        for batch in batches:
            await replica.extend(batch)
        await replica.finish()
        return await replica.head()
    finally:
        await replica.aclose()
