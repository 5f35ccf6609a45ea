"""The lease registers, in a table next to the events of the log."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ledgerpress.adapters.sqlite_log.errors import LOCK_TIMEOUT, log_error
from ledgerpress.eventlog.lease_compare_and_set import LeaseRecord
from ledgerpress.sqlite.connection import SerialConnection, retry_while_busy

# Not part of the log's format: the table contains no recorded facts, and a log without it is complete.
_CREATE: Final = "CREATE TABLE IF NOT EXISTS lease (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, holder TEXT NOT NULL) STRICT"
_SELECT: Final = "SELECT revision, holder FROM lease WHERE name = ?"
_UPDATE: Final = "UPDATE lease SET revision = revision + 1, holder = ? WHERE name = ? AND revision = ?"
_INSERT: Final = "INSERT OR IGNORE INTO lease VALUES (?, 1, ?)"


class SqliteLeaseRegister:
    """A `LeaseRegister` in the file of the log."""

    def __init__(self, writer: SerialConnection, path: Path) -> None:
        self._writer = writer
        self._path = path

    async def read(self, name: str) -> LeaseRecord | None:
        row = await self._run(lambda db: db.execute(_SELECT, (name,)).fetchone())
        return LeaseRecord(*row) if row else None

    async def write(self, name: str, holder: str, *, previous: int) -> LeaseRecord | None:
        statement, values = (_UPDATE, (holder, name, previous)) if previous else (_INSERT, (name, holder))
        row_count = await self._run(
            lambda db: retry_while_busy(db, statement, values, timeout=LOCK_TIMEOUT).rowcount
        )
        return LeaseRecord(previous + 1, holder) if row_count else None

    async def _run(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        def create_and_work(db: sqlite3.Connection) -> Any:
            retry_while_busy(db, _CREATE, timeout=LOCK_TIMEOUT)
            return work(db)

        try:
            return await self._writer.run(create_and_work)
        except sqlite3.Error as error:
            raise log_error(error, self._path, "the lease could not be read or written") from error
