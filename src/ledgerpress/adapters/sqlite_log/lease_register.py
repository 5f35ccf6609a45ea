"""The registers of the leases, in a table next to the events of the log."""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Final

from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.lease_register import LeaseRecord
from ledgerpress.sqlite.connection import SerialConnection, retry_while_busy

# Not part of the log's format: it contains nothing that is recorded, and a log without it is complete.
_CREATE: Final = "CREATE TABLE IF NOT EXISTS lease (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, holder TEXT NOT NULL) STRICT"
_SELECT: Final = "SELECT revision, holder FROM lease WHERE name = ?"
_UPDATE: Final = "UPDATE lease SET revision = revision + 1, holder = ? WHERE name = ? AND revision = ?"
_INSERT: Final = "INSERT OR IGNORE INTO lease VALUES (?, 1, ?)"


class SqliteLeaseRegister:
    """A `LeaseRegister` in the log's own file."""

    def __init__(self, writer: SerialConnection) -> None:
        self._writer = writer

    async def read(self, name: str) -> LeaseRecord | None:
        return await self._run(partial(_read, name=name))

    async def write(self, name: str, holder: str, *, previous: int) -> LeaseRecord | None:
        return await self._run(partial(_write, name=name, holder=holder, previous=previous))

    async def _run(self, work: Callable[[sqlite3.Connection], LeaseRecord | None]) -> LeaseRecord | None:
        try:
            return await self._writer.run(work)
        except sqlite3.Error as error:
            raise EventLogError(f"the lease could not be looked up: {error}") from error


def _read(db: sqlite3.Connection, *, name: str) -> LeaseRecord | None:
    retry_while_busy(db, _CREATE)
    row = db.execute(_SELECT, (name,)).fetchone()
    return LeaseRecord(*row) if row else None


def _write(db: sqlite3.Connection, *, name: str, holder: str, previous: int) -> LeaseRecord | None:
    retry_while_busy(db, _CREATE)
    if previous:
        changed = retry_while_busy(db, _UPDATE, (holder, name, previous)).rowcount
    else:
        changed = retry_while_busy(db, _INSERT, (name, holder)).rowcount
    return LeaseRecord(previous + 1, holder) if changed else None
