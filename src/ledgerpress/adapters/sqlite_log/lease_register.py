"""Who holds which lease, in a table beside the events of a log."""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Final

from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.leases.lease_register import Held
from ledgerpress.sqlite.connection import SerialConnection, retry_while_busy

# Not part of the log's format: it holds nothing that is recorded, and a log without it is whole.
_TABLE: Final = "CREATE TABLE IF NOT EXISTS lease (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, holder TEXT NOT NULL) STRICT"
_SELECT: Final = "SELECT revision, holder FROM lease WHERE name = ?"
_SET: Final = "UPDATE lease SET revision = revision + 1, holder = ? WHERE name = ? AND revision = ?"
_FIRST: Final = "INSERT OR IGNORE INTO lease VALUES (?, 1, ?)"


class SqliteLeaseRegister:
    """A `LeaseRegister` in the log's own file."""

    def __init__(self, writer: SerialConnection) -> None:
        self._writer = writer

    async def read(self, name: str) -> Held | None:
        """Return what the register holds, `None` where it was never written."""
        return await self._run(partial(_read, name=name))

    async def write(self, name: str, holder: str, *, previous: int) -> Held | None:
        """Set the register where its revision is `previous`, and return what it holds now; else `None`."""
        return await self._run(partial(_write, name=name, holder=holder, previous=previous))

    async def _run(self, work: Callable[[sqlite3.Connection], Held | None]) -> Held | None:
        try:
            return await self._writer.run(work)
        except sqlite3.Error as error:
            raise EventLogError(f"the lease could not be looked up: {error}") from error


def _read(db: sqlite3.Connection, *, name: str) -> Held | None:
    retry_while_busy(db, _TABLE)
    found = db.execute(_SELECT, (name,)).fetchone()
    return Held(*found) if found else None


def _write(db: sqlite3.Connection, *, name: str, holder: str, previous: int) -> Held | None:
    retry_while_busy(db, _TABLE)
    if previous:
        changed = retry_while_busy(db, _SET, (holder, name, previous)).rowcount
    else:
        changed = retry_while_busy(db, _FIRST, (name, holder)).rowcount
    return Held(previous + 1, holder) if changed else None
